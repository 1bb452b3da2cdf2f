"""Where blocks stand in the outline of a page: what the kernel finds in one pass, against what a search finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from dataengine.kernels import block_context, block_features, outline
from dataengine.kernels import elements as e
from dataengine.stages.extract import _html_page
from tests.kernels.interpreted import interpreted
from tests.kernels.test_blocks import SOUP

FIRST = block_features.FEATURES - outline.OUTLINE
(TITLE_SHARE, TITLE_DOWN, ARTICLES, ARTICLE, HEADING_LINKED, SECTION_CHARS, SECTION_LINKED, SECTION_SIZE) = (
    FIRST + k for k in (1, 4, 11, 12, 15, 18, 19, 20))
PROSE = "The mill stood by the river, and whoever passed it heard the wheel. " * 3


def told(html: str) -> np.ndarray:
    return _html_page.features(_html_page.read(html.encode()))[1]


def around(page: _html_page.Page, node: int) -> list[int]:
    """The node and all elements around it."""
    found = [node]
    while node:
        node = int(page.tree.parent[node])
        found.append(node)
    return found


@settings(deadline=None)
@given(SOUP)
def test_two_places_meet_in_the_first_element_that_is_around_both(html: str) -> None:
    page = _html_page.read(html.encode())
    for place in range(0, page.tree.tag.size, 3):
        found = interpreted(outline.meetings)(page.tree, place)
        holding = around(page, place)
        assert found.tolist() == [next(node for node in around(page, other) if node in holding)
                                  for other in range(page.tree.tag.size)]


@settings(deadline=None)
@given(SOUP)
def test_depth_counts_the_elements_around_that_hold_more(html: str) -> None:
    page = _html_page.read(html.encode())
    if page.blocks.first.size:
        context = block_context.surroundings(page.tree, page.blocks)
        depth = interpreted(outline.depths)(page.tree, context)
        for node in range(page.tree.tag.size):
            assert depth[node] == len({int(context.up[other]) for other in around(page, node)}) - 1


@settings(deadline=None)
@given(SOUP)
def test_the_article_around_a_node_is_the_outermost(html: str) -> None:
    page = _html_page.read(html.encode())
    found, number, count = interpreted(outline.articles)(page.tree)
    outermost = [next((node for node in reversed(around(page, other)) if page.tree.tag[node] == e.ARTICLE), 0)
                 for other in range(page.tree.tag.size)]
    assert found.tolist() == outermost
    assert [number[node] for node in sorted({*outermost} - {0})] == list(range(1, count + 1))


@pytest.mark.parametrize(
    ("heads", "first", "last"),
    [
        ([False], [0], [1]),
        ([False, False, True, False, True], [0, 0, 2, 2, 4], [2, 2, 4, 4, 5]),
        ([True, True], [0, 1], [1, 2]),
    ],
)
def test_a_section_ends_where_the_next_heading_is(heads: list[bool], first: list[int], last: list[int]) -> None:
    found = interpreted(outline.sections)(np.array(heads))
    assert [part.tolist() for part in found] == [first, last]


def test_the_article_meets_the_headline_before_the_teasers_beside_it_do() -> None:
    table = told(f"<title>The mill</title><div><div><h1>The mill</h1><p>{PROSE}</p></div>"
                 f"<div><p><a href=x>Another story</a></p><p>{PROSE}</p></div></div>")
    assert table[1, TITLE_SHARE] < table[2, TITLE_SHARE] == 1
    assert table[1, TITLE_DOWN] < table[2, TITLE_DOWN]


def test_without_a_headline_nothing_is_said_of_it() -> None:
    assert (told(f"<p>{PROSE}</p>")[:, FIRST:FIRST + 5] == -1).all()


def test_articles_are_numbered_and_sections_summed() -> None:
    table = told(f"<article><h2>One</h2><p>{PROSE}</p></article><article><h2><a href=x>Two</a></h2>"
                 f"<p><a href=y>More</a></p><p>of it</p></article>")
    assert table[:, ARTICLES].tolist() == [2] * 5
    assert table[:, ARTICLE].tolist() == [1, 1, 2, 2, 2]
    assert table[:, HEADING_LINKED].tolist() == [0, 0, 1, 1, 1]
    assert table[:, SECTION_SIZE].tolist() == [2, 2, 3, 3, 3]
    assert table[3, SECTION_CHARS] == pytest.approx(np.log1p(3 + 4 + 4))
    assert table[3, SECTION_LINKED] == pytest.approx(7 / 11)
