"""Repetition: the kernel, which skips nearly all n-grams, against one that looks at every one."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.buffers import utf8
from dataengine.kernels.repetition import number_keys, repetition
from tests.kernels import plain

WORDS = st.lists(
    st.sampled_from(["a ", "b ", "c ", "dd ", "日本 ", "a, ", "b. ", "\n", "\n\n", "\r\n", "- ", "...", "\u3000"]),
    max_size=80,
)
SOUP = WORDS.map("".join)
PHRASES = st.lists(
    st.sampled_from(["a b c d e f g ", "a b c d e x ", "p q r s t u v w x y ", "z\n", "1 ", "2 "]), max_size=25
).map("".join)


def counted(*texts: str | None) -> list[dict[str, int]]:
    found = {name: values.tolist() for name, values in repetition(*utf8(pa.array(texts))).items()}
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def slowly(text: str) -> dict[str, int]:
    words = [token.text for token in plain.tokens(text)]
    lines = [(plain.key(line), len(line)) for line in plain.lines(text) if line]
    paragraphs = plain.paragraphs(text)
    found = {"characters": len(text), "lines": len(lines), "paragraphs": len(paragraphs)}
    found["duplicate_lines"], found["duplicate_line_characters"] = plain.duplicates(lines)
    found["duplicate_paragraphs"], found["duplicate_paragraph_characters"] = plain.duplicates(paragraphs)
    found |= {f"top_{n}gram_characters": plain.top_ngram(words, n) for n in range(2, 5)}
    return found | {f"duplicate_{n}gram_characters": plain.duplicate_ngrams(words, n) for n in range(5, 11)}


@settings(max_examples=150, deadline=None)
@given(SOUP)
def test_the_kernel_counts_what_counting_everything_counts(text: str) -> None:
    assert counted(text) == [slowly(text)]


@settings(max_examples=150, deadline=None)
@given(st.lists(PHRASES, min_size=1, max_size=4))
def test_repeated_phrases_of_every_length_are_found_in_every_row(texts: list[str]) -> None:
    assert counted(*texts) == [slowly(text) for text in texts]


def test_a_long_row_and_the_short_ones_after_it_use_one_table() -> None:
    rng = np.random.default_rng(3)
    texts = [
        " ".join(map(str, rng.integers(0, high, size))) for size, high in ((20_000, 300), (10, 3), (5000, 5), (3, 2))
    ]
    assert counted(*texts) == [slowly(text) for text in texts]


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
            utf8(pa.array([text]))
            for text in ("a " * size, "a" * size, "." * size, "\n" * size, "ab " * (size // 2) + "c " * size)
        ]
        started = time.process_time()
        for column in columns:
            repetition(*column)
        return time.process_time() - started

    seconds(1000)
    small = min(seconds(200_000) for _ in range(3))
    assert seconds(1_600_000) < 40 * small
