"""Probabilities of blocks that belong together."""

from __future__ import annotations

import numpy as np

from dataengine.kernels.even_out import LIST_SHARE, NEIGHBOUR_SHARE, TABLE_SHARE, even_out
from dataengine.stages.extract import _html_page


def evened(html: str, chances: list[float]) -> list[float]:
    page = _html_page.read(html.encode())
    return even_out(page.tree, page.blocks, np.array(chances, np.float32)).tolist()


def neighbourly(chances: list[float], weights: list[float]) -> list[float]:
    """Each drawn to the weighed mean of the two before it, itself and the two behind it."""
    out = []
    for i, chance in enumerate(chances):
        around = range(max(0, i - 2), min(len(chances), i + 3))
        mean = sum(weights[k] * chances[k] for k in around) / sum(weights[k] for k in around)
        out.append(chance + NEIGHBOUR_SHARE * (mean - chance))
    return out


def test_neighbours_draw_a_block_by_their_length() -> None:
    chances, texts = [0.9, 0.2, 0.6, 0.1], ["a" * 40, "b", "c" * 9, "d" * 100]
    html = "".join(f"<p>{text}</p>" for text in texts)
    assert np.allclose(evened(html, chances), neighbourly(chances, [len(text) + 10.0 for text in texts]), atol=1e-6)


def test_cells_of_a_table_and_items_of_a_list_are_drawn_to_their_mean() -> None:
    for html, share in (("<table><tr><td>a<td>b</table>", TABLE_SHARE), ("<ul><li>a<li>b</ul>", LIST_SHARE)):
        joint = [chance + share * (0.5 - chance) for chance in (0.8, 0.2)]
        assert np.allclose(evened(html, [0.8, 0.2]), neighbourly(joint, [11.0, 11.0]), atol=1e-6)


def test_code_is_as_likely_as_the_text_beside_it() -> None:
    html = "<p>text</p><pre>code</pre><pre>more</pre><p>last</p>"
    assert np.allclose(evened(html, [0.9, 0.1, 0.3, 0.2]), neighbourly([0.9, 0.9, 0.9, 0.2], [14.0] * 4), atol=1e-6)
    assert np.allclose(evened("<pre>code</pre><p>text", [0.1, 0.7]), neighbourly([0.7, 0.7], [14.0] * 2), atol=1e-6)
