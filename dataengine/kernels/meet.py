"""Which rows meet: equal keys to edges, edges to clusters. Pure functions over arrays, no I/O.

Both are linear but for one sort of the edges' ends, and give the same answer whatever the order of their input.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.shingles import mix

BUCKET = 4096
"""About how many entries are grouped at a time: their table stays in the second-level cache."""


class Edges(NamedTuple):
    """`right[e]` meets `left[e]`, the smallest row that shares its key; both int64."""

    left: np.ndarray
    right: np.ndarray
    index: np.ndarray
    """int64: which entry of the input gave the edge."""


class Clusters(NamedTuple):
    """Rows that are not the smallest of their cluster, ascending."""

    rows: np.ndarray
    """int64."""
    roots: np.ndarray
    """int64: the smallest row of the cluster of each."""
    bands: np.ndarray
    """int64: the smallest band of the edges at the row itself."""


@njit(cache=True, nogil=True)
def _entry_hash(keys, checks, bands, i):
    h = keys[i]
    if checks.size:
        h = mix(h ^ checks[i])
    if bands.size:
        h += np.uint64(bands[i]) * np.uint64(0x9E3779B97F4A7C15)
    return mix(h)


@njit(cache=True, nogil=True)
def _partition(keys, checks, bands, rows, shift, starts, order, hashes, moved):
    """Entries by the leading bits of their hash: bucket b is ``[starts[b]:starts[b + 1]]`` of the last three arrays.

    They hold the entry's number, hash and row side by side, so that grouping reads memory in order.
    """
    for i in range(keys.size):
        starts[np.int64(_entry_hash(keys, checks, bands, i) >> shift) + 2] += 1
    for b in range(2, starts.size):
        starts[b] += starts[b - 1]
    for i in range(keys.size):  # starts[b + 1] runs from the beginning of b to its end
        h = _entry_hash(keys, checks, bands, i)
        b = np.int64(h >> shift) + 1
        at = starts[b]
        order[at], hashes[at], moved[at] = i, h, rows[i]
        starts[b] = at + 1


@njit(cache=True, nogil=True)
def _group(keys, checks, bands, starts, order, hashes, moved, head, smallest):
    """``head[at]``: the first place of the group of `at`; ``smallest[head[at]]``: the smallest row of that group.

    A hash table per bucket, open addressing, holds the head of each group. A million equal keys fill one slot.
    """
    table = np.empty(4, np.int32)
    for b in range(starts.size - 2):
        begin, end = starts[b], starts[b + 1]
        size = 4
        while size < 2 * (end - begin):
            size *= 2
        if size > table.size:
            table = np.empty(size, np.int32)
        table[:size] = -1
        for at in range(begin, end):
            slot = np.int64(hashes[at] & np.uint64(size - 1))
            while table[slot] >= 0:
                first = table[slot]
                if hashes[first] == hashes[at]:
                    i, j = order[first], order[at]
                    if (
                        keys[i] == keys[j]
                        and (checks.size == 0 or checks[i] == checks[j])
                        and (bands.size == 0 or bands[i] == bands[j])
                    ):
                        break
                slot = (slot + 1) & (size - 1)
            if table[slot] < 0:
                table[slot] = at
                smallest[at] = moved[at]
            head[at] = table[slot]
            smallest[table[slot]] = min(smallest[table[slot]], moved[at])


def edges(keys: np.ndarray, checks: np.ndarray | None, rows: np.ndarray, bands: np.ndarray | None = None) -> Edges:
    """Edges from the rows that share a key to the smallest row among them: a star for each group.

    `keys` and `checks` are uint64, `rows` int64, `bands` any integers, all of shape (m,), m below 2^31. Entries meet if
    key, check (if given) and band (if given) agree. Groups come by the hash of their key, a group's edges as given.
    Takes 32 bytes of memory an entry beyond input and answer.
    """
    m = len(keys)
    if m >= 1 << 31:
        raise ValueError(f"{m} entries in one range of keys; at most 2^31 - 1: cut the keys into more ranges")
    checks = np.empty(0, np.uint64) if checks is None else checks
    bands = np.empty(0, np.uint16) if bands is None else bands
    bits = max(1, (m // BUCKET).bit_length())
    starts = np.zeros((1 << bits) + 2, np.int64)
    order, hashes, moved = np.empty(m, np.int32), np.empty(m, np.uint64), np.empty(m, np.int64)
    _partition(keys, checks, bands, rows, np.uint64(64 - bits), starts, order, hashes, moved)
    head, smallest = np.empty(m, np.int32), np.empty(m, np.int64)
    _group(keys, checks, bands, starts, order, hashes, moved, head, smallest)
    left = smallest[head]
    met = np.flatnonzero(left != moved)
    return Edges(left[met], moved[met], order[met].astype(np.int64))


@njit(cache=True, nogil=True)
def _root(parent, x):
    """The root of x; halves the path on the way."""
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@njit(cache=True, nogil=True)
def _join(parent, left, right):
    """Union-find whose roots are the smallest members; afterwards every node points to its root."""
    for e in range(left.size):
        a, b = _root(parent, left[e]), _root(parent, right[e])
        if a < b:
            parent[b] = a
        else:
            parent[a] = b
    for x in range(parent.size):  # ascending: a parent is smaller, so it is done already
        parent[x] = parent[parent[x]]


@njit(cache=True, nogil=True)
def _lowest(node, value, out):
    for e in range(node.size):
        out[node[e]] = min(out[node[e]], value[e])


def components(left: np.ndarray, right: np.ndarray, bands: np.ndarray | None = None) -> Clusters:
    """The clusters that edges tie together, each under its smallest row.

    `left` and `right` are int64, shape (e,): rows of any size (task << 32 | row), compressed here by one sort. `bands`
    are integers, shape (e,), 0 where not given.
    """
    nodes, where = np.unique(np.concatenate([left, right]), return_inverse=True)
    parent = np.arange(len(nodes))
    start, end = where[: len(left)], where[len(left) :]
    _join(parent, start, end)
    lowest = np.full(len(nodes), 0 if bands is None else np.iinfo(np.int64).max)
    if bands is not None:
        for side in (start, end):
            _lowest(side, bands, lowest)
    below = np.flatnonzero(parent != np.arange(len(nodes)))
    return Clusters(nodes[below], nodes[parent[below]], lowest[below])
