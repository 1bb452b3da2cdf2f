"""Read web pages out of WARC archives (ISO 28500), as crawlers and Common Crawl write them; also ARC, their ancestor.

Gives one row for each HTTP response with status 2xx, and each resource, whose media type is in `mime`: the page's
bytes as the author wrote them (chunks and compression undone, not decoded), its address, and the charset the server
named; `extract.html` takes it from there. Requests, metadata, revisits, DNS lookups, redirects, images and the like
are not documents: they are passed over, and not counted. Reads `.warc` and `.arc`, plain, `.gz`, `.zst` (also with a
dictionary) and `.lz4`, packed record by record or as a whole. Large plain files are cut into ranges of `split_bytes`;
a plain WARC that carries another WARC inside a record should not be (`split_bytes = "1 GiB"`). Lengths, checksums and
block digests are all checked: what is cut, damaged or mislabelled is quarantined, and reading goes on at the next
sound record. Where `paths` names an index (`.cdxj`, `.cdx`), the records it lists are read and no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ByteSize

from dataengine.stage import Piece, Refused, read
from dataengine.stages.read._files import (
    CODEC_ENDINGS,
    FileConfig,
    Size,
    chosen,
    files,
    find,
    ranges,
    whole,
)
from dataengine.stages.read._found import ends
from dataengine.stages.read._http import TooLarge, Undecodable, body, mime_of, parse_response
from dataengine.stages.read._index import INDEX_ENDINGS, Part, indexed, is_index
from dataengine.stages.read._open import FILE_REFUSES, Damage, opened, refusal
from dataengine.stages.read._rows import Rows
from dataengine.stages.read._warc import ARC_SUFFIXES, FAULTS, WARC_SUFFIXES, Fault, Record, records

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {"url": "string", "html": "binary", "http_charset": "string"}


class Config(FileConfig):
    """Which archives, and which of their records are pages."""

    mime: tuple[str, ...] = ("text/html", "application/xhtml+xml")
    """Media types that count as pages. Where the server named none, the crawler's finding or the bytes decide."""
    split_bytes: Size = ByteSize(256 * 2**20)
    """Size of the ranges into which a plain file is cut."""


def archive_pieces(config: Config, base: Path, endings: tuple[str, ...]) -> Iterator[Piece]:
    """Plain archives in ranges, packed ones whole; of those that an index names the stretches it names."""
    paths = (config.paths,) if isinstance(config.paths, str) else config.paths
    for path in filter(is_index, paths):
        for index in find(path, base, INDEX_ENDINGS):
            yield from indexed(index, config.prefix, config.split_bytes, lambda name: find(name, base, endings),
                               lambda found: chosen(config, found))
    others = tuple(path for path in paths if not is_index(path))
    for file in files(config.model_copy(update={"paths": others}), base, endings) if others else ():
        plain = ends(file.path, (".warc", ".arc", ".wet"))
        yield from ranges(file, config.split_bytes) if plain and file.size > config.split_bytes else [whole(file)]


def archive_records(piece: Piece, config: Config) -> Iterator[Record | Refused]:
    """The records of a piece; faults as the quarantine takes them."""
    try:
        with opened(piece) as file:
            exact = piece.end >= 0 and ends(piece.path, CODEC_ENDINGS)
            part = Part(file, piece.end) if exact else file
            for found in records(part, piece.path, piece.start, piece.end, config.max_record_bytes, exact):
                if isinstance(found, Fault):
                    yield Refused(f"{piece.origin}:{found.place}", found.reason, _named(found), found.raw)
                else:
                    yield found
    except Damage as damage:
        yield refusal(piece.origin, damage)


def _named(fault: Fault) -> str:
    url = fault.headers.get("warc-target-uri", "").strip("<>")
    return f"{fault.detail} ({url[:200]})" if url else fault.detail


def _pieces(config: Config, base: Path) -> Iterator[Piece]:
    yield from archive_pieces(config, base, WARC_SUFFIXES + ARC_SUFFIXES)


@read(pieces=_pieces, columns=COLUMNS, version=1, content="html",
      refuses=tuple(dict.fromkeys((*FILE_REFUSES, *FAULTS, "bad_http"))))
def warc(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """The pages of an archive or range."""
    rows = Rows(COLUMNS)
    for record in archive_records(piece, config):
        if isinstance(record, Refused):
            yield record
            continue
        page = _page(record, f"{piece.origin}:{record.place}", config)
        if isinstance(page, Refused):
            yield page
        elif page and rows.add(len(page[2]), *page):
            yield rows.take()
    if len(rows):
        yield rows.take()


def _page(record: Record, origin: str, config: Config) -> tuple[str, str | None, bytes, str | None] | Refused | None:
    """The row of a record, why it is refused, or None where it is no page."""
    if record.kind not in ("response", "resource"):
        return None
    response = parse_response(record.block)
    if response and not 200 <= response.status < 300:
        return None
    if response is None and record.kind == "response":
        if not (record.url or "").lower().startswith("http"):
            return None  # a DNS lookup, an FTP transfer
        return Refused(origin, "bad_http", "a response without a status line", record.block[:1000])
    said = response.mime if response else mime_of(record.headers.get("content-type", ""))
    mime = said or record.headers.get("warc-identified-payload-type", "").lower()
    if mime and mime not in config.mime:
        return None
    if record.length > len(record.block):
        return Refused(origin, "too_large", f"{record.length} bytes; max_record_bytes is {config.max_record_bytes}",
                       record.block[:1000])
    try:
        html = body(record.block, response, config.max_record_bytes) if response else record.block
    except TooLarge:
        return Refused(origin, "too_large", f"unpacks to more than max_record_bytes = {config.max_record_bytes}",
                       record.block[:1000])
    except Undecodable:
        coding = response.headers.get("content-encoding", "")
        return Refused(origin, "bad_http", f"the body is not {coding[:40]}", record.block[:1000])
    if not mime and not _looks_like_html(html):
        return None
    return origin, record.url, html, response.charset if response else None


def _looks_like_html(data: bytes) -> bool:
    head = data[:1024].lower()
    return b"<html" in head or b"<!doctype html" in head
