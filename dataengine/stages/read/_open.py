"""Files opened so that nothing is lost in silence: cut and damaged ones are told from whole ones, in bounded memory.

The decompressors of Python and of its packages say nothing when a stream ends in the middle (zstandard), stop at the
first damaged member (fastwarc) or lose what they had already unpacked when a checksum fails (zlib). A `Stream` checks
the end of every member, gives all bytes before the damage, then raises `Damage`, and can go on behind it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO, RawIOBase
from typing import Any, BinaryIO

from dataengine import remote
from dataengine.errors import InputError
from dataengine.stage import Piece, Refused

BLOCK = 1 << 20
"""Bytes read at a time. Larger blocks were not faster."""

FILE_REFUSES = ("not_regular_file", "io_error", "truncated", "corrupt", "too_large", "unreachable")
"""The reasons every reader of files may give."""

_TRIES = 3


class Damage(Exception):
    """The file cannot be read as what it is, from here on."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(detail)


@contextmanager
def opened(piece: Piece) -> Iterator[RawIOBase]:
    """The piece's file, for reading. Raises Damage (``not_regular_file``, ``io_error``), never waits on a pipe.

    Raises InputError where the file is not the one that was planned with. A remote object raises Damage
    (``unreachable``, ``too_large``) behind what it gave, and Unreachable where its server is in trouble.
    """
    if remote.is_remote(piece.path):
        with _opened_remote(piece) as file:
            yield file
        return
    try:
        if not stat.S_ISREG(os.stat(piece.path).st_mode):
            raise Damage("not_regular_file", "a folder, pipe or device, not a file")
        file = FileIO(os.open(piece.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except FileNotFoundError:
        if piece.stamp:
            raise InputError("the file vanished since the run was planned", where=piece.origin,
                             write="run again: the plan is made anew") from None
        raise Damage("not_regular_file", "a link that leads nowhere") from None
    except OSError as error:
        reason = "not_regular_file" if error.errno in (errno.ELOOP, errno.ENXIO) else "io_error"
        raise Damage(reason, error.strerror or "cannot be opened") from None
    with file:
        status = os.fstat(file.fileno())
        if piece.stamp and piece.stamp != f"{status.st_size}-{status.st_mtime_ns}":
            raise InputError("the file changed since the run was planned", where=piece.origin,
                             write="run again: the plan is made anew")
        yield file


@contextmanager
def _opened_remote(piece: Piece) -> Iterator[RawIOBase]:
    from dataengine.remote.file import RemoteFile
    from dataengine.remote.http import Refused as Gone

    try:
        with RemoteFile(piece.path, piece.stamp) as file:
            yield file
    except Gone as gone:
        raise Damage(gone.reason, gone.why) from None


def refusal(origin: str, damage: Damage, raw: bytes = b"") -> Refused:
    """Damage as the quarantine shows it."""
    return Refused(origin, damage.reason, damage.detail, raw[:1000])


def read_some(file: BinaryIO, size: int) -> bytes:
    """At most `size` bytes. A device error is tried three times, then raised as Damage ``io_error``."""
    for attempt in range(_TRIES):
        try:
            return file.read(size) or b""
        except OSError as error:
            if error.errno != errno.EIO or attempt == _TRIES - 1:
                raise Damage("io_error", error.strerror or "cannot be read") from None
    raise AssertionError("unreachable")


# --- compressions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Codec:
    """A compression whose files are members one after the other."""

    name: str
    magic: bytes
    new: Callable[[bytes], Any]
    """dictionary -> decompressor with ``decompress(data, max_length)``, ``needs_input``, ``eof``, ``unused_data``."""
    step: int
    """Bytes fed at a time. Small, because what is left behind a member is copied."""


class _Zstd:
    """zstandard's decompressor under the interface of the others.

    It gives all that its input unpacks to, however much, so it is fed one block at a time (RFC 8878, section 3.1.1): a
    block of a few bytes unpacks to at most 128 KiB.
    """

    def __init__(self, dictionary: bytes) -> None:
        import zstandard

        loaded = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        self._inner = zstandard.ZstdDecompressor(dict_data=loaded).decompressobj()
        self._raw = b""
        self._at = 0
        self._left = 0
        """Bytes of the block at hand that are yet to be fed."""
        self._checksum: int | None = None
        """Bytes behind the last block; None until the frame header is seen."""
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self._raw, self._at = self._raw[self._at:] + data, 0
        parts: list[bytes] = []
        size = 0
        while size < max_length and not self._inner.eof and self._measure():
            part = self._inner.decompress(self._raw[self._at:self._at + self._left])
            fed = min(self._left, len(self._raw) - self._at)
            self._at += fed
            self._left -= fed
            parts.append(part)
            size += len(part)
        self.needs_input = not self._measure()
        return b"".join(parts)

    def _measure(self) -> bool:
        """Know how long the header or block at the position is. False where more input is needed for that."""
        here = len(self._raw) - self._at
        if self._left or self._checksum is None:
            if not self._left and here >= 5:
                flags = self._raw[self._at + 4]
                single = flags >> 5 & 1
                self._left = 5 + (not single) + (0, 1, 2, 4)[flags & 3] + ((single, 2, 4, 8)[flags >> 6])
                self._checksum = 4 * (flags >> 2 & 1)
            return self._left > 0 and here > 0
        if here < 3:
            return False
        header = int.from_bytes(self._raw[self._at:self._at + 3], "little")
        last, run, length = header & 1, header >> 1 & 3 == 1, header >> 3
        self._left = 3 + (1 if run else length) + (self._checksum if last else 0)
        return True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._raw[self._at:]


def _gzip(dictionary: bytes) -> Any:
    from isal import igzip_lib

    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def _bz2(dictionary: bytes) -> Any:
    import bz2

    return bz2.BZ2Decompressor()


def _xz(dictionary: bytes) -> Any:
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=256 << 20)


GZIP = Codec("gzip", b"\x1f\x8b\x08", _gzip, 16 << 10)
ZSTD = Codec("zstd", b"\x28\xb5\x2f\xfd", _Zstd, 16 << 10)
CODECS = {".gz": GZIP, ".bz2": Codec("bzip2", b"BZh", _bz2, 16 << 10), ".xz": Codec("xz", b"\xfd7zXZ\0", _xz, 16 << 10),
          ".zst": ZSTD}

_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_DICTIONARY = 0x184D2A5D
"""The skippable frame that holds the dictionary of a .warc.zst (IIPC, "WARC Zstandard compression")."""


def _errors() -> tuple[type[Exception], ...]:
    """What the decompressors raise for bad data. (isal's error is zlib's.)"""
    import lzma
    import zlib

    import zstandard
    from isal import isal_zlib

    return (zlib.error, isal_zlib.error, OSError, EOFError, ValueError, lzma.LZMAError, zstandard.ZstdError)


def codec_of(head: bytes, name: str = "") -> Codec | None:
    """The compression whose magic number these bytes begin with, or None for plain bytes.

    Raises Damage where the name promises one and the bytes are neither that nor text.
    """
    for codec in CODECS.values():
        if head.startswith(codec.magic):
            return codec
    if head and int.from_bytes(head[:4], "little") in _SKIPPABLE:
        return ZSTD
    promised = CODECS.get(os.path.splitext(name)[1].lower())
    if promised and head and promised.magic.startswith(head):
        raise Damage("truncated", f"the file ends after {len(head)} bytes, within the {promised.name} header")
    if promised and (b"\0" in head or _share_of_text(head) < 0.9):
        raise Damage("corrupt", f"not a {promised.name} file: it begins with {head[:4].hex(' ')}")
    return None


def _share_of_text(head: bytes) -> float:
    """Near 1 for text in ASCII or UTF-8, near 0.6 for compressed bytes."""
    broken = head.decode("utf-8", errors="replace").count("\ufffd")
    controls = sum(head.count(bytes([code])) for code in range(32) if code not in b"\t\n\r\f")
    return 1 - (broken + controls) / max(1, len(head))


class Stream:
    """The bytes of a file, unpacked, in blocks, member by member. A plain file is one member.

    Memory is bounded by a few blocks whatever the file unpacks to.
    Raises Damage from `read` and `next_member` after all bytes before the damage were given; `resync` goes on.
    """

    def __init__(self, file: RawIOBase, name: str = "", start: int = 0, codec: Codec | None = None) -> None:
        self._file = file
        self._buffer = b""
        self._at = 0
        self._base = start
        """File offset of the buffer's first byte."""
        self._dictionary = b""
        self._unpacker: Any = None
        self._given = 0
        """Bytes of this member that `read` has returned."""
        self._pending: Damage | None = None
        self.start = start
        """File offset of the member at hand."""
        file.seek(start)
        self._fill(8)
        self.empty = not self._buffer
        self.codec = codec or codec_of(self._peek(512), name)
        if self.codec:
            self._open_member()

    @property
    def position(self) -> int:
        """File offset of the next byte to be unpacked."""
        return self._base + self._at

    def read(self) -> bytes:
        """The next bytes of the member at hand, or ``b""`` at its end."""
        if self.codec is None:
            self._fill(1)
            block = self._buffer[self._at:]
            self._at = len(self._buffer)
            return block
        if self._pending:
            damage, self._pending, self._unpacker = self._pending, None, None
            raise damage
        if self._unpacker is None:
            return b""
        block = self._unpack()
        self._given += len(block)
        return block

    def next_member(self) -> bool:
        """Go on to the member behind the one that ended. False at the end of the file."""
        if self.codec is None:
            return False
        while self._fill(8) and self._buffer[self._at] == 0:  # padding, as tar and xz leave it
            padding = len(self._buffer) - self._at - len(self._buffer[self._at:].lstrip(b"\0"))
            self._at += padding
        if not self._fill(8):
            return False
        return self._open_member()

    def resync(self, accept: Callable[[bytes], bool]) -> bool:
        """Go on at the first member behind the start of the damaged one whose first bytes unpack and are accepted."""
        if self.codec is None:
            return False
        self._pending = None
        self.seek(self.start + 1)
        while True:
            found = self._buffer.find(self.codec.magic, self._at)
            if found < 0:
                self._at = max(self._at, len(self._buffer) - len(self.codec.magic) + 1)
                left = len(self._buffer) - self._at
                if self._fill(left + 1) <= left:
                    return False
                continue
            self._at = found
            head = self._probe()
            if head and accept(head):
                return self._open_member()
            self._at += 1

    def blocks(self) -> Iterator[bytes]:
        """All bytes of all members, one after the other, from where the stream stands."""
        while True:
            while block := self.read():
                yield block
            if not self.next_member():
                return

    # --- the raw side ---

    def _fill(self, count: int) -> int:
        """Have `count` bytes in the buffer if the file has them. Returns how many there are; 0 at the file's end."""
        while len(self._buffer) - self._at < count:
            more = read_some(self._file, BLOCK)
            if not more:
                break
            self._base += self._at
            self._buffer = self._buffer[self._at:] + more
            self._at = 0
        return len(self._buffer) - self._at

    def _peek(self, count: int) -> bytes:
        return self._buffer[self._at:self._at + count]

    def seek(self, offset: int) -> None:
        """Go on at this file offset: of a plain file, or before a member is opened."""
        self._file.seek(offset)
        self._buffer, self._at, self._base = b"", 0, offset

    # --- members ---

    def _open_member(self) -> bool:
        """A decompressor for the member that begins at the position. False where only skippable frames are left."""
        self._fill(8)
        while self.codec is ZSTD and int.from_bytes(self._peek(4), "little") in _SKIPPABLE:
            self._skip_frame()
            if not self._fill(8):
                return False
        self.start, self._given = self.position, 0
        head = self._peek(len(self.codec.magic))
        if not head.startswith(self.codec.magic):
            self._unpacker = None
            if self.codec.magic.startswith(head):
                end = self.position + len(head)
                raise Damage("truncated", f"the file ends at byte {end}, within a {self.codec.name} header")
            raise Damage("corrupt", f"at byte {self.start} there should be a {self.codec.name} member, "
                                    f"not {self._peek(8).hex(' ')}")
        self._unpacker = self.codec.new(self._dictionary)
        return True

    def _skip_frame(self) -> None:
        self.start = self.position
        self._fill(8)
        kind, size = int.from_bytes(self._peek(4), "little"), int.from_bytes(self._peek(8)[4:], "little")
        if kind == _DICTIONARY and size <= 16 << 20 and not self._dictionary:
            self._fill(8 + size)
            self._dictionary = self._plain_dictionary(self._peek(8 + size)[8:])
        self._fill(8)
        left = 8 + size
        while left and self._fill(1):
            step = min(left, len(self._buffer) - self._at)
            self._at += step
            left -= step
        if left:
            self._unpacker = None
            raise Damage("truncated", f"the file ends at byte {self.position}, within a zstd skippable frame")

    @staticmethod
    def _plain_dictionary(content: bytes) -> bytes:
        """The dictionary may be a zstd frame itself."""
        if not content.startswith(ZSTD.magic):
            return content
        import zstandard

        try:
            return zstandard.ZstdDecompressor().decompress(content, max_output_size=16 << 20)
        except zstandard.ZstdError as error:
            raise Damage("corrupt", f"the zstd dictionary does not unpack: {error}") from None

    def _unpack(self) -> bytes:
        unpacker, step = self._unpacker, self.codec.step
        got: list[bytes] = []
        size = 0
        while size < BLOCK:
            data = b""
            if unpacker.needs_input:
                if not self._fill(1):
                    self._pending = Damage(
                        "truncated", f"the file ends at byte {self.position}, within the {self.codec.name} member that "
                                     f"begins at byte {self.start}")
                    break
                data = self._buffer[self._at:self._at + step]
                self._at += len(data)
            try:
                block = unpacker.decompress(data, BLOCK)
            except _errors() as error:
                got.append(self._rescue(self._given + size))
                self._pending = Damage("corrupt", f"the {self.codec.name} member that begins at byte {self.start} is "
                                                  f"damaged before byte {self.position}: {error}")
                break
            got.append(block)
            size += len(block)
            if unpacker.eof:
                self._at -= len(unpacker.unused_data)
                self._unpacker = None
                break
        block = got[0] if len(got) == 1 else b"".join(got)
        if not block and self._pending:
            damage, self._pending, self._unpacker = self._pending, None, None
            raise damage
        return block

    def _rescue(self, given: int) -> bytes:
        """What a damaged gzip member holds between the bytes given and the damage: isal throws them away.

        Unpacks the member once more with zlib, whose state can be copied, and halves the last step down to the byte.
        """
        if self.codec is not GZIP:
            return b""
        import zlib

        here, at, step = self.position, self.start, self.codec.step
        unpacker = zlib.decompressobj(wbits=31)
        kept: list[bytes] = []
        seen = 0
        while not unpacker.eof:
            self._file.seek(at)
            data = read_some(self._file, step)
            before = unpacker.copy()
            try:
                block = unpacker.decompress(data)
            except zlib.error:
                if step == 1:
                    break
                unpacker, step = before, step // 2
                continue
            if not data:
                break
            at += len(data)
            if seen + len(block) > given:
                kept.append(block[max(0, given - seen):])
            seen += len(block)
        self.seek(here)
        return b"".join(kept)

    def _probe(self) -> bytes:
        """The first bytes that a member at the position unpacks to, or nothing. The position stays."""
        size = 4096 if self.codec is GZIP else BLOCK  # other codecs give nothing before a block is whole
        self._fill(size)
        unpacker = self.codec.new(self._dictionary)
        try:
            return unpacker.decompress(self._peek(size), 4096)
        except _errors():
            return b""
