"""Read HTML files, one page a file, as bytes: `extract.html` decodes them, by the rules of the web.

Gives the same columns as `read.warc`; `http_charset` is null, since no server is there to say it, and so is the
address. Packed files (`.html.gz`, also `.bz2`, `.xz`, `.zst`) are unpacked; one that is cut is quarantined.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dataengine.stage import Piece, Refused, read
from dataengine.stages.read._documents import content
from dataengine.stages.read._files import FileConfig, pieces, suffixes
from dataengine.stages.read._open import FILE_REFUSES, Damage, refusal
from dataengine.stages.read._rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {"url": "string", "html": "binary", "http_charset": "string"}


class Config(FileConfig):
    """Which files."""


def _pieces(config: Config, base: Path) -> Iterator[Piece]:
    yield from pieces(config, base, suffixes(".html", ".htm", ".xhtml"))


@read(pieces=_pieces, columns=COLUMNS, version=1, refuses=FILE_REFUSES, content="html")
def html(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """The page of a file."""
    rows = Rows(COLUMNS)
    try:
        page = content(piece, config.max_record_bytes)
    except Damage as damage:
        yield refusal(piece.origin, damage)
        return
    rows.add(len(page), piece.origin, None, page, None)
    yield rows.take()
