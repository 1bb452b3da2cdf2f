from __future__ import annotations

import io
import json
import re
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from dataengine import terminal
from dataengine.terminal import clip, safe_text, to_json

CONTROL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize(("text", "shown"), [
    ("\x1b[31mred", "\\x1b[31mred"), ("\x1b]0;title\x07", "\\x1b]0;title\\x07"), ("\x9b2J", "\\x9b2J"),
    ("a\u202eb", "a\\u202eb"), ("a\u200bb", "a\\u200bb"), ("a\ufeffb", "a\\ufeffb"), ("\ud800", "\\ud800"),
    ("\x00\x7f", "\\x00\\x7f"), ("a\nb\tc\r", "a\\nb\\tc\\r"), ("\U000e0041", "\\U000e0041"),
    ("naïve 日本語 🙂 [red]", "naïve 日本語 🙂 [red]"),
])
def test_what_is_invisible_is_shown_as_an_escape(text, shown):
    assert safe_text(text) == shown


def test_lines_and_tabs_stay_when_asked_but_carriage_returns_do_not():
    assert safe_text("a\n\tb\rc\x1b", multiline=True) == "a\n\tb\\rc\\x1b"


@given(st.text(st.characters()), st.one_of(st.none(), st.integers(1, 30)))
def test_no_control_format_or_surrogate_character_is_left(text, width):
    shown = safe_text(text, width)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not set(shown) & set("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c\ufeff")
    assert width is None or len(shown) <= width
    shown.encode("utf-8")


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"]), max_size=20))
def test_ordinary_text_is_left_alone(text):
    assert safe_text(text) == "".join(c if c not in "\u115f\u1160\u3164\uffa0" else f"\\u{ord(c):04x}" for c in text)


def test_a_long_text_is_cut_in_time_that_does_not_grow_with_it():
    text = "\x1b" * 20_000_000
    start = time.process_time()
    assert len(safe_text(text, 80)) == 80
    assert len(clip(text, 80)) == 80
    assert time.process_time() - start < 0.2


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_json_is_plain_ascii_without_controls_and_reads_back_the_same(value):
    text = to_json(value)
    assert all(" " <= c <= "~" for c in text)
    assert json.loads(text) == value


def test_json_has_null_for_nan_and_text_for_what_it_has_no_type_for():
    value = {"a": float("nan"), "b": [float("inf")], "c": b"\xffx"}
    assert to_json(value) == '{"a": null, "b": [null], "c": "\\\\xffx"}'


def test_a_table_off_a_terminal_has_no_escape_and_interprets_no_markup(capsys):
    terminal.table(["[red]a", "b"], [["[bold]x[/bold]", "\x1b[31m"], ["日本", None]], right=["b"], title="[red]t\x1b")
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[bold]x[/bold]" in said and "\\x1b[31m" in said and "[red]a" in said and "[red]t\\x1b" in said
    assert "日本" in said


def test_a_table_on_a_terminal_has_no_escape_but_its_own_colours(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    terminal.table(["[red]a"], [["\x1b]0;title\x07\x1b[2J[bold]x[/bold]\x9b\u202e"]], title="t\x1b]8;;x")
    said = re.sub("\x1b\\[[0-9;]*m", "", stream.getvalue())
    assert "[bold]x[/bold]" in said and "\\x1b]0;title\\x07" in said
    assert not set(said) & set("\x1b\x07\x9b\u202e")


WORDS = ["a", "word or two", "x" * 190, "日本語" * 30, "y" * 150]


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("columns", [1, 3, 5, 12])
def test_no_table_is_wider_than_the_terminal(capsys, monkeypatch, width, columns, clipped):
    monkeypatch.setenv("COLUMNS", str(width))
    row = [WORDS[index % len(WORDS)] for index in range(columns)]
    terminal.table([f"column {index}" for index in range(columns)], [row, row], clipped=clipped)
    lines = capsys.readouterr().out.splitlines()
    assert lines and max(map(cell_len, lines)) <= width
    assert not any(line.endswith(" ") for line in lines)


def test_off_a_terminal_of_unknown_width_a_table_has_120_columns_and_loses_nothing(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    terminal.table(["a", "b"], [["x" * 190, "y" * 150]])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) == 120
    assert (out.count("x"), out.count("y")) == (190, 150)


def test_a_table_of_too_many_columns_becomes_a_list_per_row(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    terminal.table([f"name{index}" for index in range(9)], [[f"value {index}" * 9 for index in range(9)]])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10 and lines[1].startswith("name0  value 0value 0")
    assert all(len(line) <= 40 for line in lines)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(1, 200))
def test_columns_give_way_from_the_widest_and_use_all_the_room(widths, room):
    found = terminal.fitted(widths, room)
    if found is None:
        assert sum(min(width, terminal.LEAST) for width in widths) > room
    else:
        assert sum(found) == min(sum(widths), room)
        assert all(min(width, terminal.LEAST) <= got <= width for got, width in zip(found, widths, strict=True))
        cut = [got for got, width in zip(found, widths, strict=True) if got < width]
        assert not cut or max(found) - min(cut) <= 1


def test_what_is_held_together_is_not_divided(capsys):
    words = ", ".join(f"reason_{index} {index} ({index}%)".replace(" ", terminal.NO_BREAK) for index in range(20))
    lines = terminal.wrapped(words, first="dropped: ", indent="    ", width=50).split("\n")
    assert all(len(line) <= 50 for line in lines) and all(line.startswith("    reason_") for line in lines[1:])
    assert "reason_3 3 (3%)," in lines[0] + lines[1]


@pytest.mark.parametrize(("value", "shown"), [(1234567, "1,234,567"), (0.03125, "0.03125"), (2.0, "2"), (None, ""),
                                              (float("inf"), "inf"), (float("nan"), "nan"), (-0.5, "-0.5")])
def test_numbers_for_people(value, shown):
    assert terminal.number(value) == shown


def test_sizes_and_durations_for_people():
    sizes = [terminal.size(count) for count in (0, 812, 40_211, 1.3e9, 5e15)]
    assert sizes == ["0 B", "812 B", "40.2 kB", "1.3 GB", "5000.0 TB"]
    assert [terminal.duration(s) for s in (0.31, 245, 11_520)] == ["0.3 s", "4 min 05 s", "3 h 12 min"]
