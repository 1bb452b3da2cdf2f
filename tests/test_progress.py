from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path

import pytest

from dataengine.progress import Progress, trainings
from tests.fake_run import HOSTILE


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def manifest(rows=100, kept=80, seconds=1.0, reason="too_few_words"):
    return {"seconds": seconds, "accounts": [
        {"rows_in": rows, "rows_created": 0, "rows_kept": rows, "bytes_in": rows * 1000, "bytes_out": rows * 900,
         "dropped": {}, "quarantined": {}},
        {"rows_in": rows, "rows_created": 0, "rows_kept": kept, "bytes_in": rows * 900, "bytes_out": 1,
         "dropped": {reason: rows - kept}, "quarantined": {}}]}


def play(progress, clock, tasks=40, step=1.0):
    progress.started({"web.0-1": (10, 10 + tasks), "code.0": (3, 3)})
    for _ in range(tasks):
        clock.now += step
        progress.task_done("web.0-1", manifest())
    progress.finished()


def test_off_a_terminal_a_line_at_most_every_ten_seconds_and_one_at_the_end():
    clock, stream = Clock(), io.StringIO()
    play(Progress(stream=stream, clock=clock), clock)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "40 of 53 tasks to run"
    assert [line.split(" | ")[0] for line in lines[1:-1]] == [f"web.0-1 {n}/50" for n in (20, 30, 40, 50)]
    assert lines[1] == ("web.0-1 20/50 | 100 docs/s, 0.1 MB/s | 800 kept of 1,000 | too_few_words 200 | 30.0 s left")
    assert lines[-1] == "40 tasks run in 40.0 s"
    assert "\x1b" not in stream.getvalue()


def test_rates_count_this_runs_work_only():
    clock, stream = Clock(), io.StringIO()
    progress = Progress("json", stream=stream, clock=clock)
    progress.started({"a": (90, 100)})
    clock.now += 2.0
    progress.task_done("a", manifest(rows=100, seconds=2.0))
    event = json.loads(stream.getvalue().splitlines()[-1])
    assert (event["done"], event["rows"], event["rows_per_second"], event["seconds_left"]) == (91, 100, 50.0, 18.0)


def test_json_lines_are_json():
    clock, stream = Clock(), Terminal()
    play(Progress("json", stream=stream, clock=clock), clock, tasks=3)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["started", "task", "task", "task", "finished"]
    assert events[0] == {"event": "started", "elapsed": 0.0, "tasks": 16, "to_do": 3, "going_on": 0}
    assert events[3]["lost"] == {"too_few_words": 60} and events[4]["tasks_run"] == 3


@pytest.mark.parametrize("style", ["auto", "plain", "json"])
def test_nothing_hostile_reaches_a_log(style):
    clock, stream = Clock(), io.StringIO()
    progress = Progress(style, stream=stream, clock=clock)
    progress.started({HOSTILE: (0, 1)})
    clock.now += 1
    progress.task_done(HOSTILE, manifest(reason=HOSTILE))
    progress.finished()
    assert not set(stream.getvalue()) & set("\x1b\x07\x9b\x00\x7f\r\u202e\u200b")


def test_a_terminal_gets_a_live_table_without_anything_hostile_in_it():
    clock, stream = Clock(), Terminal()
    with Progress(stream=stream, clock=clock) as progress:
        progress.started({f"x{HOSTILE}": (0, 2)})
        clock.now += 1
        progress.task_done(f"x{HOSTILE}", manifest(reason=HOSTILE))
    said = stream.getvalue()
    assert "1/2" in said and "segment" in said and "1 of 2 tasks done" in said
    assert "]0;title" not in said.replace("\\x1b]0;title", "")
    assert not set(said) & set("\x07\x9b\x00\x7f\u202e\u200b")


def test_nothing_to_do_and_quiet_need_no_live_table():
    for quiet, said in ((False, "0 of 4 tasks to run\nnothing to run: all of it is there already\n"), (True, "")):
        clock, stream = Clock(), Terminal()
        progress = Progress(stream=stream, clock=clock, quiet=quiet)
        progress.started({"a": (4, 4)})
        progress.finished()
        assert stream.getvalue() == said


def test_tasks_without_rows_are_counted_too():
    clock, stream = Clock(), io.StringIO()
    progress = Progress(stream=stream, clock=clock)
    progress.started({"train.base": (0, 1)})
    progress.task_done("train.base", {"accounts": []})
    assert stream.getvalue().splitlines()[-1] == "train.base 1/1"


def test_the_live_table_fits_a_low_and_narrow_terminal_and_shows_what_is_next(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("LINES", "12")
    clock, stream = Clock(), Terminal()
    progress = Progress(stream=stream, clock=clock)
    progress.started({f"lane-with-a-long-name.{n}": (0, 1) for n in range(30)})
    for number in range(20):
        clock.now += 1
        progress.task_done(f"lane-with-a-long-name.{number}", manifest(reason="a_reason_that_has_a_long_name"))
    stream.seek(stream.truncate(0))
    progress.close()
    lines = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", stream.getvalue()).replace("\r", "").split("\n")
    assert max(map(len, lines)) <= 50
    shown = [line.split()[0].rpartition(".")[2] for line in lines if line.startswith("lane-")]
    assert shown == ["14", "15", "16", "17", "18", "19", "20", "21"]


def test_a_long_silence_off_a_terminal_is_broken(monkeypatch):
    monkeypatch.setattr("dataengine.progress.SILENT_SECONDS", 0.05)
    stream = io.StringIO()
    with Progress(stream=stream) as progress:
        progress.started({"code.0": (1, 1), "train.base": (0, 1)})
        end = time.monotonic() + 10
        while "at work" not in stream.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    assert "train.base 0/1 | at work for 0." in stream.getvalue()


def test_a_reader_that_hangs_up_does_not_end_the_run():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    clock = Clock()
    for style in ("plain", "json"):
        with Progress(style, stream=Closed(), clock=clock) as progress:
            play(progress, clock, tasks=2)
        assert [pace.fresh for pace in progress.paces.values()] == [2, 0]


def test_a_training_shows_the_step_it_is_at(tmp_path: Path) -> None:
    folder = tmp_path / "work" / "3f2a"
    folder.mkdir(parents=True)
    (folder / "train.json").write_text('{"name": "base"}')
    (folder / "log.txt").write_text("a warning\nstep 1/9  loss 7.1\nstep 2/9  loss 6.9\n")
    assert trainings(tmp_path / "work") == {"train.base": "step 2/9  loss 6.9"}


def test_a_training_that_has_just_begun_or_none_at_all_shows_nothing(tmp_path: Path) -> None:
    (tmp_path / "work" / "3f2a").mkdir(parents=True)
    (tmp_path / "work" / "3f2a" / "log.txt").write_text("")
    assert trainings(tmp_path / "work") == trainings(None) == {}
