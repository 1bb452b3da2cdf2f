"""Where a block stands in the outline of its page: how near to the headline and to the article, in which section.

Two places of a page meet in the smallest element that holds both. A paragraph of the article meets the headline in
the element of the article, and a teaser beside it in one that holds half the page, whatever either is called. A
section is what stands under a heading up to the next one, whether an element holds it or not.
"""

from __future__ import annotations

import numpy as np

from dataengine.kernels import block_context as c
from dataengine.kernels import blocks as b
from dataengine.kernels import elements as e
from dataengine.kernels.part import part

OUTLINE = 22
"""Features of a block that are filled here."""


@part
def depths(tree, context):
    """How many elements are around each node, wrappers not counted: int32, shape (n,)."""
    depth = np.zeros(tree.tag.size, np.int32)
    for node in range(1, depth.size):
        parent = tree.parent[node]
        depth[node] = depth[parent] + (context.up[node] != context.up[parent])
    return depth


@part
def meetings(tree, place):
    """The smallest element that holds both each node and the node `place`: int32, shape (n,)."""
    found = np.zeros(tree.tag.size, np.int32)
    for node in range(1, found.size):
        found[node] = node if node <= place < tree.last[node] else found[tree.parent[node]]
    return found


@part
def articles(tree):
    """(the outermost ``<article>`` around each node, or 0: int32, shape (n,); which one of them it is, from 1 on)."""
    around, number = np.zeros(tree.tag.size, np.int32), np.zeros(tree.tag.size, np.int32)
    count = 0
    for node in range(1, around.size):
        around[node] = around[tree.parent[node]]
        if tree.tag[node] == e.ARTICLE and around[node] == 0:
            around[node] = node
            count += 1
            number[node] = count
    return around, number, count


@part
def sections(heads):
    """The first block of the section of each block and one more than the last, where `heads` says which blocks are
    headings: int32, shape (k,), twice."""
    first, last = np.zeros(heads.size, np.int32), np.empty(heads.size, np.int32)
    for i in range(1, heads.size):
        first[i] = i if heads[i] else first[i - 1]
    end = heads.size
    for i in range(heads.size - 1, -1, -1):
        last[i] = end
        end = i if heads[i] else end
    return first, last


@part
def fill_outline(tree, blocks, context, heads, headline, best, rows):
    """Fill ``rows[:OUTLINE]``, a row a feature and a column a block.

    `heads`, bool, shape (k,), says which blocks are headings; `headline` is the block that is the page's, or -1, and
    `best` the element that likely holds the article.
    """
    count = blocks.first.size
    all_chars, all_good = max(context.sums[count, c.SUM_CHARS], 1.0), max(context.sums[count, c.SUM_GOOD], 1.0)
    depth = depths(tree, context)
    title = blocks.box[headline] if headline >= 0 else np.int32(0)
    with_title, with_best, with_root = meetings(tree, title), meetings(tree, best), meetings(tree, context.root)
    article, number, number_of_articles = articles(tree)
    most = 0.0
    for node in range(1, article.size):
        if article[node] == node:
            most = max(most, c.inside(context, node, c.SUM_GOOD))
    first, last = sections(heads)
    for i in range(count):
        box = blocks.box[i]
        row = rows[:, i]
        meeting = with_title[box]
        chars = c.inside(context, meeting, c.SUM_CHARS)
        if headline < 0:
            for k in range(5):
                row[k] = -1
        else:
            row[0], row[1] = np.log1p(chars), chars / all_chars
            row[2] = c.inside(context, meeting, c.SUM_LINKED) / max(chars, 1.0)
            row[3], row[4] = depth[box] - depth[meeting], depth[title] - depth[meeting]
        meeting = with_best[box]
        chars = c.inside(context, meeting, c.SUM_CHARS)
        row[5], row[6] = chars / all_chars, depth[best] - depth[meeting]
        row[7] = c.inside(context, meeting, c.SUM_GOOD) / max(chars, 1.0)
        meeting = with_root[box]
        row[8], row[9] = c.inside(context, meeting, c.SUM_CHARS) / all_chars, depth[box] - depth[meeting]
        row[10] = depth[context.root] - depth[meeting]
        own = article[box]
        row[11], row[12] = number_of_articles, number[own]
        row[13] = c.inside(context, own, c.SUM_GOOD) / all_good if own else -1.0
        row[14] = most / all_good if number_of_articles else -1.0
        heading = first[i] if heads[first[i]] else -1
        if heading < 0:
            row[15] = row[16] = row[17] = -1
        else:
            m = blocks.measures[heading]
            row[15], row[16] = m[b.LINKED_CHARS] / max(m[b.CHARS], np.float32(1)), m[b.TITLE_WORDS]
            row[17] = depth[box] - depth[blocks.box[heading]]
        chars = context.sums[last[i], c.SUM_CHARS] - context.sums[first[i], c.SUM_CHARS]
        row[18] = np.log1p(chars)
        row[19] = (context.sums[last[i], c.SUM_LINKED] - context.sums[first[i], c.SUM_LINKED]) / max(chars, 1.0)
        row[20], row[21] = last[i] - first[i], depth[box]
