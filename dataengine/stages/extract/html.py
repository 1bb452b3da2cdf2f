"""HTML to text: the main content of a page with its structure, by an extractor of our own; title, date and language.

A page is decoded as browsers do it: byte order mark, HTTP header (column ``http_charset``, where there is one),
``<meta>``, then a guess. It is read in one linear pass into a flat tree (`kernels.tree`), whatever its shape, and cut
into blocks of text. Gradient-boosted trees then say of each block how likely it belongs to the main content, from its
length, links, punctuation, tags, words of class names and of text, its neighbours, the elements around it, and where
it stands to the headline and the article. What they say of neighbours, tables and lists is evened out.
They were learnt (`benchmarks/learn_extraction.py`) from pages with known content: the development half of
article-extraction-benchmark (MIT, 84 pages), readability's test pages (58) and trafilatura's evaluation set (504, both
Apache-2.0); the development split of WCXB by Murrough Foley (CC-BY-4.0, 1,454 pages); and the test pages of fundus
(257) and fundus-evaluation (80, both MIT).
Only the weights are in the package.

The text keeps paragraphs (with a blank line between), ``# `` headings, ``- `` and ``1. `` items, rows of tables with
`` | `` between cells, line breaks, and ``<pre>`` to the letter. MathML, MathJax, KaTeX and images of formulas become
LaTeX between ``$``. Scripts, and what is hidden, are left out. A page without text has text ``""``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from dataengine.stage import StageConfig, at_row, map

if TYPE_CHECKING:
    import pyarrow as pa

    from dataengine.stages.extract._html_metadata import Metadata


class Config(StageConfig):
    main_content: bool = True
    """Whether to leave out menus, footers and the like; false keeps all visible text."""
    comments: bool = False
    """Whether to keep what looks like readers' comments."""
    links: bool = False
    """Whether to write link targets behind the links."""
    headings: bool = True
    """Whether to write `#` signs before headings, as Markdown does."""
    lists: bool = True
    """Whether to write `- ` or `1. ` before the items of lists."""
    tables: bool = True
    """Whether to write the cells of a table's row on one line, with ` | ` between."""
    fences: bool = False
    """Whether to write lines of three backticks around preformatted text."""
    keep_html: bool = False
    """Whether the page itself stays with the row behind this step; it takes several times the room of its text."""
    max_bytes: int = Field(20_000_000, ge=1)
    """Longest page that is looked at; longer ones are quarantined as too_large."""
    max_replaced: float = Field(0.05, ge=0, le=1)
    """Largest share of characters that could not be decoded; above it a page is quarantined as bad_encoding."""


@map(
    reads=["html"], adds={"text": "string", "title": "string", "published": "string", "html_language": "string",
                          "extractor": "string"}, version=4,
    refuses=("too_large", "bad_encoding", "not_text"), uses_up=lambda config: () if config.keep_html else ("html",),
)
def html(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    import pyarrow as pa

    from dataengine.stages.extract._html_metadata import Metadata

    pages, names = batch["html"], batch.schema.names
    charsets = batch["http_charset"] if "http_charset" in names else None
    urls = batch["url"] if "url" in names else None
    texts: list[str] = []
    extractors: list[str | None] = []
    said: list[Metadata] = []
    refused: list[str | None] = []
    for row in range(batch.num_rows):
        at_row(row)
        text, extractor, metadata = "", None, Metadata(None, None, None)
        page = pages[row].as_py() or b""
        content, reason = utf8_content(page, charsets[row].as_py() if charsets is not None else None, config)
        if reason is None:
            text, extractor, metadata = extract(content, config, urls[row].as_py() if urls is not None else None)
        texts.append(text)
        extractors.append(extractor)
        said.append(metadata)
        refused.append(reason)
    return {
        "text": pa.array(texts, pa.string()),
        "title": pa.array([of.title for of in said], pa.string()),
        "published": pa.array([of.published for of in said], pa.string()),
        "html_language": pa.array([of.language for of in said], pa.string()),
        "extractor": pa.array(extractors, pa.string()),
        "refused": refused,
    }


def utf8_content(page: bytes, charset: str | None, config: Config) -> tuple[bytes, str | None]:
    """(the page in UTF-8, why it is refused or None)."""
    from dataengine.stages._encoding import declared_in, decode, is_plain_utf8, looks_binary

    if len(page) > config.max_bytes:
        return b"", "too_large"
    content, replaced = page, 0.0
    if not is_plain_utf8(page):
        text, _, replaced = decode(page, charset or declared_in(page))
        content = text.encode("utf-8", "replace")
    if looks_binary(page, content):
        return b"", "not_text"
    return content, "bad_encoding" if replaced > config.max_replaced else None


def extract(content: bytes, config: Config, url: str | None = None) -> tuple[str, str, Metadata]:
    """(text, how it was found, metadata) of a page in UTF-8.

    How is ``blocks``: the model chose blocks of the page; or ``all``: all visible text was kept.
    """
    from dataengine.kernels import page_text
    from dataengine.stages.extract import _html_page
    from dataengine.stages.extract._html_metadata import read_metadata

    parsed = _html_page.parse(content)
    style = sum(int(flag) for flag, wanted in (
        (page_text.HEADINGS, config.headings), (page_text.BULLETS, config.lists), (page_text.TABLES, config.tables),
        (page_text.FENCES, config.fences), (page_text.LINKS, config.links)) if wanted)
    written, chosen = _html_page.extract(content, parsed, style, config.main_content, config.comments)
    text = written.tobytes().decode("utf-8", "replace")
    return text, "blocks" if chosen else "all", read_metadata(content, parsed, url)
