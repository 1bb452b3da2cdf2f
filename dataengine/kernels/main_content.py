"""Which blocks of a page are its main content: what the model says of each, and a choice that suits the page."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels import block_context as c
from dataengine.kernels import block_features as f
from dataengine.kernels import blocks as b
from dataengine.kernels.boosted_trees import Ranked, add_up
from dataengine.kernels.even_out import even_out
from dataengine.kernels.part import part

THRESHOLD = 0.55
"""A block at least so likely is kept. On sites that the model has not seen this gives .002 more F1 than .5 on the
article-extraction-benchmark, as much on readability's pages, and .002 less on trafilatura's (5-fold, 646 pages)."""
LOW_SHARE = 0.3
"""Where the kept blocks are less than this share of the text that was expected, the page's own threshold is used."""


class Model(NamedTuple):
    """What a page is judged by."""

    first: Ranked
    """Trees over the features of the first round..."""
    second: Ranked
    """...and over those of both."""
    names: np.ndarray
    """uint64, shape (4,): groups of class names, see `reading_mode.UNLIKELY`."""
    comment: np.uint64
    """The group of class names of readers' comments, as a bit."""


@njit(cache=True, nogil=True)
def probability(odds):
    """Of log odds, float32. Computed in double precision, so that the last bit does not depend on the machine."""
    out = np.empty(odds.size, np.float32)
    for i in range(odds.size):
        out[i] = 1 / (1 + math.exp(-np.float64(odds[i])))
    return out


@njit(cache=True, nogil=True)
def choose(tree, blocks, chances, threshold):
    """Which blocks of a page to keep, by their probabilities, the mean of both rounds: bool, shape (k,).

    Where none is likely, as on pages unlike those that the model has seen, the best guess is the threshold that gives
    the greatest F1 to be expected if the probabilities are right: half of that F1.
    """
    chances, least = even_out(tree, blocks, chances), np.float32(threshold)
    keep = np.empty(chances.size, np.bool_)
    kept = expected = 0.0
    for i in range(chances.size):
        weight = np.float64(blocks.measures[i, b.CHARS]) + 20
        keep[i] = chances[i] > least
        expected += weight * chances[i]
        kept += weight if keep[i] else 0.0
    if kept >= LOW_SHARE * expected:
        return keep
    order = np.argsort(-chances, kind="mergesort")
    best = hits = size = 0.0
    for i in order:
        weight = np.float64(blocks.measures[i, b.CHARS]) + 20
        hits += weight * chances[i]
        size += weight
        best = max(best, 2 * hits / (size + expected))
    for i in range(chances.size):
        keep[i] = chances[i] >= best / 2
    return keep


@part
def keep_comments(blocks, context, comment, keep):
    """Keep what looks like readers' comments too, but for links."""
    for i in range(keep.size):
        row = blocks.measures[i]
        keep[i] |= context.around[blocks.box[i]] & comment != 0 and row[b.LINKED_CHARS] < row[b.CHARS] / 2


@njit(cache=True, nogil=True)
def main_content(tree, blocks, model, comments):
    """Which blocks are the main content: bool, shape (k,); with `comments` what looks like those of readers, too."""
    count = blocks.first.size
    if count == 0:
        return np.zeros(0, np.bool_)
    context = c.surroundings(tree, blocks)
    kind = c.alike(tree, context, blocks)
    table = f.fill_features(tree, blocks, context, kind, model.names)
    before = add_up(table, count, model.first)
    f.fill_opinions(tree, blocks, context, kind, probability(before), table[f.FIRST:])
    after = add_up(table, count, model.second)
    for i in range(count):
        after[i] = (before[i] + after[i]) / 2
    keep = choose(tree, blocks, probability(after), THRESHOLD)
    if comments:
        keep_comments(blocks, context, model.comment, keep)
    return keep
