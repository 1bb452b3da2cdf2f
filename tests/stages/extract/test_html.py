"""Pages that no browser would mind and many parsers do."""

from __future__ import annotations

import random
import time

import pyarrow as pa
import pytest

from dataengine import stage

HTML = stage.load("extract.html")
PROSE = "Some words of running prose stand here, and more follow. "


def extracted(page: str | bytes | None, **config: object) -> dict[str, object]:
    raw = page.encode() if isinstance(page, str) else page
    batch = pa.RecordBatch.from_pydict({"html": pa.array([raw], pa.binary())})
    result = HTML(batch, HTML.config(**config))
    return {name: values[0].as_py() if isinstance(values, pa.Array) else values[0] for name, values in result.items()}


SHAPES = {
    "div": lambda n: "<div>" * n + PROSE,
    "div and foreign end tags": lambda n: "<div></x>" * n + PROSE,
    "paragraphs": lambda n: ("<p>" + PROSE) * n,
    "paragraphs in depth": lambda n: "<div>" * 250 + ("<p>" + PROSE) * n,
    "rows": lambda n: "<table>" + "<tr><td>a<td>b" * n + "</table>",
    "attributes": lambda n: "<div " + " ".join(f"a{i}=1" for i in range(n)) + ">" + PROSE,
    "options": lambda n: "<select>" + "<option>a" * n,
    "fonts": lambda n: "".join(f"<p><font size={i}>x" for i in range(n)),
    "links": lambda n: "<a href=x>word" * n,
    "comments": lambda n: "<!-- x " * n,
    "entities": lambda n: "<div>" * 300 + "&amp;&x" * n,
    "lists": lambda n: "<ul>" + "<li>x" * n,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_of_a_page_costs_more_than_its_length(shape: str) -> None:
    def seconds(n: int) -> float:
        page = SHAPES[shape](n)
        started = time.process_time()
        extracted(page)
        return time.process_time() - started

    seconds(10)
    small = min(seconds(2000) for _ in range(2))
    assert seconds(16_000) < 40 * small + 0.1


def test_a_deep_page_keeps_its_words() -> None:
    page = (
        "<title>Deep &amp; down</title>" + "<div>" * 100_000 + f"<p>{PROSE}</p><script>no()</script>&copy; 2001<br>end"
    )
    found = extracted(page, main_content=False)
    assert found["text"] == f"{PROSE.strip()}\n\n© 2001\nend"
    assert (found["title"], found["extractor"], found["refused"]) == ("Deep & down", "all", None)


def test_a_page_of_too_many_blocks_for_the_model_is_kept_whole_and_says_so() -> None:
    found = extracted("<table>" + "<tr><td>cell one<td>cell two" * 30_000)
    assert found["extractor"] == "all"
    assert str(found["text"]).splitlines() == ["cell one | cell two"] * 30_000


def test_a_page_may_hold_nothing_but_what_a_model_would_not_choose() -> None:
    assert extracted("<nav class=menu><ul><li><a href=/>Home</a></ul></nav>")["text"]


def test_comments_are_kept_where_they_are_asked_for() -> None:
    article = "".join(f"<p>{PROSE * 3}</p>" for _ in range(5))
    page = f"<article>{article}</article><div class=comments><div class=comment><p>Nice mill, I think.</p></div></div>"
    assert "Nice mill" not in str(extracted(page)["text"])
    assert "Nice mill" in str(extracted(page, comments=True)["text"])


def test_a_page_that_is_mostly_comments_keeps_them() -> None:
    posts = "".join(f"<div class=comment><p>{PROSE * 3}</p></div>" for _ in range(5))
    assert str(extracted(f"<h1>The mill</h1><div class=comments>{posts}</div>")["text"]).count(PROSE.strip()) == 15


def test_noise_is_not_text_whatever_it_calls_itself() -> None:
    noise = random.Random(2).randbytes(100_000)
    assert extracted(noise)["refused"] == "not_text"
    assert extracted(b"<html><body><p>" + noise)["refused"] == "not_text"


def test_the_page_around_the_article_is_left_out_unless_asked_for() -> None:
    article = "".join(f"<p>{PROSE * 3}</p>" for _ in range(5))
    page = f"<body><nav><ul><li><a href=/>Home</a></ul></nav><article>{article}</article><footer>Imprint</footer>"
    assert "Home" not in str(extracted(page)["text"])
    assert "Home" in str(extracted(page, main_content=False)["text"])


@pytest.mark.parametrize(
    "page", [None, b"", b"\0", b"<", b"</", b"<!--", b"<a b='", b"<svg><", b"\xff\xfe", b"<p>A\x00B C D E F G</p>"]
)
def test_hardly_a_page_is_text_or_none(page: bytes | None) -> None:
    found = extracted(page)
    assert found["refused"] is None
    assert isinstance(found["text"], str)


def test_the_header_counts_more_than_the_page_says_of_itself() -> None:
    page = "<meta charset=windows-1251><p>é".encode("latin-1")
    batch = pa.RecordBatch.from_pydict({"html": pa.array([page, page], pa.binary()), "http_charset": ["latin-1", None]})
    assert HTML(batch, HTML.config())["text"].to_pylist() == ["é", "й"]
