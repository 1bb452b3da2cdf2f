"""Documents as sets of n-grams: against sets of tuples in plain Python, and kernels against their plain twins."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import sets
from dataengine.kernels.sets import BLOCK, enter, sets_of, similarity, table_size
from dataengine.kernels.shingles import characters
from tests.kernels.interpreted import interpreted

TEXTS = st.lists(st.text("ab c.\u00e9\u65e5\n", max_size=60), max_size=5)
NUMBERS = st.sets(st.sampled_from([0, 1, 2, 16, 17, 32, 2**31, 2**32 - 1, 5, 6, 7, 8, 9]))


def buffer(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    raw = [text.encode() for text in texts]
    return np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)])


def grams(text: str, ngram: int, of_words: bool = True) -> set[tuple[str, ...]]:
    """What the sets stand for, for the letters of the strategies here."""
    units = re.findall("[a-z0-9\u00e9]+|\u65e5", text.lower()) if of_words else list(" ".join(text.lower().split()))
    return {tuple(units[i : i + ngram]) for i in range(len(units) - ngram + 1)}


def jaccard(one: set, two: set) -> float:
    return len(one & two) / len(one | two)


def compared(one: list[int], two: list[int], threshold: float, function=similarity) -> float:
    table = np.full(table_size(len(one)), 3 << 32 | 5, np.uint64)  # what another document left behind
    own, other = np.array(one, np.uint32), np.array(two, np.uint32)
    with np.errstate(over="ignore"):
        enter(table, np.uint64(4), own)
        return float(function(table, np.uint64(4), own.size, other, threshold))


@given(TEXTS, st.integers(1, 4), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_set_has_an_element_for_every_different_ngram(texts, ngram, of_words):
    found = sets_of(*buffer(texts), ngram=ngram, of_words=of_words)
    expected = [grams(text, ngram, of_words) for text in texts]
    assert np.diff(found.starts).tolist() == [len(one) for one in expected]
    own = [found.elements[found.starts[i] : found.starts[i + 1]].tolist() for i in range(len(texts))]
    for i in range(len(texts)):
        for j in range(len(texts)):
            assert len(set(own[i]) & set(own[j])) == len(expected[i] & expected[j])


@given(TEXTS, st.integers(1, 4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_kernel_and_its_plain_twin_agree(texts, ngram, of_words):
    data, offsets = buffer([*texts, "x" * 64])
    offsets, answers = offsets[:-1], []
    for make in (sets._make, interpreted(sets._make)):
        n = len(texts)
        shapes = [(400, np.uint32), (n + 1, np.int64), ((n, 2), np.uint64), (n, np.int64)]
        arrays = [np.zeros(shape, kind) for shape, kind in shapes]
        filled = make(data, offsets, ngram, of_words, ngram, *arrays)
        answers.append([filled, arrays[0][:filled].tolist(), *[array.tolist() for array in arrays[1:]]])
    assert answers[0] == answers[1]


@given(NUMBERS, NUMBERS, st.sampled_from([0.0, 0.3, 0.5, 2 / 3, 0.8, 1.0]))
@settings(max_examples=300, deadline=None)
def test_similarity_is_that_of_pythons_sets_or_minus_one_below_the_threshold(one, two, threshold):
    found = compared(list(one), list(two), threshold)
    exact = jaccard(one, two) if one | two else -1.0
    assert found == (exact if exact >= threshold else -1.0)
    if one | two:
        assert compared(list(one), list(two), threshold, similarity.py_func) == found


@pytest.mark.parametrize("size", [4, 8, 9, 40, 99, 1000])
def test_pairs_just_at_the_threshold_are_not_lost_to_rounding(size):
    """k of n elements shared: 0.8 to the last bit is what Python's division says it is."""
    for shared in range(size // 2, size + 1):
        value = shared / (2 * size - shared)
        one, two = list(range(size)), [*range(shared), *range(size, 2 * size - shared)]
        assert compared(one, two, value) == value
        assert compared(one, two, np.nextafter(value, 2)) == -1.0


def test_copies_are_known_by_the_order_of_their_words_and_nothing_else():
    texts = ["One, two three!", "one two  THREE", "three two one", "one two", "one two three three", "", "..."]
    same = [tuple(row) for row in sets_of(*buffer(texts), ngram=5).same.tolist()]
    assert same[0] == same[1] and len(set(same[:5])) == 4
    by_letter = sets_of(*buffer(["a  B", "a b", "a,b"]), ngram=5, of_words=False).same.tolist()
    assert by_letter[0] == by_letter[1] != by_letter[2]


def test_the_same_ngrams_in_another_order_are_the_same_set():
    cycle = "one two three four five six"
    tail = "one two three four"
    found = sets_of(*buffer([f"{cycle} {cycle} {tail}", f"{cycle} {cycle} {cycle} {tail}"]), ngram=5)
    assert np.diff(found.starts).tolist() == [6, 6]
    assert len(set(found.elements.tolist())) == 6 and found.same[0].tolist() != found.same[1].tolist()


def test_a_short_document_has_no_set_but_is_counted():
    found = sets_of(*buffer(["one two three four five six", "one two three four five six seven"]), ngram=5, least=7)
    assert np.diff(found.starts).tolist() == [0, 3] and found.counts.tolist() == [6, 7]


def test_a_long_document_is_taken_as_a_whole():
    """Blocks overlap by the words that n-grams need."""
    words = [f"w{i}" for i in range(3 * BLOCK + 17)]
    found = sets_of(*buffer([" ".join(words)]), ngram=5)
    pieces = [sets_of(*buffer([" ".join(words[i : i + 5])]), ngram=5).elements[0] for i in range(0, len(words) - 4, 97)]
    assert len(found.elements) == len(words) - 4 and set(pieces) <= set(found.elements.tolist())


def test_a_slice_of_a_buffer_gives_the_sets_of_its_rows():
    data, offsets = buffer(["zero zero", "one two three", "four five six seven"])
    whole, part = sets_of(data, offsets, ngram=2), sets_of(data, offsets[1:], ngram=2)
    assert part.elements.tolist() == whole.elements[1:].tolist() and part.same.tolist() == whole.same[1:].tolist()


def test_one_word_of_ten_megabytes_and_ten_megabytes_of_one_word_take_linear_time():
    found = sets_of(*buffer(["x" * 10_000_000, "y " * 5_000_000, "\u65e5" * 1_000_000]), ngram=5)
    assert found.counts.tolist() == [1, 5_000_000, 1_000_000] and np.diff(found.starts).tolist() == [0, 1, 1]


@given(st.text(max_size=40), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_a_character_has_one_hash_wherever_the_buffer_is_cut(text, capacity):
    data = np.frombuffer(text.encode(), np.uint8)
    found: list[int] = []
    out, at = np.zeros(capacity, np.uint64), 0
    while at < len(data):
        count, at = characters(data, at, len(data), out)
        found += out[:count].tolist()
    plain = np.zeros(50, np.uint64)
    with np.errstate(over="ignore"):
        count, _ = characters.py_func(data, 0, len(data), plain)
    assert found == plain[:count].tolist() and count == len(text)
    folded = [chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text]
    assert len(set(found)) == len(set(folded))
