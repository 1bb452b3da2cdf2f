"""Every recipe that is shipped can be planned; the quickstart runs, made small."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from dataengine import plan, recipe
from dataengine.errors import RecipeError
from tests.engine.projects import dataengine
from tests.remote.server import serving
from tests.stages.read.archives import crawl, packed

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", [path for path in RECIPES if path.stem != "common_crawl"], ids=lambda path: path.stem)
def test_a_shipped_recipe_can_be_planned(path: Path, tmp_path: Path) -> None:
    overrides = []
    if path.stem == "web":
        (tmp_path / "a.warc.gz").write_bytes(b"")
        overrides = [f'vars.crawl="{tmp_path}/*.warc.gz"']
    made = plan.make(recipe.load(path, overrides), tmp_path / "run")
    assert made.to_do and not made.committed


def test_the_recipe_for_common_crawl_reads_the_archives_a_list_names(tmp_path: Path) -> None:
    """Against a server of our own in its place, with a list of three archives, of which the recipe takes two."""
    with serving() as server:
        names = [f"crawl-data/CC-MAIN-2024-10/segments/1/warc/a-{number:05}.warc.gz" for number in range(3)]
        for name in names:
            server.put("/" + name, b"".join(packed(crawl(2))))
        listing = server.put("/warc.paths.gz", gzip.compress("\n".join(names).encode()))
        there = [f'vars.list="{listing}"', f'network.allow=["{server.host}"]', "network.allow_private=true"]
        made = plan.make(recipe.load(ROOT / "recipes/common_crawl.toml", there), tmp_path / "run")
        reads = [piece for task in made.segments[0].tasks for piece in task.body["split"]]
        assert [piece["path"] for piece in reads] == [server.url("/" + name) for name in names[:2]]
        with pytest.raises(RecipeError, match=r"127\.0\.0\.1"):
            plan.make(recipe.load(ROOT / "recipes/common_crawl.toml", there[:1]), tmp_path / "run")


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
