"""Mathematics on a page as LaTeX: ``<math>``, MathJax and KaTeX, images of formulas that say their source.

Renderers leave two copies: one to be seen and one to be read. The one to be read is kept, and the other left out.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataengine.kernels import elements as e
from dataengine.kernels import tree as t
from dataengine.stages.extract._html_attributes import attributes
from dataengine.stages.extract._mathml import from_tree

if TYPE_CHECKING:
    from dataengine.kernels.tree import Tree

NO_NODE = 2**31 - 1
DISPLAY = re.compile(rb"katex-display|mwe-math-fallback-image-display|MathJax_Display|mjx-block|display\s*=\s*[\"']?"
                     rb"(?:true|block)|mode\s*=\s*display", re.IGNORECASE)
STYLED = re.compile(r"^\{\\(?:display|text)style\s*(.*)\}$", re.DOTALL)
MAX_FORMULA = 100_000
"""Bytes of the source of one formula; a longer one is no formula."""


class Formulas(NamedTuple):
    """k formulas, in the order of the page."""

    nodes: np.ndarray
    """int32, shape (k + 1,): the node that each stands at; the last is no node."""
    ends: np.ndarray
    """int64, shape (k + 1,): formula i is ``latex[ends[i]:ends[i + 1]]``."""
    latex: np.ndarray
    """uint8: UTF-8, each with its ``$`` or ``$$``."""


NONE = Formulas(np.array([NO_NODE], np.int32), np.zeros(1, np.int64), np.zeros(0, np.uint8))


def find_formulas(content: bytes, parsed: Tree) -> Formulas:
    """The formulas of a page. Marks the seen copy of those that MathJax has rendered as DROPPED in the tree."""
    marked = parsed.marked
    tags = parsed.tag[marked]
    candidates = marked[(tags == e.MATH) | (tags == e.SCRIPT) | (tags == e.IMG)]
    if not candidates.size:
        return NONE
    nodes: list[int] = []
    texts: list[bytes] = []
    inside = -1  # the end of the last formula
    for node in candidates.tolist():
        if node < inside:
            continue
        source, display = _source(content, parsed, node, nodes[-1] if nodes else -1)
        if source is None:
            continue
        if parsed.tag[node] == e.SCRIPT:
            _drop_preview(parsed, node)
        inside = int(parsed.last[node])
        nodes.append(node)
        texts.append(_delimited(source, display).encode("utf-8", "replace"))
    if not nodes:
        return NONE
    ends = np.zeros(len(nodes) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=ends[1:])
    return Formulas(np.array([*nodes, NO_NODE], np.int32), ends, np.frombuffer(bytearray().join(texts), np.uint8))


def _source(content: bytes, parsed: Tree, node: int, previous: int) -> tuple[str | None, bool]:
    """(LaTeX or None, whether it stands on a line of its own) of a node that may be a formula."""
    start, stop, finish = int(parsed.start[node]), int(parsed.stop[node]), int(parsed.finish[node])
    tag = content[start:min(stop, start + 4096)]
    if parsed.tag[node] == e.MATH:
        if finish - start > MAX_FORMULA:
            return None, False
        return from_tree(content, parsed, node), _is_display(content, parsed, node, tag)
    if parsed.tag[node] == e.SCRIPT:
        if b"math/tex" not in tag.lower() or finish - stop > MAX_FORMULA:
            return None, False
        return content[stop:finish].decode("utf-8", "replace"), DISPLAY.search(tag) is not None
    parent = int(parsed.parent[node])
    if not parsed.phrases[node] & t.MATH or (parsed.phrases[parent] & t.MATH and previous > parent):
        return None, False  # not of mathematics, or the picture of a formula that was read already
    return attributes(tag).get("alt") or None, _is_display(content, parsed, node, tag)


def _is_display(content: bytes, parsed: Tree, node: int, tag: bytes) -> bool:
    """Whether the element says so, or one of the two around it."""
    for _ in range(3):
        if DISPLAY.search(tag):
            return True
        node = int(parsed.parent[node])
        start = int(parsed.start[node])
        tag = content[start:min(int(parsed.stop[node]), start + 512)]
    return False


def _drop_preview(parsed: Tree, script: int) -> None:
    """Leave out what MathJax 2 has put before a ``<script type="math/tex">`` for the eye: up to two elements."""
    parent = int(parsed.parent[script])
    node = script - 1
    for _ in range(2):
        while node > parent and parsed.parent[node] != parent:
            node = int(parsed.parent[node])
        if node <= parent or not parsed.phrases[node] & t.MATH:
            return
        parsed.state[node:parsed.last[node]] |= t.DROPPED
        node -= 1


def _delimited(source: str, display: bool) -> str:
    """LaTeX between dollars, on one line, without the style that wikis and renderers wrap around it."""
    source = html.unescape(source).strip()
    for opening, closing, block in (("$$", "$$", True), ("\\[", "\\]", True), ("$", "$", False), ("\\(", "\\)", False)):
        if source.startswith(opening) and source.endswith(closing) and len(source) >= 2 * len(opening):
            source, display = source[len(opening):len(source) - len(closing)].strip(), display or block
            break
    if wrapped := STYLED.match(source):
        source = wrapped[1].strip()
    source = " ".join(source.split())
    if not source:
        return ""
    return f"$${source}$$" if display else f"${source}$"
