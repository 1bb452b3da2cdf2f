"""White space folded as ``" ".join(text.split())`` does it."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.spaces import _fold, _fold_marks, fold_marks, fold_spaces, marks, space_at

SPACES = [chr(c) for c in range(0x110000) if chr(c).isspace()]
OTHERS = ["a", "é", "日", "\u200b", "\x00"]
TEXTS = st.text(st.one_of(st.sampled_from(SPACES + OTHERS), st.characters(codec="utf-8")), max_size=40)


@given(st.lists(TEXTS, max_size=5))
@settings(max_examples=200, deadline=None)
def test_folding_equals_split_and_join(texts):
    raw = [text.encode() for text in texts]
    data, offsets = np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)])
    out, ends = fold_spaces(data, offsets)
    rows = [out[a:b].tobytes().decode() for a, b in pairwise(ends)]
    assert rows == [" ".join(text.split()) for text in texts]


@given(st.binary(max_size=40))
@settings(max_examples=100, deadline=None)
def test_bytes_that_are_no_utf8_fold_as_the_plain_twin_folds_them(raw):
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    out, ends = fold_spaces(data, offsets)
    plain, plain_ends = np.empty(len(raw), np.uint8), np.zeros(2, np.int64)
    _fold.py_func(data, offsets, plain, plain_ends)
    assert out.tolist() == plain[: plain_ends[1]].tolist() and ends.tolist() == plain_ends.tolist()


def test_every_space_of_python_is_a_space():
    for space in SPACES:
        raw = np.frombuffer(space.encode(), np.uint8)
        assert space_at(raw, 0, len(raw)) == len(raw)


@given(st.lists(st.text("a+ -\u2014\u3002\u00a0\u00e9\u65e5\U0001F600\U00010100", max_size=30), max_size=4))
@settings(max_examples=100, deadline=None)
def test_marks_are_folded_as_pythons_tables_say_and_the_plain_twin_agrees(texts):
    raw = [text.encode() for text in texts]
    data, offsets = np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)])
    out, ends = fold_marks(data, offsets)
    plain, plain_ends = np.zeros(len(data), np.uint8), np.zeros(len(offsets), np.int64)
    _fold_marks.py_func(data, offsets, marks(), plain, plain_ends)
    assert ends.tolist() == plain_ends.tolist() and out.tolist() == plain[: ends[-1]].tolist()
    for row, text in enumerate(texts):
        spaced = "".join(" " if unicodedata.category(c)[0] == "P" else c for c in text)
        assert bytes(out[ends[row] : ends[row + 1]]).decode() == " ".join(spaced.split())
