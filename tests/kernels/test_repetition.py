"""Repetition: the kernel, which skips nearly all n-grams, against one that looks at every one."""

from __future__ import annotations

import re
import time

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import scan
from dataengine.kernels.repetition import DATATROVE, DOLMA, PAPER, number_keys, repetition
from tests.kernels import plain

SOUP = st.lists(
    st.sampled_from(
        [
            "a ",
            "b ",
            "c ",
            "dd ",
            "日本 ",
            "a, ",
            "b. ",
            "\n",
            "\n\n",
            "\r\n",
            "- ",
            "...",
            "\u3000",
            "\u2028",
            "\x1c",
            "é\n",
        ]
    ),
    max_size=80,
).map("".join)
PHRASES = st.lists(
    st.sampled_from(["a b c d e f g ", "a b c d e x ", "p q r s t u v w x y ", "z\n", "1 ", "2 "]), max_size=25
).map("".join)
TEXTS = st.lists(SOUP | PHRASES, min_size=1, max_size=4)


def counted(splitting: scan.Splitting, reading: int, *texts: str) -> list[dict[str, int]]:
    scan.forget()
    found = repetition(scan.scan(pa.array(texts), splitting), reading)
    rows = zip(*(values.tolist() for values in found.values()), strict=True)
    return [dict(zip(found, row, strict=True)) for row in rows]


def agrees(splitting: scan.Splitting, reading: int, texts: list[str], slowly) -> None:
    for found, text in zip(counted(splitting, reading, *texts), texts, strict=True):
        expected = slowly(text)
        assert {name: found[name] for name in expected} == expected, text


def paper(text: str) -> dict[str, int]:
    words = [token.text for token in plain.tokens(text)]
    lines = [(line, len(line)) for line in plain.lines(text) if line]
    paragraphs = plain.paragraphs(text)
    found = {"characters": len(text), "lines": len(lines), "paragraphs": len(paragraphs)}
    found["duplicate_lines"], found["duplicate_line_characters"] = plain.duplicates(lines)
    found["duplicate_paragraphs"], found["duplicate_paragraph_characters"] = plain.duplicates(paragraphs)
    found |= {f"top_{n}gram_characters": plain.top_ngram(words, n) for n in range(2, 5)}
    return found | {f"duplicate_{n}gram_characters": plain.duplicate_ngrams(words, n) for n in range(5, 11)}


def datatrove(text: str) -> dict[str, int]:
    words = text.split()
    lines = [(line, len(line)) for line in re.split(r"\n+", text)]
    paragraphs = [(part, len(part)) for part in re.split(r"\n{2,}", text.strip())]
    found = {"characters": len(text), "lines": len(lines), "paragraphs": len(paragraphs)}
    found["duplicate_lines"], found["duplicate_line_characters"] = plain.duplicates(lines)
    found["duplicate_paragraphs"], found["duplicate_paragraph_characters"] = plain.duplicates(paragraphs)
    found |= {f"top_{n}gram_characters": plain.top_ngram(words, n, least=1) for n in range(2, 5)}
    return found | {f"duplicate_{n}gram_characters": plain.duplicate_ngrams(words, n) for n in range(5, 11)}


def dolma(text: str) -> dict[str, int]:
    words = text.split()
    lines = [(line, len(line)) for line in text.split("\n")]
    found = {"token_characters": sum(map(len, words)), "lines": len(lines), "paragraphs": 0}
    found["duplicate_lines"], found["duplicate_line_characters"] = plain.all_copies(lines)
    found |= {f"top_{n}gram_characters": plain.top_ngram(words, n, least=1, joined="") for n in range(2, 5)}
    for n in range(5, 11):
        grams = [(gram, len("".join(gram))) for gram in plain.ngrams(words, n)]
        found[f"duplicate_{n}gram_characters"] = plain.all_copies(grams)[1]
        found[f"all_{n}gram_characters"] = sum(size for _, size in grams)
    return found


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_in_the_papers_reading(texts: list[str]) -> None:
    agrees("words", PAPER, texts, paper)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_in_datatroves_reading_of_lines_and_ngrams(texts: list[str]) -> None:
    agrees("chunks", DATATROVE, texts, datatrove)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_in_dolmas_reading(texts: list[str]) -> None:
    agrees("chunks", DOLMA, texts, dolma)


def test_a_long_row_and_the_short_ones_after_it_use_one_table() -> None:
    rng = np.random.default_rng(3)
    texts = [
        " ".join(map(str, rng.integers(0, high, size))) for size, high in ((20_000, 300), (10, 3), (5000, 5), (3, 2))
    ]
    agrees("words", PAPER, texts, paper)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 1000))
def test_equal_keys_get_the_number_of_the_first_and_old_entries_are_forgotten(keys: list[int], base: int) -> None:
    hashes, ids = np.array(keys, np.uint64), np.zeros(len(keys), np.int32)
    slots = np.random.default_rng(base).integers(0, base, 128)
    number_keys(hashes, len(keys), slots.copy(), base, ids)
    assert ids.tolist() == [keys.index(key) for key in keys]
    with np.errstate(over="ignore"):
        number_keys.py_func(hashes, len(keys), slots.copy(), base, ids)
    assert ids.tolist() == [keys.index(key) for key in keys]


def test_time_grows_with_the_text_and_no_faster() -> None:
    def seconds(size: int) -> float:
        columns = [
            pa.array([text])
            for text in ("a " * size, "a" * size, ". " * size, "\n" * size, "ab " * (size // 2) + "c " * size)
        ]
        started = time.process_time()
        for column in columns:
            scan.forget()
            repetition(scan.scan(column, "words"), DATATROVE)
        return time.process_time() - started

    seconds(1000)
    small = min(seconds(100_000) for _ in range(3))
    assert seconds(800_000) < 40 * small
