"""Overlap with items, against the same thing said with Python's strings, tuples and dictionaries."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import overlap
from dataengine.kernels.buffers import utf8

NGRAM, SHORT = 3, 5


def plain_words(text: str) -> list[tuple[str, str]]:
    """(word with numbers masked, word) of ASCII text."""
    found = []
    for chunk in text.lower().split():
        word = "".join(letter for letter in chunk if letter.isalnum())
        if word:
            found.append((re.sub(r"\d+", "0", word), word))
    return found


def plain_run(text: str, item: str) -> int:
    """Longest run of the item's words in the text, numbers masked; 0 below an n-gram."""
    ours, theirs = ([masked for masked, _ in plain_words(each)] for each in (text, item))
    most = 0
    lengths = [0] * (len(theirs) + 1)
    for word in ours:
        lengths = [0, *(lengths[i] + 1 if word == theirs[i] else 0 for i in range(len(theirs)))]
        most = max(most, *lengths)
    return most if most >= NGRAM else 0


def scan(texts: list[str], items: list[str]) -> np.ndarray:
    index = overlap.build(*utf8(pa.array(items, pa.string())), NGRAM)
    return overlap.scan(*utf8(pa.array(texts, pa.string())), index, SHORT)


WORDS = st.sampled_from(["one", "two", "12", "3.5", "Red", "red,", "(blue)", "don't", "end."])
TEXT = st.lists(WORDS, max_size=30).map(" ".join)
ITEM = st.lists(WORDS, min_size=SHORT, max_size=12).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=4), st.lists(ITEM, min_size=1, max_size=4))
def test_the_longest_run_is_that_of_comparing_every_word_with_every_word(texts: list[str], items: list[str]) -> None:
    found = scan(texts, items)
    for row, text in enumerate(texts):
        assert found[row, overlap.RUN] == max(plain_run(text, item) for item in items)


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, min_size=2, max_size=6), st.lists(ITEM, min_size=1, max_size=3))
def test_a_text_is_judged_the_same_alone_and_among_others(texts: list[str], items: list[str]) -> None:
    together = scan(texts, items)
    for row, text in enumerate(texts):
        alone = scan([text], items)[0]
        places = [overlap.RUN, overlap.RUN_ITEM, overlap.COVERED, overlap.COVERED_ITEM]
        assert together[row, places].tolist() == alone[places].tolist()


def test_the_passage_found_is_the_passage_in_the_text() -> None:
    text = "He said: The quick, brown fox – it jumps. And left."
    found = scan([text], ["the quick brown fox it jumps"])[0]
    passage = text.encode()[found[overlap.RUN_FIRST] : found[overlap.RUN_LAST]].decode()
    assert passage == "The quick, brown fox – it jumps"


@pytest.mark.parametrize(
    "text", ["ÉTÉ À LA MER AVEC ÉMILE", "été à la mer avec émile", "ÉTÉ «À» LA\u00a0MER… AVEC “Émile”"]
)
def test_case_quotes_and_hard_spaces_do_not_hide_a_passage(text: str) -> None:
    assert scan([text], ["Été à la mer avec Émile"])[0, overlap.RUN] == 6


def test_one_changed_word_in_eight_breaks_runs_but_not_coverage() -> None:
    item = [f"word{chr(97 + i)}" for i in range(24)]
    changed = ["other" if i % 8 == 4 else word for i, word in enumerate(item)]
    found = scan([" ".join(changed)], [" ".join(item)])[0]
    assert found[overlap.RUN] == 7
    assert found[overlap.COVERED] == 21


def test_words_of_an_item_far_apart_do_not_add_up() -> None:
    item = [f"word{chr(97 + i)}" for i in range(12)]
    far = [*item[:4], *["filler"] * 200, *item[4:8], *["filler"] * 200, *item[8:]]
    assert scan([" ".join(far)], [" ".join(item)])[0, overlap.COVERED] == 4


def test_an_ngram_of_very_many_items_tells_nothing() -> None:
    common = "how many are there in all"
    names = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(overlap.MOST_POSTINGS + 1)]
    items = [f"{common} said {name} to me" for name in names]
    assert scan([common], items)[0, overlap.RUN] == 0


@pytest.mark.parametrize(
    "data", [b"\xff\xfe\x80 a b", b"\xe3\x81", b"\xf0\x9f\x98", b"\xc3", b"a\xc2", bytes(range(256))]
)
def test_bytes_that_are_no_utf8_are_words_like_others(data: bytes) -> None:
    column = pa.array([data * 3], pa.binary())
    index = overlap.build(*utf8(column), NGRAM)
    found = overlap.scan(*utf8(column), index, SHORT)
    assert found.shape == (1, 8)


def test_no_items_and_no_texts_are_no_trouble() -> None:
    assert scan([], ["a b c d e f"]).shape == (0, 8)
    assert scan(["a b c d e f"], [])[0].tolist() == [0, -1, 0, 0, 0, -1, 0, 0]
