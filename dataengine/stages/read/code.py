"""Read source code: the files of a tree, and the members of `.zip` and `.tar` archives, packed ones too.

Only files whose name tells a language are records (about 70 languages, from `.py` to `Makefile`); all others, images
and binaries among them, are passed over, and so is what is hidden (`.git`). Nothing is ever unpacked to disk. Members
that point out of their archive (`../../x`, an absolute path, a link, a device) are quarantined as `unsafe_path`,
encrypted ones as `encrypted`; a source file that is binary after all (a NUL byte, or more than 5 % of its characters
do not decode) as `bad_encoding`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ByteSize, field_validator

from dataengine.stage import Piece, Refused, read
from dataengine.stages.read._archive import ARCHIVE_SUFFIXES, Member, is_archive, members
from dataengine.stages.read._documents import content, readable
from dataengine.stages.read._files import FileConfig, Size, files, whole
from dataengine.stages.read._languages import LANGUAGES, NAMES, SUFFIXES, language_of
from dataengine.stages.read._open import FILE_REFUSES, Damage, refusal
from dataengine.stages.read._rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {"text": "string", "path": "string", "language": "string"}


class Config(FileConfig):
    """Which trees and archives, and which of their files."""

    languages: tuple[str, ...] = ()
    """Only these, such as `["python", "c++"]`; empty for all that are known."""
    max_record_bytes: Size = ByteSize(2**20)
    """Longest file. A longer one, mostly generated data, is quarantined as `too_large`."""

    @field_validator("languages")
    @classmethod
    def _are_known(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            if language not in LANGUAGES:
                raise ValueError(f'no language "{language}"; known are {", ".join(sorted(LANGUAGES))}')
        return languages


def _pieces(config: Config, base: Path) -> Iterator[Piece]:
    for file in files(config, base, SUFFIXES + ARCHIVE_SUFFIXES, NAMES):
        if is_archive(file.path) or _wanted(file.path, config):
            yield whole(file)


def _wanted(path: str, config: Config) -> bool:
    language = language_of(path)
    return language is not None and (not config.languages or language in config.languages)


@read(pieces=_pieces, columns=COLUMNS, version=1, refuses=(*FILE_REFUSES, "bad_encoding", "unsafe_path", "encrypted"))
def code(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """The source files of an archive, or the one file."""
    rows = Rows(COLUMNS)
    for source in _sources(piece, config):
        row = source if isinstance(source, Refused) else _row(*source)
        if isinstance(row, Refused):
            yield row
            continue
        if rows.add(len(row[1]), *row):
            yield rows.take()
    if len(rows):
        yield rows.take()


def _sources(piece: Piece, config: Config) -> Iterator[tuple[str, str, bytes] | Refused]:
    """(origin, path, bytes) of every source file of a piece."""
    if not is_archive(piece.path):
        try:
            yield piece.origin, piece.origin, content(piece, config.max_record_bytes)
        except Damage as damage:
            yield refusal(piece.origin, damage)
        return
    for found in members(piece, config.max_record_bytes, lambda path: _wanted(path, config)):
        if isinstance(found, Member):
            yield f"{piece.origin}!{found.path}", found.path, found.content
        else:
            yield found


def _row(origin: str, path: str, data: bytes) -> tuple[str, str, str, str | None] | Refused:
    try:
        text = readable(data)
    except Damage as damage:
        return refusal(origin, damage, data)
    if "\0" in text:
        return Refused(origin, "bad_encoding", "not text: it holds NUL", data[:1000])
    return origin, text, path, language_of(path)
