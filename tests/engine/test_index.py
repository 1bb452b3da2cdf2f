"""An index: a later corpus against an earlier one, as if both were gathered together; written once, carried."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine.errors import InputError, RecipeError
from tests.engine.projects import dataengine, digests, documents, write_jsonl
from tests.gathering import execute_all, gathered
from tests.stages.dedup.test_minhash import edited_families


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("stage", "config"), [("dedup.minhash", {}), ("dedup.minhash", {"keep": "longest"}),
                                               ("dedup.minhash", {"verify": False}), ("dedup.exact", {})])
def test_a_corpus_against_an_index_is_what_it_would_be_behind_the_earlier_corpus(tmp_path, stage, config):
    """Rows of the earlier corpus stay whatever their rank; the later one loses what is like them, and like its own."""
    texts = edited_families(900, seed=11)
    random.Random(1).shuffle(texts)
    texts[700:720] = texts[:20]
    early, late = texts[:600], texts[600:]
    alone = gathered(tmp_path / "early", early, stage, files=4, index="../index", **config)
    kept = [text for row, text in enumerate(early) if row not in alone]
    later = gathered(tmp_path / "late", late, stage, files=11, against=["../index"], **config)
    if config.get("keep") == "longest":
        assert {row for row, one in later.items() if one.stays == -1} > set(range(100, 120))
        return
    both = gathered(tmp_path / "both", kept + late, stage, files=3, **config)
    assert {row - len(kept) for row in both} == set(later) and len(later) > 20
    for row, one in later.items():
        other = both[row + len(kept)]
        assert (one.stays, *one[1:]) == (max(other.stays - len(kept), -1), *other[1:])


def test_three_corpora_one_after_the_other_and_each_keeps_what_the_others_lack(tmp_path):
    texts = edited_families(600, seed=12)
    parts = [texts[:200], texts[200:400], texts[400:]]
    left, names = [], []
    for number, part in enumerate(parts):
        gone = gathered(tmp_path / str(number), part, files=2, index=f"../{number}.index", against=list(names))
        names.append(f"../{number}.index")
        left += [text for row, text in enumerate(part) if row not in gone]
    assert gathered(tmp_path / "all", left) == {}
    whole = gathered(tmp_path / "whole", texts)
    assert left == [text for row, text in enumerate(texts) if row not in whole]


def test_an_index_written_again_is_the_same_to_the_byte_and_one_that_is_lost_is_made_from_what_is_committed(tmp_path):
    texts = edited_families(200, seed=13)
    gathered(tmp_path / "a", texts, files=2, index="index")
    first = contents(tmp_path / "a/index")
    gathered(tmp_path / "b", texts, files=2, index="index")
    assert contents(tmp_path / "b/index") == first
    shutil.rmtree(tmp_path / "a/index")
    execute_all(tmp_path / "a/recipe.toml", tmp_path / "a/run")
    assert contents(tmp_path / "a/index") == first
    gathered(tmp_path / "a", texts[:150], files=2, index="index")
    assert len(json.loads((tmp_path / "a/index/index.json").read_text())["parts"]) == 2
    assert len(list((tmp_path / "a/index/parts").iterdir())) == 2


def test_an_index_needs_neither_its_run_nor_its_place(tmp_path):
    texts = edited_families(100, seed=14)
    gathered(tmp_path / "a", texts, index="index")
    shutil.move(tmp_path / "a/index", tmp_path / "carried")
    shutil.rmtree(tmp_path / "a")
    assert len(gathered(tmp_path / "b", [*texts[:10], "one new text"], against=["../carried"])) == 10


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"ngram": 4}, "made with ngram = 5"),
        ({"bands": 20, "rows": 6}, "made with bands = 16"),
        ({"seed": 1}, "made with seed = 0"),
        ({"of": "characters"}, 'made with of = "words"'),
    ],
)
def test_an_index_made_with_other_settings_is_refused_at_its_line(tmp_path, config, said):
    gathered(tmp_path / "a", ["some text"], index="index")
    with pytest.raises(RecipeError) as caught:
        gathered(tmp_path / "b", ["some text"], against=["../a/index"], **config)
    assert said in str(caught.value) and "against" in str(caught.value)


def test_an_index_that_is_not_there_or_not_whole_is_said(tmp_path):
    with pytest.raises(RecipeError, match="no index here"):
        gathered(tmp_path / "b", ["some text"], against=["nowhere"])
    gathered(tmp_path / "a", ["some text"], index="index")
    place = next((tmp_path / "a/index/parts").rglob("same.npy"))
    place.unlink()
    place.write_bytes(b"short")
    with pytest.raises(RecipeError, match="not of the size"):
        gathered(tmp_path / "b", ["some text"], against=["../a/index"])
    (tmp_path / "a/index/index.json").write_text("{")
    with pytest.raises(RecipeError, match="cannot be read"):
        gathered(tmp_path / "b", ["some text"], against=["../a/index"])


def test_a_folder_of_other_things_is_never_made_an_index(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds other things"):
        gathered(tmp_path / "a", ["some text"], index="../mine")
    assert (tmp_path / "mine/letter.txt").read_text() == "dear"


def test_two_steps_do_not_write_one_index(tmp_path):
    write_jsonl(tmp_path / "a.jsonl", documents(3))
    block = '[[data.web]]\nstage = "dedup.exact"\nindex = "index"\n'
    (tmp_path / "r.toml").write_text(
        f'name = "g"\n[[data.web]]\nstage = "read.jsonl"\npaths = "a.jsonl"\n{block}{block}'
    )
    with pytest.raises(RecipeError, match="writes this index too"):
        plans.make(recipes.load(tmp_path / "r.toml"), tmp_path / "run")


def test_a_changed_index_makes_the_later_corpus_anew_and_real_workers_make_no_difference(tmp_path):
    write_jsonl(tmp_path / "old.jsonl", documents(60, seed=1))
    write_jsonl(tmp_path / "new.jsonl", documents(60, seed=1)[30:] + documents(40, seed=2))
    for name, more in (("old", 'index = "index"'), ("new", 'against = ["index"]')):
        (tmp_path / f"{name}.toml").write_text(
            f'name = "{name}"\n[run]\nsplit_bytes = "9kB"\n[[data.web]]\nstage = "read.jsonl"\n'
            f'paths = "{name}.jsonl"\n[[data.web]]\nstage = "dedup.minhash"\n{more}\n'
        )
    execute_all(tmp_path / "old.toml", tmp_path / "old")
    execute_all(tmp_path / "new.toml", tmp_path / "new")
    first = digests(tmp_path / "new")
    done = dataengine("run", "new.toml", "--quiet", "--workers", "3", "--out", "workers", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "workers") == first
    write_jsonl(tmp_path / "old.jsonl", documents(60, seed=1)[:40])
    execute_all(tmp_path / "old.toml", tmp_path / "old")
    again = execute_all(tmp_path / "new.toml", tmp_path / "new")
    assert {place for place in digests(tmp_path / "new") if "cluster" in place} - first.keys()
    assert {task.kind for task in again.to_do} == {"match", "cluster", "rows"}, "sketches serve again"
