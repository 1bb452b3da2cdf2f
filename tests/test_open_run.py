from __future__ import annotations

import subprocess
import sys

import polars as pl
import pytest

import dataengine
from dataengine.errors import CorruptShard, QueryRefused, RunNotFound
from tests.fake_run import HOSTILE, FakeRun, doc_id, hostile_run, small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return dataengine.open(small_run(tmp_path_factory.mktemp("open") / "a run [x]*" / "lane=x"))


def test_importing_the_package_imports_nothing_else():
    code = "import sys; before = set(sys.modules); import dataengine; print(*sorted(set(sys.modules) - before))"
    new = set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())
    assert {name for name in new if name.partition(".")[0] not in sys.stdlib_module_names} == {
        "dataengine", "dataengine.version"}


def test_frames_and_views_agree(run):
    for frame, view in ((run.docs(), "docs"), (run.dropped(), "dropped"), (run.quarantined(), "quarantined")):
        rows = frame.collect()
        assert sorted(rows["id"].to_list()) == sorted(row[0] for row in run.sql(f"SELECT id FROM {view}").fetchall())
        columns = run.sql(f"SELECT * FROM {view}").columns
        assert sorted(rows.columns) == sorted(columns) and rows.columns[:6] == columns[:6]


def test_docs_are_lazy_and_have_the_lane(run):
    docs = run.docs()
    assert isinstance(docs, pl.LazyFrame)
    assert docs.filter(pl.col("language") == "python").select("id", "lane").collect().rows() == [(doc_id(7), "corpus")]


def test_steps_are_the_views_steps(run):
    assert run.steps().rows() == run.sql("SELECT * FROM steps").fetchall()


def test_sql_is_a_relation_and_locked(run):
    assert run.sql("SELECT id FROM docs").filter(f"id = '{doc_id(1)}'").fetchall() == [(doc_id(1),)]
    with pytest.raises(QueryRefused):
        run.sql("SELECT * FROM read_text('/etc/passwd')")


def test_an_empty_run_has_frames_with_the_base_columns(tmp_path):
    empty = dataengine.open(FakeRun(tmp_path / "r").save())
    assert empty.docs().collect().columns == ["id", "lane", "source", "origin", "url", "text"]
    assert empty.steps().height == 0


def test_a_damaged_run_is_said_so_before_it_is_read(tmp_path):
    folder = small_run(tmp_path / "r")
    next(folder.glob("steps/corpus.0-code/*/kept.parquet")).unlink()
    with pytest.raises(CorruptShard):
        dataengine.open(folder).docs()
    with pytest.raises(RunNotFound):
        dataengine.open(tmp_path)


def test_a_notebook_shows_the_funnel_and_nothing_from_data_is_markup(run, tmp_path):
    assert "<td>too_few_words 2</td>" in run._repr_html_()
    shown = dataengine.open(hostile_run(tmp_path / "r"))._repr_html_()
    assert "<b>" not in shown and "&lt;b&gt;" in shown and HOSTILE not in shown


def test_the_tour_in_the_docstring_is_about_functions_that_exist():
    assert all(hasattr(dataengine, name) for name in dataengine.__all__)
    assert all(f"dataengine.{name}(" in dataengine.__doc__ for name in dataengine.__all__ if name != "__version__")


def test_a_plan_names_its_folder_in_full_so_that_the_trainer_finds_it_from_another(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "r.toml").write_text('name = "small"\n[[data.web]]\nstage = "read.text"\npaths = "a.txt"\n')
    monkeypatch.chdir(tmp_path)
    assert dataengine.make_plan("r.toml").out == tmp_path / "runs" / "small"
    assert dataengine.make_plan("r.toml", out="here").out == tmp_path / "here"
