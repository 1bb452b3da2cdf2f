"""Run a reader as the engine does: enumerate its pieces, read each, hold it to what it declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from dataengine import stage
from dataengine.shards import arrow_schema
from dataengine.stage import Refused

Rows = list[dict[str, Any]]


def read(name: str, base: Path, **config: Any) -> tuple[Rows, list[Refused]]:
    """All rows and all refused records of a reader, in its order."""
    found = stage.load(name)
    settings = found.config(**config)
    schema = {"origin": "string"} | dict(found.adds(settings))
    rows: Rows = []
    refused: list[Refused] = []
    for piece in found.pieces(settings, base):
        for item in found(piece, settings):
            if isinstance(item, Refused):
                assert item.reason in found.refuses, item
                item.origin.encode(), item.detail.encode()  # both are stored as UTF-8
                refused.append(item)
            else:
                assert isinstance(item, pa.RecordBatch) and 0 < item.num_rows <= 1024
                assert item.schema == arrow_schema(schema)
                item.validate(full=True)
                rows += item.to_pylist()
    return rows, refused


def reasons(refused: list[Refused]) -> list[str]:
    return [item.reason for item in refused]
