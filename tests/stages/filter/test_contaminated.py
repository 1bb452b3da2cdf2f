"""filter.contaminated: which item, which part of it, both texts; and that it measures its own recall."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dataengine import stage
from dataengine.errors import InputError
from dataengine.stages.filter import _benchmarks

ITEMS = Path(__file__).with_name("items.jsonl")
FARMER = json.loads(ITEMS.read_text(encoding="utf-8").splitlines()[0])
SHARED = Path(__file__).parents[4] / "shared" / "data" / "decontam"


def run(texts: list[str | None], **config: Any) -> dict[str, list[Any]]:
    found = stage.load("filter.contaminated")
    ids = [hashlib.md5(str(number).encode()).hexdigest() for number in range(len(texts))]
    batch = pa.RecordBatch.from_pydict({"id": ids, "text": pa.array(texts, pa.string())})
    result = found(batch, found.config(**{"benchmarks": str(ITEMS), "self_test": 0} | config))
    return {name: column.to_pylist() for name, column in result.items()}


def test_a_hit_names_the_item_and_shows_both_texts() -> None:
    found = run([f"Yesterday.\n{FARMER['question'].lower()} I wonder."])
    assert found["benchmark_item"] == ["items.jsonl:1"]
    assert found["benchmark_part"] == ["question"]
    assert found["benchmark_text"] == [FARMER["question"]]
    assert found["benchmark_passage"] == [FARMER["question"].lower().rstrip("?")]


def test_a_question_with_its_answer_behind_it_is_told_apart() -> None:
    both = run([f"{FARMER['question']} Answer: the farmer has 32 sheep!"])
    assert both["benchmark_part"] == ["question_and_answer"]
    assert run([f"{FARMER['question']} The farmer has 320 sheep."])["benchmark_part"] == ["question"]


def test_a_passage_is_told_from_the_question_about_it() -> None:
    german = json.loads(ITEMS.read_text(encoding="utf-8").splitlines()[2])
    assert run([german["passage"]])["benchmark_part"] == ["passage"]


def test_a_clean_text_has_no_item() -> None:
    found = run(["Nothing of the kind.", "", None])
    assert found["benchmark_run"] == [0, 0, 0]
    assert found["benchmark_item"] == [None, None, None]


def test_planted_items_are_found_and_decoys_are_not() -> None:
    found = run([f"Document number {number} says little, and says it briefly." for number in range(300)], self_test=1)
    by_kind: dict[str, list[bool]] = {}
    for kind, known in zip(found["planted"], found["planted_found"], strict=True):
        by_kind.setdefault(kind, []).append(known)
    assert len(by_kind) == 8
    assert not any(by_kind.pop("decoy"))
    assert all(all(known) for kind, known in by_kind.items() if kind != "replaced_words")
    assert sum(by_kind["replaced_words"]) > 0


def test_the_self_test_leaves_contaminated_documents_and_the_text_alone() -> None:
    found = run([FARMER["question"], "A clean text."], self_test=1)
    assert found["planted"][0] is None
    assert found["planted"][1] is not None
    assert found["benchmark_item"][1] is None


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.jsonl", b"", "holds no item"),
        ("other.jsonl", b'{"label": 3}\n', "holds no item"),
        ("bad.jsonl", b'{"question": "fine"}\n{"question": \n', "line 2 is no JSON"),
        ("list.jsonl", b"[1]\n", "line 1 is no JSON object"),
        ("cut.jsonl.gz", gzip.compress(b'{"question": "one two three"}\n' * 99, mtime=0)[:40], "cannot be read"),
        ("items.csv", b"question\nwhy\n", "is no benchmark file"),
        ("items.parquet", b"PAR1 nothing", "cannot be read as Parquet"),
    ],
)
def test_a_file_without_items_is_said_before_anything_runs(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        _benchmarks.read_items(path)
    contaminated = stage.load("filter.contaminated")
    assert says in contaminated.check(contaminated.config(benchmarks=str(path)), {})


def test_jsonl_text_and_parquet_give_the_same_items(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    questions = ["Why is the sky blue at noon?", "What colour is it at dusk, and why?"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"problem": text}) + "\n" for text in questions))
    (tmp_path / "a.txt").write_text("\n".join(questions))
    pq.write_table(pa.table({"question": questions}), tmp_path / "a.parquet")
    read = [[item.text for item in _benchmarks.read_items(path)] for path in sorted(tmp_path.iterdir())]
    assert read == [questions] * 3


def test_changed_questions_of_gsm8k_are_found_and_lookalikes_are_not() -> None:
    if not SHARED.exists():
        pytest.skip("needs the evaluation sets beside the repository")
    with gzip.open(SHARED / "docs.jsonl.gz") as file:
        documents = [json.loads(line) for line in file]
    found = run([document["text"] for document in documents], benchmarks=str(SHARED / "benchmark_items.jsonl.gz"))
    said = [item is not None for item in found["benchmark_item"]]
    wrong = sum(ours != document["contaminated"] for ours, document in zip(said, documents, strict=True))
    assert wrong <= 2
