"""Mistakes at the command line and broken runs: said in words, with the right exit code, and nothing is destroyed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine.calling import Ended, call
from tests.engine.projects import dataengine, digests, documents, project

EVIL = "\x1b]0;owned\x07\x1b[2J\u202e"
LANE = '[[data.web]]\nstage = "read.jsonl"\npaths = "docs.jsonl"\n'

RECIPE = """
name = "small"
seed = 7
[run]
split_bytes = "20kB"

[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[[data.web]]
stage = "filter.gopher"
min_words = 30

[[data.notes]]
stage = "read.jsonl"
paths = "notes.jsonl"
[[data.notes]]
stage = "filter.where"
where = "length(text) > 100"

[[data.corpus]]
from = ["web"]
stage = "dedup.exact"
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a complete run."""
    folder = tmp_path_factory.mktemp("made")
    rows = [*documents(300), {"text": EVIL + "the be to of and that have with " * 20, "url": f"http://x/{EVIL}"}]
    recipe = project(folder, RECIPE, rows)
    shutil.copy(folder / "docs.jsonl", folder / "notes.jsonl")
    done = dataengine("run", recipe, "--quiet", "--workers", "2", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the project, input times kept, so that all of the run is still good."""
    shutil.copytree(made, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def said(done: subprocess.CompletedProcess[str] | Ended, code: int) -> str:
    """What it complained of, after the promises of every complaint are checked."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "fault of dataengine" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr and "\u202e" not in done.stdout + done.stderr
    return done.stderr


# --- recipes ----------------------------------------------------------------------------------------------------------

BAD_RECIPES = {
    "two megabytes": ("# x\n" * 520_000, "larger than"),
    "binary": (bytes(range(256)) * 10, "not UTF-8"),
    "NUL": ('name = "a\0b"\n', "not TOML"),
    "deep": ("a=" + "[" * 3000 + "]" * 3000, "nested"),
    "deep names": (".".join(["a"] * 20_000) + " = 1", "nested"),
    "hostile names": ('name = "x"\n"\\u001b]0;owned\\u0007\\u202e" = 1\n' + LANE, "a recipe has no"),
    "a number of 5,000 digits": (f'name = "x"\nseed = {"9" * 5000}\n' + LANE, "64 bits"),
    "a number of 20,000 bits": (f'name = "x"\nseed = 0x{"f" * 5000}\n' + LANE, "64 bits"),
    "variables that fill the memory": (
        'name = "x"\n[vars]\na0 = "' + "x" * 50 + '"\n'
        + "".join(f'a{n + 1} = "' + f"${{a{n}}}" * 10 + '"\n' for n in range(12)) + LANE.replace("docs", "${a12}"),
        "longer than"),
    "variables of nothing that take for ever": (
        'name = "x"\n[vars]\na0 = ""\n'
        + "".join(f'a{n + 1} = "' + f"${{a{n}}}" * 10 + '"\n' for n in range(30))
        + LANE.replace("docs.jsonl", "${a30}"),
        "no path"),
    "a base with a name of 5,000 letters": (f'name = "x"\nextends = "{"x" * 5000}"\n' + LANE, "no file"),
    "a model whose name holds NUL": (
        'name = "x"\n' + LANE + '[[data.web]]\nstage = "filter.language"\nmodel = "a\\u0000b"\n', "no file name"),
    "a list of files one of whose names holds NUL": (
        'name = "x"\n' + LANE + '[[data.web]]\nstage = "filter.url"\nurl_files = ["a", "b\\u0000"]\n', "no file name"),
    "a pattern that cannot be matched in linear time": (
        'name = "x"\n' + LANE + "[[data.web]]\nstage = 'filter.url'\npatterns = ['(?=x)']\n", "RE2"),
    "a path that holds NUL": ('name = "x"\n' + LANE.replace("docs", "\\u0000"), "no path"),
    "a path of 5,000 letters": ('name = "x"\n' + LANE.replace("docs", "x" * 5000), "no such file"),
    "an address": ('name = "x"\n' + LANE.replace("docs.jsonl", "http://169.254.169.254/x"), "not among the hosts"),
    "a pattern without end": ('name = "x"\n' + LANE.replace("docs.jsonl", "[[[[*"), "matches no file"),
    "an expression nested 5,000 deep": (
        'name = "x"\n' + LANE + f'[[data.web]]\nstage = "filter.where"\nwhere = "{"(" * 5000}true{")" * 5000}"\n',
        "where"),
    "an expression that reads a file": (
        'name = "x"\n' + LANE + '[[data.web]]\nstage = "filter.where"\n'
        + "where = \"read_text('/etc/passwd') is null\"\n",
        "read_text"),
    "a name that leads out": ('name = "../x"\n' + LANE, "name"),
    "a lane that leads out": ('name = "x"\n' + LANE.replace("data.web", 'data."../x"'), "cannot be a name"),
}


@pytest.mark.parametrize("case", BAD_RECIPES)
def test_a_bad_recipe_is_refused_in_words_before_anything_is_made(tmp_path: Path, case: str) -> None:
    text, words = BAD_RECIPES[case]
    (tmp_path / "docs.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "recipe.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert words in said(dataengine("run", "recipe.toml", cwd=tmp_path, timeout=20), 2)
    assert sorted(os.listdir(tmp_path)) == ["docs.jsonl", "recipe.toml"]


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
@pytest.mark.parametrize("place", ["none.toml", ".", "", "/dev/zero", "x" * 5000, "docs.jsonl/x", f"{EVIL}.toml"])
def test_what_is_no_recipe_is_refused_in_words(made: Path, verb: str, place: str) -> None:
    said(call(verb, place, cwd=made), 2)


@pytest.mark.parametrize("out", ["docs.jsonl", "docs.jsonl/below", "/proc/runs", "/dev/null", "x" * 300])
def test_an_output_that_cannot_be_written_is_refused_before_any_work(made: Path, out: str) -> None:
    complaint = said(dataengine("run", "recipe.toml", "--quiet", "--out", out, cwd=made), 2)
    assert "cannot be written" in complaint and "--out" in complaint
    assert (made / "docs.jsonl").stat().st_size > 10_000


@pytest.mark.parametrize("arguments", [
    ["--workers", "0"], ["--workers", "many"], ["--set", "x"], ["--set", "="],
    ["--set", f"data.web.1.min_words={EVIL}"], ["--set", "data.web.99.min_words=3"], ["--set", f"{EVIL}=1"],
    ["--set", f"seed={'9' * 10_000}"], ["--profile", EVIL], ["--nonsense"],
], ids=lambda arguments: " ".join(arguments)[:30].encode("unicode_escape").decode())
def test_a_wrong_option_is_refused_in_words(made: Path, arguments: list[str]) -> None:
    said(call("run", "recipe.toml", *arguments, cwd=made), 2)


# --- runs -------------------------------------------------------------------------------------------------------------


LONG_NAME = pytest.param("x" * 5000, id="5,000 letters")


@pytest.mark.parametrize("place", ["none", "docs.jsonl", "recipe.toml", "/", LONG_NAME, EVIL])
@pytest.mark.parametrize("verb", ["status", "verify", "gc", "inspect", "sql", "explain"])
def test_what_is_no_run_is_refused_in_words(made: Path, verb: str, place: str) -> None:
    more = {"sql": ["SELECT 1"], "explain": ["0"]}.get(verb, [])
    said(call(verb, place, *more, cwd=made), 2)


@pytest.mark.parametrize("number", [
    "../../x", "/etc/passwd", "%", "' or 1=1 --", EVIL, "", "x" * 100_000, "a\nb", "\udcff",
], ids=lambda number: repr(number)[:20])
def test_an_id_is_only_ever_looked_up(made: Path, number: str) -> None:
    said(call("explain", "runs/small", number, cwd=made), 2)


@pytest.mark.parametrize("query", [
    "COPY docs TO 'stolen.csv'", "ATTACH 'x.duckdb'", "INSTALL httpfs", "LOAD httpfs", "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_csv('recipe.toml')", "SELECT * FROM glob('..')",
    "SELECT * FROM read_parquet('../../*/*.parquet')", "SET enable_external_access = true", "PRAGMA database_list",
    "SELECT 1; COPY docs TO 'x.csv'", "SELECT getenv('HOME')", "/**/ EXPLAIN ANALYZE COPY docs TO 'x.csv'",
    "-- SELECT\nCOPY docs TO 'x.csv'", "SELECT 1 /* ; */ ; DROP VIEW docs", f"SELECT '{EVIL}' FROM nowhere", "",
], ids=lambda query: query[:30].encode("unicode_escape").decode())
def test_sql_that_reaches_out_is_refused_and_changes_nothing(made: Path, query: str) -> None:
    before = sorted(os.listdir(made))
    complaint = said(call("sql", "runs/small", query, cwd=made), 2)
    assert "root:" not in complaint and sorted(os.listdir(made)) == before


@pytest.mark.parametrize("verb", [
    ["status"], ["status", "--json"], ["verify"], ["inspect", "-n", "400"], ["inspect", "-n", "400", "--json"],
    ["sql", "SELECT * FROM docs"], ["sql", "SELECT * FROM docs", "--json"], ["sql", "SELECT * FROM docs", "--csv"],
    ["sql", f"SELECT '{EVIL}' AS \"{EVIL}\""],
], ids=lambda verb: " ".join(verb)[:30].encode("unicode_escape").decode())
def test_escapes_in_documents_and_addresses_reach_no_terminal(made: Path, verb: list[str]) -> None:
    said(call(verb[0], "runs/small", *verb[1:], cwd=made), 0)


# --- broken runs ------------------------------------------------------------------------------------------------------


def run_json(folder: Path) -> Path:
    return folder / "runs/small/run.json"


def test_a_run_of_another_format_is_neither_read_nor_overwritten(folder: Path) -> None:
    record = json.loads(run_json(folder).read_text()) | {"format": 99}
    run_json(folder).write_text(json.dumps(record))
    before = digests(folder / "runs/small")
    assert "format" in said(dataengine("run", "recipe.toml", cwd=folder), 1)
    for verb in (["status"], ["verify"], ["sql", "FROM docs"], ["gc"]):
        assert "format" in said(call(verb[0], "runs/small", *verb[1:], cwd=folder), 1)
    assert digests(folder / "runs/small") == before and json.loads(run_json(folder).read_text()) == record


@pytest.mark.parametrize("damage", ["cut", "empty", "list", "binary"])
def test_a_damaged_run_json_is_said_with_what_to_do(folder: Path, damage: str) -> None:
    whole = run_json(folder).read_bytes()
    damaged = {"cut": whole[: len(whole) // 2], "empty": b"", "list": b"[]", "binary": b"\xff\0"}
    run_json(folder).write_bytes(damaged[damage])
    for verb in (["status"], ["verify"], ["sql", "FROM docs"]):
        complaint = said(call(verb[0], "runs/small", *verb[1:], cwd=folder), 1)
        assert "run.json" in complaint and "write:" in complaint
    complaint = said(dataengine("run", "recipe.toml", "--quiet", cwd=folder), 1)
    assert "run.json" in complaint and "write:" in complaint


@pytest.fixture
def cut_manifest(folder: Path) -> Path:
    """A manifest of the copy, cut in half."""
    manifest = next((folder / "runs/small/steps/web.0-1").rglob("manifest.json"))
    manifest.write_bytes(manifest.read_bytes()[:100])
    return manifest


def test_a_manifest_cut_in_half_is_found_by_whoever_reads_it(folder: Path, cut_manifest: Path) -> None:
    done = call("verify", "runs/small", cwd=folder)
    assert done.returncode == 1 and "manifest.json" in done.stdout
    assert "manifest.json" in said(call("status", "runs/small", cwd=folder), 1)
    assert "manifest.json" in said(dataengine("run", "recipe.toml", "--quiet", cwd=folder), 1)


def test_a_manifest_cut_in_half_is_said_with_what_to_do(folder: Path, cut_manifest: Path) -> None:
    assert "write:" in said(dataengine("run", "recipe.toml", "--quiet", cwd=folder), 1)


def test_a_flipped_byte_is_found_by_verify_and_by_the_run_that_must_read_it(folder: Path) -> None:
    shard = next((folder / "runs/small/steps/web.0-1").rglob("kept.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 0x10
    shard.write_bytes(data)
    done = call("verify", "runs/small", cwd=folder)
    assert done.returncode == 1 and "kept.parquet" in done.stdout and "1 problem" in done.stdout
    reads_it = ["--set", "data.corpus.0.of=normalized"]
    complaint = said(dataengine("run", "recipe.toml", "--quiet", *reads_it, cwd=folder), 1)
    assert "kept.parquet" in complaint and "write:" in complaint
    shutil.rmtree(shard.parent)  # what the message tells to do
    said(dataengine("run", "recipe.toml", "--quiet", *reads_it, cwd=folder), 0)
    said(call("verify", "runs/small", cwd=folder), 0)


# --- what runs again --------------------------------------------------------------------------------------------------


def plan(folder: Path, *arguments: str) -> dict[str, dict]:
    """Segment -> its entry in the plan."""
    done = call("plan", "recipe.toml", "--json", *arguments, cwd=folder)
    said(done, 0)
    return {segment["name"]: segment for segment in json.loads(done.stdout)["segments"]}


def to_do(segments: dict[str, dict]) -> dict[str, int]:
    return {name: segment["to_do"] for name, segment in segments.items() if segment["to_do"]}


def test_a_comment_a_blank_and_another_order_of_keys_change_nothing(folder: Path) -> None:
    recipe = folder / "recipe.toml"
    block, same = 'stage = "filter.gopher"\nmin_words = 30', 'min_words=30 # of prose\nstage="filter.gopher"'
    text = recipe.read_text().replace(block, same)
    assert text != recipe.read_text()
    recipe.write_text("# another comment\n\n" + text)
    assert to_do(plan(folder)) == {}
    before = digests(folder / "runs/small")
    said(dataengine("run", "recipe.toml", "--quiet", cwd=folder), 0)
    assert digests(folder / "runs/small") == before


def test_a_changed_threshold_is_named_and_only_what_follows_is_to_do(folder: Path) -> None:
    segments = plan(folder, "--set", "data.web.1.min_words=31")
    assert set(to_do(segments)) == {name for name in segments if name.startswith(("web.", "corpus."))}
    assert all(word in segments["web.0-1"]["why"] for word in ("web.1", "filter.gopher", "min_words", "30", "31"))
    assert "web.0-1" in segments["corpus.0.sketch"]["why"] and segments["notes.0-1"]["why"] == ""


def test_a_change_at_the_end_leaves_everything_before_it(folder: Path) -> None:
    segments = plan(folder, "--set", "data.corpus.0.of=normalized")
    assert to_do(segments) and all(name.startswith("corpus.") for name in to_do(segments))
    assert "text" in segments["corpus.0.sketch"]["why"] and "normalized" in segments["corpus.0.sketch"]["why"]


def test_a_touched_file_remakes_only_the_splits_it_is_in(folder: Path) -> None:
    (folder / "notes.jsonl").touch()
    segments = plan(folder)
    assert list(to_do(segments)) == ["notes.0-1"] and "input changed" in segments["notes.0-1"]["why"]


def test_a_file_added_to_a_folder_makes_only_its_own_split(tmp_path: Path) -> None:
    recipe = project(tmp_path, RECIPE.replace('"docs.jsonl"', '"in"').replace('"notes.jsonl"', '"in"'), [])
    (tmp_path / "in").mkdir()
    for name in "abc":
        rows = documents(100, seed=ord(name))
        (tmp_path / "in" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said(dataengine("run", recipe, "--quiet", "--workers", "2", cwd=tmp_path), 0)
    assert to_do(plan(tmp_path)) == {}
    before = plan(tmp_path)["web.0-1"]["tasks"]
    rows = documents(30, seed=9)
    (tmp_path / "in" / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    segments = plan(tmp_path)
    assert segments["web.0-1"]["tasks"] - segments["web.0-1"]["have"] <= 2 <= before
    assert segments["web.0-1"]["have"] >= before - 1
