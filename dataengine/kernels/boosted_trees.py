"""Gradient-boosted decision trees, evaluated: what a model learnt elsewhere says of each row of features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class Trees(NamedTuple):
    """Binary trees, the inner nodes of all of them in one list, and the leaves in another."""

    roots: np.ndarray
    """int32: first inner node of each tree."""
    feature: np.ndarray
    """int16: column that an inner node looks at."""
    threshold: np.ndarray
    """float32: up to this value it goes left."""
    left: np.ndarray
    """int32: the node that follows, or ``~leaf``."""
    right: np.ndarray
    value: np.ndarray
    """float32: what a leaf adds to the log odds."""


@njit(cache=True, nogil=True)
def log_odds(features, trees, stops, wanted):
    """The log odds that each row of `features` (float32) is of the kind that was learnt: float32, shape (rows,).

    Rows that are not `wanted` (bool) get 0. `stops`, float32, shape (k, 3), are places to give a row up: after so many
    trees, where the sum is below so much, it gets so much. About 22 ns a row and tree of 24 leaves.
    """
    rows = features.shape[0]
    out = np.zeros(rows, np.float32)
    for row in range(rows):
        if not wanted[row]:
            continue
        total = np.float32(0)
        stop = 0
        for k in range(trees.roots.size):
            if stop < stops.shape[0] and k == stops[stop, 0]:
                if total < stops[stop, 1]:
                    total = stops[stop, 2]
                    break
                stop += 1
            node = trees.roots[k]
            while node >= 0:
                if features[row, trees.feature[node]] <= trees.threshold[node]:
                    node = trees.left[node]
                else:
                    node = trees.right[node]
            total += trees.value[~node]
        out[row] = total
    return out
