"""What hangs together by buckets: union-find over the rows of a lane, and buckets sent to the group of their component.

Rows are numbers below n, buckets lists of them, one after the other with their sizes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.part import part

NOWHERE = -1


@part
def root(parent, x):
    """The root of x; halves the path on the way."""
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@njit(cache=True, nogil=True)
def unite(rows, sizes, parent, weight, entry):
    """Tie the rows of each bucket together. The least row of a component becomes its root; `parent` is `NOWHERE` for
    rows that no bucket has had yet. `entry` is added to the weight of a row for each bucket that it is in.
    """
    at = 0
    for b in range(sizes.size):
        first = np.int64(rows[at])
        for e in range(at, at + sizes[b]):
            row = np.int64(rows[e])
            if parent[row] == NOWHERE:
                parent[row] = row
            weight[row] += entry
            one, two = root(parent, first), root(parent, row)
            if one != two:
                parent[max(one, two)] = min(one, two)
        at += sizes[b]


@njit(cache=True, nogil=True)
def weigh(first, parent, weight, sizes, document, element):
    """Rows ``first..first + sizes.size - 1``: point each at its root, and add to the root's weight what the row weighs,
    `document` and `element` for each element of its set. All rows before them being done.
    """
    for i in range(sizes.size):
        row = first + i
        if parent[row] != NOWHERE:
            weight[row] += document + element * sizes[i]
            top = root(parent, row)
            parent[row] = top
            if top != row:
                weight[top] += weight[row]


@njit(cache=True, nogil=True)
def assign(parent, weight, limit):
    """Put components into groups of at most `limit` in the order of their roots, a heavier one into a group of its own.

    `weight` of a root becomes its group. Returns how many groups there are.
    """
    groups, filled = 0, limit
    for row in range(parent.size):
        if parent[row] == row:
            filled += weight[row]
            if filled > limit:
                groups += 1
                filled = weight[row]
            weight[row] = groups - 1
    return groups


@njit(cache=True, nogil=True)
def groups_of(rows, starts, parent, weight, group):
    """The group of each bucket ``rows[starts[b]:starts[b + 1]]``."""
    for b in range(group.size):
        group[b] = weight[parent[np.int64(rows[starts[b]])]]


@njit(cache=True, nogil=True)
def reorder(rows, starts, order, moved):
    """The buckets in another order, their rows one after the other into `moved`."""
    at = 0
    for b in order:
        for e in range(starts[b], starts[b + 1]):
            moved[at] = rows[e]
            at += 1
