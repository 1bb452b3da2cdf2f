"""The flat tree of a page, against the tree that a parser with all the rules of the standard makes of it."""

from __future__ import annotations

import random
import time
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from dataengine.kernels import elements, tree
from dataengine.kernels.word_groups import automaton

NAMES = {number: name for name, number in elements.NUMBER.items()}
WORDS = automaton(["_nav", "_ad_ comment"])


def parsed(page: str | bytes) -> tree.Tree:
    data = np.frombuffer(page.encode() if isinstance(page, str) else page, np.uint8)
    return tree.parse(data, *elements.element_table(), *WORDS)


def texts(page: str) -> list[tuple[str, ...]]:
    """Each text with the elements around it, the innermost first."""
    found, raw = parsed(page), page.encode()
    said = []
    for node in range(1, found.tag.size):
        if found.tag[node] == elements.TEXT:
            path, around = [raw[found.start[node]:found.stop[node]].decode().strip()], found.parent[node]
            while around:
                path.append(NAMES.get(found.tag[around], "?"))
                around = found.parent[around]
            said.append(tuple(name for name in path if name not in ("html", "body", "tbody")))
    return [path for path in said if path[0]]


def texts_of_parser(page: str) -> list[tuple[str, ...]]:
    said: list[tuple[str, ...]] = []
    todo = [(HTMLTree.parse(page).body, ())]
    while todo:
        node, around = todo.pop()
        if node.tag == "#text":
            said.append((node.value.strip(), *around))
            continue
        child, children = node.first_child, []
        while child is not None:
            children.append((child, around if node.tag in ("body", "tbody") else (node.tag, *around)))
            child = child.next_sibling
        todo += reversed(children)
    return [path for path in said if path[0]]


def joined(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Texts that follow each other in the same elements as one, as the parser has them; without those of raw text."""
    shown = [path for path in paths if not set(path) & {"script", "style", "textarea"}]
    runs = groupby(shown, key=lambda path: path[1:])
    return [("".join(text for text, *_ in run), *around) for around, run in runs]


@pytest.mark.parametrize(
    "page",
    [
        "a < b && c > d <",
        "<div><p>a</p>b</div>c",
        "<p>a<p>b<div>c<p>d</div>e",
        "<P>a<DIV>b</dIv >c",
        "<p>a<b>c</b> d<br>e<hr>f",
        "<ul><li>a<li>b<ul><li>c<li>d</ul>e<li>f</ul>g",
        "<ul><li>a<p>b<li>c</ul>",
        "<ol><li>a<div>b<li>c",
        "<dl><dt>a<dd>b<dt>c<dd>d<p>e</dl>f",
        "<table><tr><td>a<td>b<tr><th>c<td>d</table>e",
        "<table><tr><td>a<table><tr><td>b</table>c<td>d</table>e",
        "<table><caption>t</caption><thead><tr><th>a<tbody><tr><td>b<tfoot><tr><td>c</table>",
        "<div>a</span>b</section>c</div>d",
        "<div><table><tr><td>a</div>b</table>c</div>d",
        "<h1>a<h2>b</h2>c",
        "<a href=x>a<a href=y>b</a>c",
        "<select><option>a<option>b</select>c",
        "<div a='>' b=\"</div>\" c=<x>a</div>b",
        "<!-- <p>no --><p>a<!--> b<!-- -- >no--!>c<?php no ?>d</3>e",
        "<script>'<p>no'</script>a<style><b></style>b<textarea><i></textarea>c",
        "<p>a</br>b",
        "<svg><g/><g/></svg>a",
        "<button>a<p>b</button>c",
        "<div><section>a</div>b",
        "<blockquote>a<blockquote>b</blockquote>c</blockquote>d",
        "<main><article><header>a</header>b</article></main><footer>c",
    ],
)
def test_a_text_is_where_the_parser_puts_it(page: str) -> None:
    assert joined(texts(page)) == joined(texts_of_parser(page))


@st.composite
def well_formed(draw: st.DrawFn, depth: int = 0) -> tuple[str, list[tuple[str, ...]]]:
    """A page without a fault, and its texts with the elements around them."""
    html, said = "", []
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["text", "div", "section", "blockquote", "span", "em", "article", "custom-tag"]))
        if kind == "text" or depth > 4:
            word = draw(st.sampled_from(["one", "two & three", "über", "x<1"]))
            html += f"{word}<!-- -->"
            said.append((word,))
        else:
            inner, paths = draw(well_formed(depth + 1))
            html += f"<{kind} class='a{depth}'>{inner}</{kind}>"
            said += [(*path, "?" if "-" in kind else kind) for path in paths]
    return html, said


@given(well_formed())
def test_what_is_nested_well_is_read_as_it_was_nested(page: tuple[str, list[tuple[str, ...]]]) -> None:
    assert texts(page[0]) == page[1]


@given(st.lists(st.sampled_from(
    ["<div>", "</div>", "<p>", "</p>", "<b>", "</b>", "<table>", "<td>", "</table>", "<li>", "<ul>", "</ul>", "<svg>",
     "x", "<script>", "</script>",
     "<!--", "-->", "<a href='", "'", ">", "<", "</", "&amp;", "\0", "é", "<title>", "<math>"]
), max_size=60).map("".join))
def test_nodes_of_any_soup_nest(page: str) -> None:
    found, size = parsed(page), len(page.encode())
    for node in range(1, found.tag.size):
        parent = found.parent[node]
        assert 0 <= parent < node < found.last[node] <= found.last[parent]
        assert 0 <= found.start[node] <= found.stop[node] <= size
        assert found.stop[node] <= found.finish[node] <= size or found.tag[node] == elements.TEXT
        assert found.box[node] == node or found.box[node] == found.box[parent]
    assert found.last[0] == found.tag.size


def test_states_are_inherited_and_attributes_are_read() -> None:
    page = (
        "<div hidden>a</div><p style='color:red; DISPLAY : none !important'>b<i>c</i></p><b aria-hidden='true'>d</b>"
        "<a href=x>e</a><a name=x>f</a><h2>g</h2><pre>h <b>i</b></pre><div class='Top-Nav x'>j</div>")
    found, raw = parsed(page), page.encode()
    states = {
        raw[found.start[node]:found.stop[node]].decode().strip(): found.state[node]
        for node in range(found.tag.size) if found.tag[node] == elements.TEXT and node}
    hidden = {text for text, state in states.items() if state & tree.HIDDEN}
    assert hidden == {"a", "b", "c", "d"}
    assert {text for text, state in states.items() if state & tree.LINKED} == {"e"}
    assert {text for text, state in states.items() if state & tree.HEADED} == {"g"}
    assert {text for text, state in states.items() if state & tree.PREFORMATTED} == {"h", "i"}
    assert np.flatnonzero(found.phrases == 1).size == 1


@given(st.lists(
    st.sampled_from(["", "a", "b-nav", "x-nav", "nav", "comments", "commentz", "Nav x", "ad slot", "ab slot"]),
    min_size=1, max_size=30))
def test_a_class_that_comes_again_is_read_as_it_was_the_first_time(values: list[str]) -> None:
    whole = parsed("".join(f"<p class='{value}'>" for value in values))
    for node, value in enumerate(values, start=1):
        alone = parsed(f"<p class='{value}'>")
        assert (whole.phrases[node], whole.look[node]) == (alone.phrases[1], alone.look[1])


@pytest.mark.parametrize("unit", ["<div>", "<div></x>", "<", "<a b='", "<!-- ", "<script></", "<b></b>", "<svg><style>",
                                  "</div>", "<p a=1 ", "&", "<li>", "<title>", "<table><tr><td>", "<ul><li>"])
def test_time_grows_with_the_page_and_no_faster(unit: str) -> None:
    def seconds(times: int) -> float:
        page = (unit * times).encode()
        started = time.process_time()
        parsed(page)
        return time.process_time() - started

    seconds(10)
    small = min(seconds(100_000) for _ in range(3))
    assert seconds(800_000) < 40 * small + 0.05


def test_random_bytes_are_read_to_their_end() -> None:
    rng = random.Random(5)
    for size in range(300):
        parsed(bytes(rng.choices(b"<>/!-='\" abdivsvg\x00\xff", k=size)))
