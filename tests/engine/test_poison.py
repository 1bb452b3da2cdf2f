"""A record that kills, stalls or bloats its worker is found and quarantined; its neighbours never suffer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import CompletedProcess

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
    bad = bad_rows(folder)
    clean = [row["text"] for place, row in enumerate(rows) if place not in poison]
    assert sorted(kept) == sorted(clean)
    read = [
        account
        for manifest in manifests(folder / "runs/poisoned")
        for account in manifest["accounts"]
        if account["stage"] == "read.jsonl"
    ]
    assert sum(account["rows_in"] for account in read) == len(rows)
    return kept, bad


def bad_rows(folder: Path) -> list[tuple[str, str]]:
    """(reason, text) of what is quarantined, sorted."""
    return sorted(
        (row["reason"], row["text"])
        for path in (folder / "runs/poisoned/steps").rglob("quarantined.parquet")
        for row in pq.read_table(path).to_pylist()
    )


@pytest.mark.parametrize("cursor", [True, False], ids=["the stage says its row", "found row by row"])
def test_records_that_kill_their_worker_are_quarantined_and_the_rest_is_kept(tmp_path: Path, cursor: bool) -> None:
    _, bad = run_with(tmp_path, {3: "KILL", 250: "KILL"}, cursor)
    assert bad == [("crash", "KILL number 250"), ("crash", "KILL number 3")]


def test_a_record_that_never_ends_is_quarantined_as_timeout(tmp_path: Path) -> None:
    _, bad = run_with(tmp_path, {100: "STALL"}, cursor=True)
    assert bad == [("timeout", "STALL number 100")]


def test_a_record_that_takes_all_memory_is_quarantined_as_out_of_memory(tmp_path: Path) -> None:
    _, bad = run_with(tmp_path, {10: "HOG"}, cursor=True)
    assert bad == [("out_of_memory", "HOG number 10")]


def test_addresses_that_arrow_sets_aside_are_not_taken_from_a_stage(tmp_path: Path) -> None:
    patient = RECIPE.replace("{cursor}", "false").replace("1GB", "2GB").replace("deadline = 2.0", "deadline = 60.0")
    recipe = project(tmp_path, patient, [{"text": "BIG"}])  # 1.2 GB take seconds on a busy machine
    done = dataengine("run", recipe, "--quiet", cwd=tmp_path, env=plugin(tmp_path / "plugin"))
    assert done.returncode == 0, done.stderr
    assert bad_rows(tmp_path) == []
    assert [row["text"] for row in kept_rows(tmp_path).values()] == ["BIG"]


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


def quarantined(folder: Path) -> list[tuple[str, str, str]]:
    """(step, reason, text) of all quarantined records, sorted."""
    return sorted(
        (row["step"], row["reason"], row["text"])
        for path in (folder / "runs/poisoned/steps").rglob("quarantined.parquet")
        for row in pq.read_table(path).to_pylist()
    )


def kept_rows(folder: Path) -> dict[str, dict]:
    """All kept rows by id."""
    return {
        row["id"]: row
        for path in sorted((folder / "runs/poisoned/steps").rglob("kept.parquet"))
        for row in pq.read_table(path).to_pylist()
    }


def test_many_killers_in_one_batch_and_in_several_leave_their_neighbours_as_in_a_clean_run(tmp_path: Path) -> None:
    rows = documents(1500)
    sick = [0, 500, 501, 1499]
    for place in sick:
        rows[place]["text"] = f"KILL number {place}"
    recipe = RECIPE.replace("60kB", "2MB").replace("{cursor}", "false")
    for name, word in (("sick", "KILL"), ("clean", "LIKE")):
        project(tmp_path / name, recipe, [row | {"text": row["text"].replace("KILL", word)} for row in rows])
        path = tmp_path / name / "docs.jsonl"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(["{broken\n", *lines[:501], "{broken\n", *lines[501:]]))
        env = plugin(tmp_path / name / "plugin")
        done = dataengine("run", "recipe.toml", "--quiet", "--workers", "1", cwd=tmp_path / name, env=env)
        assert done.returncode == 0, done.stderr
    expected = {key: row for key, row in kept_rows(tmp_path / "clean").items() if "LIKE" not in row["text"]}
    assert len(expected) == 1496
    assert kept_rows(tmp_path / "sick") == expected
    killers = [("web.0", "crash", f"KILL number {place}") for place in sick]
    assert quarantined(tmp_path / "sick") == sorted([*killers, *[("web.0", "bad_json", "{broken")] * 2])


def test_a_killer_in_a_later_stage_is_not_blamed_on_the_row_that_an_earlier_stage_named_last(tmp_path: Path) -> None:
    rows = documents(40)
    rows[5]["text"] = "KILLER number 5"
    second = '[[data.web]]\nstage = "map.trouble"\nsuffix = "ER"\n'
    first = RECIPE.replace("{cursor}", 'true\nsuffix = "JOY"')
    recipe = project(tmp_path, first + second, rows)
    done = dataengine("run", recipe, "--quiet", cwd=tmp_path, env=plugin(tmp_path / "plugin"))
    assert done.returncode == 0, done.stderr
    assert [text for _, _, text in quarantined(tmp_path)] == ["KILLER number 5"]
    assert len(kept_rows(tmp_path)) == 39


def test_a_stage_that_is_slow_but_within_the_deadline_of_each_record_loses_nothing(tmp_path: Path) -> None:
    rows = [{"text": f"SLOW {number}"} for number in range(80)]
    settings = "false\nwarm = 1.5"
    recipe = project(tmp_path, RECIPE.replace("{cursor}", settings).replace("deadline = 2.0", "deadline = 1.0"), rows)
    done = dataengine("run", recipe, "--quiet", cwd=tmp_path, env=plugin(tmp_path / "plugin"))
    assert done.returncode == 0, done.stderr
    assert len(kept_rows(tmp_path)) == 80 and quarantined(tmp_path) == []


def test_one_row_that_a_stage_cannot_bear_is_no_broken_stage_where_filters_left_it_alone(tmp_path: Path) -> None:
    rows = [{"text": "short"} for _ in range(30)] + [{"text": "RAISE " + documents(9)[8]["text"]}]
    assert len(rows[30]["text"].split()) > 50
    between = '[[data.web]]\nstage = "filter.gopher"\nmin_words = 30\n'
    head, tail = RECIPE.replace("{cursor}", "false").split('[[data.web]]\nstage = "map.trouble"')
    recipe = project(tmp_path, head + between + '[[data.web]]\nstage = "map.trouble"' + tail, rows)
    done = dataengine("run", recipe, "--quiet", cwd=tmp_path, env=plugin(tmp_path / "plugin"))
    assert done.returncode == 0, done.stderr
    assert [(step, reason) for step, reason, _ in quarantined(tmp_path)] == [("web.2", "error")]


READER = '''
"""Read lines, and die at some of them (a stage of the test suite)."""

import os
import sys
from pathlib import Path

import pyarrow as pa

from dataengine.stage import Piece, Refused, StageConfig, read

if "IMPORT" in os.environ.get("TROUBLE", "") and sys.argv[0].endswith("worker.py"):
    sys.exit("no such library")


class Config(StageConfig):
    folder: str = "."
    """Where the files are."""


def pieces(config, base):
    return [Piece(str(path), path.name, weight=1) for path in sorted((base / config.folder).glob("*.txt"))]


@read(pieces=pieces, columns={"text": "string"}, version=1, refuses=("bad",))
def lines(piece, config):
    for number, line in enumerate(Path(piece.path).read_text().splitlines()):
        if line == "DIE":
            os._exit(9)
        if line == "RAISE":
            raise ValueError("no good")
        if line == "BAD":
            yield Refused(f"{piece.origin}:{number}", "bad", "as it says", line.encode())
        else:
            yield pa.RecordBatch.from_pydict({"origin": [f"{piece.origin}:{number}"], "text": [line]})
'''

LINES = """
name = "poisoned"
[run]
max_quarantined = 1.0
[[data.web]]
stage = "read.lines"
[[data.web]]
stage = "map.trouble"
"""


def read_lines(folder: Path, files: dict[str, str], trouble: str = "") -> CompletedProcess[str]:
    """Run a reader that fails at some lines over these files."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "recipe.toml").write_text(LINES)
    env = plugin(folder / "plugin") | {"TROUBLE": trouble}
    plugin(folder / "plugin", "read.lines", "lines", READER)
    return dataengine("run", "recipe.toml", "--quiet", "--workers", "1", cwd=folder, env=env)


def test_a_reader_that_dies_loses_the_rest_of_that_piece_and_nothing_else(tmp_path: Path) -> None:
    files = {"a.txt": "BAD\none\nBAD\nKILL\n", "b.txt": "two\nDIE\nlost\n", "c.txt": "DIE\n", "d.txt": "three\nKILL\n"}
    done = read_lines(tmp_path, files)
    assert done.returncode == 0, done.stderr
    assert sorted(row["text"] for row in kept_rows(tmp_path).values()) == ["one", "three", "two"]
    found = [(reason, text) for _, reason, text in quarantined(tmp_path)]
    assert found == [("bad", "BAD")] * 2 + [("crash", "")] * 2 + [("crash", "KILL")] * 2
    (manifest,) = [one for one in manifests(tmp_path / "runs/poisoned") if one["kind"] == "rows"]
    assert manifest["accounts"][0]["rows_in"] == 9


def test_a_reader_that_raises_is_named_with_its_piece(tmp_path: Path) -> None:
    done = read_lines(tmp_path, {"a.txt": "one\n", "b.txt": "RAISE\n"})
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "read.lines on b.txt" in done.stderr and "no good" in done.stderr


def test_workers_that_cannot_start_stop_the_run_and_no_data_is_blamed(tmp_path: Path) -> None:
    done = read_lines(tmp_path, {"a.txt": "one\n"}, trouble="IMPORT")
    assert done.returncode == 1 and "no such library" in done.stderr and "Traceback" not in done.stderr
    assert not list((tmp_path / "runs/poisoned").rglob("*.parquet"))


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


COMPILES = '''
"""Lengths, counted by a loop that takes seconds to compile and is compiled where a text says so."""

from numba import njit

from dataengine.stage import StageConfig, map


class Config(StageConfig):
    pass


def loop():
    lines = [f"    if value > {number}: value = value * {number % 7 + 2} % {number + 11}" for number in range(200)]
    scope = {}
    exec("def count(value):\\n" + "\\n".join(lines) + "\\n    return value", scope)
    return njit(scope["count"])


count = loop()


@map(reads=["text"], adds={"counted": "int64"}, version=1)
def compiles(batch, config):
    return {"counted": [count(len(text)) if "COMPILE" in text else 0 for text in batch["text"].to_pylist()]}
'''


def test_a_loop_is_compiled_in_nobodys_time(tmp_path: Path) -> None:
    rows = documents(300)
    rows[250]["text"] = "COMPILE"
    recipe = RECIPE.replace('map.trouble"\ncursor = {cursor}', 'map.compiles"').replace("deadline = 2", "deadline = 1")
    env = plugin(tmp_path / "plugin", "map.compiles", "compiles", COMPILES)
    done = dataengine("run", project(tmp_path, recipe, rows), "--quiet", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert bad_rows(tmp_path) == []
    assert len(kept_rows(tmp_path)) == 300
