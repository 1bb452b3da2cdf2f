"""One page of HTML: its tree, its blocks, which of them are the main content, and the text that they make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dataengine.kernels import block_context, block_features, blocks, page_text, tree
from dataengine.kernels.boosted_trees import Trees, log_odds
from dataengine.kernels.elements import TITLE, element_table
from dataengine.kernels.entities import entity_table
from dataengine.kernels.even_out import even_out
from dataengine.stages.extract._html_formulas import Formulas, find_formulas
from dataengine.stages.extract._html_words import ATTRIBUTE_GROUPS, attribute_automaton, candidate_names, text_automaton

if TYPE_CHECKING:
    from dataengine.kernels.blocks import Blocks
    from dataengine.kernels.tree import Tree

WEIGHTS = Path(__file__).with_name("_html_weights.npz")
THRESHOLD = 0.55
"""A block at least so likely is kept. On sites that the model has not seen this gives .002 more F1 than .5 on the
article-extraction-benchmark, as much on readability's pages, and .002 less on trafilatura's (5-fold, 646 pages)."""
LOW_SHARE = 0.3
"""Where the kept blocks are less than this share of the text that was expected, the page's own threshold is used."""
COMMENT_BIT = np.uint64(1) << np.uint64(list(ATTRIBUTE_GROUPS).index("comment"))


@dataclass(frozen=True)
class Page:
    """A page as the kernels see it."""

    content: np.ndarray
    """uint8: the page in UTF-8."""
    tree: Tree
    formulas: Formulas
    skipped: np.uint16
    """States of nodes that are not shown."""
    blocks: Blocks


@cache
def weights() -> tuple[Trees, Trees]:
    """The trees of both rounds, as `benchmarks.learn_extraction` wrote them."""
    with np.load(WEIGHTS, allow_pickle=False) as file:
        first, second = (Trees(*(file[f"{number}_{part}"] for part in Trees._fields)) for number in ("first", "second"))
    return tuple(trees._replace(value=trees.value.astype(np.float32)) for trees in (first, second))


def read(content: bytes) -> Page:
    """Parse a page in UTF-8."""
    data = np.frombuffer(content, np.uint8)
    parsed = tree.parse(data, *element_table(), *attribute_automaton())
    formulas = find_formulas(content, parsed)
    skipped = blocks.shown_states(parsed)
    title = blocks.title_words(data, *title_place(parsed))
    split = blocks.split_blocks(data, parsed, skipped, formulas.nodes, title, *text_automaton())
    return Page(data, parsed, formulas, skipped, split)


def title_place(parsed: Tree) -> tuple[int, int]:
    """Where the text of the first ``<title>`` is, as (start, end); (0, 0) where there is none."""
    for node in parsed.marked:
        if parsed.tag[node] == TITLE:
            return int(parsed.stop[node]), int(parsed.finish[node])
    return 0, 0


def features(page: Page) -> tuple[block_context.Context, np.ndarray]:
    """What the model is told of each block; the columns of the second round are still 0."""
    context = block_context.surroundings(page.tree, page.blocks)
    return context, block_features.features(page.tree, page.blocks, context, candidate_names())


def main_content(page: Page, comments: bool) -> np.ndarray:
    """Which blocks are the main content: bool, shape (blocks,)."""
    count = page.blocks.first.size
    if count == 0:
        return np.zeros(0, np.bool_)
    first, second = weights()
    context, table = features(page)
    before = log_odds(table, first)
    block_features.opinions(page.tree, page.blocks, context, probability(before), table)
    keep = choose(page, probability((before + log_odds(table, second)) / 2))
    if comments:
        remarks = context.around[page.blocks.box] & COMMENT_BIT != 0
        keep |= remarks & (page.blocks.measures[:, blocks.LINKED_CHARS] < page.blocks.measures[:, blocks.CHARS] / 2)
    return keep


def probability(odds: np.ndarray) -> np.ndarray:
    """Of log odds, float32."""
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


def choose(page: Page, chances: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Which blocks of a page to keep, by their probabilities: the mean of both rounds.

    Where none is likely, as on pages unlike those that the model has seen, the best guess is the threshold that gives
    the greatest F1 to be expected if the probabilities are right: half of that F1.
    """
    chances = even_out(page.tree, page.blocks, chances)
    weight = page.blocks.measures[:, blocks.CHARS] + 20.0
    keep = chances > threshold
    expected = float((weight * chances).sum())
    if float(weight[keep].sum()) >= LOW_SHARE * expected:
        return keep
    order = np.argsort(-chances, kind="stable")
    hits, sizes = np.cumsum((weight * chances)[order]), np.cumsum(weight[order])
    best = (2 * hits / (sizes + expected)).max()
    return chances >= best / 2


def text(page: Page, keep: np.ndarray, style: int) -> str:
    """The text of the blocks that are kept; `style` as in `kernels.page_text`."""
    written = page_text.write_blocks(
        page.content, page.tree, page.blocks, keep, page.skipped, page.formulas.nodes, page.formulas.ends,
        page.formulas.latex, np.int64(style), entity_table())
    return written.tobytes().decode("utf-8", "replace")
