"""Indexes of web archives: which records lie where, so that they alone are read, and packed archives can be cut.

An index is a file whose name ends in `.cdxj` or `.cdx`, also packed. Its lines are

    com,example)/ 20240101000000 {"filename": "crawl-data/a.warc.gz", "offset": "73211", "length": "5120", ...}
    {"filename": "crawl-data/a.warc.gz", "offset": 73211, "length": 5120}
    com,example)/ 20240101000000 http://example.com/ text/html 200 SHA1 - - 5120 73211 a.warc.gz

that is CDXJ as Common Crawl has it, plain JSON (with the columns of its Parquet index too: `warc_filename`,
`warc_record_offset`, `warc_record_length`), and CDX under a header such as ` CDX N b a m s k r M S V g`. Neighbouring
records are read as one stretch of up to `split_bytes`; so an index of a whole archive makes many tasks of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import RawIOBase

from dataengine.errors import InputError
from dataengine.stage import Piece
from dataengine.stages.read._found import Found, ends
from dataengine.stages.read._lists import lines_of, targets, weighed

INDEX_ENDINGS = tuple(name + codec for name in (".cdxj", ".cdx") for codec in ("", ".gz", ".bz2", ".xz", ".zst"))

_NAMES = (("filename", "offset", "length"), ("warc_filename", "warc_record_offset", "warc_record_length"))


def is_index(path: str) -> bool:
    """Whether a path of a recipe names an index, or a pattern of indexes."""
    return ends(path, INDEX_ENDINGS)


def indexed(
    file: Found, prefix: str, split_bytes: int, local: Callable[[str], list[Found]],
    choose: Callable[[list[Found]], list[Found]],
) -> Iterator[Piece]:
    """The stretches of archives that an index names. `choose` says which archives.

    Raises InputError for a line that says no place; Unreachable where a server is in trouble.
    """
    archives: dict[str, tuple[Found, dict[int, int]]] = {}
    for name, (number, records) in _places(file).items():
        matches = targets(file, prefix, [(number, name)], local)
        if len(matches) != 1:
            raise InputError(f"{name[:100]!a} is {len(matches)} files", where=f"{file.origin}:{number}",
                             expected="the name of one archive")
        archives.setdefault(matches[0].path, (matches[0], {}))[1].update(records)
    chosen = choose(sorted((archive for archive, _ in archives.values()), key=lambda archive: archive.origin))
    for archive in weighed(chosen):  # which asks whether the prefix is right
        for start, end in _stretches(archives[archive.path][1], split_bytes):
            yield Piece(archive.path, archive.origin, start, end, end - start, archive.stamp)


def _places(file: Found) -> dict[str, tuple[int, dict[int, int]]]:
    """Archive -> the first line that names it, and the length of each record by its offset."""
    found: dict[str, tuple[int, dict[int, int]]] = {}
    columns: list[str] = []
    for number, line in lines_of(file):
        if line.startswith("CDX "):
            columns = line.split()[1:]
            continue
        try:
            name, offset, length = _place(line, columns)
        except (ValueError, KeyError, IndexError, TypeError):
            raise InputError(f"this line says no place of a record: {line[:100]!a}",
                             where=f"{file.origin}:{number}",
                             expected="filename, offset and length, in JSON or under a CDX header") from None
        found.setdefault(name, (number, {}))[1][offset] = length
    return found


def _place(line: str, columns: list[str]) -> tuple[str, int, int]:
    from orjson import loads

    brace = line.find("{")
    if brace >= 0:
        entry = loads(line[brace:])
        names = _NAMES["warc_filename" in entry]
        name, offset, length = (entry[key] for key in names)
    else:
        fields = line.split()
        name, offset, length = (fields[columns.index(letter)] for letter in "gVS")
    if not isinstance(name, str) or not name or int(offset) < 0 or int(length) <= 0:
        raise ValueError(line)
    return name, int(offset), int(length)


def _stretches(records: dict[int, int], most: int) -> Iterator[tuple[int, int]]:
    """Runs of records that lie one behind the other, of about `most` bytes."""
    start = end = -1
    for offset in sorted(records):
        if offset == end and end - start < most:
            end += records[offset]
            continue
        if end > start:
            yield start, end
        start, end = offset, offset + records[offset]
    if end > start:
        yield start, end


class Part(RawIOBase):
    """A file that seems to end at a byte. Positions stay those of the whole file."""

    def __init__(self, file: RawIOBase, end: int) -> None:
        self._file, self._end = file, end
        if hasattr(file, "ask_up_to"):
            file.ask_up_to(end)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._end - self._file.tell())
        return self._file.read(left if size < 0 else min(size, left)) or b""
