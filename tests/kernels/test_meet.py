"""Edges and clusters against plain Python, in any order of their input."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import meet
from dataengine.kernels.meet import components, edges

ENTRIES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 2)), max_size=40)
"""(key, check, band) of entries; the rows are shuffled numbers."""
PAIRS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25), st.integers(0, 13)), max_size=40)
BIG = np.int64(7 << 32)


def columns(entries: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    array = np.array(entries, np.int64).reshape(-1, 3)
    return array[:, 0].astype(np.uint64), array[:, 1].astype(np.uint64), array[:, 2].astype(np.uint16)


def stars(groups: list[object], rows: list[int]) -> set[tuple[int, int]]:
    """(smallest row, other row) for all entries of the same group."""
    least: dict[object, int] = {}
    for group, row in zip(groups, rows, strict=True):
        least[group] = min(row, least.get(group, row))
    return {(least[group], row) for group, row in zip(groups, rows, strict=True) if row != least[group]}


@given(ENTRIES, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_edges_are_stars_around_the_smallest_row(entries, random):
    rows = [int(BIG) + n for n in range(len(entries))]
    random.shuffle(rows)
    keys, checks, bands = columns(entries)
    row = np.array(rows, np.int64)
    for arguments, group in (
        ((keys, None, row), [e[0] for e in entries]),
        ((keys, checks, row), [e[:2] for e in entries]),
        ((keys, None, row, bands), [(e[0], e[2]) for e in entries]),
        ((keys, checks, row, bands), entries),
    ):
        found = edges(*arguments)
        assert sorted(zip(found.left.tolist(), found.right.tolist(), strict=True)) == sorted(stars(group, rows))
        assert row[found.index].tolist() == found.right.tolist()


@given(ENTRIES, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_edges_do_not_depend_on_the_order_of_entries(entries, random):
    rows = np.arange(len(entries))
    order = list(range(len(entries)))
    random.shuffle(order)
    keys, checks, bands = columns(entries)
    first, second = edges(keys, checks, rows, bands), edges(keys[order], checks[order], rows[order], bands[order])
    assert set(zip(*map(list, first[:2]), strict=True)) == set(zip(*map(list, second[:2]), strict=True))


def test_edges_in_many_buckets_equal_those_of_a_dictionary():
    draw = np.random.default_rng(4)
    keys, rows = draw.integers(0, 40_000, 50_000).astype(np.uint64) << np.uint64(40), draw.permutation(50_000)
    found = edges(keys, None, rows)
    assert set(zip(found.left.tolist(), found.right.tolist(), strict=True)) == stars(keys.tolist(), rows.tolist())


def test_a_row_that_names_its_key_twice_does_not_meet_itself():
    found = edges(np.array([5, 5, 5], np.uint64), None, np.array([3, 3, 9]))
    assert found.right.tolist() == [9] and found.left.tolist() == [3]


def test_a_million_equal_keys_take_no_longer_than_a_million_different_ones():
    rows = np.arange(1_000_000)
    edges(np.zeros(2, np.uint64), None, rows[:2])
    took = []
    for keys in (np.zeros(1_000_000, np.uint64), np.arange(1_000_000, dtype=np.uint64)):
        start = time.process_time()
        found = edges(keys, None, rows)
        took.append(time.process_time() - start)
        assert len(found.left) in (999_999, 0)
    assert took[0] < 10 * took[1] + 0.5


@given(st.integers(1, 40), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_kernels_of_edges_equal_their_plain_twins(count, random):
    entries = [(random.randrange(5), random.randrange(2), random.randrange(2)) for _ in range(count)]
    keys, checks, bands = columns(entries)
    rows, answers = np.arange(count), []
    for partition, group in ((meet._partition, meet._group), (meet._partition.py_func, meet._group.py_func)):
        starts = np.zeros(6, np.int64)
        arrays = [np.empty(count, kind) for kind in (np.int32, np.uint64, np.int64, np.int32, np.int64)]
        with np.errstate(over="ignore"):
            partition(keys, checks, bands, rows, np.uint64(62), starts, *arrays[:3])
            arrays[4][:] = -1
            group(keys, checks, bands, starts, *arrays)
        answers.append([array.tolist() for array in [starts, *arrays]])
    assert answers[0] == answers[1]


def clusters_by_search(pairs: list[tuple[int, int, int]]) -> dict[int, tuple[int, int]]:
    """row -> (root, lowest band of its edges), by breadth-first search from every row."""
    near: dict[int, set[int]] = {}
    band: dict[int, int] = {}
    for a, b, through in pairs:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
        for row in (a, b):
            band[row] = min(band.get(row, through), through)
    found = {}
    for row in near:
        seen, front = {row}, [row]
        while front:
            front = [n for at in front for n in near[at] if n not in seen and not seen.add(n)]
        if min(seen) != row:
            found[row] = (min(seen), band[row])
    return found


@given(PAIRS, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_components_equal_a_search_whatever_the_order_of_edges(pairs, random):
    expected = clusters_by_search(pairs)
    for _ in range(2):
        array = np.array(pairs, np.int64).reshape(-1, 3)
        found = components(array[:, 0] + BIG, array[:, 1] + BIG, array[:, 2].astype(np.uint16))
        assert (np.diff(found.rows) > 0).all()
        got = zip((found.rows - BIG).tolist(), (found.roots - BIG).tolist(), found.bands.tolist(), strict=True)
        assert {row: (root, band) for row, root, band in got} == expected
        random.shuffle(pairs)
        pairs = [(b, a, band) if random.random() < 0.5 else (a, b, band) for a, b, band in pairs]


def test_a_chain_hangs_together_from_any_end():
    n = 100_000
    found = components(np.arange(n - 1, 0, -1), np.arange(n, 1, -1))
    assert found.rows.tolist() == list(range(2, n + 1)) and set(found.roots.tolist()) == {1}
    assert set(found.bands.tolist()) == {0}


def test_rows_of_different_tasks_keep_their_full_numbers():
    low, high = np.array([3 << 32 | 5]), np.array([9 << 32 | 1])
    found = components(high, low, np.array([4]))
    assert (found.rows.tolist(), found.roots.tolist(), found.bands.tolist()) == ([9 << 32 | 1], [3 << 32 | 5], [4])


def test_nothing_gives_nothing():
    none = np.empty(0, np.int64)
    assert [len(part) for part in edges(none.astype(np.uint64), None, none)] == [0, 0, 0]
    assert [len(part) for part in components(none, none, none)] == [0, 0, 0]


def test_too_many_entries_are_refused_in_words():
    class Endless(np.ndarray):
        def __len__(self) -> int:
            return 1 << 31

    with pytest.raises(ValueError, match="cut the keys into more ranges"):
        edges(np.zeros(1, np.uint64).view(Endless), None, np.zeros(1, np.int64))
