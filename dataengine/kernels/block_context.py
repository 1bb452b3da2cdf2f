"""What surrounds each block of a page: the elements that hold it, their sums, its like on the page.

Blocks are in the order of the page, so those inside an element follow each other: any sum over an element is the
difference of two running sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataengine.kernels import blocks as b
from dataengine.kernels import elements as e
from dataengine.kernels.part import entry, part
from dataengine.kernels.token_arrays import PRIME, SEED

GOOD_CHARS, GOOD_LINKED = 80, 0.3
"""A block of running text: at least so long, and with less than this share of it in links."""

(SUM_CHARS, SUM_LINKED, SUM_GOOD, SUM_STOPS, SUM_PARAGRAPHS, SUM_ITEMS, SUM_HEADINGS, SUM_FIELDS, SUM_IMAGES) = range(9)
SUMS = 9
"""Sums over blocks: characters, those of links, of running text, ends of sentences, characters of ``<p>``, items of
lists, headings, form fields, images."""

PLACES = (e.ARTICLE, e.MAIN, e.NAV, e.ASIDE, e.HEADER, e.FOOTER, e.FORM, e.FIGURE, e.TABLE, e.UL, e.OL, e.DL,
          e.BLOCKQUOTE, e.SECTION, e.BUTTON, e.LABEL, e.A, e.FIGCAPTION, e.SELECT, e.SVG)
"""Elements that a block is told to be inside of, by bits."""


class Context(NamedTuple):
    """Per node of the tree, shape (n,), where not said otherwise."""

    before: np.ndarray
    """int32, shape (n + 1,): how many blocks begin before the node."""
    last: np.ndarray
    """int32: one more than the last node inside, as in the tree."""
    up: np.ndarray
    """int32: the nearest element around that holds more blocks."""
    chain: np.ndarray
    """uint64: phrases of the node and of all elements around it that hold the same blocks."""
    around: np.ndarray
    """uint64: phrases of all elements around, and of the node."""
    places: np.ndarray
    """uint32: bits of `PLACES` it is in or is."""
    sums: np.ndarray
    """float64, shape (k + 1, SUMS): running sums over blocks."""
    root: int
    """The element in which most running text is, by the commas and lengths of its paragraphs."""
    scores: np.ndarray
    """float32: how much running text is directly inside, as `root` counts it."""


@part
def is_good(row):
    return row[b.CHARS] >= GOOD_CHARS and row[b.LINKED_CHARS] < GOOD_LINKED * row[b.CHARS]


@part
def inside(context, node, column):
    """A sum over the blocks inside a node."""
    return context.sums[context.before[context.last[node]], column] - context.sums[context.before[node], column]


@part
def running_sums(tree, blocks):
    measures = blocks.measures
    k = measures.shape[0]
    sums = np.zeros((k + 1, SUMS))
    for i in range(k):
        row = measures[i]
        for column in range(SUMS):
            sums[i + 1, column] = sums[i, column]
        sums[i + 1, SUM_CHARS] += row[b.CHARS]
        sums[i + 1, SUM_LINKED] += row[b.LINKED_CHARS]
        sums[i + 1, SUM_STOPS] += row[b.STOPS]
        number = tree.tag[blocks.box[i]]
        if number == e.P:
            sums[i + 1, SUM_PARAGRAPHS] += row[b.CHARS]
        sums[i + 1, SUM_ITEMS] += number == e.LI
        sums[i + 1, SUM_HEADINGS] += e.H1 <= number <= e.H6
        sums[i + 1, SUM_FIELDS] += row[b.FIELDS]
        sums[i + 1, SUM_IMAGES] += row[b.IMAGES]
        if is_good(row):
            sums[i + 1, SUM_GOOD] += row[b.CHARS]
    return sums


@entry
def surroundings(tree, blocks):
    """The `Context` of a page with at least one block."""
    nodes = tree.tag.size
    count = blocks.first.size
    before = np.empty(nodes + 1, np.int32)
    i = 0
    for node in range(nodes):
        while i < count and blocks.first[i] < node:
            i += 1
        before[node] = i
    before[nodes] = count
    place_of = np.zeros(256, np.uint32)
    for bit in range(len(PLACES)):
        place_of[PLACES[bit]] = np.uint32(1) << np.uint32(bit)
    up, places = np.zeros(nodes, np.int32), np.zeros(nodes, np.uint32)
    chain, around = tree.phrases.copy(), tree.phrases.copy()
    for node in range(1, nodes):
        parent = tree.parent[node]
        around[node] |= around[parent]
        places[node] = places[parent] | place_of[tree.tag[node]]
        if before[node] == before[parent] and before[tree.last[node]] == before[tree.last[parent]]:
            up[node] = up[parent]
            chain[node] |= chain[parent]
        else:
            up[node] = parent
    scores = np.zeros(nodes, np.float32)
    for i in range(count):
        row = blocks.measures[i]
        if is_good(row):
            worth = np.float32(1 + row[b.COMMAS] + min(row[b.CHARS] / 100, 3))
            node = up[blocks.box[i]]
            scores[node] += worth
            scores[up[node]] += worth / 2
            scores[up[up[node]]] += worth / 6
    root = 0
    sums = running_sums(tree, blocks)
    for node in range(nodes):
        if scores[node] > 0:
            first, behind = before[node], before[tree.last[node]]
            chars = sums[behind, SUM_CHARS] - sums[first, SUM_CHARS]
            scores[node] *= 1 - (sums[behind, SUM_LINKED] - sums[first, SUM_LINKED]) / max(chars, 1)
            if scores[node] > scores[root]:
                root = node
    return Context(before, tree.last, up, chain, around, places, sums, root, scores)


@part
def groups(keys):
    """A number for each key (uint64) such that equal keys share one: int32, the place of the first."""
    size = 16
    while size < 2 * keys.size:
        size *= 2
    slots = np.full(size, -1, np.int32)
    of = np.empty(keys.size, np.int32)
    for i in range(keys.size):
        place = np.int64((keys[i] ^ keys[i] >> np.uint64(32)) & np.uint64(size - 1))
        while slots[place] >= 0 and keys[slots[place]] != keys[i]:
            place = (place + 1) & (size - 1)
        if slots[place] < 0:
            slots[place] = i
        of[i] = slots[place]
    return of


@part
def alike(tree, context, blocks):
    """Blocks of one kind, by the looks of the element they are in and of the two around it: int32, see `groups`."""
    keys = np.empty(blocks.box.size, np.uint64)
    for i in range(keys.size):
        box = blocks.box[i]
        above = tree.box[tree.parent[box]]
        key = (SEED ^ np.uint64(tree.look[box])) * PRIME
        key = (key ^ np.uint64(tree.look[above])) * PRIME
        keys[i] = (key ^ np.uint64(tree.look[tree.box[tree.parent[above]]])) * PRIME
    return groups(keys)


@part
def siblings(tree, nodes):
    """For each of these nodes (ascending but for repeats), how many of them have the same parent and looks."""
    keys = np.empty(nodes.size, np.uint64)
    for i in range(nodes.size):
        node = nodes[i]
        keys[i] = ((SEED ^ np.uint64(tree.parent[node])) * PRIME ^ np.uint64(tree.look[node])) * PRIME
    of = groups(keys)
    count = np.zeros(nodes.size, np.int32)
    for i in range(nodes.size):
        if i == 0 or nodes[i] != nodes[i - 1]:
            count[of[i]] += 1
    for i in range(nodes.size):
        count[i] = count[of[i]]
    return count
