"""Why a segment runs, said in words that name what is different."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine import shards
from dataengine.plan import Plan
from dataengine.why import reasons

RECIPE = """
name = "w"
[run]
split_bytes = 10
[[data.web]]
stage = "read.text"
paths = "in"
[[data.web]]
stage = "filter.gopher"
min_words = 5
[[data.corpus]]
from = "web"
stage = "dedup.exact"
"""


def planned(folder: Path, text: str = RECIPE) -> Plan:
    (folder / "recipe.toml").write_text(text)
    return plans.make(recipes.load(folder / "recipe.toml"), folder / "run")


def commit(plan: Plan, segments: int = 100, tasks: int = 100) -> None:
    """As if the first of these tasks had been run."""
    for segment in plan.segments[:segments]:
        for task in segment.tasks[:tasks]:
            folder = task.ref.folder(plan.out)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / shards.MANIFEST).write_text("{}")
    shards.replace_atomically(plan.out / "run.json", json.dumps(plan.record("running")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of three files whose recipe has been run."""
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / "in" / f"{number}.txt").write_text(f"words of {number}")
    commit(planned(tmp_path))
    return tmp_path


def test_what_is_done_needs_no_reason(folder: Path) -> None:
    assert reasons(planned(folder)) == {}


def test_a_changed_threshold_is_named_and_the_rest_follows(folder: Path) -> None:
    found = reasons(planned(folder, RECIPE.replace("min_words = 5", "min_words = 6")))
    assert found.pop("web.0-1") == "web.1 filter.gopher: min_words 5 -> 6"
    assert found == {
        "corpus.0.sketch": "follows web.0-1",
        "corpus.0.match": "follows corpus.0.sketch",
        "corpus.0.cluster": "follows corpus.0.match",
        "corpus.0": "follows web.0-1, corpus.0.cluster",
    }


def test_a_stage_that_came_or_went_is_named(folder: Path) -> None:
    more = RECIPE.replace("[[data.corpus]]", '[[data.web]]\nstage = "filter.repetition"\n[[data.corpus]]')
    assert reasons(planned(folder, more))["web.0-2"] == "filter.repetition added"
    less = RECIPE.replace('[[data.web]]\nstage = "filter.gopher"\nmin_words = 5\n', "")
    assert reasons(planned(folder, less))["web.0"] == "filter.gopher taken away"


def test_new_and_changed_input_is_counted(folder: Path) -> None:
    os.utime(folder / "in" / "1.txt", ns=(5, 5))
    (folder / "in" / "9.txt").write_text("words of 9")
    found = reasons(planned(folder))
    assert found["web.0-1"] == "its input changed: 2 of 4 splits are new or different"


def test_input_that_went_away_is_said_where_something_is_to_do(folder: Path) -> None:
    (folder / "in" / "1.txt").unlink()
    found = reasons(planned(folder))
    assert "web.0-1" not in found, "what is left is done"
    assert found["corpus.0.cluster"].startswith("follows")


def test_a_run_that_was_stopped_is_just_not_finished(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / "in" / f"{number}.txt").write_text(f"words of {number}")
    assert set(reasons(planned(tmp_path)).values()) == {"not done yet"}
    commit(planned(tmp_path), segments=1, tasks=2)
    found = reasons(planned(tmp_path))
    assert found["web.0-1"] == "not finished: 2 of 3 tasks are done" and found["corpus.0"] == "not done yet"
