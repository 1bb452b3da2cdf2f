"""Lines of symbols against Python's own tables."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import stage

SYMBOL_LINES = stage.load("scrub.symbol_lines")
LINE = st.text(st.sampled_from("-|*…。→ \t\x01aé1日👍\u0301\u200d") | st.characters(codec="utf-8"), max_size=4)


def scrubbed(*texts: str, **config: bool) -> list[str]:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    return SYMBOL_LINES(batch, SYMBOL_LINES.config(**config))["text"].to_pylist()


def is_symbols(line: str) -> bool:
    signs = [char for char in line if unicodedata.category(char)[0] in "PS" or unicodedata.category(char) == "Cn"]
    return any(signs) and all(ord(char) < 0x10000 and char != "\ufffd" for char in signs) and all(
        char in signs or char.isspace() or unicodedata.category(char) == "Cc" for char in line)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINE, max_size=6).map("\n".join), st.lists(LINE, max_size=6).map("\n".join))
def test_what_goes_are_lines_of_signs_and_nothing_else(first: str, second: str) -> None:
    expected = ["\n".join(line for line in text.split("\n") if not is_symbols(line)) for text in (first, second)]
    assert scrubbed(first, second) == expected
    again = scrubbed(first, leave_blank_line=True)
    assert [line for line in again[0].split("\n") if line] == [line for line in expected[0].split("\n") if line]
