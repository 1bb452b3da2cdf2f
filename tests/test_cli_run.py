"""The verbs over a run that the engine itself made, from check to gc."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dataengine import sql
from dataengine.explain import explain
from dataengine.ledger import Ledger

RECIPE = """
name = "trial"

[[data.web]]
stage = "read.jsonl"
paths = "in/*.jsonl"

[[data.web]]
stage = "filter.gopher"

[[data.corpus]]
from = ["web"]
stage = "dedup.exact"

[run]
workers = 1
"""

PROSE = "the river and the house that we have seen with our own eyes stand on a hill of stone "


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A recipe and its input: 4 good documents of which 2 are the same, 3 too short, 1 bad line."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "in").mkdir()
    texts = [PROSE * 5 + "one", PROSE * 5 + "two", PROSE * 5 + "one", PROSE * 6, "short", "too short", "\x1b[31mred"]
    lines = [json.dumps({"text": text}) for text in texts]
    (folder / "in" / "a.jsonl").write_text("\n".join([*lines, "{bad"]) + "\n")
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


def dataengine(project: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dataengine.cli", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def run(project):
    """The run, made once. One bad line of eight is more than the 5 % that are allowed, so it ends with 3 and stays."""
    done = dataengine(project, "run", "recipe.toml", code=3)
    assert "1 of 8 records were quarantined" in done.stderr
    assert "5 of 5 tasks to run" in done.stderr and "5 tasks run in" in done.stderr
    assert "bad_json" in done.stdout and "too_few_words" in done.stdout
    return "trial"


@pytest.fixture
def ask(project, run):
    connection = sql.connect(project / "runs" / run)
    return lambda query: sql.query(connection, query).fetchall()


@pytest.mark.parametrize("verb", ["check", "plan"])
def test_check_and_plan_start_fast_and_import_nothing_heavy(project, verb):
    code = ("import sys, resource\nfrom dataengine.cli import main\n"
            f"code = main([{verb!r}, 'recipe.toml'])\nused = resource.getrusage(resource.RUSAGE_SELF)\n"
            "print(used.ru_utime + used.ru_stime, file=sys.stderr)\n"
            "heavy = {'torch', 'ray', 'polars', 'numba', 'duckdb'} & set(sys.modules)\n"
            "sys.exit(str(heavy) if heavy else code)")
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stderr.split()[0]) < 0.8  # 0.5 is what we hold on a quiet machine


def test_every_document_is_accounted_for(ask):
    assert ask("SELECT step, kind, reason, rows FROM reasons ORDER BY ALL") == ask(
        "SELECT step, 'dropped', reason, count(*) FROM dropped GROUP BY ALL UNION ALL "
        "SELECT step, 'quarantined', reason, count(*) FROM quarantined GROUP BY ALL ORDER BY ALL")
    assert ask("SELECT rows_in FROM steps WHERE step = 'web.0'") == [(8,)]
    assert ask("SELECT count(*) FROM docs WHERE lane = 'corpus'") == [(3,)]
    assert ask("SELECT count(*) FROM duplicates JOIN docs ON docs.id = duplicates.duplicate_of "
               "WHERE docs.lane = 'corpus'") == [(1,)]


def test_any_document_can_be_explained(project, run, ask):
    ledger = Ledger.open(project / "runs" / run)
    lost = ask("SELECT id, 'dropped', reason FROM dropped UNION ALL SELECT id, 'quarantined', reason FROM quarantined")
    assert len(lost) == 5
    for identity, outcome, reason in lost:
        last = explain(ledger, identity).passages[-1]
        assert (outcome, reason) in {(verdict.outcome, verdict.reason) for verdict in last.verdicts}
    for (identity,) in ask("SELECT id FROM docs WHERE lane = 'corpus'"):
        assert [passage.outcome for passage in explain(ledger, identity).passages] == ["kept", "kept"]


def test_the_run_verifies_and_is_not_made_again(project, run):
    assert "all hashes, checksums and sums are right" in dataengine(project, "verify", run).stdout
    assert dataengine(project, "plan", "recipe.toml").stdout.endswith("0 of 5 tasks to run\n")
    assert "0 of 5 tasks to run" in dataengine(project, "run", "recipe.toml", code=3).stderr


def test_a_changed_threshold_makes_only_what_follows_and_gc_removes_what_was(project, run):
    change = ("--set", "data.web.1.min_words=1", "--set", "run.max_quarantined=0.5")
    done = dataengine(project, "run", "recipe.toml", *change, "--log-format", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert (events[0]["to_do"], events[-1]["event"]) == (5, "finished") and done.stdout == ""
    removed = json.loads(dataengine(project, "gc", run, "--json").stdout)
    folders = [entry["path"].partition("/")[0] for entry in removed]
    assert sorted(folders) == ["chains", *["steps"] * 5], "the tasks, and what is known of their steps"
    assert "all hashes" in dataengine(project, "verify", run).stdout
