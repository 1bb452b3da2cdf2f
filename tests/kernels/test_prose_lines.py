"""Shape of lines: the kernel against counting by hand."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import scan
from dataengine.kernels.english_characters import TERMINAL, character_flags
from dataengine.kernels.prose_lines import prose_lines
from tests.kernels import plain

SOUP = st.lists(
    st.sampled_from(
        [
            "one two",
            "a.",
            "é!",
            "。",
            "।",
            "x",
            " ",
            "\t",
            "\n",
            "\n\n",
            "\r\n",
            "\r",
            "\u2028",
            "\x0b",
            "one\n",
            '"',
            "…",
        ]
    ),
    max_size=30,
).map("".join)
SHORT = 5


def ends(line: str) -> bool:
    return bool(character_flags()[ord(line[-1])] & TERMINAL)


def slowly(text: str, as_is: bool) -> dict[str, int]:
    lines = text.split("\n") if as_is else [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line.strip()]
    breaks = text.count("\n") if as_is else len((text + "x").splitlines()) - 1
    outside = text.count("\n") if as_is else len(text) - sum(map(len, text.splitlines()))
    return {
        "lines": len(lines),
        "ended_lines": sum(map(ends, lines)),
        "short_lines": sum(len(line) <= SHORT for line in lines),
        "repeated_characters": plain.duplicates([(line, len(line)) for line in lines])[1],
        "line_characters": len(text) - outside,
        "breaks": breaks,
    }


@settings(max_examples=300, deadline=None)
@given(st.lists(SOUP, min_size=1, max_size=4), st.booleans())
def test_the_kernel_counts_what_counting_by_hand_does(texts: list[str], as_is: bool) -> None:
    scan.forget()
    found = prose_lines(scan.scan(pa.array(texts), "chunks"), SHORT, as_is)
    for row, text in enumerate(texts):
        expected = slowly(text, as_is) | {"tokens": len(text.split())}
        assert {name: int(values[row]) for name, values in found.items()} == expected
