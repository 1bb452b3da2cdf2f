"""The element that most likely holds the article, by the rule of thumb that readers' modes of browsers use.

Paragraphs give points, for their length and commas, to the elements around them, the nearest most; class names and
tags add to them, links take away. The best element wins, and takes those of its siblings with it that are good too
(the idea is that of Arc90's Readability, 2009). Here it decides nothing: it is one more thing a model is told.
"""

from __future__ import annotations

import numpy as np

from dataengine.kernels import block_context as c
from dataengine.kernels import blocks as b
from dataengine.kernels import elements as e
from dataengine.kernels.part import part

UNLIKELY, PERHAPS, GOOD_NAMES, BAD_NAMES = range(4)
"""Groups of class names, as bits: clutter; what may be content in spite of that; names that add points; that cost."""
LEAST_CHARS, HEIGHT, NAME_POINTS = 25, 5, 25
NO_ARTICLE, BESIDE, WITHIN = range(3)


@part
def unlikely_nodes(tree, names):
    """bool, shape (n,): inside an element that is named like clutter."""
    found = np.zeros(tree.tag.size, np.bool_)
    for node in range(1, found.size):
        phrases = tree.phrases[node]
        own = phrases & names[UNLIKELY] != 0 and phrases & names[PERHAPS] == 0 and tree.tag[node] != e.BODY
        found[node] = found[tree.parent[node]] or (own and tree.tag[node] != e.A)
    return found


@part
def first_points(tree, node, names):
    """What an element has before any paragraph."""
    number = tree.tag[node]
    points = np.float32(0)
    if number == e.PRE or number == e.TD or number == e.BLOCKQUOTE:
        points = np.float32(3)
    elif number == e.LI or number == e.UL or number == e.OL or number == e.DL or number == e.FORM:
        points = np.float32(-3)
    elif e.H1 <= number <= e.H6 or number == e.TH:
        points = np.float32(-5)
    if tree.phrases[node] & names[BAD_NAMES]:
        points -= NAME_POINTS
    if tree.phrases[node] & names[GOOD_NAMES]:
        points += NAME_POINTS
    return points


@part
def points_of(tree, blocks, context, unlikely, names):
    """Points of every element: float32, shape (n,)."""
    points, touched = np.zeros(tree.tag.size, np.float32), np.zeros(tree.tag.size, np.bool_)
    for i in range(blocks.first.size):
        row = blocks.measures[i]
        if row[b.CHARS] < LEAST_CHARS or unlikely[blocks.first[i]]:
            continue
        worth = np.float32(1 + row[b.COMMAS] + min(row[b.CHARS] / 100, 3))
        node = blocks.box[i]
        if tree.tag[node] == e.P or tree.tag[node] == e.PRE or e.H1 <= tree.tag[node] <= e.H6:
            node = tree.box[tree.parent[node]]
        for height in range(HEIGHT):
            if node == 0:
                break
            if not touched[node]:
                touched[node] = True
                points[node] = first_points(tree, node, names)
            points[node] += worth / (1 if height == 0 else 2 if height == 1 else 3 * height)
            node = tree.box[tree.parent[node]]
    for node in range(points.size):
        if touched[node]:
            chars = c.inside(context, node, c.SUM_CHARS)
            points[node] *= 1 - c.inside(context, node, c.SUM_LINKED) / max(chars, 1.0)
    return points


@part
def best_element(tree, points):
    """The element with most points, or one around it that has more than a third of what is inside it at each step."""
    best = 0
    for node in range(points.size):
        if points[node] > points[best]:
            best = node
    last, least = points[best], points[best] / 3
    node = tree.box[tree.parent[best]]
    for _ in range(10):
        if node == 0 or points[node] < least:
            break
        if points[node] > last:
            return node
        last = points[node]
        node = tree.box[tree.parent[node]]
    return best


@part
def article(tree, context, points, best):
    """NO_ARTICLE, BESIDE or WITHIN for each block: uint8, shape (k,)."""
    found = np.zeros(context.sums.shape[0] - 1, np.uint8)
    around = tree.parent[best]
    least = max(np.float32(10), points[best] / 5)
    node = around + 1
    while node < tree.last[around]:
        chars = c.inside(context, node, c.SUM_CHARS)
        density = c.inside(context, node, c.SUM_LINKED) / max(chars, 1.0)
        bonus = points[best] / 5 if tree.look[node] == tree.look[best] else np.float32(0)
        good = points[node] + bonus >= least or (tree.tag[node] == e.P and (
            (chars > 80 and density < 0.25)
            or (chars > 0 and density == 0 and c.inside(context, node, c.SUM_STOPS) > 0)))
        if node == best or good:
            for i in range(context.before[node], context.before[tree.last[node]]):
                found[i] = WITHIN if node == best else BESIDE
        node = tree.last[node]
    return found
