"""A row that a prune's stage cannot bear is found and quarantined where the cuts are applied; its neighbours never
suffer.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataengine import shards
from dataengine.ledger import Ledger
from dataengine.prune import Units, prune
from dataengine.stage import Rule, StageConfig
from tests.engine.projects import command, dataengine, digests, documents, environment, manifests, plugin
from tests.gathering import execute_all, rows_of

FRAGILE = '''
"""Lines, and the three words at their beginning; fails in the way that a text asks for (a stage of the test suite)."""

import os

from dataengine.prune import Units, prune
from dataengine.stage import Rule, StageConfig, at_row


class Config(StageConfig):
    inside: bool = False
    """Whether it fails when it is asked for smaller parts."""
    suffix: str = ""
    """It fails at KILL and the like with this behind it."""
    min_left: int = 1
    """Fewest bytes."""


def fail(texts, config):
    for row, text in enumerate(texts):
        at_row(row)
        if "KILL" + config.suffix in text:
            os._exit(9)
        while "STALL" + config.suffix in text:
            pass
        if "HOG" + config.suffix in text:
            hoard = bytearray(3 << 30)
            hoard[::4096] = b"x" * len(hoard[::4096])
        if "RAISE" + config.suffix in text:
            raise ValueError("no good")


def units(found):
    import numpy as np
    import xxhash

    spans = np.array([place for *place, _ in found], np.int64).reshape(-1, 3)
    keys = [[xxhash.xxh3_64_intdigest(half.encode()) for half in key] for *_, key in found]
    return Units(*spans.T, np.array(keys, np.uint64).reshape(-1, 2))


def smaller(batch, config, given):
    texts = batch["text"].to_pylist()
    if config.inside:
        fail(texts, config)
    found = []
    for row, start, end in zip(given.rows.tolist(), given.starts.tolist(), given.ends.tolist()):
        words = " ".join(texts[row][start:end].split()[:3])
        found.append((row, start, start + len(words), (words, words)))
    return units(found)


@prune(counts="removed", rules=[Rule("nothing_left", "left_bytes", "<", "min_left")], version=1, smaller=smaller)
def fragile(batch, config):
    texts = batch["text"].to_pylist()
    if not config.inside:
        fail(texts, config)
    found = []
    for row, text in enumerate(texts):
        place = 0
        for line in text.splitlines(keepends=True):
            found.append((row, place, place + len(line), (line.split()[0], line)))
            place += len(line)
    return units(found)
'''
HEAD = """
name = "poisoned"
[run]
split_bytes = "60kB"
record_deadline = 2.0
memory_per_worker = "1GB"
max_quarantined = 1.0
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
"""
PRUNE = """
[[data.web]]
stage = "dedup.fragile"
inside = {inside}
suffix = "{suffix}"
"""
FOOT = "All rights reserved by the makers of this page.\n"


def pages(poison: dict[int, str], count: int = 300) -> list[dict[str, str]]:
    """Pages with a line that all have and one of which several have the beginning; some hold a word to fail at."""
    rows = documents(count)
    for number, row in enumerate(rows):
        row["text"] = f"{row['text']}\nSee also {number % 7} of pages {number}\n{poison.get(number, '')}\n{FOOT}"
        row["text"] = re.sub("\n+", "\n", row["text"])
    return rows


def write(folder: Path, rows: list[dict[str, str]], recipe: str, without: bool = False) -> dict[str, str]:
    """A project and the stage; its environment. `without`: what has a word to fail at in capitals is no row at all, and
    all others lie where they lay.
    """
    folder.mkdir(parents=True)
    lines = [json.dumps(row) for row in rows]
    if without:
        lines = ["{" + "-" * (len(line) - 1) if re.search("[A-Z]{4}", line) else line for line in lines]
    (folder / "docs.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "recipe.toml").write_text(recipe)
    return plugin(folder / "plugin", "dedup.fragile", "fragile", FRAGILE)


def run(folder: Path, env: dict[str, str], *more: str, workers: int = 2, out: str = "run") -> None:
    done = dataengine("run", "recipe.toml", "--quiet", "--workers", str(workers), "--out", out, *more, cwd=folder,
                      env=env)
    assert done.returncode == 0, done.stderr


def docs(folder: Path) -> list[dict]:
    """What the run has kept, in order, without the engine's own columns: a refused row has a place in the input too."""
    rows = [row for shard in Ledger.open(folder).kept() for row in pq.read_table(shard.path).to_pylist()]
    return [{name: value for name, value in row.items() if not shards.hidden(name)} for row in rows]


def refused(folder: Path) -> list[tuple[str, str, str, str]]:
    """(step, reason, detail, word to fail at) of all quarantined rows of prunes and gathers, sorted."""
    return sorted(
        (row["step"], row["reason"], row["detail"], re.findall("[A-Z]{3,}[0-9]?", row["text"])[0])
        for path in folder.rglob("quarantined.parquet")
        for row in pq.read_table(path).to_pylist() if row["reason"] != "bad_json"
    )


def accounted(folder: Path, rows: int) -> None:
    """Every step's rows in are its rows kept, dropped and quarantined, and none is lost between two steps."""
    for manifest in manifests(folder):
        shards.check_accounts(shards.Manifest.from_json(json.dumps(manifest)))
    coming = rows
    for step in Ledger.open(folder).steps:
        assert step.rows_in == coming, step.step
        coming = step.rows_kept
        assert step.rows_in == coming + sum(step.dropped.values()) + sum(step.quarantined.values()), step.step
    assert len(docs(folder)) == coming


KILLED = "it killed or stalled its worker"
SAID = "ValueError: no good"


@pytest.mark.parametrize(
    ("word", "reason", "detail"),
    [
        ("RAISE", "error", SAID),
        ("KILL", "crash", KILLED),
        ("STALL", "timeout", KILLED),
        ("HOG", "out_of_memory", "MemoryError: "),
    ],
)
@pytest.mark.parametrize("inside", [False, True], ids=["parts", "smaller parts"])
def test_rows_at_which_a_prune_fails_are_quarantined_and_all_others_are_as_if_they_had_never_been_there(
    tmp_path: Path, word: str, reason: str, detail: str, inside: bool
) -> None:
    bad = {1: word, 2: word, 130: word, 299: word} if word in ("RAISE", "KILL") else {130: word}
    recipe = HEAD + PRUNE.format(inside=str(inside).lower(), suffix="")
    for name, without in (("sick", False), ("clean", True)):
        run(tmp_path / name, write(tmp_path / name, pages(bad), recipe, without))
    assert len(list((tmp_path / "sick/run/steps/web.1.units").iterdir())) > 2
    assert refused(tmp_path / "sick/run") == [("web.1", reason, detail, word)] * len(bad)
    accounted(tmp_path / "sick/run", 300)
    sick, clean = docs(tmp_path / "sick/run"), docs(tmp_path / "clean/run")
    assert {len(row["removed_spans"]) for row in clean} > {1, 2}
    assert [row["id"] for row in sick] == [row["id"] for row in clean]
    assert sick == clean


def test_the_bytes_are_the_same_for_one_worker_and_two_and_after_a_kill_in_the_hunt_and_nothing_is_done_twice(
    tmp_path: Path,
) -> None:
    rows = pages({5: "RAISE", 77: "STALL", 140: "KILL", 250: "KILL"})
    env = write(tmp_path / "p", rows, HEAD + PRUNE.format(inside="false", suffix=""))
    folder = tmp_path / "p"
    run(folder, env, workers=1, out="one")
    run(folder, env, workers=2, out="two")
    expected = digests(folder / "one")
    assert any(name.endswith("refused.json") for name in expected)
    assert digests(folder / "two") == expected
    times = {path: path.stat().st_mtime_ns for path in (folder / "two/steps").rglob("*")}
    run(folder, env, out="two")
    assert {path: path.stat().st_mtime_ns for path in (folder / "two/steps").rglob("*")} == times

    for lost in (1, 2):
        driver = subprocess.Popen(command("run", "recipe.toml", "--quiet", "--workers", "1", "--out", "killed"),
                                  cwd=folder, env=environment(env), stdout=subprocess.DEVNULL)
        while not list((folder / "killed/tmp").glob(f"worker.{driver.pid}.{lost + 1}.log")):
            assert driver.poll() is None, "it loses more workers than that"
            time.sleep(0.01)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        assert digests(folder / "killed").keys() < expected.keys()
    run(folder, env, out="killed")
    assert digests(folder / "killed") == expected


def test_prunes_behind_a_gather_and_behind_one_another_each_refuse_what_they_cannot_bear(tmp_path: Path) -> None:
    bad = {3: "KILL1", 4: "RAISE2", 100: "RAISE1", 200: "KILL2", 201: "RAISE1", 202: "KILL3"}
    prunes = "".join(PRUNE.format(inside=inside, suffix=suffix)
                     for inside, suffix in (("false", "1"), ("true", "2"), ("false", "3")))
    recipe = HEAD + '[[data.web]]\nstage = "dedup.exact"\n' + prunes
    recipe = recipe.replace('suffix = "3"', 'suffix = "3"\n[[data.web]]\nstage = "filter.gopher"\nmin_words = 30')
    rows = pages(bad)
    rows[150]["text"] = rows[9]["text"]
    env = write(tmp_path / "p", rows, recipe)
    run(tmp_path / "p", env)
    assert refused(tmp_path / "p/run") == [
        ("web.2", "crash", KILLED, "KILL1"), ("web.2", "error", SAID, "RAISE1"), ("web.2", "error", SAID, "RAISE1"),
        ("web.3", "crash", KILLED, "KILL2"), ("web.3", "error", SAID, "RAISE2"), ("web.4", "crash", KILLED, "KILL3"),
    ]
    accounted(tmp_path / "p/run", 300)


@pytest.mark.parametrize("word", ["RAISE", "KILL"])
def test_a_plan_that_goes_on_from_stored_rows_refuses_the_same(tmp_path: Path, word: str) -> None:
    recipe = HEAD + PRUNE.format(inside="false", suffix="") + '[[data.web]]\nstage = "filter.gopher"\nmin_words = 30\n'
    env = write(tmp_path / "p", pages({7: word, 250: word}), recipe)
    folder = tmp_path / "p"
    for out, least in (("run", 30), ("run", 100), ("fresh", 100)):
        run(folder, env, "--set", f"data.web.2.min_words={least}", out=out)
    again, fresh = digests(folder / "run"), digests(folder / "fresh")
    assert fresh and {name: again.get(name) for name in fresh} == fresh
    assert [step for step, *_ in refused(folder / "fresh")] == ["web.1"] * 2
    accounted(folder / "run", 300)


def test_a_prune_that_raises_on_every_row_stops_the_run_and_is_named(tmp_path: Path) -> None:
    rows = pages(dict.fromkeys(range(20), "RAISE"), count=20)
    env = write(tmp_path / "p", rows, HEAD + PRUNE.format(inside="false", suffix=""))
    done = dataengine("run", "recipe.toml", "--quiet", cwd=tmp_path / "p", env=env)
    assert done.returncode == 1
    assert "web.1 (dedup.fragile)" in done.stderr and SAID in done.stderr and "Traceback" not in done.stderr


# --- what went for a row that is refused in the second round ----------------------------------------------------------


class Config(StageConfig):
    least: int = 1
    """Fewest bytes that must be left."""


def beginnings(batch, config: Config, given: Units) -> Units:
    if any("RAISE" in text for text in batch["text"].to_pylist()):
        raise ValueError("no good")
    return Units(given.rows, given.starts, given.starts + 1, np.ones((len(given.rows), 2), np.uint64))


@prune(counts="removed", rules=[Rule("nothing_left", "left_bytes", "<", "least")], version=1, smaller=beginnings)
def words(batch, config: Config) -> Units:
    """Words, of which those with the same first letter are looked at again."""
    found = [(row, match.start(), match.end(), match[0]) for row, text in enumerate(batch["text"].to_pylist())
             for match in re.finditer(r"\S+", text)]
    rows, starts, ends = (np.array([part[place] for part in found], np.int64) for place in range(3))
    return Units(rows, starts, ends, np.array([[ord(word[0]), hash_of(word)] for *_, word in found], np.uint64))


def hash_of(word: str) -> int:
    return int.from_bytes(word.encode()[:8], "little")


@pytest.fixture
def of_words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from dataengine import stage
    from tests.engine.inside import Point

    stage.load.cache_clear()
    monkeypatch.setattr(stage, "plugin_targets", lambda: {"dedup.words": Point(words)})
    yield
    stage.load.cache_clear()


@pytest.mark.usefixtures("of_words")
@pytest.mark.parametrize("files", [1, 3])
def test_what_went_for_a_row_that_the_second_round_refuses_stays_in_its_neighbours(tmp_path: Path, files: int) -> None:
    texts = ["apple RAISE", "apple pear", "apple RAISER pear", "quince pear"]
    for number in range(files):
        part = texts if files == 1 else texts[number : number + 1 if number < 2 else None]
        (tmp_path / f"{number}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in part))
    (tmp_path / "recipe.toml").write_text(
        'name = "n"\n[run]\nsplit_bytes = 20\n[[data.web]]\nstage = "read.jsonl"\npaths = "*.jsonl"\n'
        '[[data.web]]\nstage = "dedup.words"\n')
    plan = execute_all(tmp_path / "recipe.toml", tmp_path / "run")
    sick = [row["text"] for row in rows_of(plan, shards.QUARANTINED)]
    assert sick == ["apple RAISE", "apple RAISER pear"]
    kept = rows_of(plan, shards.KEPT)
    assert [row["text"] for row in kept] == ["apple pear", "quince "]
    assert [span["kept_in"] for span in kept[1]["removed_spans"]] == [kept[0]["id"]]
