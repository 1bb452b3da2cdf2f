"""One page of HTML: its tree, its blocks, which of them are the main content, and the text that they make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dataengine.kernels import block_context, block_features, main_content, page, page_text, tree
from dataengine.kernels.boosted_trees import Trees, ranked
from dataengine.kernels.elements import element_table
from dataengine.kernels.entities import entity_table
from dataengine.kernels.main_content import THRESHOLD
from dataengine.stages.extract._html_formulas import Formulas, find_formulas
from dataengine.stages.extract._html_words import ATTRIBUTE_GROUPS, attribute_automaton, candidate_names, text_automaton

if TYPE_CHECKING:
    from dataengine.kernels.blocks import Blocks
    from dataengine.kernels.tree import Tree

WEIGHTS = Path(__file__).with_name("_html_weights.npz")
MAX_BLOCKS = 50_000
"""Blocks of text of a page that the model looks at, which takes 2 µs and 1.7 kB each. Of longer pages, such as tables
of 60,000 rows, all visible text is kept; the longest of 646 real pages had 2,734."""
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
def weights() -> Trees:
    """The trees, as `benchmarks.learn_extraction` wrote them."""
    with np.load(WEIGHTS, allow_pickle=False) as file:
        trees = Trees(*(file[part] for part in Trees._fields))
    return trees._replace(value=trees.value.astype(np.float32))


def parse(content: bytes) -> Tree:
    """The tree of a page in UTF-8."""
    return tree.parse(np.frombuffer(content, np.uint8), *element_table(), *attribute_automaton())


def read(content: bytes) -> Page:
    """A page in UTF-8, parsed and cut into blocks."""
    data, parsed = np.frombuffer(content, np.uint8), parse(content)
    formulas = find_formulas(content, parsed)
    skipped, split = page.read_blocks(data, parsed, formulas.nodes, text_automaton())
    return Page(data, parsed, formulas, skipped, split)


@cache
def model() -> main_content.Model:
    """What pages are judged by."""
    return main_content.Model(ranked(weights()), candidate_names(), COMMENT_BIT)


def features(of: Page) -> tuple[block_context.Context, np.ndarray]:
    """What the model is told of each block: float32, shape (blocks, features)."""
    context = block_context.surroundings(of.tree, of.blocks)
    table = block_features.features(of.tree, of.blocks, context, candidate_names())
    return context, table[:, :of.blocks.first.size].T


def probability(odds: np.ndarray) -> np.ndarray:
    """Of log odds, float32."""
    return main_content.probability(odds)


def choose(of: Page, chances: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Which blocks of a page to keep: bool, shape (blocks,)."""
    return main_content.choose(of.tree, of.blocks, chances, threshold)


def extract(content: bytes, parsed: Tree, style: int, chosen: bool, comments: bool) -> tuple[np.ndarray, bool]:
    """(text of a page that was parsed, uint8, UTF-8; whether its blocks were chosen).

    `style` as for `page_text.write_blocks`. Where not `chosen`, and of a page with more than `MAX_BLOCKS` blocks, all
    visible text is kept; `comments` says whether to keep what looks like comments of readers.
    """
    data, formulas = np.frombuffer(content, np.uint8), find_formulas(content, parsed)
    skipped, split = page.read_blocks(data, parsed, formulas.nodes, text_automaton())
    count = split.first.size
    chosen = chosen and count <= MAX_BLOCKS
    keep = main_content.main_content(parsed, split, model(), comments) if chosen else np.ones(count, np.bool_)
    return page_text.write_blocks(
        data, parsed, split, keep, skipped, formulas.nodes, formulas.ends, formulas.latex, np.int64(style),
        entity_table()), chosen


def text(of: Page, keep: np.ndarray, style: int) -> str:
    """The text of the blocks that are kept; `style` as in `kernels.page_text`."""
    written = page_text.write_blocks(
        of.content, of.tree, of.blocks, keep, of.skipped, of.formulas.nodes, of.formulas.ends, of.formulas.latex,
        np.int64(style), entity_table())
    return written.tobytes().decode("utf-8", "replace")
