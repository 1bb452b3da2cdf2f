"""Nesting told without a parser, against what a parser makes of the same page."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from resiliparse.parse.html import HTMLTree

from dataengine.kernels import markup

TAGS = (*" ".join(markup.NAMES.values()).split(), "span", "x", "ruby", "rt", "label", "legend", "optgroup", "path", "g")


def measured(page: str | bytes) -> dict[str, int]:
    data = np.frombuffer(page.encode() if isinstance(page, str) else page, np.uint8)
    out = np.zeros(5, np.int64)
    markup.measure_nesting(data, *markup.element_classes(), out)
    return dict(zip(("deepest", "tags", "work", "attributes", "options"), out.tolist(), strict=True))


def depth_of_tree(page: str) -> int:
    """Depth of the deepest element under ``<body>`` that resiliparse makes."""
    deepest, todo = 0, [(HTMLTree.parse(page).body, 0)]
    while todo:
        node, depth = todo.pop()
        deepest = max(deepest, depth)
        child = node.first_child if node is not None else None
        while child is not None:
            todo.append((child, depth + 1))
            child = child.next_sibling
    return deepest


@pytest.mark.parametrize(
    ("page", "deepest"),
    [
        ("", 0),
        ("a < b && c > d <", 0),
        ("<div><div></div></div><div></div>", 2),
        ("<div>" * 9, 9),
        ("<DIV></div><DiV></DIV >", 1),
        ("<div></x><div></x><div>", 3),
        ("<p>a<p>b<p>c<br><img><hr>", 0),
        ("<ul><li>a<li>b<li>c</ul>", 2),
        ("<li><dd><li><dd>", 4),
        ("<!-- <div><div> --><!--><div>", 1),
        ("<script>'<div><div>'</script><style><b><b></style><title><i></title>", 0),
        ("<svg><style><g><g><g>", 5),
        ("<svg><g/><g/><path/></svg>", 1),
        ("<svg><title>x</title><g/><g/></svg>", 2),
        ("<svg><p><x/><x/><x/>", 3),
        ("<a title='<b><b>' href=\"<i>\" x=<u>y</a>", 1),
        ("<b><div></b></div><b><div></b></div>", 2),
        ("<span><div></span><span><div></span>", 4),
        ("<table><tr><td><div><tr><td><div></table>", 3),
        ("<?xml?><!doctype html></3><div>", 1),
    ],
)
def test_what_stays_open_is_counted(page: str, deepest: int) -> None:
    assert measured(page)["deepest"] == deepest


def test_attributes_and_options_are_counted_where_most_of_them_are() -> None:
    found = measured(
        "<p a b=1 c='2 3' d = \"4\"/><p x>" + "<select>" + "<option>x" * 7 + "</select><select><option></select>"
    )
    assert (found["attributes"], found["options"]) == (4, 7)


def test_no_page_is_deeper_to_the_parser_than_it_was_said_to_be() -> None:
    rng = random.Random(20)

    def tag() -> str:
        return rng.choice(("<{}>", "</{}>", "<{} a=b>", "<{}/>", "<{}>x")).format(rng.choice(TAGS))

    for _ in range(400):
        page = "".join(tag() for _ in range(rng.randint(0, 3))) + "".join(tag() for _ in range(rng.randint(1, 6))) * 400
        if depth_of_tree(page) > 300:
            assert measured(page)["deepest"] > 256, page[:200]


@pytest.mark.parametrize(
    "unit",
    [
        "<div>",
        "<div></x>",
        "<",
        "<a b='",
        "<!-- ",
        "<script></",
        "<b></b>",
        "<svg><style>",
        "</div>",
        "<p a=1 ",
        "&",
        "<li>",
    ],
)
def test_time_grows_with_the_page_and_no_faster(unit: str) -> None:
    def seconds(times: int) -> float:
        page = (unit * times).encode()
        started = time.process_time()
        measured(page)
        return time.process_time() - started

    seconds(10)
    small = min(seconds(100_000) for _ in range(3))
    assert seconds(800_000) < 40 * small + 0.02


def test_random_bytes_are_read_to_their_end() -> None:
    rng = np.random.default_rng(5)
    for size in range(200):
        data = rng.choice(np.frombuffer(b"<>/!-='\" abdivsvg\x00\xff", np.uint8), size)
        measured(data.tobytes())
        out = np.zeros(size, np.uint8)
        length, start, end = markup.bare_text(data, *markup.element_classes(), np.uint64(1), np.uint64(2), out)
        assert 0 <= length <= size
        assert 0 <= start <= end <= size
