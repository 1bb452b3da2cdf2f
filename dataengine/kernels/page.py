"""From the tree of a page to its blocks."""

from __future__ import annotations

import numpy as np

from dataengine.kernels import elements as e
from dataengine.kernels.blocks import shown_states, split_blocks, title_words
from dataengine.kernels.part import entry, part


@part
def title_place(tree):
    """Where the text of the first ``<title>`` is, as (start, end); (0, 0) where there is none."""
    for node in tree.marked:
        if tree.tag[node] == e.TITLE:
            return np.int64(tree.stop[node]), np.int64(tree.finish[node])
    return np.int64(0), np.int64(0)


@entry
def read_blocks(data, tree, formulas, phrases):
    """(states whose text is not shown, the `Blocks`) of a page; see `blocks.split_blocks`."""
    skipped = shown_states(tree)
    start, stop = title_place(tree)
    return skipped, split_blocks(data, tree, skipped, formulas, title_words(data, start, stop), phrases[0], phrases[1])
