"""Lines and paragraphs of any text, their keys, and texts with spans cut out, beside the same written plainly."""

from __future__ import annotations

import random
import re
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.buffers import text_array, utf8
from dataengine.kernels.units import Found, line_units, paragraph_units
from dataengine.kernels.without import apart, joined, without
from tests.pruning import lines_of, paragraphs_of
from tests.pruning import without as plainly_without

CHARACTERS = st.one_of(st.sampled_from("aAb19 \n\n\r\t\u3000éÉ字\U0001f600\u0661"), st.characters(codec="utf-8"))
TEXTS = st.lists(st.text(CHARACTERS, max_size=40), max_size=5)
FINDERS = {line_units: lines_of, paragraph_units: paragraphs_of}


def lower(text: str) -> str:
    """Letter by letter, where a letter has one lower-case letter."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def folded(text: str) -> str:
    return re.sub(r"\s+", " ", lower(text))


def masked(text: str) -> str:
    return re.sub(r"\d+", "0", folded(text))


NORMAL = {"exact": str, "folded": folded, "masked": masked}


def spans(found: Found) -> list[tuple[int, int, int]]:
    return list(zip(*(values.tolist() for values in found[:3]), strict=True))


@pytest.mark.parametrize("finder", FINDERS, ids=lambda finder: finder.__name__)
@given(texts=TEXTS, least=st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_parts_and_their_lengths_are_those_of_plain_python(finder, texts, least):
    found = finder(*utf8(pa.array(texts, pa.string())), min_length=least)
    assert spans(found) == [
        (row, start, end) for row, text in enumerate(texts) for start, end, part in FINDERS[finder](text, least)
        if len(part) >= least
    ]


@pytest.mark.parametrize("finder", FINDERS, ids=lambda finder: finder.__name__)
@pytest.mark.parametrize("normalize", sorted(NORMAL))
@given(texts=TEXTS)
@settings(max_examples=150, deadline=None)
def test_keys_are_equal_just_where_what_is_compared_is(finder, normalize, texts):
    found = finder(*utf8(pa.array(texts, pa.string())), min_length=1, normalize=normalize)
    parts = [NORMAL[normalize](part) for text in texts for *_, part in FINDERS[finder](text)]
    keys = [tuple(key) for key in found.keys.tolist()]
    assert len(set(zip(keys, parts, strict=True))) == len(set(keys)) == len(set(parts))


def test_a_slice_of_a_column_has_the_parts_of_its_rows():
    texts = pa.array(["one\ntwo", "three", None, "", "four\n\nfive\n"])
    for finder in FINDERS:
        whole, cut = finder(*utf8(texts), min_length=1), finder(*utf8(texts.slice(3)), min_length=1)
        later = whole.rows >= 3
        assert cut.keys.tolist() == whole.keys[later].tolist()
        assert spans(cut) == [(row - 3, start, end) for row, start, end in spans(whole) if row >= 3]


def test_keys_of_many_numbers_are_all_different():
    text = "\n".join(map(str, range(300_000)))
    found = line_units(*utf8(pa.array([text])), min_length=1)
    for half in (0, 1):
        assert len(np.unique(found.keys[:, half])) == 300_000


HOSTILE = ["\n" * 3_000_000, "a" * 3_000_000, " " * 3_000_000, "a\n\n" * 1_000_000, "é \n" * 700_000]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:3]))
@pytest.mark.parametrize("normalize", sorted(NORMAL))
def test_hostile_text_takes_linear_time(text, normalize):
    column = utf8(pa.array([text]))
    for finder in FINDERS:
        finder(*utf8(pa.array(["warm\n"])), min_length=1, normalize=normalize)
        start = time.process_time()
        finder(*column, min_length=1, normalize=normalize)
        assert time.process_time() - start < 2


@given(st.lists(st.text("aé字\n ", max_size=12), max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_spans_are_cut_out_and_what_is_left_is_measured(texts, rng: random.Random):
    cuts = []
    for row, text in enumerate(texts):
        places = sorted(rng.sample(range(len(text) + 1), rng.randrange(0, len(text) + 1, 2)))
        ends = [len(text[:place].encode()) for place in places]
        cuts += [(row, *pair) for pair in zip(ends[::2], ends[1::2], strict=True)]
    rows, starts, ends = np.array(cuts, np.int64).reshape(-1, 3).T
    data, offsets, left = without(*utf8(pa.array(texts, pa.string())), rows, starts, ends)
    plain = [plainly_without(text, [span for at, *span in cuts if at == row]) for row, text in enumerate(texts)]
    assert text_array(data, offsets).to_pylist() == plain
    assert left.tolist() == [
        len(text.strip().encode()) if row in rows else -1 for row, text in enumerate(plain)
    ]


def test_overlapping_spans_are_taken_apart_and_those_with_one_copy_joined():
    a, b = np.zeros(16, np.uint8), np.ones(16, np.uint8)
    given_spans = [(0, 0, 5, a), (0, 3, 8, a), (0, 4, 6, b), (0, 6, 9, b), (0, 9, 12, b), (0, 13, 14, b), (1, 0, 5, b)]
    rows, starts, ends = (np.array(values, np.int64) for values in list(zip(*given_spans, strict=True))[:3])
    found = apart(rows, starts, ends, np.stack([kept for *_, kept in given_spans]))
    assert spans(Found(*found)) == [(0, 0, 8), (0, 8, 12), (0, 13, 14), (1, 0, 5)]
    assert found[3][:, 0].tolist() == [0, 1, 1, 1]
    assert joined(*found[:3]).tolist() == [0, 0, 1, 2]
