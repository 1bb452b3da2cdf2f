"""Which rows meet: entries of equal keys, put together. Pure functions over arrays, no I/O.

Linear in time, and a million equal keys cost what a million different ones do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.shingles import mix

PART = 4096
"""About how many entries are grouped at a time: their table stays in the second-level cache."""


class Buckets(NamedTuple):
    """Rows that share a key. Bucket b is ``rows[starts[b]:starts[b + 1]]``, two rows or more."""

    rows: np.ndarray
    """int64, within a bucket in the order of the input."""
    starts: np.ndarray
    """int64, shape (buckets + 1,)."""


@njit(cache=True, nogil=True)
def _entry_hash(keys, checks, i):
    return mix(keys[i] ^ mix(checks[i])) if checks.size else mix(keys[i])


@njit(cache=True, nogil=True)
def _partition(keys, checks, rows, shift, starts, order, hashes, moved):
    """Entries by the leading bits of their hash: part p is ``[starts[p]:starts[p + 1]]`` of the last three arrays.

    They hold the entry's number, hash and row side by side, so that grouping reads memory in order.
    """
    for i in range(keys.size):
        starts[np.int64(_entry_hash(keys, checks, i) >> shift) + 2] += 1
    for p in range(2, starts.size):
        starts[p] += starts[p - 1]
    for i in range(keys.size):  # starts[p + 1] runs from the beginning of p to its end
        h = _entry_hash(keys, checks, i)
        p = np.int64(h >> shift) + 1
        at = starts[p]
        order[at], hashes[at], moved[at] = i, h, rows[i]
        starts[p] = at + 1


@njit(cache=True, nogil=True)
def _group(keys, checks, starts, order, hashes, head, sizes):
    """``head[at]``: the first place of the group of `at`; ``sizes[head[at]]``: how many are in that group.

    A hash table per part, open addressing, holds the head of each group. A million equal keys fill one slot.
    """
    table = np.empty(4, np.int32)
    for p in range(starts.size - 2):
        begin, end = starts[p], starts[p + 1]
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
                    if keys[i] == keys[j] and (checks.size == 0 or checks[i] == checks[j]):
                        break
                slot = (slot + 1) & (size - 1)
            if table[slot] < 0:
                table[slot] = at
            head[at] = table[slot]
            sizes[table[slot]] += 1


@njit(cache=True, nogil=True)
def _collect(head, sizes, moved, rows, starts):
    """The groups of two or more, one after the other; `sizes` becomes where each goes on."""
    filled = buckets = 0
    for at in range(head.size):
        if head[at] == at and sizes[at] > 1:
            size, sizes[at] = sizes[at], filled
            starts[buckets] = filled
            filled += size
            buckets += 1
        elif head[at] == at:
            sizes[at] = -1
    starts[buckets] = filled
    for at in range(head.size):
        place = sizes[head[at]]
        if place >= 0:
            rows[place] = moved[at]
            sizes[head[at]] = place + 1


def buckets(keys: np.ndarray, checks: np.ndarray | None, rows: np.ndarray) -> Buckets:
    """The buckets of entries whose key, and check if given, agree.

    `keys` and `checks` are uint64, `rows` int64, all of shape (m,), m below 2^31. The order of buckets follows from the
    entries and their order. Takes 48 bytes of memory an entry beyond input and answer.
    """
    m = len(keys)
    if m >= 1 << 31:
        raise ValueError(f"{m} entries in one range of keys; at most 2^31 - 1: cut the keys into more ranges")
    checks = np.empty(0, np.uint64) if checks is None else checks
    bits = max(1, (m // PART).bit_length())
    starts = np.zeros((1 << bits) + 2, np.int64)
    order, hashes, moved = np.empty(m, np.int32), np.empty(m, np.uint64), np.empty(m, np.int64)
    _partition(keys, checks, rows, np.uint64(64 - bits), starts, order, hashes, moved)
    head, sizes = np.empty(m, np.int32), np.zeros(m, np.int64)
    _group(keys, checks, starts, order, hashes, head, sizes)
    found = sizes[sizes > 1]
    out, ends = np.empty(int(found.sum()), np.int64), np.zeros(len(found) + 1, np.int64)
    _collect(head, sizes, moved, out, ends)
    return Buckets(out, ends)
