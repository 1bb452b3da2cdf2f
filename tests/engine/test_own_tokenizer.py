"""``[tokenizer] model``: a SentencePiece model that there is, in place of one learnt from the recipe's lanes."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine import run as runs
from dataengine.errors import DataEngineError, RecipeError
from dataengine.learn_tokenizer import learn
from dataengine.tokens import Tokenizer, TokenShard
from tests.engine.projects import WORDS

RECIPE = """
name = "own"
[run]
workers = 1
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[tokenizer]
model = "given.model"
[mix.all]
from = "web"
heldout = 0.2
"""


def texts(count: int = 200) -> list[str]:
    draw = random.Random(4)
    return [" ".join(draw.choices(WORDS, k=draw.randrange(1, 40))) + f"\n  né {number}" for number in range(count)]


def foreign(**options: object) -> bytes:
    """A model that SentencePiece learns as it does for others."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts()), model_writer=model, vocab_size=330, minloglevel=3,
        **{"model_type": "bpe", "byte_fallback": True} | options,
    )
    return model.getvalue()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rows = [json.dumps({"text": text}) for text in [*texts(), "", " ", "\u2581 mark", "日本 \0"]]
    (tmp_path / "docs.jsonl").write_text("\n".join(rows))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def planned(project: Path, out: str = "run") -> plans.Plan:
    return plans.make(recipes.load(project / "recipe.toml"), project / out)


def documents(plan: plans.Plan) -> list[list[int]]:
    """The ids of all documents, from the shards that ``mixture.json`` names."""
    (mix,) = (task.ref.folder(plan.out) for task in plan.tasks if task.kind == "mix")
    mixture = json.loads((mix / "mixture.json").read_text())
    found = []
    for shard in mixture["sources"][0]["shards"]:
        for part in ("train", "heldout"):
            opened = TokenShard(mix / shard[part])
            found += [opened.document(i).tolist() for i in range(len(opened))]
    assert Tokenizer.load(mix / mixture["tokenizer"]).vocabulary == mixture["vocabulary"]
    return found


def test_a_model_of_an_earlier_run_gives_the_shards_that_learning_it_gave(project: Path) -> None:
    learnt = RECIPE.replace('model = "given.model"', 'learn_from = "web"\nvocabulary = 330')
    (project / "recipe.toml").write_text(learnt)
    first = planned(project, "learnt")
    runs.run(first, workers=1)
    (made,) = (task.ref.folder(first.out) for task in first.tasks if task.kind == "tokenizer")
    (project / "given.model").write_bytes((made / "tokenizer.model").read_bytes())
    (project / "recipe.toml").write_text(RECIPE)
    second = planned(project)
    runs.run(second, workers=1)
    assert documents(second) == documents(first)
    assert len(documents(second)) == 204


def test_the_content_of_the_model_and_not_its_path_decides_what_is_made_again(project: Path) -> None:
    learn(texts(), project, vocabulary=330, kind="bpe", sample_bytes=1 << 20)
    (project / "tokenizer.model").rename(project / "given.model")
    first = [task.ref.address for task in planned(project).tasks]
    (project / "given.model").rename(project / "moved.model")
    (project / "recipe.toml").write_text(RECIPE.replace("given", "moved"))
    assert [task.ref.address for task in planned(project).tasks] == first
    (project / "moved.model").write_bytes(foreign())
    other = [task.ref.address for task in planned(project).tasks]
    assert [new == old for new, old in zip(other, first, strict=True)] == [True, False, False, False]


@pytest.mark.parametrize("options", [
    {}, {"model_type": "unigram"}, {"normalization_rule_name": "nmt_nfkc_cf", "byte_fallback": False},
    {"bos_id": -1, "eos_id": 7, "pad_id": 3, "eos_piece": "<eos>", "user_defined_symbols": ["ight", "\n"]},
], ids=["llama", "unigram", "normalizing", "gemma"])
def test_ids_are_those_of_the_given_model_and_each_document_ends_with_its_own_mark(
    project: Path, options: dict[str, object]
) -> None:
    (project / "given.model").write_bytes(foreign(**options))
    plan = planned(project)
    runs.run(plan, workers=1)
    peer = sentencepiece.SentencePieceProcessor(model_file=str(project / "given.model"))
    rows = [json.loads(line)["text"] for line in (project / "docs.jsonl").read_text().split("\n")]
    assert sorted(documents(plan)) == sorted([*peer.encode(text), peer.eos_id()] for text in rows)


def test_what_a_model_does_not_have_is_filled_in(tmp_path: Path) -> None:
    (tmp_path / "a.model").write_bytes(foreign(bos_id=-1))
    tokenizer = Tokenizer.load(tmp_path / "a.model")
    assert tokenizer.bos == tokenizer.pad == tokenizer.eos
    assert tokenizer.stops == (tokenizer.eos,) and not tokenizer.chats
    with pytest.raises(DataEngineError, match="lacks the mark"):
        tokenizer.encode_chat([{"role": "user", "content": "hi"}])


def break_file(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(change(foreign()))


@pytest.mark.parametrize(("prepare", "found"), [
    (lambda file: None, "No such file"),
    (lambda file: file.mkdir(), "directory"),
    (break_file(lambda data: b""), "not a SentencePiece model"),
    (break_file(lambda data: data[:-3]), "not a SentencePiece model"),
    (break_file(lambda data: b'{"model": {"type": "BPE"}}'), "not a SentencePiece model"),
    (lambda file: file.write_bytes(foreign(eos_id=-1)), "lacks the mark </s>"),
    (lambda file: file.write_bytes(foreign(model_type="char")), "of type char"),
])
def test_a_file_that_cannot_be_used_is_a_problem_at_its_line(
    project: Path, prepare: Callable[[Path], None], found: str
) -> None:
    prepare(project / "given.model")
    with pytest.raises(RecipeError) as caught:
        planned(project)
    (problem,) = caught.value.problems
    assert found in problem.found and problem.path == "tokenizer.model" and "recipe.toml:9:" in str(caught.value)


def test_conversations_need_a_model_with_their_marks(project: Path) -> None:
    (project / "given.model").write_bytes(foreign())
    (project / "recipe.toml").write_text(
        RECIPE.replace('stage = "read.jsonl"\npaths = "docs.jsonl"', 'stage = "make.procedural"\ncount = 20')
        + 'format = "messages"\n'
    )
    with pytest.raises(RecipeError, match=r"lacks the marks <\|system\|> .*<\|end\|>"):
        planned(project)


def test_a_model_that_changes_under_a_run_stops_it(project: Path) -> None:
    (project / "given.model").write_bytes(foreign())
    plan = planned(project)
    (project / "given.model").write_bytes(foreign(model_type="unigram"))
    with pytest.raises(DataEngineError, match="has changed since"):
        runs.run(plan, workers=1)
