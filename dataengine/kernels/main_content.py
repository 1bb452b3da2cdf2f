"""Which blocks of a page are its main content: what the model says of each, and a choice that suits the page."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dataengine.kernels import block_context as c
from dataengine.kernels import block_features as f
from dataengine.kernels import blocks as b
from dataengine.kernels.boosted_trees import Ranked, add_up
from dataengine.kernels.even_out import even_out
from dataengine.kernels.part import entry, part

THRESHOLD = 0.55
"""A block more likely than that is kept. F1 is greatest at half of the F1 to be expected, .48, if chances are right;
sets differ in whether captions and teasers count, and articles come out better a little higher."""
LOW_SHARE = 0.3
"""Where the kept blocks are less than this share of the text that was expected, the page's own threshold is used."""


class Model(NamedTuple):
    """What a page is judged by."""

    trees: Ranked
    """Trees over the features of a block."""
    names: np.ndarray
    """uint64, shape (4,): groups of class names, see `reading_mode.UNLIKELY`."""
    comment: np.uint64
    """The group of class names of readers' comments, as a bit."""


@entry
def probability(odds):
    """Of log odds, float32. Computed in double precision, so that the last bit does not depend on the machine."""
    out = np.empty(odds.size, np.float32)
    for i in range(odds.size):
        out[i] = 1 / (1 + math.exp(-np.float64(odds[i])))
    return out


@entry
def choose(tree, blocks, chances, threshold):
    """Which blocks of a page to keep, by their probabilities: bool, shape (k,).

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
def settle_comments(blocks, context, comment, wanted, keep):
    """Keep what looks like readers' comments, but for links, where they are `wanted`. Else leave them out, unless they
    are most of what is kept, as in a forum."""
    kept = remarks = 0.0
    for i in range(keep.size):
        row, remark = blocks.measures[i], context.around[blocks.box[i]] & comment != 0
        if wanted:
            keep[i] |= remark and row[b.LINKED_CHARS] < row[b.CHARS] / 2
        elif keep[i]:
            kept += row[b.CHARS]
            remarks += row[b.CHARS] if remark else 0.0
    if not wanted and remarks < kept / 2:
        for i in range(keep.size):
            keep[i] &= context.around[blocks.box[i]] & comment == 0


@entry
def main_content(tree, blocks, model, comments):
    """Which blocks are the main content: bool, shape (k,); with `comments` what looks like those of readers, too."""
    count = blocks.first.size
    if count == 0:
        return np.zeros(0, np.bool_)
    context = c.surroundings(tree, blocks)
    table = f.fill_features(tree, blocks, context, c.alike(tree, context, blocks), model.names)
    keep = choose(tree, blocks, probability(add_up(table, count, model.trees)), THRESHOLD)
    settle_comments(blocks, context, model.comment, comments, keep)
    return keep
