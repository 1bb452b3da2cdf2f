"""Blocks of one table or list, neighbours, and code with the text around it belong together.

What is thought of one is thought a little of all; and preformatted text, or a formula on a line of its own, is as
likely as the likelier of the texts before and behind it: hardly any page has code or mathematics that is not content,
and a model that looks for prose doubts it.
"""

from __future__ import annotations

import numpy as np

from dataengine.kernels import blocks as b
from dataengine.kernels import elements as e
from dataengine.kernels import tree as t
from dataengine.kernels.part import entry, part

TABLE_SHARE, LIST_SHARE = 0.8, 0.5
"""How far the probability of a block gives way to the mean of its table, or its list..."""
NEIGHBOUR_SHARE, REACH = 0.15, 2
"""...and then to the mean of the blocks around it."""


@part
def is_code(tree, blocks, i):
    """Whether block i is preformatted, or for the most part a formula."""
    row = blocks.measures[i]
    return tree.state[blocks.first[i]] & t.PREFORMATTED != 0 or 2 * row[b.FORMULA_CHARS] >= row[b.CHARS]


@part
def carry_to_code(tree, blocks, chances):
    """Raise `chances` of blocks of code and formulas to those of the nearest other blocks."""
    before = np.float32(0)
    for i in range(chances.size):
        if is_code(tree, blocks, i):
            chances[i] = max(chances[i], before)
        else:
            before = chances[i]
    behind = np.float32(0)
    for i in range(chances.size - 1, -1, -1):
        if is_code(tree, blocks, i):
            chances[i] = max(chances[i], behind)
        else:
            behind = chances[i]


@entry
def even_out(tree, blocks, chances):
    """`chances`, float32, shape (blocks,), drawn towards their means."""
    nodes = tree.tag.size
    holder = np.zeros(nodes, np.int32)
    for node in range(1, nodes):
        number = tree.tag[node]
        holds = number == e.TABLE or number == e.UL or number == e.OL or number == e.DL
        holder[node] = node if holds else holder[tree.parent[node]]
    weight, weighed = np.zeros(nodes, np.float32), np.zeros(nodes, np.float32)
    for i in range(chances.size):
        around = holder[blocks.box[i]]
        chars = blocks.measures[i, b.CHARS] + 10
        weight[around] += chars
        weighed[around] += chars * chances[i]
    joint = chances.copy()
    for i in range(chances.size):
        around = holder[blocks.box[i]]
        if around:
            share = np.float32(TABLE_SHARE if tree.tag[around] == e.TABLE else LIST_SHARE)
            joint[i] += share * (weighed[around] / weight[around] - joint[i])
    carry_to_code(tree, blocks, joint)
    out = joint.copy()
    for i in range(chances.size):
        heavy = total = np.float32(0)
        for other in range(max(0, i - REACH), min(chances.size, i + REACH + 1)):
            chars = blocks.measures[other, b.CHARS] + 10
            heavy += chars * joint[other]
            total += chars
        out[i] += np.float32(NEIGHBOUR_SHARE) * (heavy / total - joint[i])
    return out
