"""A record that kills, stalls or bloats its worker is found and quarantined; its neighbours never suffer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.engine.projects import dataengine, documents, manifests, plugin, project

RECIPE = """
name = "poisoned"
[run]
split_bytes = "60kB"
record_deadline = 2.0
memory_per_worker = "1GB"
max_quarantined = 1.0
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[[data.web]]
stage = "map.trouble"
cursor = {cursor}
"""


def run_with(folder: Path, poison: dict[int, str], cursor: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """Texts kept, and (reason, text) quarantined."""
    rows = documents(300)
    for place, word in poison.items():
        rows[place]["text"] = f"{word} number {place}"
    recipe = project(folder, RECIPE.replace("{cursor}", str(cursor).lower()), rows)
    env = plugin(folder / "plugin")
    done = dataengine("run", recipe, "--quiet", "--workers", "2", cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    kept = [
        row["text"]
        for path in sorted((folder / "runs/poisoned/steps").rglob("kept.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    bad = [
        (row["reason"], row["text"])
        for path in (folder / "runs/poisoned/steps").rglob("quarantined.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    clean = [row["text"] for place, row in enumerate(rows) if place not in poison]
    assert sorted(kept) == sorted(clean)
    read = [
        account
        for manifest in manifests(folder / "runs/poisoned")
        for account in manifest["accounts"]
        if account["stage"] == "read.jsonl"
    ]
    assert sum(account["rows_in"] for account in read) == len(rows)
    return kept, sorted(bad)


@pytest.mark.parametrize("cursor", [True, False], ids=["stage says its row", "found by halving"])
def test_records_that_kill_their_worker_are_quarantined_and_the_rest_is_kept(tmp_path: Path, cursor: bool) -> None:
    _, bad = run_with(tmp_path, {3: "KILL", 250: "KILL"}, cursor)
    assert bad == [("crash", "KILL number 250"), ("crash", "KILL number 3")]


def test_a_record_that_never_ends_is_quarantined_as_timeout(tmp_path: Path) -> None:
    _, bad = run_with(tmp_path, {100: "STALL"}, cursor=True)
    assert bad == [("timeout", "STALL number 100")]


def test_a_record_that_takes_all_memory_is_quarantined_as_out_of_memory(tmp_path: Path) -> None:
    _, bad = run_with(tmp_path, {10: "HOG"}, cursor=True)
    assert bad == [("out_of_memory", "HOG number 10")]


def test_a_record_on_which_a_stage_raises_is_quarantined_with_what_it_said(tmp_path: Path) -> None:
    _, bad = run_with(tmp_path, {0: "RAISE", 1: "RAISE", 299: "RAISE"}, cursor=False)
    assert [reason for reason, _ in bad] == ["error"] * 3


def test_a_stage_that_raises_on_every_row_stops_the_run_and_is_named(tmp_path: Path) -> None:
    recipe = project(
        tmp_path, RECIPE.replace("{cursor}", "false"), [{"text": f"RAISE {number}"} for number in range(50)]
    )
    done = dataengine("run", recipe, "--quiet", cwd=tmp_path, env=plugin(tmp_path / "plugin"))
    assert done.returncode == 1
    assert "map.trouble" in done.stderr and "no good" in done.stderr and "Traceback" not in done.stderr


def test_too_many_quarantined_records_end_with_exit_code_3_and_keep_what_was_made(tmp_path: Path) -> None:
    recipe = project(
        tmp_path, RECIPE.replace("{cursor}", "false").replace("max_quarantined = 1.0", "max_quarantined = 0.01")
    )
    with (tmp_path / "docs.jsonl").open("a") as file:
        file.write("{broken\n" * 30)
    done = dataengine("run", recipe, "--quiet", cwd=tmp_path, env=plugin(tmp_path / "plugin"))
    assert done.returncode == 3, done.stderr
    assert "30 of 630" in done.stderr
    answer = dataengine("sql", "runs/poisoned", "select count(*) as n from docs", "--json", cwd=tmp_path)
    assert json.loads(answer.stdout) == [{"n": 600}]


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_workers_die_with_their_driver(tmp_path: Path) -> None:
    import subprocess
    import time

    import psutil

    from tests.engine.projects import command, environment

    recipe = project(
        tmp_path,
        RECIPE.replace("{cursor}", "false").replace("record_deadline = 2.0", "record_deadline = 60"),
        [{"text": "STALL"}],
    )
    driver = subprocess.Popen(
        command("run", recipe, "--quiet"), cwd=tmp_path, env=environment(plugin(tmp_path / "plugin"))
    )
    watched = psutil.Process(driver.pid)
    while not (workers := [child for child in watched.children(recursive=True) if child.cpu_times().user > 0.3]):
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert not alive
