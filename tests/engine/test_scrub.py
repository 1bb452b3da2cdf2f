"""Nothing of what scrub.pii removes is left in any file of a run, whichever way a row leaves it."""

from __future__ import annotations

import dataclasses
import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine import stage as stages
from dataengine.tasks.fused import FusedStep
from dataengine.tasks.scrubbed import UNSAID, scrub_departed
from tests.engine.calling import call
from tests.engine.projects import WORDS, dataengine, digests, plugin, project

PROSE = " ".join(WORDS * 3)
PLANTED = {
    "email": "ann.lee@mail.example.net",
    "phone": "+44 20 7946 0958",
    "card": "4111 1111 1111 1111",
    "ip": "84.17.46.3",
    "password": "hunter2!xyz",
}
SENTENCE = "Write to {email}, call {phone}, pay with card {card} from {ip}. password: {password}\n".format(**PLANTED)

PLUGIN = '''
"""Fail on a text that asks for it, and quote it (a stage of the test suite)."""

from __future__ import annotations

import os

from dataengine.stage import StageConfig, map


class Config(StageConfig):
    pass


@map(reads=["text"], adds={"seen": "string"}, version=1)
def quote(batch, config):
    for text in batch["text"].to_pylist():
        if "RAISE" in text:
            raise ValueError(text[-500:])
        if "KILL" in text:
            os._exit(9)
    return {"seen": [text[-200:] for text in batch["text"].to_pylist()]}
'''

RECIPE = """
name = "scrubbed"
[run]
max_quarantined = 1.0
audit = 1.0
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
keep = ["title"]
[[data.web]]
stage = "map.quote"
[[data.web]]
stage = "scrub.pii"
[[data.web]]
stage = "filter.where"
where = "not starts_with(text, 'DROP')"
[[data.web]]
stage = "filter.gopher"
min_words = 20
[[data.web]]
stage = "dedup.exact"
"""


def texts_in(run: Path) -> Iterator[tuple[Path, str]]:
    """Everything that a run has stored: the cells of its tables, and its other files as they are."""
    for path in sorted(run.rglob("*")):
        if path.suffix == ".parquet":
            for row in pq.ParquetFile(path).read().to_pylist():
                yield path, json.dumps(row, ensure_ascii=False, default=repr)
        elif path.is_file():
            yield path, path.read_bytes().decode("utf-8", "replace")


def assert_clean(where: Path | str, text: str) -> None:
    for name, value in PLANTED.items():
        assert value not in text, f"{name} in {where}"
    assert "ann.lee" not in text and "7946" not in text and "hunter2" not in text, where


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run in which every row has planted values, and rows leave in every way; and what was printed."""
    folder = tmp_path_factory.mktemp("scrubbed")
    url = f"https://ann:{PLANTED['password']}@x.io/"
    rows = [
        {"text": f"{lead} {PROSE} {number} {SENTENCE}", "title": SENTENCE, "url": url}
        for lead in ("KEEP", "DROP", "RAISE", "KILL")
        for number in range(3)
    ]
    rows += [{"text": SENTENCE, "title": "", "url": None}, rows[0] | {"title": "twice"}]
    lines = [json.dumps(row) for row in rows] + ['{"text": "' + SENTENCE.strip() + '", "title": 1 2}', SENTENCE]
    (folder / "docs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "recipe.toml").write_text(textwrap.dedent(RECIPE), encoding="utf-8")
    env = plugin(folder / "plugins", name="map.quote", module="quote", source=PLUGIN)
    done = dataengine("run", "recipe.toml", cwd=folder, env=env)
    assert done.returncode == 0, done.stderr + done.stdout
    printed = [done.stdout + done.stderr]
    where = "runs/scrubbed"
    lost = [row["id"] for name in ("dropped", "quarantined") for row in rows_of(folder / where, name)]
    for verb in (["status", where], ["inspect", where], ["sql", where, "select * from dropped"],
                 ["sql", where, "select * from quarantined"], *(["explain", where, document] for document in lost)):
        shown = call(*verb, cwd=folder)
        assert shown.returncode == 0, shown.stderr
        printed.append(shown.stdout + shown.stderr)
    return folder / where, printed


def rows_of(run: Path, name: str) -> list[dict[str, Any]]:
    """All rows of the shards of this name."""
    return [row for path in sorted(run.rglob(f"{name}.parquet")) for row in pq.ParquetFile(path).read().to_pylist()]


def test_no_file_of_the_run_holds_a_planted_value(run: tuple[Path, list[str]]) -> None:
    found = list(texts_in(run[0]))
    assert len({path for path, _ in found}) > 10 and len(found) > 20
    for path, text in found:
        assert_clean(path, text)


def test_nothing_that_is_printed_holds_a_planted_value(run: tuple[Path, list[str]]) -> None:
    assert len(run[1]) > 12
    for text in run[1]:
        assert_clean("output", text)


def test_rows_left_in_every_way_and_what_was_found_is_counted(run: tuple[Path, list[str]]) -> None:
    kept, dropped, quarantined = (rows_of(run[0], name) for name in ("kept", "dropped", "quarantined"))
    assert {(row["pii_email"], row["pii_phone"], row["pii_ip"], row["pii_password"]) for row in kept} == {(1, 1, 1, 1)}
    assert all("<EMAIL>" in row["text"] and row["url"] == "https://<LOGIN>@x.io/" for row in kept)
    assert {row["title"].partition(",")[0] for row in kept} == {"Write to <EMAIL>", "twice"}
    assert all("<EMAIL>" in row["seen"] for row in kept + dropped)
    assert {row["reason"] for row in dropped} == {"not_matched", "too_few_words", "exact_duplicate"}
    assert {row["reason"] for row in quarantined} == {"bad_json", "error", "crash"}
    assert all(row["text"] is None for row in quarantined)
    assert {row["detail"] for row in quarantined if row["reason"] == "error"} == {f"ValueError: {UNSAID}"}


def test_going_on_from_stored_rows_gives_the_bytes_of_a_run_from_nothing(tmp_path: Path) -> None:
    recipe = RECIPE
    for gone in ("map.quote", "dedup.exact"):
        recipe = recipe.replace(f'[[data.web]]\nstage = "{gone}"\n', "")
    changed = recipe.replace("min_words = 20", "min_words = 2")
    for folder, versions in (("twice", (recipe, changed)), ("once", (changed,))):
        project(tmp_path / folder, recipe)
        lines = [json.dumps({"text": f"{lead} {number} {SENTENCE}"}) for lead in ("", "DROP") for number in range(3)]
        (tmp_path / folder / "docs.jsonl").write_text("\n".join([*lines, SENTENCE]) + "\n", encoding="utf-8")
        os.utime(tmp_path / folder / "docs.jsonl", (1, 1))
        for version in versions:
            (tmp_path / folder / "recipe.toml").write_text(textwrap.dedent(version), encoding="utf-8")
            done = dataengine("run", "recipe.toml", cwd=tmp_path / folder)
            assert done.returncode == 0, done.stderr
        assert dataengine("gc", "runs/scrubbed", cwd=tmp_path / folder).returncode == 0
        for path, text in texts_in(tmp_path / folder / "runs"):
            assert_clean(path, text)
    assert digests(tmp_path / "twice/runs/scrubbed") == digests(tmp_path / "once/runs/scrubbed")


def test_what_left_before_it_was_scrubbed_is_cleaned_and_what_left_later_is_not_touched() -> None:
    stage = stages.load("scrub.pii")
    step = FusedStep("web.2", "web", stage, stage.config())

    def left(name: str) -> pa.RecordBatch:
        row = {"id": "1", "step": name, "stage": "filter.x", "reason": "short", "origin": "a@b.co:1", "text": SENTENCE}
        row |= {"messages": [{"role": "user", "content": SENTENCE}], "html": SENTENCE.encode()}
        row |= {"words": 3, "title": None}
        return pa.RecordBatch.from_pylist([row])

    batches = [left("web.1"), left("web.3")]
    scrub_departed(batches, {"web.1": 1, "web.2": 2, "web.3": 3}, [(2, step)])
    cleaned, later = (batch.to_pylist()[0] for batch in batches)
    assert later == left("web.3").to_pylist()[0]
    assert_clean("row", json.dumps(cleaned))
    assert cleaned["messages"][0]["role"] == "user" and "<EMAIL>" in cleaned["messages"][0]["content"]
    assert (cleaned["origin"], cleaned["html"], cleaned["words"], cleaned["title"]) == ("a@b.co:1", None, 3, None)


def test_where_the_scrubbing_itself_fails_nothing_of_the_content_is_kept() -> None:
    def fails(batch: pa.RecordBatch, config: object, columns: tuple[str, ...]) -> pa.RecordBatch:
        raise RuntimeError("a fault")

    stage = dataclasses.replace(stages.load("scrub.pii"), scrubs=fails)
    row = {"id": "1", "step": "web.1", "reason": "short", "text": SENTENCE, "words": 3}
    batches = [pa.RecordBatch.from_pylist([row])]
    scrub_departed(batches, {"web.1": 1}, [(1, FusedStep("web.1", "web", stage, stage.config()))])
    assert batches[0].to_pylist() == [row | {"text": None}]


def test_a_place_behind_what_stores_the_originals_is_refused_with_what_to_write(tmp_path: Path) -> None:
    late = """
    name = "late"
    [[data.web]]
    stage = "read.jsonl"
    paths = "docs.jsonl"
    [[data.web]]
    stage = "dedup.exact"
    [[data.web]]
    stage = "scrub.pii"
    """
    (tmp_path / "docs.jsonl").write_text('{"text": "x"}\n', encoding="utf-8")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(textwrap.dedent(late), encoding="utf-8")
    refused = call("plan", "recipe.toml", cwd=tmp_path)
    assert refused.returncode == 2 and "recipe.toml:9" in refused.stderr and "keep_originals = true" in refused.stderr
    recipe.write_text(textwrap.dedent(late) + "keep_originals = true\n", encoding="utf-8")
    assert call("plan", "recipe.toml", cwd=tmp_path).returncode == 0
