"""The funnel adds up by two roads, and says so where it does not."""

from __future__ import annotations

import pytest

from dataengine import show_funnel
from dataengine.ledger import Ledger
from dataengine.shards import Account
from tests.fake_run import FakeRun, row, small_run


def forked(folder, *, done: bool = True) -> Ledger:
    """Ten problems made; one lane takes them all and drops three, another takes them too and makes two of each."""
    run = FakeRun(folder)
    head = run.segment("math.0", "math", [("math.0", "read.text", {})], final=False)
    rows = [row(number) for number in range(10)]
    run.task(head, kept=rows, accounts=[Account("math.0", "math", "read.text", 10, 0, 10, bytes_out=100, seconds=0.1)])
    hard = run.segment("hard.0", "hard", [("hard.0", "filter.where", {})])
    lost = [value | {"step": "hard.0", "stage": "filter.where", "reason": "not_matched"} for value in rows[7:]]
    run.task(hard, kept=rows[:7], dropped=lost, done=done,
             accounts=[Account("hard.0", "hard", "filter.where", 10, 0, 7, {"not_matched": 3}, {}, 100, 70)])
    twice = run.segment("twice.0", "twice", [("twice.0", "make.twice", {})])
    run.task(twice, kept=[row(number) for number in range(20, 40)],
             accounts=[Account("twice.0", "twice", "make.twice", 10, 10, 20, {}, {}, 100, 200)])
    return Ledger.open(run.save("complete" if done else "running"))


def test_a_lane_that_two_others_take_is_counted_twice_on_both_sides(tmp_path):
    totals = show_funnel.totals(forked(tmp_path / "r"))
    assert str(totals) == ("10 in + 10 created + 10 taken by a second lane = "
                           "27 kept + 3 dropped + 0 quarantined")
    assert totals.equal


def test_rows_on_their_way_are_counted_while_a_run_is_not_complete(tmp_path):
    totals = show_funnel.totals(forked(tmp_path / "r", done=False))
    assert str(totals) == "10 in + 10 created = 20 kept + 0 dropped + 0 quarantined"


def test_every_row_that_was_read_is_kept_dropped_or_quarantined(tmp_path):
    totals = show_funnel.totals(Ledger.open(small_run(tmp_path / "r")))
    assert (totals.read, totals.kept, totals.dropped, totals.quarantined) == (7, 3, 3, 1)
    assert totals.equal and not totals.again and not totals.waiting


def test_a_file_with_other_rows_than_its_accounts_say_is_not_equal(tmp_path):
    folder = small_run(tmp_path / "r")
    manifest = next(folder.glob("steps/corpus.0-code/*/manifest.json"))
    manifest.write_text(manifest.read_text().replace('"rows": 1', '"rows": 2'))
    totals = show_funnel.totals(Ledger.open(folder))
    assert not totals.equal and "≠" in str(totals) and str(totals).endswith("NOT EQUAL")


def test_a_step_that_keeps_nothing_is_pointed_out_with_the_command_to_look(tmp_path, capsys):
    run = FakeRun(tmp_path / "r")
    segment = run.segment("web.0-1", "web", [("web.0", "read.jsonl", {}), ("web.1", "filter.where", {})])
    run.task(segment, accounts=[Account("web.0", "web", "read.jsonl", 2, 0, 2),
                                Account("web.1", "web", "filter.where", 2, 0, 0, {"not_matched": 2})])
    show_funnel.show(Ledger.open(run.save()))
    said = " ".join(capsys.readouterr().out.split())
    assert "! web.1 (filter.where) kept none of 2 rows" in said
    assert f"dataengine inspect {tmp_path / 'r'} --why dropped:web.1.not_matched" in said


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_funnel_fits_the_terminal_and_keeps_every_reason(tmp_path, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    run = FakeRun(tmp_path / "r")
    segment = run.segment("documentation.0", "documentation", [("documentation.0", "extract.docstrings", {})])
    reasons = {f"a_reason_of_some_length_{number}": number + 1 for number in range(12)}
    run.task(segment, accounts=[Account("documentation.0", "documentation", "extract.docstrings", 1_000_000, 0,
                                        1_000_000 - 78 - 5, reasons, {"bad": 5}, 10**9, 10**8, 100.0)])
    show_funnel.show(Ledger.open(run.save()))
    out = capsys.readouterr().out
    table = out.partition("\n\n")[0].splitlines()
    assert max(map(len, table)) <= width
    for reason, rows in (reasons | {"bad": 5}).items():
        assert f"{reason} {rows} (0.0%)" in out
    assert ("MB/s" in table[0]) == (width == 120)
