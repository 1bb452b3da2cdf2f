"""Prunes at work: real workers, kills, a later plan, lanes that are joined or empty, the audit, what `explain` says."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataengine import explain, shards
from dataengine.errors import StageError
from dataengine.ledger import Ledger
from dataengine.prune import Units, prune
from dataengine.stage import Rule, StageConfig
from tests.engine.inside import READ, installed
from tests.engine.projects import command, dataengine, digests, documents, environment, manifests, write_jsonl
from tests.engine.test_going_on import again
from tests.gathering import execute_all, rows_of

FOOT = "All rights reserved by the makers of this page and their heirs."
RECIPE = """
name = "pruned"
seed = 3
[run]
split_bytes = "100kB"
audit = 0.1
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[[data.web]]
stage = "filter.gopher"
min_words = 75
[[data.web]]
stage = "dedup.paragraphs"
[[data.web]]
stage = "filter.gopher"
min_words = 90
[[data.web]]
stage = "dedup.lines"
[[data.web]]
stage = "dedup.substring"
min_length = 40
"""


def pages(count: int = 400) -> list[dict[str, str]]:
    """Pages with a foot that all have, paragraphs and lines that several have, and a phrase in the middle of a line."""
    rng = random.Random(4)
    rows = documents(count, seed=4)
    lines = [row["text"][:70] for row in rows[:9]]
    for row in rows:
        phrase = f"Page {row['text'][-30:]} of the book of all there is to say about rivers"
        row["text"] = f"{rng.choice(lines)}\n{row['text']}\n{phrase}\n\n{rng.choice(lines)}, and\nso on\n\n{FOOT}\n"
    return rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(recipe, run) of an unbroken run with one worker."""
    folder = tmp_path_factory.mktemp("whole")
    write_jsonl(folder / "docs.jsonl", pages())
    (folder / "recipe.toml").write_text(RECIPE)
    done = dataengine("run", "recipe.toml", "--quiet", "--workers", "1", "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "recipe.toml", folder / "run"


def test_many_workers_and_kills_give_the_same_bytes(whole: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, run = whole
    rng = random.Random(1)
    killed = 0
    for _ in range(3):
        driver = subprocess.Popen(command("run", recipe, "--quiet", "--workers", "2", "--out", tmp_path / "run"),
                                  cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(1, 4))
        if driver.poll() is None:
            driver.send_signal(signal.SIGKILL)
            killed += 1
        driver.wait()
    done = dataengine("run", recipe, "--quiet", "--workers", "3", "--out", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "run") == digests(run)
    assert killed


def test_every_row_and_byte_is_accounted_for(whole: tuple[Path, Path]) -> None:
    _, run = whole
    for manifest in manifests(run):
        shards.check_accounts(shards.Manifest.from_json(json.dumps(manifest)))
    accounts = {account.step: account for account in Ledger.open(run).steps}
    for step, column in (("web.2", "removed_paragraphs_bytes"), ("web.4", "removed_lines_bytes"),
                         ("web.5", "removed_substrings_bytes")):
        gone = 0
        (segment,) = run.glob(f"steps/{step}-*") if step == "web.2" else run.glob(f"steps/{step}")
        for folder in segment.iterdir():
            gone += sum(row[column] for row in pq.read_table(folder / shards.KEPT).to_pylist() if row[column])
            for row in pq.read_table(folder / shards.DROPPED).to_pylist():
                gone += len(row["text"].encode()) if row["step"] == step else row[column]
        account = accounts[step]
        assert account.bytes_in - account.bytes_out == gone > 0, step


def test_explain_shows_what_was_cut_and_where_the_copy_is(whole: tuple[Path, Path]) -> None:
    _, run = whole
    ledger = Ledger.open(run)
    docs = [row for shard in ledger.kept() for row in pq.read_table(shard.path).to_pylist()]
    row = next(row for row in docs if any(span["end"] - span["start"] > 60 for span in row["removed_lines_spans"]))
    cuts = [cut for passage in explain.explain(ledger, row["id"]).passages for verdict in passage.verdicts
            for cut in verdict.cuts if verdict.stage == "dedup.lines"]
    assert [(cut["start"], cut["end"], cut["kept_in"]) for cut in cuts] == [
        (span["start"], span["end"], span["kept_in"]) for span in row["removed_lines_spans"]]
    before = next(one["text"] for path in (run / "steps/web.2-3").glob("*/kept.parquet")
                  for one in pq.read_table(path).to_pylist() if one["id"] == row["id"])
    for cut in cuts:
        assert before.encode()[cut["start"] : cut["end"]].decode().startswith(cut["text"][:100])
        kept = explain.explain(ledger, cut["kept_in"])
        assert kept.id == cut["kept_in"]
    gone = next(one for shard in ledger.dropped() for one in pq.read_table(shard.path).to_pylist()
                if one["reason"] == "repeated_lines")
    said = explain.explain(ledger, gone["id"])
    assert "left_bytes = 0, dropped if < min_left (1): drops" in explain.ends(said)[0]
    assert "".join(cut["text"] for cut in said.passages[-1].verdicts[0].cuts)[:50] == gone["text"][:50]


def test_the_audit_sample_goes_past_a_prune_uncut(whole: tuple[Path, Path]) -> None:
    _, run = whole
    rows = [row for path in (run / "steps").glob("web.2-3/*/audited.parquet")
            for row in pq.read_table(path).to_pylist()]
    copies = [row for row in rows if row["__would_drop"] and row["__would_drop"][0]["step"] == "web.1"]
    assert copies and all(row["removed_paragraphs_bytes"] is None and FOOT in row["text"] for row in copies)


# --- plans ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stages() -> Iterator[None]:
    with installed():
        yield


@pytest.mark.usefixtures("stages")
def test_a_threshold_behind_a_prune_goes_on_with_the_pruned_rows(tmp_path: Path) -> None:
    blocks = [READ, ("dedup.substring", {"min_length": 300}), ("map.sized", {"least": 60}),
              ("map.vowels", {"least": 10})]
    ran, plan = again(tmp_path, blocks, [*blocks[:3], ("map.vowels", {"least": 40})])
    assert ran == ["map.vowels 3"]
    last = plan.segments[-1]
    assert last.name == "web.1-3" and any(row["reason"] == "repeated_text" for row in rows_of(plan, shards.DROPPED))
    ran, _ = again(tmp_path / "x", blocks, [READ, ("dedup.substring", {"min_length": 400}), *blocks[2:]])
    assert ran == ["map.sized 2", "map.vowels 3"]


def test_lanes_that_are_joined_share_parts_in_their_order(tmp_path: Path) -> None:
    line = "a line that both lanes have\n"
    write_jsonl(tmp_path / "a.jsonl", [{"text": line + "a\n"}])
    write_jsonl(tmp_path / "b.jsonl", [{"text": line}, {"text": "b\n" + line}])
    (tmp_path / "recipe.toml").write_text(textwrap.dedent("""
        name = "j"
        [[data.a]]
        stage = "read.jsonl"
        paths = "a.jsonl"
        [[data.b]]
        stage = "read.jsonl"
        paths = "b.jsonl"
        [[data.both]]
        from = ["b", "a"]
        stage = "dedup.lines"
        """))
    plan = execute_all(tmp_path / "recipe.toml", tmp_path / "run")
    kept = rows_of(plan, shards.KEPT)
    assert [(row["source"], row["text"]) for row in kept] == [("b", line), ("b", "b\n"), ("a", "a\n")]
    assert kept[2]["removed_lines_spans"] == [{"start": 0, "end": len(line), "kept_in": kept[0]["id"]}]


@pytest.mark.parametrize("stage", ["dedup.lines", "dedup.paragraphs", "dedup.substring"])
@pytest.mark.parametrize("texts", [[], [""], ["too short"] * 3], ids=["no rows", "an empty text", "short texts"])
def test_nothing_to_cut_is_no_trouble(tmp_path: Path, stage: str, texts: list[str]) -> None:
    write_jsonl(tmp_path / "docs.jsonl", [{"text": text} for text in texts])
    (tmp_path / "recipe.toml").write_text(
        f'name = "n"\n[[data.web]]\nstage = "read.jsonl"\npaths = "docs.jsonl"\n[[data.web]]\nstage = "{stage}"\n')
    plan = execute_all(tmp_path / "recipe.toml", tmp_path / "run")
    assert [row["text"] for row in rows_of(plan, shards.KEPT)] == texts
    (task,) = plan.segments[-1].tasks
    assert "left_bytes" in pq.read_schema(task.ref.folder(plan.out) / shards.KEPT).names


# --- a stage of somebody else -----------------------------------------------------------------------------------------


class Config(StageConfig):
    least: int
    """Fewest bytes that must be left; has no default."""
    wrong: bool = False
    """Give rows out of order."""


@prune(counts="removed_words", rules=[Rule("no_words", "left_bytes", "<", "least")], version=1)
def words(batch, config: Config) -> Units:
    """Every word is a part: what is left of a lane is its vocabulary."""
    import numpy as np

    found = [(row, at, word) for row, text in enumerate(batch["text"].to_pylist())
             for at, word in enumerate(text.split(" "))]
    rows = np.array([row for row, *_ in found], np.int64)
    starts = np.array([2 * at for _, at, _ in found], np.int64)
    keys = np.array([[ord(word[0]), 0] for *_, word in found], np.uint64).reshape(-1, 2)
    return Units(rows[::-1] if config.wrong else rows, starts, starts + 1, keys)


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from dataengine import stage
    from tests.engine.inside import Point

    stage.load.cache_clear()
    monkeypatch.setattr(stage, "plugin_targets", lambda: {"dedup.words": Point(words)})
    yield
    stage.load.cache_clear()


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("wrong", [False, True])
def test_a_prune_of_a_plugin_runs_and_is_told_where_it_breaks_the_contract(tmp_path: Path, wrong: bool) -> None:
    write_jsonl(tmp_path / "docs.jsonl", [{"text": "a b a"}, {"text": "b a"}, {"text": "c"}])
    (tmp_path / "recipe.toml").write_text(
        'name = "n"\n[[data.web]]\nstage = "read.jsonl"\npaths = "docs.jsonl"\n[[data.web]]\nstage = "dedup.words"\n'
        f"least = 1\nwrong = {str(wrong).lower()}\n")
    if wrong:
        with pytest.raises(StageError, match="units that do not fit together"):
            execute_all(tmp_path / "recipe.toml", tmp_path / "run")
        return
    plan = execute_all(tmp_path / "recipe.toml", tmp_path / "run")
    assert [row["text"] for row in rows_of(plan, shards.KEPT)] == ["a b ", "c"]
    assert [row["reason"] for row in rows_of(plan, shards.DROPPED)] == ["no_words"]
