from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dataengine import cli
from dataengine.cli import main
from dataengine.errors import QuarantineExceeded
from dataengine.shards import Account
from tests.fake_run import HOSTILE, FakeRun, doc_id, hostile_run, row, small_run

FORBIDDEN = {*range(0x00, 0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x200B, 0x202C, 0x202E, 0x2028}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return str(small_run(tmp_path_factory.mktemp("cli") / "r"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return str(hostile_run(tmp_path_factory.mktemp("hostile") / "r"))


@pytest.fixture
def call(capsys):
    """Run a verb: (exit code, standard output, standard error)."""
    def called(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return called


def commands(group=cli.cli, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        yield (*path, name), command


# --- help and start-up ------------------------------------------------------------------------------------------------


def test_all_promised_verbs_are_there():
    assert {" ".join(path) for path, _ in commands()} >= {
        "init", "check", "plan", "run", "status", "sql", "inspect", "explain", "stages", "stages list", "stages show",
        "schema", "verify", "doctor", "gc"}


@pytest.mark.parametrize(("path", "command"), [pytest.param(*pair, id=" ".join(pair[0])) for pair in commands()])
def test_every_command_and_option_has_help_and_every_command_an_example(path, command, call):
    assert command.help and "Example: dataengine " + path[0] in command.help
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help and option.help.endswith("."), option.name
    code, out, _ = call(*path, "--help")
    assert code == 0 and "Usage: dataengine " + " ".join(path) in out


def test_help_imports_nothing_but_click_and_answers_at_once():
    code = ("import sys, resource\nbefore = set(sys.modules)\nfrom dataengine.cli import main\nmain(['--help'])\n"
            "used = resource.getrusage(resource.RUSAGE_SELF).ru_utime\n"
            "print(used, *sorted(set(sys.modules) - before), file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, *modules = done.stderr.split()
    foreign = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert foreign == {"click", "dataengine"}
    assert float(seconds) < 0.3


@pytest.mark.parametrize("verb", [["stages", "list"], ["status"], ["schema"]])
def test_reading_verbs_import_no_torch_polars_or_numba(verb, run):
    arguments = [*verb, run] if verb == ["status"] else verb
    code = (f"import sys\nfrom dataengine.cli import main\ncode = main({arguments!r})\n"
            "print(sorted({'torch', 'ray', 'polars', 'numba'} & set(sys.modules)), file=sys.stderr)\nsys.exit(code)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "[]\n")


# --- exit codes and faults --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "said"), [
    (["status", "no/such/run"], "there is no run at this place"), (["gc", "no/such/run"], "there is no run"),
    (["sql", "RUN", "DROP VIEW docs"], "DROP is not allowed"), (["sql", "RUN"], "the query is empty"),
    (["sql"], "Missing argument 'RUN'"), (["status"], "holds run.json"),
    (["inspect", "RUN", "--lane", "wed"], "--lane web"), (["inspect", "RUN", "--step", "web.9"], "one of web.0, web.1"),
    (["inspect", "RUN", "--dropped", "too_few_word"], "write:    --why dropped:web.1.too_few_words"),
    (["status", "pyproject.toml"], "this is a recipe, not a run"),
    (["sql", "RUN", "SELECT nope FROM docs"], "docs has id, lane"), (["nonsense"], "No such command"),
    (["explain", "RUN", "f" * 32], "no document has this id"), (["status", "RUN", "--nope"], "No such option"),
    (["inspect", "RUN", "--why", "dropped:nope"], "dropped:web.1.too_few_words"),
    (["stages", "show", "filter.gofer"], "no such stage"), (["inspect", "RUN", "-n", "0"], "range"),
    (["check", "no/such/recipe.toml"], "no/such/recipe.toml"), (["run", "no/such/recipe.toml"], "no/such/recipe.toml"),
])
def test_a_users_mistake_is_two_and_said_in_words(call, run, arguments, said, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setattr("dataengine.ledger.RUNS", tmp_path / "runs")  # not those of whoever runs the tests
    code, out, err = call(*[run if argument == "RUN" else argument for argument in arguments])
    assert (code, out) == (2, "")
    assert said in err and "Traceback" not in err


def test_our_own_fault_is_one_with_a_private_file_and_a_number(call, run, monkeypatch, tmp_path):
    from dataengine import status

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(status, "show", lambda ledger: [][HOSTILE])
    code, _, err = call("status", run)
    (file,) = tmp_path.iterdir()
    assert code == 1 and "this is a fault of dataengine" in err and str(file) in err and "Traceback" not in err
    assert "TypeError" in file.read_text() and stat.S_IMODE(file.stat().st_mode) == 0o600
    call("status", run)
    assert len({path.name.split("-")[2] for path in tmp_path.iterdir()}) == 1


def test_an_interrupt_is_one_hundred_and_thirty(call, run, monkeypatch):
    from dataengine import status

    def interrupt(ledger):
        raise KeyboardInterrupt

    monkeypatch.setattr(status, "show", interrupt)
    code, _, err = call("status", run)
    assert (code, err.strip()) == (130, "interrupted")


def test_too_much_quarantined_is_three(call, run, monkeypatch):
    from dataengine import status

    def exceeded(ledger):
        raise QuarantineExceeded("9 of 10 records were quarantined")

    monkeypatch.setattr(status, "show", exceeded)
    code, _, err = call("status", run)
    assert code == 3 and "9 of 10" in err


def test_a_reader_that_hangs_up_is_no_fault(run):
    command = [sys.executable, "-m", "dataengine.cli", "sql", run, "SELECT * FROM range(1000000)", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) in {1, 141}


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_fault(run, closed, tmp_path):
    command = f"'{sys.executable}' -m dataengine.cli status '{run}' {closed}"
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])


def test_an_ascii_terminal_gets_escapes_and_no_fault(run):
    command = [sys.executable, "-m", "dataengine.cli", "sql", run, "SELECT 'naïve 日本' AS x"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, env=environment)
    assert done.returncode == 0 and b"na\\xefve \\u65e5\\u672c" in done.stdout


# --- what is printed --------------------------------------------------------------------------------------------------


def test_status_shows_reasons_and_sums_that_are_equal(call, run):
    code, out, _ = call("status", run)
    assert code == 0 and "    dropped: too_few_words 2 (40.0%)\n" in out
    assert "\n7 in = 3 kept + 3 dropped + 1 quarantined\n" in out
    assert "left at the end: corpus 3 documents" in out
    assert "crawl/a.jsonl:4 web.0 bad_json line 4: expected a value" in out
    found = json.loads(call("status", run, "--json")[1])
    assert all(step["equal"] for step in found["steps"]) and found["state"] == "complete"
    assert [entry["rows_dropped"] for entry in found["steps"]] == [0, 2, 0, 1, 0]


def test_a_funnel_that_does_not_add_up_says_where(call, tmp_path):
    folder = small_run(tmp_path / "r")
    manifest = next(folder.glob("steps/code.0/*/manifest.json"))
    manifest.write_text(manifest.read_text().replace('"rows_kept": 1', '"rows_kept": 2'))
    assert "NOT EQUAL in code.0" in call("status", folder)[1]


def test_sql_prints_tables_json_and_csv(call, run):
    query = "SELECT origin, words, '=1+1' AS f, -1 AS n, [1, 2] AS l, NULL AS z FROM docs ORDER BY origin"
    code, out, _ = call("sql", run, query)
    assert code == 0 and "crawl/a.jsonl:1" in out and out.endswith("3 rows\n")
    rows = json.loads(call("sql", run, query, "--json")[1])
    assert rows[0] == {"origin": "crawl/a.jsonl:1", "words": 60.0, "f": "=1+1", "n": -1, "l": [1, 2], "z": None}
    table = list(csv.reader(io.StringIO(call("sql", run, query, "--csv")[1])))
    assert table[0] == ["origin", "words", "f", "n", "l", "z"]
    assert table[1] == ["crawl/a.jsonl:1", "60.0", "'=1+1", "-1", "[1, 2]", ""]
    assert json.loads(call("sql", run, "SELECT 1 WHERE false", "--json")[1]) == []


def test_a_long_table_says_that_there_is_more(call, run):
    assert call("sql", run, "FROM range(50)", "--limit", 7)[1].endswith("the first 7 rows; --limit 0 shows all\n")
    assert call("sql", run, "FROM range(50)", "--limit", 0)[1].endswith("50 rows\n")


def test_explain_and_inspect_print_values_beside_thresholds(call, run):
    code, out, _ = call("explain", run, doc_id(3))
    assert code == 0 and "dropped for too_few_words" in out and "words = 10, dropped if < min_words (50): drops" in out
    code, out, _ = call("inspect", run, "--why", "dropped:web.1.too_few_words", "-n", 1)
    assert code == 0 and out.startswith("== dropped web.1.too_few_words: 2 documents") and "words 20" in out
    assert "kept" not in out
    assert call("inspect", run, "--kept", "--lane", "corpus")[1].startswith("== kept corpus: 3 documents")
    assert json.loads(call("explain", run, doc_id(5), "--json")[1])["duplicate_of"]["id"] == doc_id(1)
    assert len(json.loads(call("inspect", run, "--json")[1])) == 3 + 2 + 1 + 1


def test_verify_is_one_when_something_is_wrong(call, tmp_path):
    folder = small_run(tmp_path / "r")
    assert call("verify", folder)[:2] == (0, call("verify", folder)[1])
    shard = next(folder.glob("steps/code.0/*/kept.parquet"))
    shard.write_bytes(shard.read_bytes()[:-1])
    code, out, _ = call("verify", folder)
    assert code == 1 and shard.relative_to(folder).as_posix() in out and "1 problem" in out


def test_gc_says_what_it_removes(call, tmp_path):
    folder = small_run(tmp_path / "r")
    (folder / "tmp").mkdir()
    (folder / "tmp" / "x").write_bytes(b"12345")
    assert "would remove 1 thing, 5 B" in call("gc", folder, "--dry-run")[1] and (folder / "tmp" / "x").exists()
    assert json.loads(call("gc", folder, "--json")[1]) == [{"path": "tmp/x", "bytes": 5}]
    assert not (folder / "tmp" / "x").exists()


def test_doctor_says_what_it_found(call, tmp_path):
    assert "fit for a run" in call("doctor", "--out", tmp_path)[1]
    assert {"name", "value", "verdict", "advice"} == set(json.loads(call("doctor", "--out", tmp_path, "--json")[1])[0])


def test_every_stage_can_be_listed_and_shown(call):
    found = json.loads(call("stages", "list", "--json")[1])
    assert found and all(entry["kind"] in {"read", "map", "filter", "expand", "gather", "prune"} for entry in found)
    for entry in found:
        code, out, err = call("stages", "show", entry["name"])
        assert code == 0 and entry["summary"] in " ".join(out.split()), err
        shown = json.loads(call("stages", "show", entry["name"], "--json")[1])
        assert all(field["help"] for field in shown["settings"]), entry["name"]


def test_a_broken_plugin_is_listed_and_takes_nothing_with_it(call, monkeypatch):
    from dataengine import stage as stages

    class Point:
        def load(self):
            raise ImportError(f"no {HOSTILE}")

    monkeypatch.setattr(stages, "plugin_targets", lambda: {"filter.broken": Point()})
    code, out, _ = call("stages", "list")
    assert code == 0 and "broken" in out and "\x1b" not in out


PRINTING = [
    ["status"], ["status", "--json"], ["sql", "FROM docs"], ["sql", "FROM dropped", "--json"],
    ["sql", "FROM quarantined", "--csv"], ["sql", "FROM figures"], ["sql", "DESCRIBE docs"], ["sql", "SUMMARIZE docs"],
    ["sql", "EXPLAIN FROM docs"], ["sql", f"SELECT nope AS \"{HOSTILE}\" FROM docs".replace("\0", "")], ["inspect"],
    ["inspect", "--json"], ["inspect", "--why", HOSTILE], ["inspect", "--why", "nope"], ["explain", doc_id(1)],
    ["explain", doc_id(2)], ["explain", doc_id(3), "--json"], ["explain", HOSTILE], ["explain", doc_id(2), "--json"],
    ["verify"], ["verify", "--json"], ["gc", "--dry-run"], ["gc", "--dry-run", "--json"], ["status", HOSTILE],
]


@pytest.mark.parametrize("arguments", PRINTING, ids=range(len(PRINTING)))
def test_no_verb_lets_a_hostile_string_reach_the_terminal(call, hostile, arguments, tmp_path):
    run = Path(hostile)
    (run / "tmp").mkdir(exist_ok=True)
    (run / "tmp" / HOSTILE.replace("\0", "").replace("/", "")).touch()
    code, out, err = call(arguments[0], hostile, *arguments[1:])
    assert code in {0, 1, 2} and "fault of dataengine" not in err
    assert out or err
    found = {ord(c) for c in out + err} & FORBIDDEN
    assert not found, (found, out, err)


@pytest.mark.parametrize("arguments", [
    ["status", HOSTILE], ["check", HOSTILE], [HOSTILE], ["stages", "show", HOSTILE], ["status", f"--{HOSTILE}"],
    ["doctor", "--out", HOSTILE], ["init", HOSTILE], ["plan", "x.toml", "--set", HOSTILE], ["gc", HOSTILE],
], ids=range(9))
def test_no_verb_repeats_a_hostile_argument_raw(call, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, out, err = call(*(argument.replace("\0", "") for argument in arguments))  # no system passes a NUL in arguments
    assert not {ord(c) for c in out + err} & FORBIDDEN
    assert "fault of dataengine" not in err


# --- what a stranger needs --------------------------------------------------------------------------------------------


def test_sql_reads_the_query_from_standard_input(call, run, monkeypatch):
    for arguments in (["sql", run], ["sql", run, "-"]):
        monkeypatch.setattr("sys.stdin", io.StringIO("SELECT count(*) AS n\nFROM docs -- all of them"))
        assert json.loads(call(*arguments, "--json")[1]) == [{"n": 3}]


def test_a_person_at_a_terminal_who_gives_no_query_is_told(call, run, monkeypatch):
    class Keyboard(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Keyboard())
    code, _, err = call("sql", run)
    assert code == 2 and "there is no query" in err


def completed(words, cwd):
    """What bash would offer for the last of the words."""
    environment = os.environ | {"_DATAENGINE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words),
                                "COMP_CWORD": str(len(words) - 1),
                                "PYTHONPATH": os.pathsep.join([str(Path(cli.__file__).parents[1]), *sys.path[1:]])}
    done = subprocess.run([sys.executable, "-m", "dataengine.cli"], cwd=cwd, env=environment, check=True,
                          capture_output=True, text=True)
    return {line.partition(",")[2] for line in done.stdout.splitlines()}


def test_the_shell_completes_verbs_runs_stages_and_options(tmp_path):
    (tmp_path / "runs").mkdir()
    for name in ("atlas", "atom"):
        small_run(tmp_path / "runs" / name)
    assert {"run", "status"} <= completed(["dataengine", ""], tmp_path)
    assert completed(["dataengine", "explain", "at"], tmp_path) >= {"atlas", "atom"}
    assert "atom" in completed(["dataengine", "sql", "ato"], tmp_path)
    found = completed(["dataengine", "stages", "show", "filter.g"], tmp_path)
    assert "filter.gopher" in found and not [name for name in found if not name.startswith("filter.g")]
    assert "--workers" in completed(["dataengine", "run", "--wo"], tmp_path)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_help_says_how_completion_is_switched_on_and_it_is_so(call, shell):
    line = next(line for line in call("--help")[1].splitlines() if f"{shell}_source" in line)
    assert f"_DATAENGINE_COMPLETE={shell}_source dataengine" in line
    if shell == "bash":  # click asks the shell itself for its version
        return
    script = subprocess.run([sys.executable, "-m", "dataengine.cli"], capture_output=True, text=True,
                            env=os.environ | {"_DATAENGINE_COMPLETE": f"{shell}_source"})
    assert "_DATAENGINE_COMPLETE" in script.stdout


EXAMPLES = {"init", "check", "plan", "status", "sql", "inspect", "audit", "explain", "verify", "gc", "stages",
            "stages list", "stages show", "schema", "doctor"}
"""All but that of `run`, which takes minutes; what it runs is planned here by the example of `plan`."""


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """A folder in which the examples of the help texts can be typed: recipes, a run of that name, somebody's files."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "recipes").mkdir()
    source = Path(cli.__file__).parents[1]
    (folder / "recipes" / "quickstart.toml").write_text((source / "recipes" / "quickstart.toml").read_text())
    run = FakeRun(folder / "runs" / "quickstart")
    segment = run.segment("prose.0-1", "prose", [("prose.0", "read.text", {}), ("prose.1", "filter.gopher", {})])
    run.task(segment, dropped=[row(1, step="prose.1", stage="filter.gopher", reason="too_few_words")],
             accounts=[Account("prose.0", "prose", "read.text", 1, 0, 1),
                       Account("prose.1", "prose", "filter.gopher", 1, 0, 0, {"too_few_words": 1})])
    run.save()
    (folder / "crawl").mkdir()
    (folder / "crawl" / "a.txt").write_text("some text")
    command = folder / "bin" / "dataengine"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\nPYTHONPATH='{source}' exec '{sys.executable}' -m dataengine.cli \"$@\"\n")
    command.chmod(0o755)
    return folder


@pytest.mark.parametrize("verb", sorted(EXAMPLES))
def test_the_example_in_the_help_runs_as_it_stands(verb, quickstart):
    command = dict(commands())[tuple(verb.split())]
    example = command.help.partition("Example: ")[2].strip()
    assert example.startswith(f"dataengine {verb.split()[0]}")
    environment = os.environ | {"HOME": str(quickstart), "PATH": f"{quickstart / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", example], cwd=quickstart, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout or json.loads((quickstart / "recipe.schema.json").read_text())["properties"]


def test_every_verb_has_an_example(quickstart):
    assert {" ".join(path) for path, _ in commands()} == EXAMPLES | {"run"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_of_rows_stay_within_the_terminal(call, run, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in (["sql", run, "FROM docs"], ["sql", run, "FROM shards"], ["sql", run, "FROM steps"],
                      ["stages", "list"], ["stages", "show", "filter.gopher"], ["status", run]):
        out = call(*arguments)[1]
        lines = [line for line in out.splitlines() if "  (" not in line]
        assert max(map(len, lines)) <= width, arguments
