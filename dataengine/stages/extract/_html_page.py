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
THRESHOLD = 0.5
"""A block at least so likely is kept."""
LOW_SHARE = 0.3
"""Where the kept blocks are less than this share of the text that was expected, the page's own threshold is used."""
RULED_OUT = -3.2
"""Log odds (4 %) below which no more is asked about a block. It is so for seven blocks in ten, and for none that the
rest would have thought likely, on sites that the models had not seen."""
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


Models = tuple[tuple[Trees, np.ndarray], tuple[Trees, np.ndarray]]
"""Trees that split where it is best, and trees that split at random: the mean of their log odds counts. With each, the
places where a block is given up, see `log_odds`."""


@cache
def weights() -> tuple[Models, Models]:
    """The models of both rounds, as `benchmarks.learn_extraction` wrote them."""
    types = (np.int32, np.int16, np.float32, np.int32, np.int32, np.float32)  # the file holds smaller ones

    def model(name: str) -> tuple[Trees, np.ndarray]:
        parts = (file[f"{name}_{part}"].astype(kind) for part, kind in zip(Trees._fields, types, strict=True))
        return Trees(*parts), file[f"{name}_stops"]

    with np.load(WEIGHTS, allow_pickle=False) as file:
        first, second = ((model(f"{number}_best"), model(f"{number}_random")) for number in ("first", "second"))
        return first, second


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
    odds = ask(first, table, np.ones(count, np.bool_))
    block_features.opinions(page.tree, page.blocks, context, probability(odds), table[:, block_features.FIRST:])
    wanted = odds > RULED_OUT
    keep = choose(page, probability(np.where(wanted, (odds + ask(second, table, wanted)) / 2, odds)))
    if comments:
        remarks = context.around[page.blocks.box] & COMMENT_BIT != 0
        keep |= remarks & (page.blocks.measures[:, blocks.LINKED_CHARS] < page.blocks.measures[:, blocks.CHARS] / 2)
    return keep


def ask(models: Models, table: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Log odds of the blocks that are wanted; the second model is asked of those that the first does not rule out."""
    odds = log_odds(table, *models[0], wanted)
    likely = wanted & (odds > RULED_OUT)
    return np.where(likely, (odds + log_odds(table, *models[1], likely)) / 2, odds)


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
