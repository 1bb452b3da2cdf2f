"""HTML to text: the main content of a page, by resiliparse (Bevendorff et al., ECIR 2018), and its title.

Pages are decoded as browsers do it: byte order mark, HTTP header (column ``http_charset``, where there is one),
``<meta>``, then a guess. Comments, captions from ``alt`` and bylines are left out by default: on 646 pages with known
main content (article-extraction-benchmark, readability, trafilatura) that raised F1 by 2 to 3 points.

A page that would take a parser more than linear time (256 open elements, 1,000 attributes of one tag; the highest of
646 real pages were 48 and 64) is not refused, as its text may well be good: its tags are stripped in one pass, without
looking for the main content, and ``extractor`` says ``linear`` instead of ``resiliparse``.
A page without text has text ``""``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from dataengine.stage import StageConfig, at_row, map

if TYPE_CHECKING:
    import pyarrow as pa

MAX_DEPTH = 256
MAX_ATTRIBUTES = 1000
"""resiliparse compares each attribute of a tag with all before it: 50,000 took 6 seconds."""
MAX_OPTIONS = 5000
"""The same for the options of one ``<select>``: 50,000 took 11 seconds."""
MAX_MEAN_DEPTH = 48
"""resiliparse's time grows with elements x depth: 50,000 paragraphs at depth 250 took 5 seconds."""
SMALL_WORK = 200_000
"""A sum of depths below which the mean does not matter: about 0.1 seconds."""


class Config(StageConfig):
    main_content: bool = True
    """Whether to leave out menus, footers and the like; false keeps all visible text."""
    comments: bool = False
    """Whether to keep what looks like readers' comments."""
    links: bool = False
    """Whether to write link targets behind the links."""
    max_bytes: int = Field(20_000_000, ge=1)
    """Longest page that is looked at; longer ones are quarantined as too_large."""
    max_replaced: float = Field(0.05, ge=0, le=1)
    """Largest share of characters that could not be decoded; above it a page is quarantined as bad_encoding."""


@map(
    reads=["html"], adds={"text": "string", "title": "string", "extractor": "string"}, version=1,
    refuses=("too_large", "bad_encoding"),
)
def html(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    import pyarrow as pa

    from dataengine.stages._encoding import declared_in, decode

    pages = batch["html"]
    charsets = batch["http_charset"] if "http_charset" in batch.schema.names else None
    texts, titles, extractors, refused = [], [], [], []
    for row in range(batch.num_rows):
        at_row(row)
        text, title, extractor, reason = "", None, None, None
        page = pages[row].as_py() or b""
        if len(page) > config.max_bytes:
            reason = "too_large"
        else:
            declared = charsets[row].as_py() if charsets is not None else None
            source, _, replaced = decode(page, declared or declared_in(page))
            if replaced > config.max_replaced:
                reason = "bad_encoding"
            else:
                text, title, extractor = extract(source, config)
        texts.append(text)
        titles.append(title)
        extractors.append(extractor)
        refused.append(reason)
    return {
        "text": pa.array(texts, pa.string()), "title": pa.array(titles, pa.string()),
        "extractor": pa.array(extractors, pa.string()), "refused": refused,
    }


def extract(source: str, config: Config) -> tuple[str, str | None, str]:
    """(text, title or None, name of the engine that made the text) of one page."""
    content = source.encode("utf-8", "replace")
    if too_deep(content):
        text, title = strip_tags(content)
        return text, title, "linear"
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse_from_bytes(content, "utf-8")
    text = extract_plain_text(
        tree, main_content=config.main_content, comments=config.comments, links=config.links, alt_texts=False,
        post_meta=False,
    )
    return text, _one_line(tree.title or ""), "resiliparse"


def too_deep(content: bytes) -> bool:
    """Whether building a tree of this page, or walking it, would take more than linear time."""
    import numpy as np

    from dataengine.kernels import markup

    measured = np.zeros(5, np.int64)
    markup.measure_nesting(np.frombuffer(content, np.uint8), *markup.element_classes(), measured)
    deepest, tags, work, attributes, options = measured.tolist()
    return (
        deepest > MAX_DEPTH or attributes > MAX_ATTRIBUTES or options > MAX_OPTIONS
        or work > SMALL_WORK + MAX_MEAN_DEPTH * tags
    )


def strip_tags(content: bytes) -> tuple[str, str | None]:
    """(text, title or None) of a page of any shape, in linear time: blocks on lines of their own, no blank lines."""
    from html import unescape

    import numpy as np

    from dataengine.kernels import markup

    out = np.empty(len(content), np.uint8)
    title, line_break = np.uint64(markup.name_hash("title")), np.uint64(markup.name_hash("br"))
    length, start, end = markup.bare_text(
        np.frombuffer(content, np.uint8), *markup.element_classes(), title, line_break, out)
    lines = out[:length].tobytes().decode("utf-8", "replace").split("\n")
    text = "\n".join(line for line in (" ".join(unescape(line).split()) for line in lines) if line)
    return text, _one_line(unescape(content[start:end].decode("utf-8", "replace")))


def _one_line(title: str) -> str | None:
    return " ".join(title.split()) or None
