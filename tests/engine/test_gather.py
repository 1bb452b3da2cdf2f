"""Gathers at the edges: lanes of different shape, nothing at all, one after the other, and after an expand."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine import run as runner
from dataengine import shards
from dataengine.plan import Plan
from tests.engine.projects import dataengine, documents, manifests, plugin, write_jsonl


def ran(folder: Path, recipe: str, files: dict[str, list[dict[str, Any]]], workers: int = 1) -> Plan:
    """The plan, after it was run here."""
    folder.mkdir(exist_ok=True)
    for name, rows in files.items():
        write_jsonl(folder / name, rows)
    (folder / "recipe.toml").write_text('name = "g"\n' + textwrap.dedent(recipe))
    plan = plans.make(recipes.load(folder / "recipe.toml"), folder / "run")
    runner.run(plan, workers=workers)
    adds_up(folder / "run")
    return plan


def adds_up(run: Path) -> None:
    """Nothing is lost: in every account, from step to step, and from the accounts to the files."""
    found = manifests(run)
    for manifest in found:
        shards.check_accounts(shards.Manifest.from_json(json.dumps(manifest)))
    assert found


def rows(plan: Plan, segment: str, file: str = shards.KEPT) -> list[dict[str, Any]]:
    """All rows of a segment, in the order of its tasks."""
    tasks = next(one.tasks for one in plan.segments if one.name == segment)
    return [row for task in tasks for row in pq.read_table(task.ref.folder(plan.out) / file).to_pylist()]


def texts(found: list[dict[str, Any]]) -> list[str]:
    return [row["text"] for row in found]


def test_exact_dedup_over_many_shards_keeps_the_first_of_each_text_in_the_order_of_the_lane(tmp_path: Path) -> None:
    made = documents(400)
    files = {f"{number}.jsonl": made[number::20] for number in range(20)}
    recipe = """
        [run]
        split_bytes = "6kB"
        [[data.web]]
        stage = "read.jsonl"
        paths = "*.jsonl"
        [[data.web]]
        stage = "dedup.exact"
        """
    plan = ran(tmp_path, recipe, files, workers=2)
    assert len(next(one for one in plan.segments if one.name == "web.1.match").tasks) > 1
    read = rows(ran(tmp_path / "read", recipe[: recipe.rindex("[[")], files), "web.0")
    first: dict[str, dict[str, Any]] = {}
    for row in read:
        first.setdefault(row["text"], row)
    assert rows(plan, "web.0-1") == list(first.values())
    gone = rows(plan, "web.0-1", shards.DROPPED)
    assert len(gone) == len(read) - len(first) > 20
    assert all(row["duplicate_of"] == first[row["text"]]["id"] for row in gone)


LANES = """
    [[data.a]]
    stage = "read.jsonl"
    paths = "a.jsonl"
    keep = { page = "page" }
    [[data.b]]
    stage = "read.jsonl"
    paths = "b.jsonl"
    [[data.both]]
    from = ["b", "a"]
    stage = "dedup.exact"
    [[data.both]]
    stage = "dedup.exact"
    of = "normalized"
    [[data.both]]
    stage = "filter.gopher"
    min_words = 2
    """


def test_a_gather_straight_after_lanes_of_different_columns_then_another_then_a_filter(tmp_path: Path) -> None:
    long = [row["text"] for row in documents(40) if len(row["text"].split()) > 50][:3]
    files = {
        "a.jsonl": [{"text": long[0], "page": "1"}, {"text": long[1], "page": "2"}, {"text": "x", "page": "3"}],
        "b.jsonl": [{"text": long[0]}, {"text": long[2]}, {"text": long[1].upper()}],
    }
    plan = ran(tmp_path, LANES, files)
    (kept, gone) = rows(plan, "both.0-2"), rows(plan, "both.0-2", shards.DROPPED)
    assert texts(kept) == [long[0], long[2]]
    assert [row["page"] for row in kept] == [None, None]
    left = [(row["text"], row["page"], row["step"], row["reason"]) for row in gone]
    assert left[0][:3] == (long[1].upper(), None, "both.2")
    assert left[1:] == [
        (long[0], "1", "both.0", "exact_duplicate"),
        (long[1], "2", "both.1", "exact_duplicate"),
        ("x", "3", "both.2", "too_few_words"),
    ]
    assert [row["duplicate_of"] for row in gone[1:]] == [kept[0]["id"], gone[0]["id"], None]


NOTHING = """
    [[data.web]]
    stage = "read.jsonl"
    paths = "docs.jsonl"
    [[data.web]]
    stage = "filter.gopher"
    min_words = {least}
    [[data.web]]
    stage = "dedup.exact"
    [[data.web]]
    stage = "dedup.minhash"
    """


@pytest.mark.parametrize("made", [[], [{"text": "too short"}] * 3], ids=["an empty file", "everything is filtered out"])
def test_no_rows_at_all_are_valid_empty_shards_with_all_columns(tmp_path: Path, made: list[dict[str, str]]) -> None:
    plan = ran(tmp_path, NOTHING.replace("{least}", "50"), {"docs.jsonl": made})
    assert rows(plan, "web.2-3") == []
    (task,) = plan.segments[-1].tasks
    assert "words" in pq.read_schema(task.ref.folder(plan.out) / shards.KEPT).names
    assert "duplicate_of" in pq.read_schema(task.ref.folder(plan.out) / shards.DROPPED).names


def test_a_lane_without_a_single_task_is_gathered_too(tmp_path: Path) -> None:
    source = READ_NOTHING
    env = plugin(tmp_path / "plugin", "read.nothing", "nothing", source)
    (tmp_path / "recipe.toml").write_text(
        'name = "g"\n[[data.web]]\nstage = "read.nothing"\n[[data.web]]\nstage = "dedup.exact"\n'
        '[[data.web]]\nstage = "dedup.minhash"\n'
    )
    done = dataengine("run", "recipe.toml", "--quiet", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr


READ_NOTHING = '''
"""Read nothing (a stage of the test suite)."""

from dataengine.stage import StageConfig, read


class Config(StageConfig):
    pass


@read(pieces=lambda config, base: [], columns={"text": "string"}, version=1)
def nothing(piece, config):
    yield from ()
'''

SPLIT = '''
"""Make a row of each word, none of a text without words (a stage of the test suite)."""

import numpy as np

from dataengine.stage import StageConfig, expand


class Config(StageConfig):
    pass


@expand(reads=["text"], adds={"text": "string"}, version=1)
def split(batch, config):
    words = [text.split() for text in batch["text"].to_pylist()]
    parents = np.repeat(np.arange(len(words)), [len(found) for found in words])
    return {"text": [word for found in words for word in found]}, parents
'''


def test_rows_that_were_expanded_have_ids_of_their_own_and_are_gathered_and_counted(tmp_path: Path) -> None:
    made = [{"text": "a b"}, {"text": ""}, {"text": "b c a"}, {"text": " "}, {"text": "d"}]
    write_jsonl(tmp_path / "docs.jsonl", made)
    (tmp_path / "recipe.toml").write_text(
        'name = "g"\n[[data.web]]\nstage = "read.jsonl"\npaths = "docs.jsonl"\n[[data.web]]\nstage = "map.split"\n'
        '[[data.web]]\nstage = "dedup.exact"\n'
    )
    done = dataengine(
        "run", "recipe.toml", "--quiet", cwd=tmp_path, env=plugin(tmp_path / "plugin", "map.split", "split", SPLIT)
    )
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs/g"
    adds_up(run)
    (before,), (after,) = run.glob("steps/web.1/*"), run.glob("steps/web.2/*")
    words = pq.read_table(before / shards.KEPT).to_pylist()
    assert texts(words) == ["a", "b", "b", "c", "a", "d"]
    assert len({row["id"] for row in words}) == 6
    assert [words[0]["parent"] == row["parent"] for row in words] == [True, True, False, False, False, False]
    account = json.loads((before / "manifest.json").read_text())["accounts"][0]
    assert (account["rows_in"], account["rows_created"], account["rows_kept"]) == (5, 3, 6)
    assert account["dropped"] == {"no_children": 2}
    assert texts(pq.read_table(after / shards.KEPT).to_pylist()) == ["a", "b", "c", "d"]
