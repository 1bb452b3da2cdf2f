"""Counts of words and lines: the kernel against regular expressions, on text made to confuse it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import words
from dataengine.kernels.buffers import utf8
from dataengine.kernels.text_statistics import text_statistics
from tests.kernels import plain

STOP_WORDS = ("the", "be", "b", "é")

PIECES = [
    "the ",
    "be",
    "a-b",
    "don't",
    "--",
    "...",
    "…",
    "-",
    "•",
    "#",
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    " ",
    "\t",
    "\u3000",
    "\u2028",
    "\x85",
    "\0",
    "é",
    "e\u0301",
    "日本",
    "हिन्दी",
    "👩\u200d💻",
    "😀",
    "𝒜",
    "3.14",
    "٣",
    "\u200b",
    "\ufeff",
    '"',
    ".",
    "\x1f",
]
SOUP = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=40).map("".join)


def counted(*texts: str | None) -> dict[str, list[int]]:
    return {name: values.tolist() for name, values in text_statistics(*utf8(pa.array(texts)), STOP_WORDS).items()}


def slowly(text: str) -> dict[str, int]:
    found, lines = plain.tokens(text), plain.lines(text)
    real = [token.text for token in found if token.is_word]
    return {
        "tokens": len(found),
        "words": len(real),
        "word_characters": sum(map(len, real)),
        "alphabetic_words": sum(token.is_alphabetic for token in found),
        "stop_words": len(set(real) & set(STOP_WORDS)),
        "hashes": text.count("#"),
        "ellipses": text.count("...") + text.count("…"),
        "lines": len(lines),
        "bullet_lines": sum(line.startswith(("-", "•")) for line in lines),
        "ellipsis_lines": sum(line.endswith(("...", "…")) for line in lines),
        "characters": len(text),
    }


@settings(max_examples=300, deadline=None)
@given(SOUP)
def test_the_kernel_counts_what_regular_expressions_count(text: str) -> None:
    assert {name: values[0] for name, values in counted(text).items()} == slowly(text)


@settings(max_examples=25, deadline=None)
@given(st.lists(SOUP, min_size=1, max_size=6))
def test_rows_do_not_see_each_other(texts: list[str]) -> None:
    together = counted(*texts)
    for row, text in enumerate(texts):
        assert {name: values[row] for name, values in together.items()} == slowly(text)


@settings(max_examples=40, deadline=None)
@given(SOUP)
def test_the_compiled_scan_and_its_plain_twin_agree(text: str) -> None:
    data, size = np.frombuffer(text.encode(), np.uint8), len(text.encode()) + 2
    found = []
    for scan in (words.scan, words.scan.py_func):
        arrays = [
            np.zeros(size, kind) for kind in (np.uint64, np.int32, np.uint8, np.int32, np.int32, np.int32, np.uint8)
        ]
        counts = np.zeros(5, np.int64)
        with np.errstate(over="ignore"):
            scan(data, 0, len(data), words.character_classes(), *arrays, counts)
        found.append([array.tolist() for array in (*arrays, counts)])
    assert found[0] == found[1]


def test_marks_at_the_edges_of_a_word_are_tokens_and_those_inside_are_not() -> None:
    assert [token.text for token in plain.tokens('"(well-known...)" --a/b-- #3.')] == [
        '"',
        "(",
        "well-known",
        "...",
        ")",
        '"',
        "--",
        "a/b",
        "--",
        "#",
        "3",
        ".",
    ]
    assert counted('"(well-known...)" --a/b-- #3.')["tokens"] == [12]


@pytest.mark.parametrize("text", ["the", "don't", "naïve", "日本", "हिन्दी", "3.14"])
def test_the_hash_of_a_stop_word_is_the_hash_of_that_word_in_a_text(text: str) -> None:
    found = text_statistics(*utf8(pa.array([f"x ({text}), y", f"x{text} y"])), (text,))["stop_words"].tolist()
    assert found == [1, 0]


def test_bytes_that_are_no_utf8_are_counted_and_harm_nothing() -> None:
    data = np.random.default_rng(1).integers(0, 256, 20_000, np.uint8)
    offsets = np.array([0, 0, 1, 3, 9_999, 20_000], np.int64)
    found = text_statistics(data, offsets, STOP_WORDS)
    assert (found["characters"] <= np.diff(offsets)).all()


def test_ten_megabytes_without_a_space_are_one_word() -> None:
    found = counted("a" * 10_000_000)
    assert (found["words"], found["word_characters"]) == ([1], [10_000_000])
