"""Members of zip and tar archives, read in place and in bounded memory; nothing is written to disk.

`tarfile` ends at the first damaged header as if the archive ended there, and both modules give a cut archive up as a
whole. Here the end of every archive is checked, and a member that cannot be read does not take the others with it.
"""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import RawIOBase
from typing import IO

from dataengine.stage import Piece, Refused
from dataengine.stages.read._documents import bounded
from dataengine.stages.read._found import ends
from dataengine.stages.read._open import Damage, Stream, opened, refusal

_TARS = (".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tgz", ".tbz2", ".txz")
ARCHIVE_SUFFIXES = (".zip", ".whl", ".jar", *_TARS)

_BLOCK = 64 << 10


@dataclass(frozen=True)
class Member:
    """A file of an archive."""

    path: str
    content: bytes


def is_archive(path: str) -> bool:
    return ends(path, ARCHIVE_SUFFIXES)


def members(piece: Piece, limit: int, wanted: Callable[[str], bool]) -> Iterator[Member | Refused]:
    """The wanted members in the archive's order, and what could not be read.

    A member longer than `limit` is refused without being unpacked further.
    """
    read = _tar if ends(piece.path, _TARS) else _zip
    try:
        with opened(piece) as file:
            yield from read(file, piece, limit, wanted)
    except Damage as damage:
        yield refusal(piece.origin, damage)


def unsafe(path: str) -> bool:
    """Whether a member's path leads out of the folder it would be unpacked in."""
    parts = path.replace("\\", "/").split("/")
    return not path or parts[0] == "" or ".." in parts or re.match(r"[A-Za-z]:", path) is not None or "\0" in path


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _unsafe(piece: Piece, path: str, what: str) -> Refused:
    return Refused(f"{piece.origin}!{_shown(path)}", "unsafe_path", what)


# --- zip --------------------------------------------------------------------------------------------------------------


def _zip(file: RawIOBase, piece: Piece, limit: int, wanted: Callable[[str], bool]) -> Iterator[Member | Refused]:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        head = file.seek(0) or file.read(2)
        reason = "truncated" if head == b"PK" and "not a zip file" in str(error) else "corrupt"
        raise Damage(reason, f"the zip directory cannot be read: {error}") from None
    for info in archive.infolist():
        if info.is_dir():
            continue
        if unsafe(info.filename):
            yield _unsafe(piece, info.filename, "the path leads out of the archive")
        elif stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            yield _unsafe(piece, info.filename, "a link or device")
        elif wanted(info.filename):
            yield _zip_member(archive, info, f"{piece.origin}!{_shown(info.filename)}", limit)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, origin: str, limit: int) -> Member | Refused:
    if info.flag_bits & 1:
        return Refused(origin, "encrypted", "the member is encrypted")
    try:
        with archive.open(info) as member:
            content = bounded(iter(lambda: member.read(_BLOCK), b""), limit)
    except Damage as damage:
        return refusal(origin, damage)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        return Refused(origin, "corrupt", f"the member cannot be unpacked: {error}")
    if len(content) != info.file_size:
        return Refused(origin, "truncated", f"{info.file_size} bytes declared, {len(content)} read")
    return Member(_shown(info.filename), content)


# --- tar --------------------------------------------------------------------------------------------------------------


class _Forward:
    """A stream as tarfile wants it: `read`, `tell`, and `seek` forwards. Remembers the last block it gave."""

    def __init__(self, stream: Stream, limit: int) -> None:
        self._blocks = stream.blocks()
        self._buffer = b""
        self._at = 0
        self._offset = 0
        self._limit = max(limit, 1 << 20)
        self.last = b""

    def read(self, size: int) -> bytes:
        if size > self._limit:  # a forged length of a name or an extended header
            raise Damage("too_large", f"a tar header asks for {size} bytes")
        parts: list[bytes] = []
        while size:
            if self._at == len(self._buffer):
                self._buffer, self._at = next(self._blocks, b""), 0
                if not self._buffer:
                    break
            part = self._buffer[self._at:self._at + size]
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        self.last = b"".join(parts)
        self._offset += len(self.last)
        return self.last

    def tell(self) -> int:
        return self._offset

    def seek(self, offset: int) -> int:
        while self._offset < offset:
            if not self.read(min(_BLOCK, offset - self._offset)):
                break
        return self._offset

    def drain(self) -> None:
        """Pass the padding behind the end mark: the checksum of the packing comes after it."""
        for _ in self._blocks:
            pass


def _tar(file: RawIOBase, piece: Piece, limit: int, wanted: Callable[[str], bool]) -> Iterator[Member | Refused]:
    forward = _Forward(Stream(file, piece.path), limit)
    try:
        archive = tarfile.TarFile(fileobj=forward, mode="r", errors="surrogateescape")
        while (info := archive.next()) is not None:
            archive.members = []  # tarfile keeps them all
            path = info.name
            if info.isdir():
                continue
            if unsafe(path):
                yield _unsafe(piece, path, "the path leads out of the archive")
            elif not info.isfile():
                yield _unsafe(piece, path, "a link or device")
            elif wanted(path):
                yield _tar_member(archive, info, f"{piece.origin}!{_shown(path)}", limit)
    except (tarfile.TarError, EOFError, ValueError) as error:
        reason = "truncated" if "unexpected end" in str(error) or "truncated" in str(error) else "corrupt"
        raise Damage(reason, f"after byte {forward.tell()} of the archive: {error}") from None
    if forward.tell() and len(forward.last) < tarfile.BLOCKSIZE:
        raise Damage("truncated", f"the archive ends at byte {forward.tell()}, before its end mark")
    if forward.last.strip(b"\0"):
        raise Damage("corrupt", f"a damaged header before byte {forward.tell()}")
    forward.drain()


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, origin: str, limit: int) -> Member | Refused:
    if info.size > limit:
        return Refused(origin, "too_large", f"{info.size} bytes; max_record_bytes is {limit}")
    member: IO[bytes] | None = archive.extractfile(info)
    content = member.read() if member else b""
    if len(content) != info.size:
        raise Damage("truncated", f"{_shown(info.name)}: {info.size} bytes declared, {len(content)} read")
    return Member(_shown(info.name), content)
