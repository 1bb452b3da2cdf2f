"""Read the texts of WET archives, which Common Crawl makes of its pages: the `conversion` records of WARC (ISO 28500).

Their text is UTF-8; a record that is not is quarantined as `bad_unicode`. Other records are passed over. Damage is
met as `read.warc` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ByteSize

from dataengine.stage import Piece, Refused, read
from dataengine.stages.read._files import FileConfig, Size
from dataengine.stages.read._open import FILE_REFUSES
from dataengine.stages.read._rows import Rows
from dataengine.stages.read._warc import FAULTS, WARC_SUFFIXES
from dataengine.stages.read.warc import archive_pieces, archive_records

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {"url": "string", "text": "string"}
SUFFIXES = (".wet", ".wet.gz", ".wet.zst", *WARC_SUFFIXES)


class Config(FileConfig):
    """Which archives."""

    split_bytes: Size = ByteSize(256 * 2**20)
    """Size of the ranges into which a plain file is cut."""


def _pieces(config: Config, base: Path) -> Iterator[Piece]:
    yield from archive_pieces(config, base, SUFFIXES)


@read(pieces=_pieces, columns=COLUMNS, version=1,
      refuses=tuple(dict.fromkeys((*FILE_REFUSES, *FAULTS, "bad_unicode"))))
def wet(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """The texts of an archive or range."""
    rows = Rows(COLUMNS)
    for record in archive_records(piece, config):
        if isinstance(record, Refused):
            yield record
            continue
        if record.kind != "conversion":
            continue
        origin = f"{piece.origin}:{record.place}"
        if record.length > len(record.block):
            yield Refused(origin, "too_large", f"{record.length} bytes; max_record_bytes is {config.max_record_bytes}",
                          record.block[:1000])
            continue
        try:
            text = record.block.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Refused(origin, "bad_unicode", f"byte {error.start + 1} of the text: not UTF-8", record.block[:1000])
            continue
        if rows.add(record.length, origin, record.url, text):
            yield rows.take()
    if len(rows):
        yield rows.take()
