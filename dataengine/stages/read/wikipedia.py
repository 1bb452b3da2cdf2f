"""Read the articles of a dump of Wikipedia, or of any MediaWiki: `pages-articles` (mediawiki.org/wiki/Help:Export).

Gives a row for each page of `namespaces`, its markup turned to plain text: headings, lists, mathematics as `$...$`
and code stay; templates, tables, references and pictures go. That takes a second for 5 MB of markup, a fifth of what
mwparserfromhell takes. Reads `.xml`, plain or packed. A plain dump and a multistream `.bz2` are cut into ranges, so
that one big dump uses every core; no index file is needed. Of dumps of whole histories the last revision counts.

Redirects, pages of other namespaces, and pages whose text was deleted or is no wikitext are no documents: they are
passed over and not counted, redirects on request quarantined. A page that is not well-formed is quarantined as
`bad_xml`; of a dump that is cut or damaged, the pages before the damage are kept, the damage is quarantined, and
reading goes on at the next sound bzip2 stream. Nothing that a dump declares is expanded or fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ByteSize

from dataengine.stage import Piece, Refused, read
from dataengine.stages.read._files import FileConfig, Size, files, ranges, suffixes, whole
from dataengine.stages.read._found import ends
from dataengine.stages.read._open import FILE_REFUSES, Damage, opened, refusal
from dataengine.stages.read._rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

    from dataengine.stages.read._wikidump import Page, RawPage, Site

COLUMNS = {"url": "string", "text": "string", "title": "string", "page_id": "int64", "namespace": "int64",
           "revision_id": "int64", "timestamp": "string"}


class Config(FileConfig):
    """Which dumps, and which of their pages."""

    namespaces: tuple[int, ...] = (0,)
    """Numbers of the namespaces to read: 0 articles, 1 talk, 4 project, 14 categories ..."""
    markup: Literal["plain", "keep"] = "plain"
    """Whether `text` is plain text, or the markup as it stands."""
    redirects: Literal["skip", "quarantine"] = "skip"
    """Whether redirects are passed over, or quarantined and so counted."""
    split_bytes: Size = ByteSize(64 * 2**20)
    """Size of the ranges into which a plain dump and a multistream `.bz2` are cut."""


def _pieces(config: Config, base: Path) -> Iterator[Piece]:
    for file in files(config, base, suffixes(".xml")):
        divides = ends(file.path, (".xml", ".bz2"))
        yield from ranges(file, config.split_bytes) if divides and file.size > config.split_bytes else [whole(file)]


@read(pieces=_pieces, columns=COLUMNS, version=1, refuses=(*FILE_REFUSES, "bad_xml", "redirect"))
def wikipedia(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """The articles of a dump or range. Origins count bytes: `dump.xml:1023`, packed `dump.xml.bz2@STREAM:BYTE`."""
    from dataengine.stages.read import _wikidump

    rows = Rows(COLUMNS)
    try:
        with opened(piece) as file:
            site = _wikidump.site(file, piece.path)
            for raw in _wikidump.raw_pages(file, piece.path, piece.start, piece.end, config.max_record_bytes):
                origin = _origin(piece, raw.place)
                if isinstance(raw, _wikidump.BadPage):
                    yield Refused(origin, raw.reason, raw.detail, raw.data)
                    continue
                found = _row(raw, origin, site, config)
                if isinstance(found, Refused):
                    yield found
                elif found and rows.add(len(raw.data), *found):
                    yield rows.take()
    except Damage as damage:
        yield refusal(piece.origin, damage)
    if len(rows):
        yield rows.take()


def _origin(piece: Piece, place: str) -> str:
    return f"{piece.origin}{place}" if place.startswith("@") else f"{piece.origin}:{place}"


def _row(raw: RawPage, origin: str, site: Site, config: Config) -> tuple[object, ...] | Refused | None:
    """The row of a page, why it is refused, or None where it is no document."""
    from dataengine.stages.read._wikidump import BadXml, parse_page
    from dataengine.stages.read._wikitext import plain_text

    try:
        page = parse_page(raw.data)
    except BadXml as bad:
        return Refused(origin, "bad_xml", str(bad), raw.data[:1000])
    if _number(page.namespace) not in config.namespaces or page.model not in ("", "wikitext") or page.text is None:
        return None
    if page.redirect:
        wanted = config.redirects == "quarantine"
        return Refused(origin, "redirect", page.title[:200], raw.data[:1000]) if wanted else None
    text = plain_text(page.text, site.dropped) if config.markup == "plain" else page.text
    return (origin, _address(page, site), text, page.title, _number(page.id), _number(page.namespace),
            _number(page.revision), page.timestamp)


def _number(text: str) -> int | None:
    """A whole number that fits its column, or None."""
    digits = text.strip()
    return int(digits) if digits.removeprefix("-").isdecimal() and digits.isascii() and len(digits) < 19 else None


def _address(page: Page, site: Site) -> str | None:
    """Where the page is on the web, as MediaWiki writes it."""
    from urllib.parse import quote

    return f"{site.pages}{quote(page.title.replace(' ', '_'), safe='/:@!$()*,;~')}" if site.pages else None
