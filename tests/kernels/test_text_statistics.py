"""Counts of words, symbols and lines against counting by hand, in every reading."""

from __future__ import annotations

import statistics

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import scan
from dataengine.kernels.text_statistics import AS_IS, TRIMMED, text_statistics
from tests.kernels import plain
from tests.kernels.test_words import SOUP

STOP_WORDS = ("the", "be", "b", "é", "日")
LINE_PIECES = ["- ", "•", "* ", "…", "...", " ", "\t", "\n", "\r\n", "\r", "\x1c", "\u2029", "x", "# y", "the "]
LINES = st.lists(st.sampled_from(LINE_PIECES), max_size=30).map("".join)


def counted(splitting: scan.Splitting, lines: int, *texts: str) -> list[dict[str, int]]:
    scan.forget()
    found = text_statistics(scan.scan(pa.array(texts), splitting), STOP_WORDS, lines)
    rows = zip(*(values.tolist() for values in found.values()), strict=True)
    return [dict(zip(found, row, strict=True)) for row in rows]


def slowly(text: str, found: list[plain.Token]) -> dict[str, int]:
    real = [token for token in found if token.is_word]
    spaced = [token for token in real if not token.is_unspaced]
    stops = [token.text for token in real if token.text in STOP_WORDS]
    return {
        "tokens": len(found),
        "words": len(real),
        "spaced_words": len(spaced),
        "spaced_characters": sum(len(token.text) for token in spaced),
        "alphabetic_words": sum(token.is_alphabetic for token in found),
        "stop_words": len(set(stops)),
        "stop_word_occurrences": len(stops),
        "hashes": text.count("#"),
        "ellipses": text.count("...") + text.count("…"),
        "characters": len(text),
    }


@settings(max_examples=200, deadline=None)
@given(st.lists(SOUP | LINES, min_size=1, max_size=4))
def test_words_and_trimmed_lines(texts: list[str]) -> None:
    for found, text in zip(counted("words", TRIMMED, *texts), texts, strict=True):
        lines = plain.lines(text)
        expected = slowly(text, plain.tokens(text)) | {
            "lines": len(lines),
            "bullet_lines": sum(line.startswith(("-", "•")) for line in lines),
            "ellipsis_lines": sum(line.endswith(("...", "…")) for line in lines),
        }
        assert {name: found[name] for name in expected} == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(SOUP | LINES, min_size=1, max_size=4))
def test_chunks_and_lines_as_they_are(texts: list[str]) -> None:
    for found, text in zip(counted("chunks", AS_IS, *texts), texts, strict=True):
        lines = text.split("\n")
        expected = slowly(text, plain.chunks(text)) | {
            "symbol_words": sum("#" in chunk or "…" in chunk for chunk in text.split()),
            "lines": len(lines),
            "bullet_lines": sum(line.startswith(("-", "*")) for line in lines),
            "ellipsis_lines": sum(line.endswith("…") for line in lines),
            "median_size": int(2 * statistics.median(map(len, text.split() or [""]))),
        }
        assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("word", ["the", "don't", "naïve", "हिन्दी", "3.14"])
def test_a_stop_word_is_found_with_marks_around_it_and_not_inside_another_word(word: str) -> None:
    scan.forget()
    found = text_statistics(scan.scan(pa.array([f"x ({word}), y", f"x{word} y"]), "words"), (word,))
    assert found["stop_words"].tolist() == [1, 0]
