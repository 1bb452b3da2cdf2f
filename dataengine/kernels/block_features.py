"""A block of a page as a row of numbers, for a model that tells the main content from the rest.

What the block is (`own`), its neighbours (`near`), the elements around it (`levels`), words of class names and of text
(`spread`), and where it is on the page (`on_page`, and `outline`).

A table of features has a row a feature and a column a block, so that what looks at one feature of many blocks reads
memory from end to end; parts that describe one block write into a column of it. Filling it takes 0.4 µs a block.
"""

from __future__ import annotations

import numpy as np

from dataengine.kernels import block_context as c
from dataengine.kernels import blocks as b
from dataengine.kernels import elements as e
from dataengine.kernels import reading_mode as a
from dataengine.kernels import tree as t
from dataengine.kernels.boosted_trees import room_for
from dataengine.kernels.outline import OUTLINE, fill_outline
from dataengine.kernels.part import bare, entry, part

ATTRIBUTE_GROUPS, TEXT_GROUPS = 48, 20
"""Bits of phrases that features are made of."""
LEVELS = 5
"""Elements around a block that are looked at, wrappers not counted."""
NEIGHBOURS = (-3, -2, -1, 1, 2, 3)
OWN, NEAR, LEVEL, PAGE = 24, 7, 15, 34
FEATURES = OWN + NEAR * 6 + LEVEL * LEVELS + PAGE + OUTLINE + 3 * ATTRIBUTE_GROUPS + 2 * TEXT_GROUPS + len(c.PLACES)
"""Features of a block."""
LOGS = np.log1p(np.arange(4096, dtype=np.float64)).astype(np.float32)
"""Logarithms of whole numbers, which most are taken of."""


@part
def log(value):
    """The logarithm of 1 + `value`: float32."""
    whole = np.int64(value)
    if 0 <= whole < LOGS.size and whole == value:
        return LOGS[np.uint64(whole)]
    return np.log1p(np.float32(value))


@bare
def heading_level(tree, box):
    number = np.int64(tree.tag[box])
    return number - e.H1 + 1 if e.H1 <= number <= e.H6 else 0


@bare
def linked(row):
    return row[b.LINKED_CHARS] / max(row[b.CHARS], np.float32(1))


@bare
def own(tree, blocks, i, row):
    """Fill ``row[:OWN]`` with what block i is by itself."""
    m = blocks.measures[i]
    box = blocks.box[i]
    chars, words = max(m[b.CHARS], np.float32(1)), max(m[b.WORDS], np.float32(1))
    row[0], row[1], row[2], row[3] = log(m[b.CHARS]), log(m[b.WORDS]), linked(m), m[b.LINKS]
    row[4], row[5], row[6], row[7] = chars / words, m[b.BOLD_CHARS] / chars, m[b.DIGITS] / chars, m[b.CAPITALS] / chars
    row[8], row[9], row[10], row[11] = m[b.COMMAS] / words, log(m[b.STOPS]), m[b.STOPS] / words, m[b.SIGNS]
    row[12], row[13], row[14], row[15] = m[b.BREAKS], m[b.IMAGES], m[b.FIELDS], m[b.CODE_CHARS] / chars
    row[16], row[17], row[18] = m[b.RAISED_CHARS] / chars, m[b.TITLE_WORDS] / words, m[b.TITLE_WORDS]
    row[19], row[20], row[21], row[22] = m[b.CAPITAL_FIRST], m[b.LAST], tree.tag[box], heading_level(tree, box)
    state = tree.state[blocks.first[i]]
    row[23] = (state & t.ARIA != 0) + 2 * (state & t.HIDDEN != 0)


@bare
def near(tree, blocks, step, out, rows):
    """Fill ``rows[:NEAR]`` with what the neighbour `step` blocks on is, of every block; -1 where there is none."""
    count = blocks.first.size
    first, last = max(0, -step), min(count, count - step)
    for k in range(NEAR):
        for i in range(min(first, count)):
            rows[k, i] = -1
        for i in range(max(last, 0), count):
            rows[k, i] = -1
    for k, of in ((0, 0), (1, 2), (2, 21), (3, 20), (6, 10)):  # length, links, tag, last sign, stops: as in `own`
        source, row = out[of], rows[k]
        for i in range(first, last):
            row[i] = source[i + step]
    for i in range(first, last):
        box, other = blocks.box[i], blocks.box[i + step]
        rows[4, i] = tree.parent[other] == tree.parent[box]
        rows[5, i] = tree.look[other] == tree.look[box]


@bare
def level(tree, context, node, row):
    """Fill ``row[:LEVEL]`` with what an element around a block holds, but for the place of the block in it."""
    first, last = context.before[node], context.before[tree.last[node]]
    start, stop, whole = context.sums[first], context.sums[last], context.sums[context.sums.shape[0] - 1]
    count = np.float32(last - first)
    chars, good = stop[c.SUM_CHARS] - start[c.SUM_CHARS], stop[c.SUM_GOOD] - start[c.SUM_GOOD]
    some_chars, some = max(chars, 1.0), max(count, np.float32(1))
    row[0], row[1], row[2] = log(chars), (stop[c.SUM_LINKED] - start[c.SUM_LINKED]) / some_chars, log(count)
    row[3], row[4] = chars / max(whole[c.SUM_CHARS], 1.0), good / some_chars
    row[5] = log(chars / some)
    row[7] = good / max(whole[c.SUM_GOOD], 1.0)
    row[8] = (stop[c.SUM_STOPS] - start[c.SUM_STOPS]) / some_chars * 100
    row[9] = context.scores[node] / max(context.scores[context.root], np.float32(1))
    row[10] = (stop[c.SUM_PARAGRAPHS] - start[c.SUM_PARAGRAPHS]) / some_chars
    row[11], row[12] = (stop[c.SUM_ITEMS] - start[c.SUM_ITEMS]) / some, (
        stop[c.SUM_HEADINGS] - start[c.SUM_HEADINGS]) / some
    row[13], row[14] = log(stop[c.SUM_FIELDS] - start[c.SUM_FIELDS]), log(stop[c.SUM_IMAGES] - start[c.SUM_IMAGES])


@bare
def levels(tree, context, nodes, rows):
    """Fill ``rows[:LEVEL]`` with what the element `nodes` of each block holds; neighbours often share it."""
    for i in range(nodes.size):
        node = nodes[i]
        if i > 0 and node == nodes[i - 1]:
            for k in range(LEVEL):
                rows[k, i] = rows[k, i - 1]
        else:
            level(tree, context, node, rows[:, i])
        first, last = context.before[node], context.before[tree.last[node]]
        rows[6, i] = (i - first) / max(np.float32(last - first), 1)


@bare
def spread(words, bits, rows):
    """Fill a row for each of the lowest bits of `words`, uint64, a word a block: 1 where it is set."""
    for bit in range(bits):
        row, shift = rows[bit], np.uint64(bit)
        for i in range(words.size):
            row[i] = np.int32(words[i] >> shift & np.uint64(1))


@bare
def heading_of_page(tree, blocks):
    """The block that is most likely the headline: the heading with most words of the title, or the first ``<h1>``."""
    best, most = -1, np.float32(0)
    for i in range(blocks.first.size):
        place = heading_level(tree, blocks.box[i])
        if place:
            m = blocks.measures[i]
            worth = m[b.TITLE_WORDS] / (3 + m[b.WORDS]) + (0.2 if place == 1 else 0.0)
            if worth > most:
                best, most = i, np.float32(worth)
    return best


@part
def text_words(blocks, tree):
    """The phrases of the last heading before each block: uint64; none before the first."""
    found, last = np.zeros(blocks.first.size, np.uint64), np.uint64(0)
    for i in range(found.size):
        found[i] = last
        if heading_level(tree, blocks.box[i]):
            last = blocks.phrases[i]
    return found


@part
def fill_features(tree, blocks, context, kind, names):
    """Features of every block: float32, shape (FEATURES, room for k)."""
    count = blocks.first.size
    out = np.empty((FEATURES, room_for(count)), np.float32)
    for i in range(count):
        own(tree, blocks, i, out[:, i])
    j = OWN
    for step in NEIGHBOURS:
        near(tree, blocks, step, out, out[j:])
        j += NEAR
    nodes, nearby = blocks.box.copy(), np.zeros(count, np.uint64)
    for height in range(LEVELS):
        levels(tree, context, nodes, out[j:])
        j += LEVEL
        for i in range(count):
            nodes[i] = context.up[nodes[i]]
            if height < 2:
                nearby[i] |= context.chain[nodes[i]]
    words = np.empty(count, np.uint64)
    for i in range(count):
        words[i] = context.chain[blocks.box[i]]
    spread(words, ATTRIBUTE_GROUPS, out[j:])
    j += ATTRIBUTE_GROUPS
    spread(nearby, ATTRIBUTE_GROUPS, out[j:])
    j += ATTRIBUTE_GROUPS
    for i in range(count):
        words[i] = context.around[blocks.box[i]]
    spread(words, ATTRIBUTE_GROUPS, out[j:])
    j += ATTRIBUTE_GROUPS
    spread(blocks.phrases, TEXT_GROUPS, out[j:])
    j += TEXT_GROUPS
    spread(text_words(blocks, tree), TEXT_GROUPS, out[j:])
    j += TEXT_GROUPS
    for i in range(count):
        words[i] = context.places[blocks.first[i]]
    spread(words, len(c.PLACES), out[j:])
    on_page(tree, blocks, context, kind, names, out[j + len(c.PLACES):])
    return out


@part
def on_page(tree, blocks, context, kind, names, rows):
    """Fill ``rows[:PAGE + OUTLINE]`` with where each block is on the page, and how many like it there are."""
    count = blocks.first.size
    members, member_chars, member_linked, member_stops = (
        np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.float32),
        np.zeros(count, np.float32))
    first_good, last_good = -1, -1
    for i in range(count):
        m = blocks.measures[i]
        k = kind[i]
        members[k] += 1
        member_chars[k] += m[b.CHARS]
        member_linked[k] += m[b.LINKED_CHARS]
        member_stops[k] += m[b.STOPS]
        if c.is_good(m):
            first_good = i if first_good < 0 else first_good
            last_good = i
    same = c.groups(blocks.content)
    copies = np.zeros(count, np.int32)
    for i in range(count):
        copies[same[i]] += 1
    boxes, above, top = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    for i in range(count):
        boxes[i] = blocks.box[i]
        above[i] = context.up[boxes[i]]
        top[i] = context.up[above[i]]
    box_siblings, above_siblings, top_siblings = (
        c.siblings(tree, boxes), c.siblings(tree, above), c.siblings(tree, top))
    headline = heading_of_page(tree, blocks)
    unlikely = a.unlikely_nodes(tree, names)
    points = a.points_of(tree, blocks, context, unlikely, names)
    best = a.best_element(tree, points)
    article = a.article(tree, context, points, best)
    member_article = np.zeros(count, np.float32)
    for i in range(count):
        member_article[kind[i]] += article[i] > 0
    best_first, best_last = context.before[best], context.before[tree.last[best]]
    root_first, root_last = context.before[context.root], context.before[tree.last[context.root]]
    chars, good = max(context.sums[count, c.SUM_CHARS], 1.0), context.sums[count, c.SUM_GOOD]
    log_count, log_chars, log_good = log(count), log(chars), log(good)
    log_best = log(max(points[best], np.float32(0)))
    heading, heads = -1, np.zeros(count, np.bool_)
    for i in range(count):
        page = rows[:, i]
        m = blocks.measures[i]
        box = blocks.box[i]
        k = kind[i]
        page[0], page[1] = np.float32(i) / count, np.float32(context.sums[i, c.SUM_CHARS] / chars)
        page[2], page[3] = log_count, log_chars
        page[4], page[5] = context.sums[count, c.SUM_LINKED] / chars, good / chars
        page[6], page[7] = log(members[k]), log(member_chars[k] / members[k])
        page[8], page[9] = member_linked[k] / max(member_chars[k], 1), member_stops[k] / members[k]
        page[10], page[11], page[12] = log(box_siblings[i]), log(above_siblings[i]), log(top_siblings[i])
        page[13] = copies[same[i]]
        page[14] = 0 if root_first <= i < root_last else (-log(root_first - i) if i < root_first
                                                          else log(i + 1 - root_last))
        page[15] = (root_last - root_first) / count
        page[16] = 0.0 if headline < 0 else np.sign(i - headline) * log(abs(i - headline))
        page[17] = np.float32(-1) if headline < 0 else (
            np.float32((context.sums[i, c.SUM_CHARS] - context.sums[headline, c.SUM_CHARS]) / chars))
        page[18] = -50 if first_good < 0 else i - first_good
        page[19] = -50 if last_good < 0 else i - last_good
        page[20] = min(i - heading, 50) if heading >= 0 else -1
        page[21] = heading_level(tree, blocks.box[heading]) if heading >= 0 else 0
        page[22] = log(tree.start[blocks.first[i]] - (tree.stop[blocks.last[i - 1] - 1] if i > 0 else 0))
        page[23] = log(tree.start[blocks.first[i + 1]] - tree.stop[blocks.last[i] - 1]) if i + 1 < count else -1.0
        page[24] = tree.start[blocks.first[i]] / tree.finish[0]
        page[25] = log(m[b.CHARS]) - log_good
        page[26], page[27] = article[i], unlikely[blocks.first[i]]
        page[28] = 0 if best_first <= i < best_last else (-log(best_first - i) if i < best_first
                                                          else log(i + 1 - best_last))
        page[29] = c.inside(context, best, c.SUM_CHARS) / chars
        page[30] = max(points[above[i]], max(points[box], points[tree.box[tree.parent[box]]])) / max(
            points[best], np.float32(1))
        page[31] = log_best
        page[32], page[33] = member_article[k] / members[k], (i - best_first) / max(best_last - best_first, 1)
        heads[i] = heading_level(tree, box) > 0
        if heads[i]:
            heading = i
    fill_outline(tree, blocks, context, heads, headline, best, rows[PAGE:])


@entry
def features(tree, blocks, context, names):
    """Features of every block: float32, shape (FEATURES, room for k blocks), see `boosted_trees.room_for`.

    `names` is uint64, shape (4,): groups of class names, see `reading_mode.UNLIKELY`.
    """
    return fill_features(tree, blocks, context, c.alike(tree, context, blocks), names)
