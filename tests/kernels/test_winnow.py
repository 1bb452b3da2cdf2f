"""Winnowing: every window is in one stretch, equal windows meet, hostile text takes the same few steps a byte."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.borders import BORDERS, shrunk
from dataengine.kernels.buffers import utf8
from dataengine.kernels.units import Found
from dataengine.kernels.winnow import stretches, windows

PIECES = st.sampled_from(["a", "ab", "abc ", "a" * 30, "xy" * 20, "é字", "the river of glass ", "\n"])
TEXTS = st.lists(st.lists(st.one_of(PIECES, st.text("ab", max_size=9)), max_size=8).map("".join), max_size=5)
LENGTH = 16


def column(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return utf8(pa.array(texts, pa.string()))


def in_order(found: Found) -> list[tuple[int, int, int]]:
    return list(zip(*(values.tolist() for values in found[:3]), strict=True))


@given(TEXTS, st.integers(4, 40))
@settings(max_examples=200, deadline=None)
def test_every_window_is_in_just_one_stretch_and_equal_windows_have_equal_anchors(texts, length):
    found = stretches(*column(texts), length)
    raw = [text.encode() for text in texts]
    covered = [(row, place) for row, start, end in in_order(found) for place in range(start, end - length + 1)]
    assert covered == [(row, place) for row, text in enumerate(raw) for place in range(len(text) - length + 1)]
    anchor: dict[bytes, int] = {}
    whole: dict[bytes, list[int]] = {}
    for (row, start, end), key in zip(in_order(found), found.keys.tolist(), strict=True):
        assert whole.setdefault(raw[row][start:end], key) == key
        for place in range(start, end - length + 1):
            assert anchor.setdefault(raw[row][place : place + length], key[0]) == key[0]
    assert len({tuple(key) for key in whole.values()}) == len(whole)


@given(TEXTS)
@settings(max_examples=50, deadline=None)
def test_windows_of_stretches_are_known_by_their_bytes(texts):
    data, offsets = column(texts)
    found = stretches(data, offsets, LENGTH)
    parts = windows(data, offsets, LENGTH, *found[:3])
    raw = [text.encode() for text in texts]
    contents = [raw[row][start:end] for row, start, end in in_order(parts)]
    assert all(len(one) == LENGTH for one in contents)
    assert len(contents) == sum(max(0, len(text) - LENGTH + 1) for text in raw)
    keys = [tuple(key) for key in parts.keys.tolist()]
    assert len(set(zip(keys, contents, strict=True))) == len(set(keys)) == len(set(contents))


HOSTILE = {
    "one character": "a" * 2_000_000,
    "two in turn": "ab" * 1_000_000,
    "a long period": "".join(map(str, range(3000))) * 150,
    "runs": ("a" * 999 + "b") * 2_000,
    "bits of the counter": "".join("ab"[bin(n).count("1") % 2] for n in range(1_000_000)) * 2,  # Thue and Morse
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("length", [50, 5_000])
def test_hostile_text_takes_linear_time_and_few_stretches(name, length):
    text = HOSTILE[name]
    stretches(*column(["warm" * 99]), length)
    start = time.process_time()
    found = stretches(*column([text]), length)
    assert time.process_time() - start < 1
    assert len(found.rows) < 8 * len(text) / length


BORDER = {
    "character": lambda text, at: True,
    "word": lambda text, at: at in (0, len(text)) or text[at - 1].isspace() or not {"字", "日"}.isdisjoint(
        text[at - 1 : at + 1]),
    "line": lambda text, at: at in (0, len(text)) or text[at - 1] == "\n",
}


@pytest.mark.parametrize("kind", sorted(BORDERS))
@given(st.text("ab é\u3000字日\U0001f600\n", min_size=1, max_size=20), st.data())
@settings(max_examples=200, deadline=None)
def test_a_span_shrinks_to_the_borders_inside_it(kind, text, data):
    size = len(text.encode())
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    least = data.draw(st.integers(1, 4))
    borders = [len(text[:at].encode()) for at in range(len(text) + 1) if BORDER[kind](text, at)]
    inside = [at for at in borders if start <= at <= end]
    starts, ends = shrunk(*column([text]), np.array([0]), np.array([start]), np.array([end]), kind, least)
    if inside and inside[-1] - inside[0] >= least:
        assert (starts[0], ends[0]) == (inside[0], inside[-1])
    else:
        assert starts[0] == ends[0]
