"""A gather straight behind a reader: the split is read twice, once for the sketch and once for the decisions, and
nothing is stored between the two. The rows are those of a plan that stores them.
"""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine import shards
from tests.engine.projects import dataengine, documents, manifests, plugin, project, write_jsonl
from tests.gathering import execute_all, gathered, rows_of

HEAD = """
name = "again"
[run]
split_bytes = "40kB"
max_quarantined = 1.0
[[data.web]]
stage = "{reader}"
paths = "{paths}"
"""
MINHASH = '[[data.web]]\nstage = "dedup.minhash"\n'
EXACT = '[[data.web]]\nstage = "dedup.exact"\n'
ALL = '[[data.web]]\nstage = "filter.where"\nwhere = "true"\n'
"""Keeps everything; but what stands in front of a gather, other than a reader, has its rows stored."""


def recipe(folder: Path, *blocks: str, reader: str = "read.jsonl", paths: str = "docs.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text(HEAD.replace("{reader}", reader).replace("{paths}", paths) + "".join(blocks))
    return path


def names(path: Path) -> list[str]:
    return [segment.name for segment in plans.make(recipes.load(path), path.parent / "run").segments]


def bare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What does not depend on how many blocks the recipe has."""
    names = ("id", "origin", "url", "text", "reason", "detail", "duplicate_of", "similarity", "band")
    return [{name: row[name] for name in names if name in row} for row in rows]


def test_only_a_reader_of_what_is_cheap_to_read_again_has_its_rows_not_stored(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "docs.jsonl", documents(5))
    line = b'{"text": "one two three"}\n'
    (tmp_path / "docs.jsonl.gz").write_bytes(gzip.compress(line))
    (tmp_path / "docs.jsonl.bz2").write_bytes(bz2.compress(line))
    pq.write_table(pa.table({"text": ["one two three"]}), tmp_path / "docs.parquet")
    phases = ["web.1.sketch", "web.1.match", "web.1.cluster"]
    assert names(recipe(tmp_path, EXACT)) == [*phases, "web.0-1"]
    assert names(recipe(tmp_path, EXACT, ALL)) == [*phases, "web.0-2"]
    assert names(recipe(tmp_path, EXACT, paths="docs.jsonl.gz")) == [*phases, "web.0-1"]
    assert names(recipe(tmp_path, EXACT, reader="read.parquet", paths="docs.parquet")) == [*phases, "web.0-1"]
    assert names(recipe(tmp_path, EXACT, paths="docs.jsonl.bz2")) == ["web.0", *phases, "web.1"]
    assert names(recipe(tmp_path, EXACT, reader="read.text")) == ["web.0", *phases, "web.1"]
    later = ["web.2.sketch", "web.2.match", "web.2.cluster", "web.2"]
    assert names(recipe(tmp_path, ALL, EXACT)) == ["web.0-1", *later]


@pytest.mark.parametrize("broken", ["", "{broken\n"], ids=["sound", "with lines that are refused"])
def test_rows_read_again_are_judged_as_stored_ones_and_what_is_refused_is_counted_once(
    tmp_path: Path, broken: str
) -> None:
    lines = [json.dumps(row) + "\n" for row in documents(400)]
    text = "".join(broken * (number % 7 == 3) + line for number, line in enumerate(lines))
    found = {}
    for name, blocks in (("again", [EXACT]), ("stored", [ALL, EXACT])):
        path = recipe(tmp_path / name, *blocks)
        (tmp_path / name / "docs.jsonl").write_text(text)
        plan = execute_all(path, tmp_path / name / "run")
        rows = {file: [row for segment in range(len(plan.segments)) if plan.segments[segment].kind == "rows"
                       for row in bare(rows_of(plan, file, segment))] for file in (shards.DROPPED, shards.QUARANTINED)}
        rows[shards.KEPT] = bare(rows_of(plan, shards.KEPT))
        found[name] = rows
    assert found["again"] == found["stored"]
    assert len(found["again"][shards.QUARANTINED]) == text.count("{broken\n")
    account = next(m for m in manifests(tmp_path / "again/run") if m["segment"] == "web.0-1")["accounts"]
    assert [one["stage"] for one in account] == ["read.jsonl", "dedup.exact"]


def test_gathers_in_a_row_sketch_the_same_shards_and_give_what_they_give_with_rows_stored_between(
    tmp_path: Path,
) -> None:
    rows = documents(300)
    rows += [row | {"text": f"{row['text']} once more"} for row in rows[::10]]
    found = {}
    for name, blocks in (("row", [EXACT, MINHASH]), ("stored", [ALL, EXACT, ALL, MINHASH])):
        path = recipe(tmp_path / name, *blocks[:-1], blocks[-1] + 'keep = "longest"\nindex = "index"\n')
        write_jsonl(tmp_path / name / "docs.jsonl", rows)
        plan = execute_all(path, tmp_path / name / "run")
        index = sorted((part.name, part.read_bytes()) for part in (tmp_path / name / "index/parts").glob("*/*"))
        gone = [row for segment in range(len(plan.segments)) if plan.segments[segment].kind == "rows"
                for row in bare(rows_of(plan, shards.DROPPED, segment))]
        found[name] = bare(rows_of(plan, shards.KEPT)), sorted(gone, key=str), index
    assert [segment for segment in names(tmp_path / "row/recipe.toml") if segment.count(".") == 1] == ["web.0-2"]
    assert found["row"] == found["stored"]
    assert {row["reason"] for row in found["row"][1]} == {"exact_duplicate", "near_duplicate"}


def test_a_scrub_behind_a_gather_comes_too_late_also_where_no_rows_are_stored(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "docs.jsonl", documents(3))
    path = recipe(tmp_path, EXACT, '[[data.web]]\nstage = "scrub.pii"\n')
    done = dataengine("plan", path, cwd=tmp_path)
    assert done.returncode == 2 and "keep_originals" in done.stderr


# --- records that kill, and readers that lie --------------------------------------------------------------------------

TOUCHY = '''
"""Exact duplicates; dies of some words (a stage of the test suite)."""

import os

import numpy as np

from dataengine.stage import Sketch, StageConfig, gather


class Config(StageConfig):
    pass


@gather(reads=["text"], reason="exact_duplicate", version=1)
def touchy(batch, config):
    texts = batch["text"].to_pylist()
    for text in texts:
        if "KILL" in text:
            os._exit(9)
        if "RAISE" in text:
            raise ValueError("no good")
    same = np.array([[hash(text) & 0, sum(text.encode()) * 2**32 + len(text)] for text in texts], np.uint64)
    return Sketch(alone=np.zeros(len(texts), bool), same=same.reshape(-1, 2))
'''


@pytest.mark.parametrize("between", ["", ALL], ids=["read again", "stored"])
def test_a_record_that_a_gather_cannot_bear_is_quarantined_and_the_rest_is_gathered(
    tmp_path: Path, between: str
) -> None:
    rows = documents(120)
    sick = {0: "KILL", 77: "RAISE", 119: "KILL"}
    for place, word in sick.items():
        rows[place] = {"text": f"{word} number {place}", "url": ""}
    path = recipe(tmp_path, between, '[[data.web]]\nstage = "dedup.touchy"\n')
    write_jsonl(tmp_path / "docs.jsonl", rows)
    env = plugin(tmp_path / "plugin", "dedup.touchy", "touchy", TOUCHY)
    done = dataengine("run", path, "--quiet", "--workers", "2", "--out", "run", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    ends = {file: [row for path in sorted((tmp_path / "run/steps").glob(f"web*/*/{file}"))
                   for row in pq.read_table(path).to_pylist()] for file in (shards.QUARANTINED, shards.DROPPED)}
    bad = sorted((row["text"], row["reason"], row["stage"]) for row in ends[shards.QUARANTINED])
    assert bad == sorted((f"{word} number {place}", {"KILL": "crash", "RAISE": "error"}[word], "dedup.touchy")
                         for place, word in sick.items())
    healthy = [row["text"] for place, row in enumerate(rows) if place not in sick]
    assert len(ends[shards.DROPPED]) == len(healthy) - len(set(healthy)) > 0


def test_a_gather_that_raises_on_every_row_stops_the_run_and_is_named(tmp_path: Path) -> None:
    path = project(tmp_path, HEAD.replace("{reader}", "read.jsonl").replace("{paths}", "docs.jsonl")
                   + '[[data.web]]\nstage = "dedup.touchy"\n', [{"text": f"RAISE {number}"} for number in range(50)])
    env = plugin(tmp_path / "plugin", "dedup.touchy", "touchy", TOUCHY)
    done = dataengine("run", path, "--quiet", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert "web.1 (dedup.touchy)" in done.stderr and "no good" in done.stderr and "Traceback" not in done.stderr


FICKLE = '''
"""Give a file's lines, or die of them, by what lies beside it (a stage of the test suite)."""

import os
from pathlib import Path

import pyarrow as pa

from dataengine.stage import Piece, StageConfig, read


class Config(StageConfig):
    paths: str


def pieces(config, base):
    for path in sorted(Path(base).glob(config.paths)):
        yield Piece(str(path), path.name, stamp=f"{path.stat().st_size}-{path.stat().st_mtime_ns}")


@read(pieces=pieces, columns={"text": "string"}, version=1, again=lambda piece, config: True)
def fickle(piece, config):
    for number, line in enumerate(Path(piece.path).read_text().splitlines()):
        if "KILL" in line:
            os._exit(9)
        yield pa.RecordBatch.from_pydict({"origin": [f"{piece.origin}:{number}"], "text": [line]})
    if os.path.exists(piece.path + ".more"):
        yield pa.RecordBatch.from_pydict({"origin": [f"{piece.origin}:more"], "text": ["more"]})
'''


def fickle(folder: Path, files: dict[str, list[str]]) -> tuple[Path, dict[str, str]]:
    path = recipe(folder, EXACT, reader="read.fickle", paths="*.lines")
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines))
    return path, plugin(folder / "plugin", "read.fickle", "fickle", FICKLE)


def test_where_the_reader_dies_the_rest_of_the_piece_is_refused_both_times(tmp_path: Path) -> None:
    path, env = fickle(tmp_path, {"a.lines": ["one", "two", "KILL", "lost"], "b.lines": ["two", "three", "one"]})
    done = dataengine("run", path, "--quiet", "--workers", "1", "--out", "run", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "run/steps/web.0-1").iterdir()
    assert [row["text"] for row in pq.read_table(folder / shards.KEPT).to_pylist()] == ["one", "two", "three"]
    assert [row["text"] for row in pq.read_table(folder / shards.DROPPED).to_pylist()] == ["two", "one"]
    assert [row["reason"] for row in pq.read_table(folder / shards.QUARANTINED).to_pylist()] == ["crash"]


def test_a_reader_that_gives_other_rows_the_second_time_is_told_so(tmp_path: Path) -> None:
    path, env = fickle(tmp_path, {"a.lines": ["one", "two"]})
    assert dataengine("run", path, "--quiet", "--out", "run", cwd=tmp_path, env=env).returncode == 0
    for folder in (tmp_path / "run/steps/web.0-1").iterdir():
        (folder / shards.MANIFEST).unlink()
    (tmp_path / "a.lines.more").touch()
    done = dataengine("run", path, "--quiet", "--out", "run", cwd=tmp_path, env=env)
    assert done.returncode == 1 and "gave 3 rows, and 2 when they were sketched" in done.stderr
    assert "web.0 (read.fickle)" in done.stderr and "Traceback" not in done.stderr


def test_many_files_are_many_shards_and_the_sketches_say_the_ids(tmp_path: Path) -> None:
    texts = [row["text"] for row in documents(90)]
    gone = gathered(tmp_path, texts, "dedup.exact", files=9)
    first = {text: row for row, text in reversed(list(enumerate(texts)))}
    assert {row: one.stays for row, one in gone.items()} == {
        row: first[text] for row, text in enumerate(texts) if first[text] != row
    }
