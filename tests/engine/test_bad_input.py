"""A thousand good documents among all the poison that files can hold: none is lost, none is changed, all else told."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine import bad_files
from tests.engine.calling import call
from tests.engine.projects import dataengine, manifests

RUN = "runs/mixed"


@dataclass(frozen=True)
class Ran:
    """A folder, and what a run over it printed."""

    folder: bad_files.Folder
    done: subprocess.CompletedProcess[str]

    def ask(self, query: str) -> list[dict[str, Any]]:
        answer = call("sql", RUN, query, "--json", cwd=self.folder.path)
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)


def ran(folder: Path, poisoned: bool) -> Ran:
    written = bad_files.write(folder, poisoned)
    done = dataengine("run", "recipe.toml", "--workers", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    return Ran(written, done)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("clean"), poisoned=False)


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("around") / "poisoned", poisoned=True)


def test_a_run_over_good_files_quarantines_nothing(clean: Ran) -> None:
    assert clean.ask("SELECT * FROM quarantined") == []
    texts = [row["text"] for row in clean.ask("SELECT text FROM docs")]
    assert len(texts) == 1000 and Counter(texts) == Counter(clean.folder.good)


def test_every_bad_record_is_counted_under_its_reason(poisoned: Ran) -> None:
    found = poisoned.ask("SELECT source, reason, count(*) AS rows FROM quarantined GROUP BY ALL")
    assert {(row["source"], row["reason"]): row["rows"] for row in found} == dict(poisoned.folder.quarantined)


def test_every_bad_record_says_where_it_is_and_what_was_found(poisoned: Ran) -> None:
    for row in poisoned.ask("SELECT source, origin, detail, reason, stage FROM quarantined"):
        assert row["origin"].startswith(f"{row['source']}/"), row
        assert row["detail"] or row["stage"].startswith("extract."), row


def test_the_good_documents_are_those_of_the_clean_run_with_their_ids(clean: Ran, poisoned: Ran) -> None:
    good = {row["id"]: row for row in clean.ask("SELECT * FROM docs")}
    found = {row["id"]: row for row in poisoned.ask("SELECT * FROM docs")}
    assert {number: found.get(number) for number in good} == good
    others = [row["text"] for number, row in found.items() if number not in good]
    assert Counter(others) == Counter(poisoned.folder.rescued)


def test_rows_in_are_rows_kept_dropped_and_quarantined_in_every_step(poisoned: Ran) -> None:
    steps = poisoned.ask("SELECT * FROM steps")
    assert len(steps) == 10
    for step in steps:
        out = step["rows_kept"] + step["rows_dropped"] + step["rows_quarantined"]
        assert step["rows_in"] + step["rows_created"] == out, step
    total = sum(step["rows_quarantined"] for step in steps)
    assert total == sum(poisoned.folder.quarantined.values())
    assert total == sum(sum(account["quarantined"].values()) for manifest in manifests(poisoned.folder.path / RUN)
                        for account in manifest["accounts"])
    stored = poisoned.ask("SELECT step, reason, count(*) AS rows FROM dropped GROUP BY ALL ORDER BY ALL")
    told = poisoned.ask("SELECT step, reason, rows FROM reasons WHERE kind = 'dropped' ORDER BY ALL")
    assert stored == told


def test_the_run_verifies_and_there_is_nothing_more_to_do(poisoned: Ran) -> None:
    done = call("verify", RUN, cwd=poisoned.folder.path)
    assert done.returncode == 0, done.stdout
    plan = call("plan", "recipe.toml", "--json", cwd=poisoned.folder.path)
    assert json.loads(plan.stdout)["to_do"] == 0


def test_nothing_is_written_beside_the_run(poisoned: Ran) -> None:
    around = poisoned.folder.path.parent
    assert sorted(os.listdir(around)) == ["poisoned"]
    lanes = {lane for lane, _ in poisoned.folder.quarantined}
    assert set(os.listdir(poisoned.folder.path)) == {*lanes, "recipe.toml", "runs"}
    assert not [path for path in (poisoned.folder.path / "runs").rglob("*") if path.suffix in {".py", ".jsonl"}]


@pytest.mark.parametrize("verb", [
    ["status", RUN], ["status", RUN, "--json"], ["verify", RUN], ["plan", "recipe.toml"],
    ["plan", "recipe.toml", "--json"], ["sql", RUN, "SELECT * FROM docs WHERE source = 'prose'"],
    ["sql", RUN, "SELECT * FROM quarantined"], ["sql", RUN, "SELECT * FROM docs", "--json"],
    ["sql", RUN, "SELECT * FROM docs", "--csv"], ["sql", RUN, "SELECT * FROM quarantined", "--csv"],
    ["inspect", RUN, "-n", "200"], ["inspect", RUN, "--quarantined", "bad_json", "-n", "50"],
    ["inspect", RUN, "--quarantined", "not_regular_file", "-n", "50"], ["gc", RUN, "--dry-run"],
], ids=" ".join)
def test_no_verb_prints_what_moves_a_cursor(poisoned: Ran, verb: list[str]) -> None:
    done = call(*verb, cwd=poisoned.folder.path)
    assert done.returncode == 0, done.stderr
    assert unsafe(done.stdout + done.stderr) == set()


def test_the_run_itself_prints_nothing_that_moves_a_cursor(poisoned: Ran) -> None:
    assert unsafe(poisoned.done.stdout + poisoned.done.stderr) == set()


def test_documents_with_odd_names_and_texts_can_be_explained(poisoned: Ran) -> None:
    rows = poisoned.ask("SELECT id FROM docs WHERE origin LIKE '%strange%' OR origin LIKE 'prose/%[31m%'"
                        " UNION ALL (SELECT id FROM quarantined WHERE origin LIKE '%zip%' LIMIT 3)")
    assert len(rows) >= len(bad_files.STRANGE) + 4
    for row in rows[-6:]:
        done = call("explain", RUN, row["id"], cwd=poisoned.folder.path)
        assert done.returncode == 0 and unsafe(done.stdout + done.stderr) == set()


def unsafe(printed: str) -> set[str]:
    """Control characters but tab and line break, and marks that reorder or hide text."""
    hidden = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)} - {ord("\n"), ord("\t")}
    return set(printed) & set(map(chr, hidden))
