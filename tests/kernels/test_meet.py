"""Rows put together by their keys, against plain Python, in any order of their input."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import meet
from dataengine.kernels.meet import buckets

ENTRIES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=40)
"""(key, check) of entries; the rows are shuffled numbers."""
BIG = np.int64(7 << 32)


def columns(entries: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(entries, np.int64).reshape(-1, 2)
    return array[:, 0].astype(np.uint64), array[:, 1].astype(np.uint64)


def groups(names: list[object], rows: list[int]) -> list[list[int]]:
    """Rows of the same name, two or more, in the order in which they come."""
    found: dict[object, list[int]] = {}
    for name, row in zip(names, rows, strict=True):
        found.setdefault(name, []).append(row)
    return sorted(group for group in found.values() if len(group) > 1)


def listed(found: meet.Buckets) -> list[list[int]]:
    return sorted(found.rows[a:b].tolist() for a, b in zip(found.starts[:-1], found.starts[1:], strict=True))


@given(ENTRIES, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_a_bucket_holds_the_rows_of_one_key_in_the_order_of_the_input(entries, random):
    rows = [int(BIG) + n for n in range(len(entries))]
    random.shuffle(rows)
    keys, checks = columns(entries)
    row = np.array(rows, np.int64)
    assert listed(buckets(keys, None, row)) == groups([key for key, _ in entries], rows)
    assert listed(buckets(keys, checks, row)) == groups(list(entries), rows)


def test_fifty_thousand_entries_in_many_parts_equal_a_dictionary():
    draw = np.random.default_rng(4)
    keys, rows = draw.integers(0, 40_000, 50_000).astype(np.uint64) << np.uint64(40), draw.permutation(50_000)
    assert listed(buckets(keys, None, rows)) == groups(keys.tolist(), rows.tolist())


def test_a_million_equal_keys_take_no_longer_than_a_million_different_ones():
    rows = np.arange(1_000_000)
    buckets(np.zeros(2, np.uint64), None, rows[:2])
    took = []
    for keys in (np.zeros(1_000_000, np.uint64), np.arange(1_000_000, dtype=np.uint64)):
        start = time.process_time()
        found = buckets(keys, None, rows)
        took.append(time.process_time() - start)
        assert found.starts.tolist() in ([0, 1_000_000], [0])
    assert took[0] < 10 * took[1] + 0.5


@given(st.integers(1, 40), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_kernels_equal_their_plain_twins(count, random):
    keys, checks = columns([(random.randrange(5), random.randrange(2)) for _ in range(count)])
    rows, answers = np.arange(count), []
    kernels = (meet._partition, meet._group, meet._collect)
    for partition, group, collect in (kernels, tuple(kernel.py_func for kernel in kernels)):
        starts, out, ends = np.zeros(6, np.int64), np.zeros(count, np.int64), np.zeros(count + 1, np.int64)
        order, hashes, moved, head, sizes = (
            np.zeros(count, kind) for kind in (np.int32, np.uint64, np.int64, np.int32, np.int64)
        )
        with np.errstate(over="ignore"):
            partition(keys, checks, rows, np.uint64(62), starts, order, hashes, moved)
            group(keys, checks, starts, order, hashes, head, sizes)
            collect(head, sizes, moved, out, ends)
        answers.append([array.tolist() for array in (starts, order, hashes, moved, head, sizes, out, ends)])
    assert answers[0] == answers[1]


def test_nothing_gives_nothing():
    found = buckets(np.empty(0, np.uint64), None, np.empty(0, np.int64))
    assert found.rows.tolist() == [] and found.starts.tolist() == [0]


def test_too_many_entries_are_refused_in_words():
    class Endless(np.ndarray):
        def __len__(self) -> int:
            return 1 << 31

    with pytest.raises(ValueError, match="cut the keys into more ranges"):
        buckets(np.zeros(1, np.uint64).view(Endless), None, np.zeros(1, np.int64))
