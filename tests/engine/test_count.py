"""`count`: a row that stays says how many rows of its lane it stands for, itself among them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataengine import shards
from tests.engine.projects import dataengine, documents, write_jsonl
from tests.engine.test_gather import adds_up, ran, rows
from tests.stages.dedup.test_minhash import edited_families

READ = '[run]\nsplit_bytes = "6kB"\n[[data.web]]\nstage = "read.jsonl"\npaths = "*.jsonl"\n'
COUNTED = '[[data.web]]\nstage = "{stage}"\ncount = "copies"\n{more}\n'


@pytest.mark.parametrize(("stage", "more"), [
    ("dedup.exact", ""), ("dedup.exact", 'keep = "longest"'), ("dedup.minhash", ""),
    ("dedup.minhash", 'clusters = "components"'), ("dedup.minhash", "verify = false")])
@pytest.mark.parametrize("workers", [1, 2])
def test_counts_are_those_of_the_rows_that_went_for_each_that_stays(tmp_path, stage: str, more: str, workers: int):
    texts = edited_families(400, seed=5) + [row["text"] for row in documents(100)]
    texts += texts[::7] * 2
    files = {f"{number}.jsonl": [{"text": text} for text in texts[number::6]] for number in range(6)}
    plan = ran(tmp_path, READ + COUNTED.format(stage=stage, more=more), files, workers)
    kept = rows(plan, "web.0-1")
    went = Counter(row["duplicate_of"] for row in rows(plan, "web.0-1", shards.DROPPED))
    assert {row["id"]: row["copies"] for row in kept} == {row["id"]: 1 + went[row["id"]] for row in kept}
    assert sum(row["copies"] for row in kept) == len(texts) and max(row["copies"] for row in kept) > 2


def test_two_dedups_in_a_row_count_in_columns_of_their_own_and_a_filter_parts_by_them(tmp_path: Path) -> None:
    texts = ["one two three four five six"] * 3 + ["One, two! three four five six", "another that nobody has copied"]
    recipe = READ + COUNTED.format(stage="dedup.exact", more="") + """
        [[data.web]]
        stage = "dedup.exact"
        of = "normalized"
        count = "spellings"
        [[data.web]]
        stage = "filter.where"
        where = "copies >= 3 and spellings = 2"
        """
    plan = ran(tmp_path, recipe, {"a.jsonl": [{"text": text} for text in texts]})
    assert [(row["copies"], row["spellings"]) for row in rows(plan, "web.0-3")] == [(3, 2)]


def test_a_dedup_may_keep_what_the_one_before_it_counted_most_of(tmp_path: Path) -> None:
    texts = ["one two three four five six seven eight nine ten eleven"] + [
        "one two three four five six seven eight nine ten eleven twelve"] * 2
    recipe = READ + COUNTED.format(stage="dedup.exact", more="") + """
        [[data.web]]
        stage = "dedup.minhash"
        keep = "best"
        column = "copies"
        """
    plan = ran(tmp_path, recipe, {"a.jsonl": [{"text": text} for text in texts]})
    assert [row["text"] for row in rows(plan, "web.2")] == texts[1:2]


def test_a_changed_count_decides_again_but_sketches_and_matches_nothing_anew(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"text": text} for text in edited_families(100, seed=3)])
    for count, remade in (("copies", None), ("doubles", {"web.1.cluster", "web.0-1"})):
        (tmp_path / "r.toml").write_text('name = "r"\n' + READ + COUNTED.format(stage="dedup.minhash", more="").replace(
            "copies", count))
        before = {path.parent for path in (tmp_path / "runs/r/steps").rglob("manifest.json")}
        done = dataengine("run", tmp_path / "r.toml", "--quiet", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        after = {path.parent for path in (tmp_path / "runs/r/steps").rglob("manifest.json")}
        assert remade is None or {path.parent.name for path in after - before} == remade
    adds_up(tmp_path / "runs/r")
    kept = [path / shards.KEPT for path in after - before if (path / shards.KEPT).exists()]
    assert [name for name in pq.read_schema(kept[0]).names if name in ("copies", "doubles")] == ["doubles"]


def test_a_lane_without_duplicates_and_one_without_rows_have_the_column(tmp_path: Path) -> None:
    recipe = READ + COUNTED.format(stage="dedup.minhash", more="")
    plan = ran(tmp_path / "one", recipe, {"a.jsonl": [{"text": "a text of its own, like no other, to be sure"}]})
    assert [row["copies"] for row in rows(plan, "web.0-1")] == [1]
    plan = ran(tmp_path / "none", recipe, {"a.jsonl": []})
    for task in next(one.tasks for one in plan.segments if one.name == "web.0-1"):
        assert "copies" in pq.read_schema(task.ref.folder(plan.out) / shards.KEPT).names


@pytest.mark.parametrize(("count", "found"), [
    ("text", 'the lane has a column "text" already'), ("__copies", "count"), ("two words", "count")])
def test_a_count_under_a_name_that_is_taken_or_none_is_a_mistake_in_words(tmp_path: Path, count: str, found: str):
    write_jsonl(tmp_path / "a.jsonl", [{"text": "a"}])
    (tmp_path / "r.toml").write_text('name = "r"\n' + READ + COUNTED.format(stage="dedup.exact", more="").replace(
        '"copies"', f'"{count}"'))
    done = dataengine("check", tmp_path / "r.toml", cwd=tmp_path)
    assert done.returncode == 2 and found in done.stderr and "Traceback" not in done.stderr


def test_a_mistake_in_a_dedup_is_said_once_though_its_block_is_looked_at_twice(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"text": "a"}])
    for field in ('count = "text"', 'keep = "best"\ncolumn = "score"'):
        (tmp_path / "r.toml").write_text(f'name = "r"\n{READ}[[data.web]]\nstage = "dedup.exact"\n{field}\n')
        done = dataengine("check", tmp_path / "r.toml", cwd=tmp_path)
        assert done.returncode == 2 and "1 problem found" in done.stderr, done.stderr
