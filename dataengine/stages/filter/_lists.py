"""Lists of hosts and pages as sorted arrays of hashes: 8 bytes an entry, whatever the files hold.

A file holds one entry a line, plain or packed (``.gz``, ``.bz2``, ``.xz``, ``.zst``). Blank lines and what follows a
``#`` are passed over; a line of a hosts file (``0.0.0.0 ads.example``) means its second word; lines that name no host
are passed over. Five million lines load in about 3 s.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from dataengine.errors import InputError
from dataengine.stage import Piece

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Kind = Literal["host", "page"]
Stamped = tuple[str, int, int]
LONGEST_LINE = 1 << 20


def table(entries: tuple[str, ...], files: tuple[str, ...], kind: Kind) -> np.ndarray:
    """The hashes of all entries: uint64, sorted, each once. Raises InputError for a file that cannot be read."""
    return _table(entries, _stamped(files), kind)


def words(entries: tuple[str, ...], files: tuple[str, ...]) -> tuple[str, ...]:
    """All entries of a list of words, in lower case, each once."""
    return _words(entries, _stamped(files))


def _stamped(files: tuple[str, ...]) -> tuple[Stamped, ...]:
    """The files with size and modification time, by which a list once loaded is known again."""
    found = []
    for file in files:
        try:
            status = os.stat(file)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=file) from None
        found.append((file, status.st_size, status.st_mtime_ns))
    return tuple(found)


@lru_cache(maxsize=64)
def _table(entries: tuple[str, ...], files: tuple[Stamped, ...], kind: Kind) -> np.ndarray:
    import numpy as np

    parts = [hashes(list(entries), kind)] if entries else []
    for file, *_ in files:
        parts += [_hashes_of(data, kind) for data in _chunks(file)]
    found = np.concatenate(parts) if parts else np.empty(0, np.uint64)
    found.sort()
    # Not np.unique, which hashes: ten times as slow as sorting what is random already.
    distinct = np.ones(len(found), np.bool_)
    distinct[1:] = found[1:] != found[:-1]
    return found[distinct & (found != 0)]


def _chunks(file: str) -> Iterator[bytes]:
    """The file in chunks of whole lines. Raises InputError for damage."""
    from dataengine.stages.read._lines import Chunk, CutLine, line_chunks
    from dataengine.stages.read._open import Damage, Stream, opened

    try:
        with opened(Piece(file, file)) as raw:
            for chunk in line_chunks(Stream(raw, file).blocks(), LONGEST_LINE):
                if isinstance(chunk, Chunk):
                    yield chunk.data
    except (CutLine, Damage) as fault:
        damage = fault.damage if isinstance(fault, CutLine) else fault
        raise InputError(damage.detail, where=file, expected="a whole list, one entry a line") from None


@lru_cache(maxsize=64)
def _words(entries: tuple[str, ...], files: tuple[Stamped, ...]) -> tuple[str, ...]:
    found = dict.fromkeys(entry.strip().lower() for entry in entries)
    for file, *_ in files:
        for data in _chunks(file):
            found.update(dict.fromkeys(
                _entry(line).decode("utf-8", "replace").strip().lower() for line in data.split(b"\n")
            ))
    return tuple(filter(None, found))


def _entry(line: bytes) -> bytes:
    """What of a line is the entry: no comment, and of a hosts file's line the name."""
    if b"#" in line:
        line = b"" if line.lstrip().startswith(b"#") else line.partition(b" #")[0]
    line = line.strip()
    if line.startswith((b"0.0.0.0", b"127.0.0.1", b"::1", b"::")) and len(words := line.split()) > 1:
        return words[1]
    return line


def _hashes_of(data: bytes, kind: Kind) -> np.ndarray:
    """The hashes of whole lines. Where they hold nothing but entries, no line becomes an object: 7 times as fast."""
    import numpy as np
    import pyarrow as pa

    lines = data.replace(b"\r\n", b"\n").removesuffix(b"\n") + b"\n"
    codes = np.frombuffer(lines, np.uint8)
    controls = np.flatnonzero(codes <= 32)  # blanks, too: at the ends of a line they are no part of its entry
    if len(controls) > lines.count(b"\n") or b"#" in lines or b"*" in lines:
        return hashes(data.split(b"\n"), kind)
    data, ends = lines, controls + 1
    offsets = pa.py_buffer(np.concatenate([np.zeros(1, np.int64), ends.astype(np.int64)]))
    # A closing slash means nothing to a host or page, and ends it as well as a line end does.
    slashed = pa.py_buffer(data.replace(b"\n", b"/"))
    return _hashes(pa.Array.from_buffers(pa.large_binary(), len(ends), [None, offsets, slashed]), kind)


def hashes(lines: Iterable[str | bytes], kind: Kind) -> np.ndarray:
    """uint64, one a line; 0 where a line names no host."""
    import pyarrow as pa

    entries = [_entry(line.encode() if isinstance(line, str) else line).removeprefix(b"*.") for line in lines]
    return _hashes(pa.array(entries, pa.large_binary()), kind)


def _hashes(column: pa.Array, kind: Kind) -> np.ndarray:
    parsed = Parsed(column)
    return parsed.host_hashes() if kind == "host" else parsed.page_hashes()


class Parsed:
    """The hosts of a column of URLs, as kernels look at them."""

    def __init__(self, column: pa.Array) -> None:
        """`column`: URLs as text or bytes; bytes that are no UTF-8 are read with U+FFFD, nulls are empty."""
        import numpy as np

        from dataengine.kernels.buffers import utf8
        from dataengine.kernels.hosts import find_hosts

        self.data, self.offsets = utf8(column)
        rows = len(self.offsets) - 1
        hosts = np.empty(max(0, int(self.offsets[-1] - self.offsets[0])), np.uint8)
        self.ends, self.rest = np.zeros(rows + 1, np.int64), np.zeros(rows, np.int64)
        plain = np.zeros(rows, np.bool_)
        find_hosts(self.data, self.offsets, hosts, self.ends, self.rest, plain)
        self.hosts = hosts[: self.ends[-1]]
        self.slow: dict[int, tuple[bytes, bytes]] = {}
        """Rows whose URL is not plain: host and what follows it."""
        for row in np.flatnonzero(~plain & (np.diff(self.offsets) > 0)).tolist():
            self.slow[row] = self._parsed(row)
        self._merge()

    def _parsed(self, row: int) -> tuple[bytes, bytes]:
        from dataengine.stages.filter._hosts import split

        raw = self.data[self.offsets[row]:self.offsets[row + 1]].tobytes()
        host, behind = split(raw[:1 << 16].decode("utf-8", "replace"))
        return host.encode(), behind.encode("utf-8", "replace")

    def _merge(self) -> None:
        """The hosts of the slow rows put among the others."""
        import numpy as np

        if not any(host for host, _ in self.slow.values()):
            return
        sizes = np.diff(self.ends)
        parts, done = [], 0
        for row, (host, _) in self.slow.items():
            parts += [self.hosts[done:self.ends[row]], np.frombuffer(host, np.uint8)]
            done = self.ends[row]
            sizes[row] = len(host)
        self.hosts = np.concatenate([*parts, self.hosts[done:]])
        self.ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    @property
    def names(self) -> pa.Array:
        """The hosts as text; null where a URL names none."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        there = pa.array(np.diff(self.ends) > 0)
        ends = pa.py_buffer(self.ends.astype(np.int32))
        names = pa.StringArray.from_buffers(len(there), ends, pa.py_buffer(self.hosts))
        return pc.if_else(there, names, pa.scalar(None, pa.string()))

    def host_hashes(self) -> np.ndarray:
        import numpy as np

        from dataengine.kernels.hosts import host_hashes

        found = np.empty(len(self.ends) - 1, np.uint64)
        host_hashes(self.hosts, self.ends, found)
        return found

    def page_hashes(self) -> np.ndarray:
        import numpy as np

        from dataengine.kernels.hosts import page_hashes

        found = np.empty(len(self.ends) - 1, np.uint64)
        page_hashes(self.hosts, self.ends, self.data, self.rest, self.offsets[1:], found)
        for row, (host, behind) in self.slow.items():
            one = np.empty(1, np.uint64)
            page_hashes(np.frombuffer(host, np.uint8), np.array([0, len(host)]), np.frombuffer(behind, np.uint8),
                        np.zeros(1, np.int64), np.array([len(behind)]), one)
            found[row] = one[0]
        return found

    def under(self, table: np.ndarray) -> np.ndarray:
        """Whether each host or a domain above it is in the table: bool, shape (n,)."""
        import numpy as np

        from dataengine.kernels.hosts import under_domain

        found = np.zeros(len(self.ends) - 1, np.bool_)
        if len(table):
            under_domain(self.hosts, self.ends, table, found)
        return found

    def among(self, hashes: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Whether each hash is in the table: bool, shape (n,)."""
        import numpy as np

        if not len(table):
            return np.zeros(len(hashes), np.bool_)
        at = np.minimum(np.searchsorted(table, hashes), len(table) - 1)
        return table[at] == hashes
