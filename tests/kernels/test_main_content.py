"""The choice of blocks by one kernel, and step by step: features, trees, numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import blocks, main_content, page_text
from dataengine.kernels.boosted_trees import log_odds
from dataengine.kernels.even_out import even_out
from dataengine.stages.extract import _html_page
from tests.kernels.test_blocks import SOUP

STYLE = int(page_text.HEADINGS | page_text.BULLETS | page_text.TABLES)
PROSE = "<p>The mill stood by the river, and whoever passed it heard the wheel. " * 3


def chosen(page: _html_page.Page, chances: np.ndarray) -> np.ndarray:
    """As `main_content.choose`, with arrays of numpy."""
    chances = even_out(page.tree, page.blocks, chances)
    weight = page.blocks.measures[:, blocks.CHARS].astype(np.float64) + 20
    keep, expected = chances > np.float32(main_content.THRESHOLD), (weight * chances).sum()
    if weight[keep].sum() >= main_content.LOW_SHARE * expected:
        return keep
    order = np.argsort(-chances, kind="stable")
    hits, sizes = np.cumsum((weight * chances)[order]), np.cumsum(weight[order])
    return chances >= (2 * hits / (sizes + expected)).max() / 2


def step_by_step(page: _html_page.Page) -> np.ndarray:
    """Which blocks to keep, each step for itself."""
    if not page.blocks.first.size:
        return np.zeros(0, bool)
    return chosen(page, _html_page.probability(log_odds(_html_page.features(page)[1], _html_page.weights())))


@settings(deadline=None)  # the first call compiles
@given(SOUP, st.booleans())
def test_what_is_extracted_is_what_each_step_for_itself_makes_of_a_page(html: str, long: bool) -> None:
    content = (html + PROSE + html if long else html).encode()
    page = _html_page.read(content)
    written, _ = _html_page.extract(content, _html_page.parse(content), STYLE, True, False)
    assert written.tobytes().decode() == _html_page.text(page, step_by_step(page), STYLE)


@settings(deadline=None)
@given(st.lists(
    st.tuples(st.sampled_from(["p", "li", "td", "pre"]), st.integers(1, 60), st.integers(0, 100)), min_size=1))
def test_the_choice_is_that_of_the_same_rule_in_numpy(said: list[tuple[str, int, int]]) -> None:
    page = _html_page.read("".join(f"<{tag}>{'x' * size}</{tag}>" for tag, size, _ in said).encode())
    for scale in (100, 400):  # a page of which much is likely, and one of which nothing is
        chances = np.array([chance / scale for *_, chance in said], np.float32)
        assert (_html_page.choose(page, chances) == chosen(page, chances)).all()


def test_where_nothing_is_likely_the_likeliest_is_kept() -> None:
    page = _html_page.read(b"<p>aaaaaaaaaaaaaaaaaaaaaaaaaaa</p><hr><div>b</div><div>c</div><div>d</div><div>e</div>")
    assert _html_page.choose(page, np.array([0.5, 0, 0, 0, 0], np.float32)).tolist() == [True] + [False] * 4


@pytest.mark.parametrize("odds", [-200.0, -1.0, 0.0, 0.25, 200.0])
def test_a_probability_is_that_of_its_log_odds(odds: float) -> None:
    found = _html_page.probability(np.array([odds], np.float32))[0]
    assert found == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-7)
