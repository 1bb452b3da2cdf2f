"""Gradient-boosted symmetric trees, evaluated: what a model learnt elsewhere says of each row of features.

In a symmetric (oblivious) tree all nodes of a level compare the same feature with the same threshold, so that a tree is
`DEPTH` comparisons, whose outcomes are the bits of the number of a leaf. What a feature is compared with are few
values, its borders; so it is replaced by its rank, how many of its borders it is above, one byte, and 64 rows are
compared in one or two instructions. What the leaves add is summed tree by tree in float32, in the order of the trees,
so that a row's sum is the same on every machine and beside any other rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.part import part

DEPTH = 6
LANES = 64
"""Rows that go through the trees together: as many bytes as a vector register has, or two of them."""
BESIDE = 4
"""Trees whose leaves are summed in one go."""
GROUP = 8
"""Borders that a feature is compared with in one go."""
MAX_BORDERS = 255
"""Most borders of a feature: a rank is a byte."""


class Trees(NamedTuple):
    """Symmetric trees of `DEPTH` levels."""

    columns: np.ndarray
    """int16, shape (m,): the features that any tree looks at."""
    feature: np.ndarray
    """int16, shape (trees, DEPTH): which of `columns` the nodes of a level look at."""
    threshold: np.ndarray
    """float32, shape (trees, DEPTH): what is greater sets the bit of the level, the lowest for the first. NaN sets
    none."""
    value: np.ndarray
    """float32, shape (trees, 2 ** DEPTH): what each leaf adds to the log odds."""


class Ranked(NamedTuple):
    """The same trees over the ranks of features."""

    columns: np.ndarray
    """int16, shape (m,), as in `Trees`."""
    ends: np.ndarray
    """int32, shape (m + 1,): the borders of the i-th column are ``borders[ends[i]:ends[i + 1]]``..."""
    borders: np.ndarray
    """...float32, shape (k, GROUP): ascending, filled up with infinity, which nothing is above."""
    feature: np.ndarray
    """uint16, shape (trees + t, DEPTH), as in `Trees`; with t more trees, the number divides by `BESIDE`."""
    rank: np.ndarray
    """uint8, shape (trees + t, DEPTH): a higher rank sets the bit of the level."""
    value: np.ndarray
    """float32, shape (trees + t, 2 ** DEPTH): as in `Trees`; the t others add -0.0, which changes no sum."""


def ranked(trees: Trees) -> Ranked:
    """Number the thresholds of each feature. Raises ValueError where there are too many to count in a byte."""
    count, more = len(trees.feature), -len(trees.feature) % BESIDE
    rank, groups = np.zeros((count + more, DEPTH), np.uint8), [np.zeros((0, GROUP), np.float32)]
    for column in range(len(trees.columns)):
        here = trees.feature == column
        borders = np.unique(trees.threshold[here])
        if len(borders) > MAX_BORDERS:
            raise ValueError(f"feature {trees.columns[column]} has {len(borders)} borders; at most {MAX_BORDERS} can be"
                             " ranked")
        rank[:count][here] = np.searchsorted(borders, trees.threshold[here])
        groups.append(np.pad(borders, (0, -len(borders) % GROUP), constant_values=np.inf).reshape(-1, GROUP))
    return Ranked(
        trees.columns.astype(np.int16), np.cumsum([len(group) for group in groups], dtype=np.int32),
        np.concatenate(groups).astype(np.float32), np.pad(trees.feature, ((0, more), (0, 0))).astype(np.uint16), rank,
        np.pad(trees.value.astype(np.float32), ((0, more), (0, 0)), constant_values=-0.0))


@part
def rank_rows(table, start, trees, ranks):
    """Fill `ranks`, uint8, shape (m, LANES), for the rows from `start` on."""
    for j in range(trees.columns.size):
        source, row = table[np.int64(trees.columns[j]), start:start + LANES], ranks[j]
        first = trees.ends[j]
        for group in range(first, trees.ends[j + 1]):
            border = trees.borders[group]
            a, b, c, d = border[0], border[1], border[2], border[3]
            e, f, g, h = border[4], border[5], border[6], border[7]
            if group == first and b == np.inf:
                for i in range(LANES):  # loops without a branch become vector instructions
                    row[i] = np.uint8(source[i] > a)
                continue
            before = np.uint8(0 if group == first else 255)
            for i in range(LANES):
                x = source[i]
                row[i] = (row[i] & before) + np.uint8(
                    np.int32(x > a) + np.int32(x > b) + np.int32(x > c) + np.int32(x > d)
                    + np.int32(x > e) + np.int32(x > f) + np.int32(x > g) + np.int32(x > h))


@part
def find_leaves(ranks, feature, rank, leaf):
    """Fill `leaf`, uint8, shape (LANES,), with the leaves of one tree that `LANES` rows come to."""
    a, b, c = ranks[feature[0]], ranks[feature[1]], ranks[feature[2]]
    d, e, f = ranks[feature[3]], ranks[feature[4]], ranks[feature[5]]
    of_a, of_b, of_c, of_d, of_e, of_f = rank[0], rank[1], rank[2], rank[3], rank[4], rank[5]
    for i in range(LANES):
        leaf[i] = (
            np.uint8(a[i] > of_a) | np.uint8(b[i] > of_b) << np.uint8(1) | np.uint8(c[i] > of_c) << np.uint8(2)
            | np.uint8(d[i] > of_d) << np.uint8(3) | np.uint8(e[i] > of_e) << np.uint8(4)
            | np.uint8(f[i] > of_f) << np.uint8(5))


@part
def add_leaves(leaf, value, lanes, total):
    """Add what the leaves of `BESIDE` trees say, in the order of the trees."""
    a, b, c, d = leaf[0], leaf[1], leaf[2], leaf[3]
    of_a, of_b, of_c, of_d = value[0], value[1], value[2], value[3]
    for i in range(lanes):
        total[i] = total[i] + of_a[a[i]] + of_b[b[i]] + of_c[c[i]] + of_d[d[i]]


@njit(cache=True, nogil=True)
def add_up(table, rows, trees):
    """The log odds that each row is of the kind that was learnt: float32, shape (rows,).

    `table`, float32, has features as rows and rows as columns, and at least so many columns as whole tiles of `LANES`
    take; `trees` are `Ranked`.
    """
    out = np.empty(rows, np.float32)
    ranks, leaf = np.empty((trees.columns.size, LANES), np.uint8), np.empty((BESIDE, LANES), np.uint8)
    for start in range(0, rows, LANES):
        lanes = min(LANES, rows - start)
        rank_rows(table, start, trees, ranks)
        total = out[start:start + lanes]
        total[:] = 0
        for k in range(0, trees.feature.shape[0], BESIDE):
            for j in range(BESIDE):
                find_leaves(ranks, trees.feature[k + j], trees.rank[k + j], leaf[j])
            add_leaves(leaf, trees.value[k:k + BESIDE], lanes, total)
    return out


def log_odds(features: np.ndarray, trees: Trees) -> np.ndarray:
    """What the trees say of each row of `features`, float32, shape (rows, columns): float32, shape (rows,)."""
    rows = len(features)
    table = np.zeros((features.shape[1], -(-rows // LANES) * LANES), np.float32)
    table[:, :rows] = features.T
    return add_up(table, rows, ranked(trees))
