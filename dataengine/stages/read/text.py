"""Read text files, one document a file: plain text, Markdown, reStructuredText.

The encoding is that of a byte order mark, else UTF-8, else what a detector finds (resiliparse; names as in the WHATWG
Encoding Standard). A file more than 5 % of whose characters do not decode is quarantined as `bad_encoding`. Packed
files (`.txt.gz`, also `.bz2`, `.xz`, `.zst`) are unpacked; one that is cut is quarantined, since half a document is
none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from dataengine.stage import Piece, Refused, read
from dataengine.stages.read import _files
from dataengine.stages.read._documents import content, readable
from dataengine.stages.read._files import FileConfig
from dataengine.stages.read._open import FILE_REFUSES, Damage, refusal
from dataengine.stages.read._rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa


class Config(FileConfig):
    """Which files."""

    suffixes: Annotated[tuple[str, ...], Field(min_length=1)] = (".txt", ".md", ".rst", ".text")
    """Endings of the files that count when a folder is walked, in lower case."""


def _pieces(config: Config, base: Path) -> Iterator[Piece]:
    yield from _files.pieces(config, base, _files.suffixes(*config.suffixes))


@read(pieces=_pieces, columns={"text": "string"}, version=1, refuses=(*FILE_REFUSES, "bad_encoding"))
def text(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """The document of a file."""
    rows = Rows({"text": "string"})
    data = b""
    try:
        data = content(piece, config.max_record_bytes)
        document = readable(data)
    except Damage as damage:
        yield refusal(piece.origin, damage, data)
        return
    rows.add(len(data), piece.origin, document)
    yield rows.take()
