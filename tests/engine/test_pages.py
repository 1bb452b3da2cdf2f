"""Pages through a run: what extract.html uses up is stored nowhere behind it, and a later plan still goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import dataengine as library
from tests.engine.calling import call
from tests.engine.projects import dataengine

RECIPE = """
name = "pages"
[[data.web]]
stage = "read.html"
paths = "in"
[[data.web]]
stage = "extract.html"
[[data.web]]
stage = "filter.where"
where = "length(text) > 60"
"""
PAGE = "<html><body><article><h1>Rivers</h1><p>A river is longer than it is wide{more}.</p></article></body></html>"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(4):
        more = ", which is why people build bridges over it" if number % 2 else ""
        (tmp_path / "in" / f"{number}.html").write_text(PAGE.format(more=more), encoding="utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def run(project: Path, *settings: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(kept, dropped) of a run with these settings."""
    words = [word for setting in settings for word in ("--set", setting)]
    done = dataengine("run", "recipe.toml", "--quiet", *words, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    opened = library.open(project / "runs" / "pages")
    return opened.docs().collect(), opened.dropped().collect()


def test_the_page_is_gone_behind_its_extraction(project: Path) -> None:
    kept, dropped = run(project)
    assert (len(kept), len(dropped)) == (2, 2)
    assert "html" not in kept.columns
    assert dropped["html"].null_count() == 2  # the column is there for rows that leave before the extraction


def test_the_page_is_kept_on_demand(project: Path) -> None:
    kept, dropped = run(project, "data.web.1.keep_html=true")
    assert all(b"<article>" in page for page in [*kept["html"], *dropped["html"]])


def test_a_filter_behind_the_extraction_goes_on_without_reading_again(project: Path) -> None:
    run(project)
    plan: dict[str, Any] = json.loads(
        call("plan", "recipe.toml", "--json", "--set", 'data.web.2.where="length(text) > 10"', cwd=project).stdout)
    assert plan["segments"][0]["goes_on"]
    kept, _ = run(project, 'data.web.2.where="length(text) > 10"')
    assert len(kept) == 4


def test_a_changed_extraction_reads_its_pages_again(project: Path) -> None:
    run(project)
    kept, _ = run(project, "data.web.1.headings=false")
    assert not any(text.startswith("#") for text in kept["text"])


def test_a_stage_that_wants_the_page_is_told_how_to_keep_it(project: Path) -> None:
    (project / "recipe.toml").write_text(RECIPE + '[[data.web]]\nstage = "extract.html"\n', encoding="utf-8")
    said = call("plan", "recipe.toml", cwd=project)
    assert said.returncode == 2
    assert "keep_html = true" in said.stderr + said.stdout
