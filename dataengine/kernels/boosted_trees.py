"""Gradient-boosted symmetric trees, evaluated: what a model learnt elsewhere says of each row of features.

In a symmetric (oblivious) tree all nodes of a level compare the same feature with the same threshold, so that a tree is
`DEPTH` comparisons, whose outcomes are the bits of the number of a leaf. What a feature is compared with are few
values, its borders; so it is replaced by its rank, how many of its borders it is above, one byte, and 64 rows are
compared in one or two instructions. What the leaves add is summed tree by tree in float32, in the order of the trees,
so that a row's sum is the same on every machine and beside any other rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dataengine.kernels.part import bare, entry, part

DEPTH = 6
LANES = 64
"""Rows that go through the trees together: as many bytes as a vector register has, or two of them."""
FEW = 16
"""Rows of a shorter tile: of four pages of documentation one has fewer than 12 blocks, and half have fewer than 26."""
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
def room_for(rows):
    """Columns of a table for so many rows: whole tiles, and no power of two, lest features share cache lines."""
    return FEW + (FEW if rows <= FEW else (rows + LANES - 1) // LANES * LANES)


def _tile(lanes: int) -> Callable:
    """What puts so many rows through the trees: loops of a fixed length, without a branch, which the compiler turns
    into vector instructions."""

    @bare
    def rank_rows(table, start, trees, ranks):
        """Fill `ranks`, uint8, shape (m, LANES), for the rows from `start` on."""
        for j in range(trees.columns.size):
            source, row = table[np.uint64(trees.columns[j]), start:], ranks[j]
            first, last = np.uint64(trees.ends[j]), np.uint64(trees.ends[j + 1])
            border = trees.borders[first]
            a, b, c, d = border[0], border[1], border[2], border[3]
            e, f, g, h = border[4], border[5], border[6], border[7]
            if b == np.inf:
                for i in range(lanes):
                    row[i] = np.uint8(source[i] > a)
                continue
            for i in range(lanes):
                x = source[i]
                row[i] = np.uint8(
                    np.int32(x > a) + np.int32(x > b) + np.int32(x > c) + np.int32(x > d)
                    + np.int32(x > e) + np.int32(x > f) + np.int32(x > g) + np.int32(x > h))
            for group in range(first + np.uint64(1), last):
                border = trees.borders[group]
                a, b, c, d = border[0], border[1], border[2], border[3]
                e, f, g, h = border[4], border[5], border[6], border[7]
                for i in range(lanes):
                    x = source[i]
                    row[i] += np.uint8(
                        np.int32(x > a) + np.int32(x > b) + np.int32(x > c) + np.int32(x > d)
                        + np.int32(x > e) + np.int32(x > f) + np.int32(x > g) + np.int32(x > h))

    @bare
    def add_tile(table, start, trees, ranks, leaf, total):
        """Add to `total` what all trees say of the rows from `start` on; `ranks`, uint8, shape (m, LANES), and `leaf`,
        uint8, shape (BESIDE, LANES), are room."""
        rank_rows(table, start, trees, ranks)
        leaf_a, leaf_b, leaf_c, leaf_d = leaf[0], leaf[1], leaf[2], leaf[3]
        for k in range(0, trees.feature.shape[0], BESIDE):
            for j in range(BESIDE):
                tree, leaves = np.uint64(k + j), leaf[j]
                feature, rank = trees.feature[tree], trees.rank[tree]
                a, b, c = ranks[np.uint64(feature[0])], ranks[np.uint64(feature[1])], ranks[np.uint64(feature[2])]
                d, e, f = ranks[np.uint64(feature[3])], ranks[np.uint64(feature[4])], ranks[np.uint64(feature[5])]
                of_a, of_b, of_c, of_d, of_e, of_f = rank[0], rank[1], rank[2], rank[3], rank[4], rank[5]
                for i in range(lanes):
                    leaves[i] = (
                        np.uint8(a[i] > of_a) | np.uint8(b[i] > of_b) << np.uint8(1)
                        | np.uint8(c[i] > of_c) << np.uint8(2) | np.uint8(d[i] > of_d) << np.uint8(3)
                        | np.uint8(e[i] > of_e) << np.uint8(4) | np.uint8(f[i] > of_f) << np.uint8(5))
            first = np.uint64(k)
            of_0, of_1 = trees.value[first], trees.value[first + np.uint64(1)]
            of_2, of_3 = trees.value[first + np.uint64(2)], trees.value[first + np.uint64(3)]
            for i in range(total.size):  # no call: that would count references to what it is given
                total[i] = total[i] + of_0[leaf_a[i]] + of_1[leaf_b[i]] + of_2[leaf_c[i]] + of_3[leaf_d[i]]

    return add_tile


add_many, add_few = _tile(LANES), _tile(FEW)


@entry
def add_up(table, rows, trees):
    """The log odds that each row is of the kind that was learnt: float32, shape (rows,).

    `table`, float32, has features as rows and rows as columns, `room_for` them; `trees` are `Ranked`.
    """
    out = np.zeros(rows, np.float32)
    ranks, leaf = np.empty((trees.columns.size, LANES), np.uint8), np.empty((BESIDE, LANES), np.uint8)
    for start in range(0, rows, LANES):
        total = out[start:start + LANES]
        if total.size <= FEW:
            add_few(table, start, trees, ranks, leaf, total)
        else:
            add_many(table, start, trees, ranks, leaf, total)
    return out


def log_odds(features: np.ndarray, trees: Trees) -> np.ndarray:
    """What the trees say of each row of `features`, float32, shape (rows, columns): float32, shape (rows,)."""
    rows = len(features)
    table = np.zeros((features.shape[1], room_for.py_func(rows)), np.float32)
    table[:, :rows] = features.T
    return add_up(table, rows, ranked(trees))
