"""Read JSON Lines: one JSON object a line, each a document (jsonlines.org; JSON as in RFC 8259).

Plain files are cut into ranges of `split_bytes`, so that one big file uses every core; `.gz`, `.bz2`, `.xz` and
`.zst` are unpacked on the way. Blank lines are skipped. A byte order mark, CRLF and a missing last newline are fine.
Of a field that comes twice in an object the last counts. A line that cannot be read is quarantined with its place and
the lines around it go on: `bad_json` (also NaN and Infinity), `bad_unicode` (bytes that are not UTF-8, halves of
surrogate pairs), `not_an_object`, `no_text` (the field is missing or no string), `too_large`. Of a file that is cut
or damaged, the rows before the damage are kept and the damage is quarantined as `truncated` or `corrupt`; reading
goes on at the next sound gzip member.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ByteSize, Field, model_validator

from dataengine.stage import Piece, Refused, read
from dataengine.stages.read._files import CODEC_ENDINGS, FileConfig, Size, files, ranges, suffixes, whole
from dataengine.stages.read._found import cheap_again, ends
from dataengine.stages.read._lines import Chunk, CutLine, TooLong, line_chunks
from dataengine.stages.read._open import FILE_REFUSES, Damage, Stream, opened, refusal
from dataengine.stages.read._rows import VECTOR, KeptType, Rows, check_keep, keep_columns

if TYPE_CHECKING:
    from io import RawIOBase

    import pyarrow as pa


class Config(FileConfig):
    """Which files, and which fields of their objects."""

    text: str = "text"
    """The field that holds the document; dots reach into objects: `content.body`."""
    url: str = "url"
    """The field that holds its address; null where it is missing or no string."""
    keep: tuple[str, ...] | dict[str, str] = ()
    """More fields to keep as columns: `["title"]`, or `{ column = "field" }` to name them anew."""
    types: dict[str, KeptType] = Field(default={})
    """Types of kept columns; the others are strings, JSON text if need be. A value of another type becomes null."""
    split_bytes: Size = ByteSize(64 * 2**20)
    """Size of the ranges into which a plain file is cut."""

    @model_validator(mode="after")
    def _keep_is_possible(self) -> Self:
        check_keep(self.keep, self.types)
        return self


class BadLine(Exception):
    """Why a line is no document, in one of the declared reasons."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(detail)


def _pieces(config: Config, base: Path) -> Iterator[Piece]:
    for file in files(config, base, suffixes(".jsonl", ".ndjson", ".json")):
        if ends(file.path, CODEC_ENDINGS) or file.size <= config.split_bytes:
            yield whole(file)
        else:
            yield from ranges(file, config.split_bytes)


def _columns(config: Config) -> dict[str, str]:
    kept = {name: config.types.get(name, "string") for name in keep_columns(config.keep)}
    return {"url": "string", "text": "string"} | kept


@read(pieces=_pieces, columns=_columns, version=1, again=lambda piece, config: cheap_again(piece),
      refuses=(*FILE_REFUSES, "bad_json", "bad_unicode", "not_an_object", "no_text"))
def jsonl(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """The rows of a file or range. Origins count bytes of the unpacked text: ``a.jsonl:1023``."""
    rows = Rows(_columns(config))
    parse, pick = parser(), _picker(config)
    try:
        with opened(piece) as file:
            for found in numbered_lines(file, piece, config.max_record_bytes):
                if isinstance(found, Refused):
                    yield found
                    continue
                origin, number, line = found
                try:
                    values = pick(parse(line))
                except BadLine as bad:
                    place = "" if piece.start else f"line {number} "
                    yield Refused(origin, bad.reason, place + bad.detail, line[:1000])
                    continue
                if rows.add(len(line), origin, *values):
                    yield rows.take()
    except Damage as damage:
        yield refusal(piece.origin, damage)
    if len(rows):
        yield rows.take()


def parser() -> Callable[[bytes], dict[str, Any]]:
    """A function from a line to its object, which raises BadLine for all that RFC 8259 does not call a JSON object."""
    from orjson import JSONDecodeError, loads  # once: it costs as much as parsing a short line

    def parse(line: bytes) -> dict[str, Any]:
        try:
            value = loads(line)
        except JSONDecodeError as error:
            raise _bad_line(line, error.msg, error.pos) from None
        if type(value) is not dict:
            raise BadLine("not_an_object", f"expected an object, found {_KINDS[type(value)]}")
        return value

    return parse


def _bad_line(line: bytes, message: str, position: int) -> BadLine:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return BadLine("bad_unicode", f"byte {wrong.start + 1}: not UTF-8")
    return BadLine("bad_unicode" if "surrogate" in message else "bad_json", f"column {position + 1}: {message}")


_KINDS: dict[type, str] = {list: "an array", dict: "an object", str: "a string", int: "a number", float: "a number",
                           bool: "true or false", type(None): "null"}


_Line = tuple[str, int, bytes]
"""Origin, number counted from 1 where reading began, and content of a line."""


def numbered_lines(file: RawIOBase, piece: Piece, limit: int) -> Iterator[_Line | Refused]:
    """The lines that begin within the piece, without blank ones. A range begins behind the first newline at or after
    the byte before it, so every line belongs to exactly one range."""
    stream = Stream(file, piece.path)
    if stream.codec and piece.start:
        return  # packed, whatever its name says: the first range reads all of it
    start, end = (0, -1) if stream.codec else (piece.start, piece.end)
    if start:
        stream = Stream(file, start=start - 1, codec=stream.codec)
    prefix = piece.origin
    while True:
        try:
            yield from _numbered(line_chunks(stream.blocks(), limit, max(0, start - 1), end), limit, prefix, start, end)
            return
        except CutLine as cut:
            yield refusal(f"{prefix}:{cut.offset}", cut.damage, cut.line)
            if not stream.resync(bool):
                return
            prefix = f"{piece.origin}@{stream.start}"


def _numbered(
    chunks: Iterable[Chunk | TooLong], limit: int, prefix: str, start: int, end: int
) -> Iterator[_Line | Refused]:
    number = 0
    skip = start > 0  # the rest of a line of the range before
    for chunk in chunks:
        if isinstance(chunk, TooLong):
            number += 1
            if not skip and (end < 0 or chunk.offset < end):
                yield _too_large(f"{prefix}:{chunk.offset}", chunk.head, limit)
            skip = False
            continue
        offset = chunk.offset
        for line in chunk.data.split(b"\n"):
            here, offset = offset, offset + len(line) + 1
            number += 1
            if skip:
                skip = False
                continue
            if 0 <= end <= here:
                return
            if here == 0 and line.startswith(codecs.BOM_UTF8):
                line = line[3:]
            if not line or line.isspace():
                continue
            if len(line) > limit:
                yield _too_large(f"{prefix}:{here}", line, limit)
            else:
                yield f"{prefix}:{here}", number, line
        number -= chunk.data.endswith(b"\n")  # what follows the last newline is not yet a line


def _too_large(origin: str, head: bytes, limit: int) -> Refused:
    return Refused(origin, "too_large", f"longer than max_record_bytes = {limit}", head[:1000])


def _picker(config: Config) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """A function from a line's object to (url, text, kept fields...)."""
    kept = [(path, config.types.get(name, "string")) for name, path in keep_columns(config.keep).items()]

    def pick(record: dict[str, Any]) -> tuple[Any, ...]:
        text = field_of(record, config.text)
        if type(text) is not str:
            found = "no such field" if text is None else f"found {_KINDS[type(text)]}"
            raise BadLine("no_text", f'expected a string in "{config.text}", {found}')
        url = field_of(record, config.url)
        return (url if type(url) is str else None, text, *(typed(field_of(record, path), kind) for path, kind in kept))

    return pick


def field_of(record: dict[str, Any], path: str) -> Any:
    """The field of this name, or the one its dots lead to, or None."""
    if path in record or "." not in path:
        return record.get(path)
    value: Any = record
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def typed(value: Any, kind: str) -> Any:
    """A kept value in its column's type, null where it is of another."""
    import orjson

    if isinstance(value, bytes):  # of Arrow: a picture, a sound
        return None
    if value is None or kind == "string":
        return value if value is None or isinstance(value, str) else orjson.dumps(value, lambda odd: None).decode()
    if kind == VECTOR:
        numbers = isinstance(value, list) and all(type(number) in (int, float) for number in value)
        return value if numbers else None
    if kind == "bool" or isinstance(value, bool):
        return value if kind == "bool" and isinstance(value, bool) else None
    if kind == "float64":
        return float(value) if isinstance(value, int | float) else None
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
