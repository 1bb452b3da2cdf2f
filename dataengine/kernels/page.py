"""From the tree of a page to its text, in one call: blocks, which of them are the main content, and what they say."""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels import elements as e
from dataengine.kernels.blocks import shown_states, split_blocks, title_words
from dataengine.kernels.main_content import main_content
from dataengine.kernels.page_text import write_blocks
from dataengine.kernels.part import part

MAX_BLOCKS = 50_000
"""Blocks of text of a page that the model looks at, which takes 2 µs and 1.7 kB each. Of longer pages, such as tables
of 60,000 rows, all visible text is kept; the longest of 646 real pages had 2,734."""


@part
def title_place(tree):
    """Where the text of the first ``<title>`` is, as (start, end); (0, 0) where there is none."""
    for node in tree.marked:
        if tree.tag[node] == e.TITLE:
            return np.int64(tree.stop[node]), np.int64(tree.finish[node])
    return np.int64(0), np.int64(0)


@njit(cache=True, nogil=True)
def read_blocks(data, tree, formulas, phrases):
    """(states whose text is not shown, the `Blocks`) of a page; see `blocks.split_blocks`."""
    skipped = shown_states(tree)
    start, stop = title_place(tree)
    return skipped, split_blocks(data, tree, skipped, formulas, title_words(data, start, stop), phrases[0], phrases[1])


@njit(cache=True, nogil=True)
def page_text(data, tree, formulas, phrases, model, entities, style, chosen, comments):
    """(text of a page in UTF-8 as uint8, whether its blocks were chosen).

    `formulas` are the nodes of formulas, where each ends in its text, and that text; `phrases` an automaton of phrases
    in texts; `style` as for `page_text.write_blocks`. Where not `chosen`, and of a page with more than `MAX_BLOCKS`
    blocks, all visible text is kept; `comments` says whether to keep what looks like comments of readers.
    """
    nodes, ends, latex = formulas
    skipped, blocks = read_blocks(data, tree, nodes, phrases)
    chosen = chosen and blocks.first.size <= MAX_BLOCKS
    keep = main_content(tree, blocks, model, comments) if chosen else np.ones(blocks.first.size, np.bool_)
    return write_blocks(data, tree, blocks, keep, skipped, nodes, ends, latex, style, entities), chosen
