"""A file or remote object that a recipe means, before it is opened, and the pieces it is read in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dataengine.remote import is_remote
from dataengine.stage import Piece


class Found(NamedTuple):
    """A file the recipe means."""

    path: str
    """Absolute, or an address. Bytes that are not UTF-8 are lone surrogates, as `os.fsdecode` gives them."""
    origin: str
    size: int
    """Of a listed object about what its neighbours have."""
    mtime_ns: int = 0
    regular: bool = True
    mark: str = ""
    """What a server says the content is by: size and ETag."""
    ranges: bool = True
    """Whether parts of it can be read, and its size is known. False for what a list names: nobody has looked."""

    @property
    def stamp(self) -> str:
        return self.mark or (f"{self.size}-{self.mtime_ns}" if self.regular and self.ranges else "")


def ends(path: str, endings: tuple[str, ...]) -> bool:
    """Whether a path, or an address without its query, has one of these endings."""
    return (path.partition("?")[0] if is_remote(path) else path).lower().endswith(endings)


SLOW_ENDINGS = (".bz2", ".xz")
"""Codecs that unpack 20 to 80 MB/s, no more than rows are written with."""


def cheap_again(piece: Piece) -> bool:
    """Whether a piece of records, a regular file on this machine, is read again in less time than its rows are stored.

    JSON Lines read 170 to 360 MB of text/s, from gzip 270, Parquet 530. A stored row is packed, hashed, read back and
    unpacked: 120 MB/s in all.
    """
    return bool(piece.stamp) and not is_remote(piece.path) and not ends(piece.path, SLOW_ENDINGS)


def whole(file: Found) -> Piece:
    """The piece that is all of a file."""
    return Piece(file.path, file.origin, weight=file.size, stamp=file.stamp)


def ranges(file: Found, size: int) -> Iterator[Piece]:
    """Pieces of `size` bytes; the last one is open-ended. A file that cannot be read in parts is one piece."""
    if not file.ranges:
        yield whole(file)
        return
    starts = range(0, max(1, file.size), size)
    for start in starts:
        last = start == starts[-1]
        yield Piece(file.path, file.origin, start, -1 if last else start + size,
                    min(size, file.size - start), file.stamp)
