"""Records of WARC (ISO 28500) and ARC archives, one after the other, whatever state the file is in.

fastwarc and warcio are right on whole files, but hand out records that are cut without a word and stop for good at
the first damaged member. Here every record's length, terminator and block digest, and every member's checksum, are
checked; what is wrong is reported as `Fault`, and reading goes on at the next believable record. The block digest is
checked where no checksum of the packing guards the bytes. A record takes about 20 µs of Python; the rest is C code.

Origins. In a packed file a record lies at the offset of its member, as in CDX indexes: ``a.warc.gz:73211``; a later
record of the same member adds its place within: ``a.warc.gz:0+5120``. In a plain file it is the byte offset.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import RawIOBase
from typing import NamedTuple

from dataengine.stages.read._http import parse_headers
from dataengine.stages.read._open import GZIP, Damage, Stream

WARC_SUFFIXES = (".warc", ".warc.gz", ".warc.zst", ".warc.lz4", ".warc.bz2", ".warc.xz")
ARC_SUFFIXES = (".arc", ".arc.gz")
FAULTS = ("truncated", "corrupt", "bad_header", "bad_length", "bad_digest")

_MOST_HEADER = 64 << 10
_BLANK = re.compile(rb"\r?\n\r?\n")
_START = b"WARC/"
_VERSION = re.compile(rb"WARC/\d\.\d+[ \t]*\r?\n")
@dataclass(frozen=True, slots=True)
class Record:
    """A record whose length was as declared."""

    place: str
    """Where it lies in the file: ``73211`` or ``0+5120``."""
    kind: str
    """WARC-Type, lower case; for ARC ``response`` or ``filedesc``."""
    headers: dict[str, str]
    block: bytes
    """At most `limit` bytes of it."""
    length: int
    """All bytes of the block."""

    @property
    def url(self) -> str | None:
        return self.headers.get("warc-target-uri", "").strip("<>") or None


@dataclass(frozen=True, slots=True)
class Fault:
    """A record, or a stretch of the file, that is not what it should be."""

    place: str
    reason: str
    detail: str
    raw: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    """Of the record, where its header could be read."""


def records(
    file: RawIOBase, name: str, start: int = 0, end: int = -1, limit: int = 20 << 20, exact: bool = False
) -> Iterator[Record | Fault]:
    """The records that begin within bytes `start` to `end` of a plain file, or all of a packed one.

    `exact`: `file` is packed and ends at `end`, and a member begins at `start`, as an index says.
    Memory: `limit` and two blocks. Raises Damage ``io_error`` alone; every other trouble is a Fault.
    """
    try:
        stream = Stream(file, name, start) if exact else _stream(file, name)
    except Damage as damage:
        yield Fault(str(start), damage.reason, damage.detail)
        return
    if start and not exact and (stream.codec or isinstance(stream, _Lz4)):
        return  # packed: the first range reads all of it
    if start and not exact:
        stream = Stream(file, start=start)
    yield from _Reader(stream, 0 if exact else start, -1 if stream.codec else end, limit).records()


def _stream(file: RawIOBase, name: str) -> Stream:
    file.seek(0)
    lz4 = file.read(4) == b"\x04\x22\x4d\x18"
    file.seek(0)
    return _Lz4(file) if lz4 else Stream(file, name)


class _Lz4(Stream):
    """A .warc.lz4 through Arrow's codec, as one member: offsets count unpacked bytes. A cut loses up to 32 KiB more."""

    def __init__(self, file: RawIOBase) -> None:
        import pyarrow as pa

        self._inner = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "lz4")
        self.codec, self.start, self.empty = None, 0, False
        self._broken = False

    def read(self) -> bytes:
        import pyarrow as pa

        if self._broken:
            return b""
        try:
            return self._inner.read(32 << 10)
        except (OSError, pa.ArrowInvalid) as error:
            self._broken = True
            reason = "truncated" if "runcated" in str(error) else "corrupt"
            raise Damage(reason, f"the lz4 stream: {error}") from None


class _ArcLine(NamedTuple):
    """The line above an ARC record: ``URL address date type [five more in version 2] length``."""

    size: int
    headers: dict[str, str]
    length: int


def _arc_line(head: bytes) -> _ArcLine | None:
    """The ARC line at the beginning of these bytes. URLs may hold spaces, so fields are counted from the right."""
    end = head.find(b"\n", 0, _MOST_HEADER)
    parts = head[:max(end, 0)].rstrip(b"\r").decode("utf-8", errors="replace").split(" ")
    for date in (-3, -8):
        if len(parts) > 1 - date and parts[-1].isdigit() and parts[date].isdigit() and len(parts[date]) in (8, 12, 14):
            url = " ".join(parts[:date - 1])
            if re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", url) and len(parts[-1]) < 16:
                headers = {"warc-target-uri": url, "warc-date": parts[date], "content-type": parts[date + 1]}
                return _ArcLine(end + 1, headers, int(parts[-1]))
    return None


def _starts_record(head: bytes) -> bool:
    return head.startswith(_START) or _arc_line(head) is not None


class _Reader:
    """A window over a stream, and the grammar of archives.

    A *run* is a stretch of unpacked bytes that begins with a record: in a packed file from one member that begins with
    a record to the next such member (members that begin elsewhere, as bgzip makes them, continue the run).
    """

    def __init__(self, stream: Stream, start: int, end: int, limit: int) -> None:
        self._stream = stream
        self._end = end
        self._limit = limit
        self._buffer = b""
        self._at = 0
        self._base = start
        """Run offset of the buffer's first byte; in a plain file the file offset."""
        self._guarded = stream.codec is GZIP
        """gzip's own checksum guards the bytes; a digest that differs then is a fault of the writer, and harmless."""
        self._midway = start > 0
        """The window may stand within a record."""
        self._run = stream.start
        self._next_run: bytes | None = None
        self._run_ended = False
        self._packed = stream.codec is not None or isinstance(stream, _Lz4)

    # --- the window ---

    @property
    def _here(self) -> int:
        return self._base + self._at

    def _place(self, offset: int) -> str:
        if not self._packed:
            return str(offset)
        return f"{self._run}+{offset}" if offset else str(self._run)

    def _more(self) -> bool:
        """Add a block of the run to the window. False at the run's end. Damage passes through."""
        if self._run_ended:
            return False
        block = self._stream.read()
        while not block:
            if not self._stream.next_member():
                self._run_ended = True
                return False
            block = self._stream.read()
            if _starts_record(block):
                self._next_run, self._run_ended = block, True
                return False
        self._base += self._at
        self._buffer = self._buffer[self._at:] + block if self._at < len(self._buffer) else block
        self._at = 0
        return True

    def _have(self, count: int) -> bool:
        while len(self._buffer) - self._at < count:
            if not self._more():
                return False
        return True

    def _take(self, count: int) -> bytes:
        """Up to `count` bytes; fewer at the end of the run. Damage leaves what was there in the window."""
        parts: list[bytes] = []
        while len(self._buffer) - self._at < count:
            part = self._buffer[self._at:]
            parts.append(part)
            count -= len(part)
            self._at = len(self._buffer)
            try:
                ended = not self._more()
            except Damage:
                self._unread(b"".join(parts))
                raise
            if ended:
                return b"".join(parts)
        parts.append(self._buffer[self._at:self._at + count])
        self._at += count
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _skip(self, count: int) -> int:
        """Pass over up to `count` bytes; returns how many there were."""
        left = count
        while left:
            step = min(left, len(self._buffer) - self._at)
            self._at += step
            left -= step
            if left and not self._more():
                break
        return count - left

    def _unread(self, data: bytes) -> None:
        rest = self._buffer[self._at:]
        self._base = self._here - len(data)
        self._buffer, self._at = data + rest, 0

    def _open_run(self) -> bool:
        """Begin the run that follows. False at the end of the file."""
        if not self._run_ended:
            return self._have(1)
        if self._next_run is None:
            return False
        self._start_run(self._next_run)
        return True

    def _start_run(self, head: bytes) -> None:
        self._buffer, self._at, self._base = head, 0, 0
        self._run, self._next_run, self._run_ended = self._stream.start, None, False

    # --- the grammar ---

    def records(self) -> Iterator[Record | Fault]:
        """Everything from here to the end, faults included."""
        while True:
            try:
                yield from self._runs()
                return
            except Damage as damage:
                yield Fault(self._damage_place(), damage.reason, damage.detail, self._buffer[self._at:self._at + 1000])
            except _Cut as cut:
                if cut.record:
                    yield cut.record
                yield cut.fault
            if not self._stream.resync(lambda head: _START in head or _arc_line(head) is not None):
                return
            self._start_run(b"")

    def _runs(self) -> Iterator[Record | Fault]:
        if self._midway and not self._find_start():
            return
        self._midway = False
        while self._open_run():
            while self._end < 0 or self._here < self._end:
                found = self._record()
                if found is None:
                    break
                yield found
            else:
                return

    def _record(self) -> Record | Fault | None:
        """The record at the window, or what is wrong with it; None at the end of the run.

        A Fault leaves the window at the next believable record of the run, or at its end.
        """
        self._skip_blank()
        if not self._have(1):
            return None
        offset = self._here
        line = self._peek_line()
        if line.startswith(_START):
            return self._warc_record(offset)
        if arc := _arc_line(line):
            self._skip(arc.size)
            kind = "filedesc" if arc.headers["warc-target-uri"].startswith("filedesc:") else "response"
            return self._with_block(offset, kind, arc.headers, arc.length, line[:arc.size])
        return self._fault_before_next(
            lambda size: Fault(self._place(offset), "corrupt", f"{size} bytes here belong to no record", line[:1000]))

    def _warc_record(self, offset: int) -> Record | Fault:
        head = self._head()
        if head is None or not _VERSION.match(head):
            self._skip(len(_START))
            fault = Fault(self._place(offset), "bad_header", "the header of a record has no end", (head or b"")[:1000])
            return self._fault_before_next(lambda size: fault)
        headers = parse_headers(head)
        length = headers.get("content-length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 16):
            said = f"Content-Length is {length[:40]!r}" if length else "there is no Content-Length"
            fault = Fault(self._place(offset), "bad_header", said, head[:1000], headers)
            return self._fault_before_next(lambda size: fault)
        return self._with_block(offset, headers.get("warc-type", "").lower(), headers, int(length), head)

    def _with_block(self, offset: int, kind: str, headers: dict[str, str], length: int, head: bytes) -> Record | Fault:
        place, block_at, member = self._place(offset), self._here, self._stream.start

        def fault(reason: str, detail: str) -> Fault:
            return Fault(place, reason, detail, head[:1000], headers)

        try:
            block = self._take(min(length, self._limit))
            got = len(block)
            if got == self._limit:
                got += self._skip(length - got)
        except Damage as damage:
            got = self._here + len(self._buffer) - self._at - block_at
            raise _Cut(None, fault(damage.reason, f"{length} bytes declared, {got} read: {damage.detail}")) from None
        if got < length:
            self._rewind(block_at, block)
            truncated = fault("truncated", f"{length} bytes declared, {got} read")
            wrong = fault("bad_length", f"{length} bytes declared, but another record begins within them")
            return self._fault_before_next(lambda size: wrong if self._have(1) else truncated)
        record = Record(place, kind, headers, block, length)
        try:
            ended = self._terminated()
        except Damage as damage:
            same = self._stream.start == member
            if same and damage.reason == "corrupt" and offset == 0:
                raise _Cut(None, fault("corrupt", damage.detail)) from None
            raise _Cut(record, Fault(self._damage_place(), damage.reason, damage.detail)) from None
        if not ended:
            self._rewind(block_at, block)
            wrong = fault("bad_length", f"{length} bytes declared, but the record does not end there")
            return self._fault_before_next(lambda size: wrong)
        digest = "" if self._guarded or len(block) < length else headers.get("warc-block-digest", "")
        if digest and not digest_is(digest, block):
            return fault("bad_digest", f"the block is not what {digest[:80]} was taken of")
        return record

    def _fault_before_next(self, fault: Callable[[int], Fault]) -> Fault:
        """Move on to the next record of the run, then make the fault, given the bytes passed."""
        here = self._here
        try:
            self._find_start()
        except Damage as damage:
            made = fault(self._here - here)
            detail = f"{made.detail}; {damage.detail}"
            raise _Cut(None, Fault(made.place, made.reason, detail, made.raw, made.headers)) from None
        return fault(self._here - here)

    def _rewind(self, block_at: int, block: bytes) -> None:
        """Back to the beginning of a block whose length is wrong. In a packed file, what was skipped is gone."""
        if not self._packed:
            self._stream.seek(block_at)
            self._buffer, self._at, self._base, self._run_ended = b"", 0, block_at, False
        elif self._here - block_at < self._limit + 64:
            self._unread(block + b"\n" * (self._here - block_at - len(block)))  # blank lines were passed

    def _terminated(self) -> bool:
        """Pass what stands behind a block. False where it is neither a blank line, a record nor the end.

        Looks one byte further than it must, so that a packed member's checksum is known before its record is given.
        """
        proper = self._have(4) and self._buffer.startswith(b"\r\n\r\n", self._at)
        self._at += 4 if proper else 0
        self._skip_blank()
        return proper or not self._have(1) or _starts_record(self._peek_line())

    def _damage_place(self) -> str:
        """Where damage lies: the member it is in, or behind the last good byte of the run."""
        return self._place(self._here) if self._stream.start == self._run else str(self._stream.start)

    def _skip_blank(self) -> None:
        while self._have(1) and self._buffer[self._at] in b"\r\n":
            self._at += 1

    def _peek_line(self) -> bytes:
        if self._buffer.startswith(_START, self._at):
            return _START
        while self._buffer.find(b"\n", self._at) < 0 and len(self._buffer) - self._at < _MOST_HEADER and self._more():
            pass
        return self._buffer[self._at:self._at + _MOST_HEADER]

    def _head(self) -> bytes | None:
        """The record header at the window, which is passed; None, and nothing passed, where it has no end."""
        while True:
            blank = _BLANK.search(self._buffer, self._at, self._at + _MOST_HEADER)
            if blank:
                head = self._buffer[self._at:blank.start() + 1]
                self._at = blank.end()
                return head
            if len(self._buffer) - self._at >= _MOST_HEADER or not self._more():
                return None

    def _find_start(self) -> bool:
        """Move to the next place in the run where a whole record header stands at the beginning of a line."""
        while True:
            found = self._buffer.find(_START, self._at)
            if found < 0:
                self._at = max(self._at, len(self._buffer) - len(_START) + 1)
                if not self._more():
                    self._at = len(self._buffer)
                    return False
                continue
            self._at = found
            at = self._here
            if self._believable():
                return True
            self._at = at - self._base + 1

    def _believable(self) -> bool:
        if self._at and self._buffer[self._at - 1] not in b"\r\n":
            return False
        here = self._here
        head = self._head()
        if head is None:
            return False
        self._at = here - self._base
        headers = parse_headers(head)
        return bool(_VERSION.match(head)) and "warc-type" in headers and headers.get("content-length", "").isdigit()


class _Cut(Exception):
    """A record that damage cut, with the record where all of it was there."""

    def __init__(self, record: Record | None, fault: Fault) -> None:
        self.record, self.fault = record, fault
        super().__init__(fault.detail)


def digest_is(said: str, data: bytes) -> bool:
    """Whether ``sha1:BASE32`` (or hex; sha256, sha512, md5) is of these bytes. Unknown algorithms count as right."""
    name, _, value = said.partition(":")
    name = name.strip().lower().replace("-", "")
    if name not in ("sha1", "sha256", "sha512", "md5"):
        return True
    digest = hashlib.new(name, data, usedforsecurity=False).digest()
    value = value.strip()
    if len(value) == 2 * len(digest):
        return value.lower() == digest.hex()
    try:
        return base64.b32decode(value.upper() + "=" * (-len(value) % 8)) == digest
    except binascii.Error:
        return True
