"""MediaWiki XML dumps (mediawiki.org/wiki/Help:Export), page by page, from wherever a range of the file begins.

The dump is never parsed as one document. ``<page>`` and ``</page>`` can stand in it only as tags, since text is
escaped, so pages are cut out of the bytes and each is parsed alone. A page by itself can declare no entity, so nothing
that the head of a file declares (a bomb of entities, a file of the machine) is ever expanded: a page that uses such a
name is refused. Memory is bounded by the longest page allowed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from typing import NamedTuple
from xml.parsers import expat

from dataengine.stages.read._open import BLOCK, CODECS, Damage, Stream, read_some

OPEN, CLOSE, LAST = b"<page>", b"</page>", b"</mediawiki>"
HEAD = 1 << 20
"""Bytes from the beginning of a dump within which its ``<siteinfo>`` stands."""
BZIP2 = CODECS[".bz2"]
_STREAM = re.compile(rb"BZh[1-9]1AY&SY")
"""The beginning of a bzip2 stream that is not empty. In a multistream dump each holds 100 pages."""


class RawPage(NamedTuple):
    """The bytes from ``<page>`` to ``</page>``, and where they begin: ``1023``, or ``@<stream>:<byte in it>``."""

    place: str
    data: bytes


class BadPage(NamedTuple):
    """Why a page, or the rest of the file, could not be had."""

    place: str
    reason: str
    detail: str
    data: bytes


class _Block(NamedTuple):
    start: int
    """File offset that decides to which range what begins in this block belongs."""
    place: str
    """What stands before the byte's number in a place: nothing, or ``@<stream>:``."""
    offset: int
    """Number of the first byte."""
    data: bytes


def raw_pages(file: FileIO, name: str, start: int, end: int, limit: int) -> Iterator[RawPage | BadPage]:
    """The pages that begin in the range: in a plain file by their own byte, in a packed one by their stream's.

    `end` = -1 means to the end of the file, whose ``</mediawiki>`` is then looked for.
    """
    stream = Stream(file, name)
    if stream.codec is None:
        yield from _cut(_plain(file, start), start, end, limit)
        return
    if start:
        found = _next_stream(file, start, end) if stream.codec is BZIP2 else None
        if found is None:
            return  # of a file of one stream the first range reads all
        stream = Stream(file, name, start=found, codec=stream.codec)
    yield from _cut(_unpacked(stream), start, end, limit)


class _Broken(NamedTuple):
    """Damage, and the file offset that decides to which range it belongs."""

    start: int
    damage: Damage


def _plain(file: FileIO, start: int) -> Iterator[_Block | _Broken]:
    """From a little before the range, so that a tag across its beginning is seen whole."""
    at = max(0, start - len(LAST))
    file.seek(at)
    try:
        while data := read_some(file, BLOCK):
            yield _Block(at, "", at, data)
            at += len(data)
    except Damage as damage:
        yield _Broken(at, damage)


def _unpacked(stream: Stream) -> Iterator[_Block | _Broken]:
    """All streams of a packed file; behind a damaged one, those that follow it."""
    offset, member = 0, -1
    while True:
        try:
            while data := stream.read():
                if stream.start != member:
                    offset, member = 0, stream.start
                yield _Block(stream.start, f"@{stream.start}:", offset, data)
                offset += len(data)
            if not stream.next_member():
                return
        except Damage as damage:
            yield _Broken(stream.start, damage)
            if damage.reason == "io_error" or not stream.resync(bool):
                return


def _next_stream(file: FileIO, start: int, end: int) -> int | None:
    """Where the first bzip2 stream of a range begins, or None."""
    file.seek(start)
    at, tail = start, b""
    while data := read_some(file, BLOCK):
        window = tail + data
        if found := _STREAM.search(window):
            place = at - len(tail) + found.start()
            return place if end < 0 or place < end else None
        at += len(data)
        if 0 <= end <= at - 10:
            return None
        tail = window[-9:]
    return None


def _cut(blocks: Iterator[_Block | _Broken], start: int, end: int, limit: int) -> Iterator[RawPage | BadPage]:
    cutter = _Cutter(start, end, limit)
    for block in blocks:
        yield from cutter.broken(block) if isinstance(block, _Broken) else cutter.feed(block)
        if cutter.done:
            return
    yield from cutter.ended()


class _Cutter:
    """Cuts pages out of blocks; holds at most one page and one block."""

    def __init__(self, start: int, end: int, limit: int) -> None:
        self.start, self.end, self.limit = start, end, limit
        self.buffer = b""
        self.edges: list[tuple[int, _Block]] = []
        """(place in the buffer, block that begins there)."""
        self.at = 0
        """Before it, the buffer is dealt with: where the page at hand begins, or the search for the next one."""
        self.seen = 0
        """Up to here there is no ``</page>`` for the page at hand."""
        self.place = "0"
        """Of the page at hand or the last one."""
        self.inside = self.skipping = self.whole = self.done = False

    def feed(self, block: _Block) -> Iterator[RawPage | BadPage]:
        self._take_up(block)
        while not self.done:
            if not self.inside and not self.skipping:
                if not self._next():
                    return
                continue
            close = self.buffer.find(CLOSE, self.seen)
            if close < 0:
                break
            if self.inside:
                yield from self._pages(close + len(CLOSE))
            self.at = self.seen = close + len(CLOSE)
            self.inside = self.skipping = False
        self.seen = max(self.seen, len(self.buffer) - len(CLOSE) + 1)
        if self.inside and len(self.buffer) - self.at > self.limit:
            yield self._too_large(self.buffer[self.at:self.at + 1000])
            self.inside, self.skipping = False, True
        if self.skipping:
            self.at = self.seen

    def _take_up(self, block: _Block) -> None:
        """The block behind what is left of the buffer."""
        moved = [(place - self.at, known) for place, known in self.edges]
        first = max((number for number, (place, _) in enumerate(moved) if place <= 0), default=0)
        kept = self.buffer[self.at:]
        self.edges = [*moved[first:], (len(kept), block)]
        self.buffer = kept + block.data
        self.seen, self.at = max(0, self.seen - self.at), 0

    def _next(self) -> bool:
        """Go to the next page. False where none begins in the buffer, or in the range."""
        at = self.buffer.find(OPEN, self.at)
        if at < 0:
            self.whole |= self.buffer.find(LAST, self.at) >= 0
            self.at = max(self.at, len(self.buffer) - len(LAST) + 1)
            return False
        place, block = next(edge for edge in reversed(self.edges) if edge[0] <= at)
        begins = block.start if block.place else block.start + at - place
        if 0 <= self.end <= begins:
            self.done = True
            return False
        self.at, self.seen = at, at + len(OPEN)
        self.inside = begins >= self.start
        self.place = f"{block.place}{block.offset + at - place}"
        if not self.inside:
            self.at = self.seen  # of the range before this one
        return True

    def _pages(self, stop: int) -> Iterator[RawPage | BadPage]:
        """The page at hand, which ends at `stop`; before it, pages that were begun and never ended."""
        while (again := self.buffer.find(OPEN, self.at + len(OPEN), stop)) >= 0:
            head = self.buffer[self.at:min(again, self.at + 1000)]
            yield BadPage(self.place, "bad_xml", "another page begins before </page>", head)
            stream, colon, number = self.place.rpartition(":")
            self.place = f"{stream}{colon}{int(number) + again - self.at}"
            self.at = again
        if stop - self.at > self.limit:
            yield self._too_large(self.buffer[self.at:self.at + 1000])
        else:
            yield RawPage(self.place, self.buffer[self.at:stop])

    def _too_large(self, head: bytes) -> BadPage:
        return BadPage(self.place, "too_large", f"longer than max_record_bytes = {self.limit}", head)

    def broken(self, broken: _Broken) -> Iterator[BadPage]:
        """Damage: the page at hand is lost, and the search begins anew behind it. What another range will meet too,
        it reports."""
        if not self.inside and 0 <= self.end <= broken.start:
            self.done = True
            return
        yield BadPage(self.place, broken.damage.reason, broken.damage.detail,
                      self.buffer[self.at:self.at + 1000] if self.inside else b"")
        self.buffer, self.edges, self.at, self.seen = b"", [], 0, 0
        self.inside = self.skipping = False
        self.whole = True  # said already

    def ended(self) -> Iterator[BadPage]:
        """The end of the file: in the middle of a page, or without the tag that ends a dump. The range to which the
        last bytes belong says so."""
        if not self.edges or (self.end >= 0 and not self._owns(self.edges[-1][1])):
            return
        if self.inside or self.skipping:
            yield BadPage(self.place, "truncated", "the file ends within a page", self.buffer[self.at:self.at + 1000])
        elif not self.whole:
            yield BadPage(self.place, "truncated", "the file ends without </mediawiki>", b"")

    def _owns(self, block: _Block) -> bool:
        return block.place != "" and block.start < self.end


# --- the head of a dump -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """What the head of a dump says of its wiki."""

    pages: str | None
    """What stands before the title in a page's address: ``https://en.wikipedia.org/wiki/``."""
    dropped: frozenset[str]
    """Lower-case names of the namespaces for files and categories."""


_BASE = re.compile(r"<base>\s{0,99}([^<\s]{1,500})\s{0,99}</base>")
_NAMESPACE = re.compile(r'<namespace key="(?:6|14)"[^<>]{0,200}>([^<]{1,200})</namespace>')


def site(file: FileIO, name: str) -> Site:
    """Reads the head, whatever range of the file is wanted. What is not said, or damaged, is not known."""
    try:
        head = next(Stream(file, name).blocks(), b"")[:HEAD]
    except Damage:
        head = b""
    text = head.partition(OPEN)[0].decode("utf-8", "replace")
    base = _BASE.search(text)
    address = html.unescape(base[1]).rpartition("/")[0] if base else ""
    return Site(f"{address}/" if "://" in address else None,
                frozenset(html.unescape(found).strip().lower() for found in _NAMESPACE.findall(text)))


# --- one page ---------------------------------------------------------------------------------------------------------


@dataclass
class Page:
    """What a dump says of a page. Of several revisions the last."""

    title: str = ""
    namespace: str = ""
    id: str = ""
    redirect: bool = False
    revision: str = ""
    timestamp: str = ""
    model: str = ""
    text: str | None = None
    """The markup; None where it was deleted or is not in the dump."""


_FIELDS = {("title",): "title", ("ns",): "namespace", ("id",): "id", ("revision", "id"): "revision",
           ("revision", "timestamp"): "timestamp", ("revision", "model"): "model"}


class BadXml(Exception):
    """The page is not well-formed."""


@dataclass
class _Reader:
    page: Page = field(default_factory=Page)
    path: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    gone: bool = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.path.append(name)
        self.parts = []
        self.gone = "deleted" in attributes
        if len(self.path) > 16:
            raise BadXml("elements nest deeper than a page's")
        if self.path[1:] == ["redirect"]:
            self.page.redirect = True

    def end(self, name: str) -> None:
        here = tuple(self.path[1:])
        if here in _FIELDS:
            setattr(self.page, _FIELDS[here], "".join(self.parts))
        elif here == ("revision", "text"):
            self.page.text = None if self.gone else "".join(self.parts)
        self.path.pop()
        self.parts = []


def parse_page(data: bytes) -> Page:
    """The page in these bytes. Raises BadXml, with what expat says of it."""
    reader = _Reader()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = lambda text: reader.parts.append(text)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise BadXml(f"line {error.lineno} column {error.offset + 1}: {expat.errors.messages[error.code]}") from None
    return reader.page
