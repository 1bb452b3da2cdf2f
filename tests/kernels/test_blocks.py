"""Blocks of a page, what is counted of them, and what a model is told of their surroundings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import block_context, block_features, blocks
from dataengine.stages.extract import _html_page

SOUP = st.lists(st.sampled_from([
    "<div class=nav>", "</div>", "<p>", "</p>", "<b>", "</b>", "<table>", "<tr>", "<td>", "</table>", "<ul>", "<li>", 
    "</ul>", "<h2>", "</h2>", "<a href=x>", "</a>", "word ", "A few words, and a stop. ", "<br>", "<pre>", "</pre>",
    "&nbsp;", "<img>", "<article>", "</article>", "日本語", "<input>", "<svg>", "<math><mi>x</mi></math>", "x" * 90,
]), max_size=40).map("".join)


def page_of(html: str) -> _html_page.Page:
    return _html_page.read(html.encode())


def texts(page: _html_page.Page) -> list[str]:
    whole = range(page.blocks.first.size)
    return [_html_page.text(page, np.array([block == other for other in whole]), 0) for block in whole]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("a<p>b</p>c", ["a", "b", "c"]),
        ("<p>a <b>b</b><i>c</i> d</p>", ["a bc d"]),
        ("<p>a<br>b<br><br>c", ["a\nb", "c"]),
        ("<p>a<br> <br>b", ["a", "b"]),
        ("<div> &nbsp; </div><div>a</div>", ["a"]),
        ("<td>a<td>b", ["a", "b"]),
        ("<pre>a\n\n b</pre>", ["a\n\n b"]),
        ("<p>a<script>no</script>b<!-- no -->c", ["abc"]),
        ("<p>a <math><mi>x</mi></math> b", ["a $x$ b"]),
    ],
)
def test_a_block_ends_where_a_line_does(html: str, expected: list[str]) -> None:
    assert texts(page_of(html)) == expected


def test_what_is_counted_of_a_block() -> None:
    page = page_of("<title>The Old Mill</title><p>The <a href=x>old mill</a>, 12 m&eacute;tres. 日本<img><b>!</b>")
    counted = dict(zip(
        ("chars", "words", "linked", "links", "bold", "digits", "capitals", "commas", "stops"),
        page.blocks.measures[0].tolist(), strict=False))
    assert counted == {"chars": 25, "words": 8, "linked": 7, "links": 1, "bold": 1, "digits": 2, "capitals": 1,
                       "commas": 1, "stops": 2}
    assert page.blocks.measures[0, blocks.TITLE_WORDS] == 3


@given(st.text("ABcdr .,1é", max_size=30))
def test_letters_count_the_same_as_references(text: str) -> None:
    spelled = "".join(f"&#{ord(letter)};" if letter.isascii() and letter.isalpha() else letter for letter in text)
    plain, other = (page_of(f"<title>Card Bar</title><p>x {said}") for said in (text, spelled))
    assert plain.blocks.measures.tolist() == other.blocks.measures.tolist()
    assert plain.blocks.phrases.tolist() == other.blocks.phrases.tolist()


def test_hidden_text_counts_only_where_it_is_the_smaller_part() -> None:
    assert texts(page_of("<p>shown</p><p hidden>gone</p>")) == ["shown"]
    assert texts(page_of("<p>x</p><div style='display:none'><p>all of it, shown by a script</div>"))[1:] == [
        "all of it, shown by a script"]


@settings(deadline=None)  # the first call compiles
@given(SOUP)
def test_features_of_any_page_are_numbers_and_its_blocks_are_in_order(html: str) -> None:
    page = page_of(html)
    if not page.blocks.first.size:
        assert texts(page) == []
        return
    assert (page.blocks.first[1:] >= page.blocks.last[:-1]).all()
    assert all(texts(page))
    _, table = _html_page.features(page)
    assert np.isfinite(table).all()
    assert table.shape == (page.blocks.first.size, block_features.FEATURES)


@given(SOUP)
def test_sums_over_an_element_are_those_of_the_blocks_inside_it(html: str) -> None:
    page = page_of(html)
    if not page.blocks.first.size:
        return
    context, _ = _html_page.features(page)
    for node in range(page.tree.tag.size):
        inside = (page.blocks.first >= node) & (page.blocks.first < page.tree.last[node])
        if page.tree.tag[node] == 0:
            continue
        first, last = context.before[node], context.before[page.tree.last[node]]
        sums = context.sums[last] - context.sums[first]
        assert sums[block_context.SUM_CHARS] == page.blocks.measures[inside, blocks.CHARS].sum()
        assert sums[block_context.SUM_LINKED] == page.blocks.measures[inside, blocks.LINKED_CHARS].sum()


@given(SOUP)
def test_columns_are_filled_to_the_last(html: str) -> None:
    """Each part of a row has the width that it is said to have: nothing is written over."""
    page = page_of(html + "<p>A few words, and a stop. " + "<p>Another line of words.")
    _, table = _html_page.features(page)
    part = block_features.OWN + 6 * block_features.NEAR + block_features.LEVELS * block_features.LEVEL
    bits = table[:, part:part + 3 * block_features.ATTRIBUTE_GROUPS + 2 * block_features.TEXT_GROUPS + 20]
    assert set(np.unique(bits).tolist()) <= {0.0, 1.0}
