"""Every recipe that is shipped can be planned; the quickstart runs, made small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataengine import plan, recipe
from tests.engine.projects import dataengine

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_can_be_planned(path: Path, tmp_path: Path) -> None:
    overrides = []
    if path.stem == "web":
        (tmp_path / "a.warc.gz").write_bytes(b"")
        overrides = [f'vars.crawl="{tmp_path}/*.warc.gz"']
    made = plan.make(recipe.load(path, overrides), tmp_path / "run")
    assert made.to_do and not made.committed


SMALL = [
    "data.math.0.count=300",
    "data.documentation.0.paths=${python.stdlib}/asyncio",
    "mix.broad.tokens=20k",
    "mix.lessons.tokens=8k",
    "tokenizer.vocabulary=600",
    "train.base.sequence_length=64",
    "train.tutor.sequence_length=64",
    "data.code.0.paths=${python.stdlib}/json",
]


def test_the_quickstart_runs_from_real_files_to_a_trained_model(tmp_path: Path) -> None:
    settings = [word for value in SMALL for word in ("--set", value)]
    done = dataengine(
        "run", ROOT / "recipes/quickstart.toml", *settings, "--out", tmp_path / "run", "--workers", "2", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    again = dataengine(
        "plan", ROOT / "recipes/quickstart.toml", *settings, "--out", tmp_path / "run", "--json", cwd=tmp_path
    )
    assert json.loads(again.stdout)["to_do"] == 0
    sums = dataengine(
        "sql",
        tmp_path / "run",
        "select count(*) n from steps where rows_in + rows_created <> rows_kept + rows_dropped + rows_quarantined",
        "--json",
        cwd=tmp_path,
    )
    assert json.loads(sums.stdout) == [{"n": 0}]
    for result in (tmp_path / "run/steps").glob("train.*/*/result.json"):
        measured = json.loads(result.read_text())
        for source, before in measured["heldout_before"].items():
            assert measured["heldout_after"][source] < before, "a few thousand tokens teach a model something"
