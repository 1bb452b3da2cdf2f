"""Records of CSV, Arrow, JSON and text files as dictionaries, one after the other, in bounded memory.

About 2 µs a value: for what has no faster road of its own (`read.jsonl`, `read.parquet`).
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterator
from io import RawIOBase
from typing import Any

from dataengine.stage import Piece, Refused
from dataengine.stages.read._documents import bounded
from dataengine.stages.read._open import Damage, Stream, opened, refusal

LONGEST_ARRAY = 64 << 20
"""Bytes of a JSON array, which is read as a whole: parsed it takes about five times as much."""

Entry = tuple[str, int, dict[str, Any]]
"""Origin, about how many bytes, and the fields of a record."""


def records(piece: Piece, form: str, fields: list[str], limit: int) -> Iterator[Entry | Refused]:
    """The records of a file in a format of `_hub.FORMATS`, with at least these fields of theirs.

    Damage of the file is refused behind the records before it.
    """
    try:
        with opened(piece) as file:
            yield from _READERS[form](file, piece, fields, limit)
    except Damage as damage:
        yield refusal(piece.origin, damage)


def schema_of(file: RawIOBase) -> Any:
    """The schema of an Arrow file. Raises pyarrow's errors."""
    import pyarrow as pa

    open_as = pa.ipc.open_file if file.read(6) == b"ARROW1" else pa.ipc.open_stream
    file.seek(0)
    return open_as(pa.PythonFile(file, mode="r")).schema


def header_of(file: RawIOBase, piece: Piece, form: str) -> list[str]:
    """The first row of a CSV file."""
    return next(csv.reader(_text_lines(file, piece, 1 << 20), delimiter=_DELIMITERS[form]), [])


# --- CSV --------------------------------------------------------------------------------------------------------------


_DELIMITERS = {"csv": ",", "tsv": "\t"}


def _csv(
    file: RawIOBase, piece: Piece, fields: list[str], limit: int, delimiter: str = ","
) -> Iterator[Entry | Refused]:
    """Rows of RFC 4180, with a header. A quote that is never closed ends the file where the field gets too long."""
    csv.field_size_limit(int(limit))  # of the whole process; every reader of CSV sets it
    reader = csv.reader(_text_lines(file, piece, limit), delimiter=delimiter, strict=True)
    try:
        header = next(reader, None)
        if header is None:
            return
        for number, row in enumerate(reader):
            origin = f"{piece.origin}#{number}"
            if not row:
                continue
            if len(row) != len(header):
                yield Refused(origin, "bad_csv", f"{len(row)} fields, but the header has {len(header)}",
                              delimiter.join(row).encode()[:1000])
                continue
            yield origin, sum(map(len, row)), dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise Damage("bad_csv", f"line {reader.line_num}: {error}; the rest of the file was not read") from None


def _tsv(file: RawIOBase, piece: Piece, fields: list[str], limit: int) -> Iterator[Entry | Refused]:
    yield from _csv(file, piece, fields, limit, "\t")


def _text_lines(file: RawIOBase, piece: Piece, limit: int) -> Iterator[str]:
    """Lines with their ends, of UTF-8 with or without a byte order mark."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    rest: list[str] = []
    size = 0
    try:
        for block in Stream(file, piece.path).blocks():
            *lines, last = decoder.decode(block).split("\n")
            if lines:
                lines[0] = "".join(rest) + lines[0]
                yield from (line + "\n" for line in lines)
                rest, size = [], 0
            rest.append(last)
            size += len(last)
            if size > limit:
                raise Damage("too_large", f"a line longer than max_record_bytes = {limit}")
        last = "".join(rest) + decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise Damage("bad_unicode", f"not UTF-8: {error.reason}") from None
    if last:
        yield last


# --- Arrow ------------------------------------------------------------------------------------------------------------


def _arrow(file: RawIOBase, piece: Piece, fields: list[str], limit: int) -> Iterator[Entry | Refused]:
    """Rows of an Arrow IPC stream (as `datasets` writes it) or file."""
    import pyarrow as pa

    number = 0
    try:
        for batch in _batches(file):
            names = [name for name in batch.schema.names if name in fields]
            size = batch.nbytes // max(1, batch.num_rows)
            for row in batch.select(names).to_pylist():
                yield f"{piece.origin}#{number}", size, row
                number += 1
    except UnicodeDecodeError as error:
        raise Damage("bad_unicode", f"row {number} or one near it: {error.reason}") from None
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise Damage("corrupt", f"behind row {number}: {first}"[:300]) from None


def _batches(file: RawIOBase) -> Iterator[Any]:
    import pyarrow as pa

    if file.read(6) == b"ARROW1":
        file.seek(0)
        reader = pa.ipc.open_file(pa.PythonFile(file, mode="r"))
        yield from (reader.get_batch(index) for index in range(reader.num_record_batches))
        return
    file.seek(0)
    stream = pa.ipc.open_stream(pa.PythonFile(file, mode="r"))
    yield from stream
    end = file.tell()
    file.seek(max(0, end - 8))
    if file.read(8) != b"\xff\xff\xff\xff\0\0\0\0":  # a stream may end without its mark; `datasets` never leaves it out
        raise Damage("truncated", f"the file ends at byte {end}, before the end mark")


# --- JSON and text ----------------------------------------------------------------------------------------------------


def _json(file: RawIOBase, piece: Piece, fields: list[str], limit: int) -> Iterator[Entry | Refused]:
    """The objects of one JSON array, or of lines."""
    from orjson import JSONDecodeError, loads

    head = file.read(4096).lstrip(codecs.BOM_UTF8 + b" \t\r\n")
    file.seek(0)
    if not head.startswith(b"["):
        yield from _jsonl(file, piece, fields, limit)
        return
    try:
        data = bounded(Stream(file, piece.path).blocks(), LONGEST_ARRAY)
        values = loads(data.removeprefix(codecs.BOM_UTF8))
    except JSONDecodeError as error:
        raise Damage("bad_json", f"column {error.pos + 1}: {error.msg}") from None
    for number, value in enumerate(values):
        if isinstance(value, dict):
            yield f"{piece.origin}#{number}", len(data) // len(values), value
        else:
            yield Refused(f"{piece.origin}#{number}", "not_an_object", f"found {type(value).__name__}")


def _jsonl(file: RawIOBase, piece: Piece, fields: list[str], limit: int) -> Iterator[Entry | Refused]:
    from dataengine.stages.read.jsonl import BadLine, numbered_lines, parser

    parse = parser()
    for found in numbered_lines(file, piece, limit):
        if isinstance(found, Refused):
            yield found
            continue
        origin, number, line = found
        try:
            yield origin, len(line), parse(line)
        except BadLine as bad:
            yield Refused(origin, bad.reason, ("" if piece.start else f"line {number} ") + bad.detail, line[:1000])


def _text(file: RawIOBase, piece: Piece, fields: list[str], limit: int) -> Iterator[Entry | Refused]:
    """One record a line, as `text`; blank lines are passed over."""
    from dataengine.stages.read.jsonl import numbered_lines

    for found in numbered_lines(file, piece, limit):
        if isinstance(found, Refused):
            yield found
            continue
        origin, _, line = found
        try:
            yield origin, len(line), {"text": line.removesuffix(b"\r").decode("utf-8")}
        except UnicodeDecodeError as error:
            yield Refused(origin, "bad_unicode", f"byte {error.start + 1}: not UTF-8", line[:1000])


def _parquet(file: RawIOBase, piece: Piece, fields: list[str], limit: int) -> Iterator[Entry | Refused]:
    from dataengine.stages.read.parquet import batches_of, opened_parquet

    parquet = opened_parquet(file)
    groups = list(range(piece.start, parquet.num_row_groups if piece.end < 0 else piece.end))
    number = sum(parquet.metadata.row_group(group).num_rows for group in range(piece.start))
    names = [name for name in parquet.schema_arrow.names if name in fields]
    for batch in batches_of(parquet, groups, names):
        size = batch.nbytes // max(1, batch.num_rows)
        try:
            rows = batch.to_pylist()
        except UnicodeDecodeError as error:
            raise Damage("bad_unicode", f"row {number} or one near it: {error.reason}") from None
        for row in rows:
            yield f"{piece.origin}#{number}", size, row
            number += 1


_READERS: dict[str, Callable[..., Iterator[Entry | Refused]]] = {
    "csv": _csv, "tsv": _tsv, "arrow": _arrow, "json": _json, "jsonl": _jsonl, "text": _text, "parquet": _parquet,
}
