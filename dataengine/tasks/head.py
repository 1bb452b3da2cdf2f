"""Where a ``rows`` task gets its rows: the pieces of its reader, the shard of the task before it, or, where only later
steps have changed, what an earlier plan stored (`tasks.stored`).

The same batches come however often it is asked, because poison is named by batch and row.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from dataengine import remote, shards
from dataengine.errors import DataEngineError, InputError, StageError
from dataengine.kernels.buffers import utf8
from dataengine.kernels.xxh3 import named_digests
from dataengine.shards import PLACE, content_bytes, cut
from dataengine.stage import BASE_COLUMNS, Piece, Refused, Stage, watch_waits
from dataengine.tasks import READING, WAITING, Job
from dataengine.tasks.columns import FusedStep, constant
from dataengine.tasks.fused import Cursor, Outcome, nothing, refuse
from dataengine.tasks.ids import id_texts

BATCH_ROWS, BATCH_BYTES = 1024, 4 << 20
"""Small enough that halving soon finds a bad row, large enough that a kernel's call costs nothing."""


@dataclass
class Portion:
    """A stretch of the task's input."""

    rows: pa.RecordBatch
    """To be worked on, with their places."""
    settled: Outcome
    """What became of the records of this stretch that need no work: refused by the reader, or settled before."""
    copies: pa.RecordBatch | None = None
    """Of the audit sample, from the segment before: see `tasks.audit`."""


def head(job: Job, steps: list[FusedStep], cursor: Cursor) -> Iterator[Portion]:
    """The task's input, in the same portions however often it is asked: poison is named by portion and row."""
    cursor.report(READING)
    if "parent" in job.body:
        return of_parent(job, steps, cursor)
    portions = of_reader(job, steps, cursor)
    return as_sketched(job, steps[0], portions) if job.body.get("sketches") else portions


def as_sketched(job: Job, reader: FusedStep, portions: Iterator[Portion]) -> Iterator[Portion]:
    """The portions. Raises StageError at their end if they hold more or fewer rows than a gather has sketched.

    A gather's decisions are by the numbers of rows, so the reader must give the same ones again.
    """
    rows = 0
    for portion in portions:
        rows += portion.rows.num_rows
        yield portion
    sketched = int(shards.read_manifest(job.folder(job.body["sketches"][0])).figures["rows"])
    if rows != sketched:
        raise StageError(
            f"gave {rows} rows, and {sketched} when they were sketched",
            where=f"step {reader.name} ({reader.stage.name}) on {job.body['split'][0]['origin']}",
            expected="a reader that gives the same rows however often it is asked",
        )


def of_parent(job: Job, steps: list[FusedStep], cursor: Cursor) -> Iterator[Portion]:
    """The kept rows of the task before."""
    schema = shards.arrow_schema(job.body["columns_in"])
    place = 0
    for batch in shards.read_batches(
        job.folder(job.body["parent"]) / shards.KEPT, schema.names, max_rows=BATCH_ROWS, max_bytes=BATCH_BYTES
    ):
        yield Portion(placed(shards.conform(batch, schema), place), nothing(steps))
        place += batch.num_rows
        cursor.report(READING)


def of_reader(job: Job, steps: list[FusedStep], cursor: Cursor) -> Iterator[Portion]:
    """What the reader gives, as much as fits: a thousand small files are one batch, a file of refusals is not slow."""
    schema = shards.arrow_schema(BASE_COLUMNS | dict(steps[0].stage.adds(steps[0].config)))
    none = placed(pa.RecordBatch.from_pylist([], schema), 0)
    waiting: list[pa.RecordBatch] = []
    refused: list[tuple[int, Refused]] = []
    rows = size = raw = place = 0

    def portion() -> Portion:
        settled = nothing(steps)
        if refused:
            refuse(refused, steps[0], settled)
        return Portion(merged(waiting) if waiting else none, settled)

    for item in read_split(job, steps[0], schema, cursor):
        alone = isinstance(item, Refused)
        more = 0 if alone else content_bytes(item)
        full = len(refused) == BATCH_ROWS or raw > BATCH_BYTES
        if not alone and waiting:
            full |= rows + item.num_rows > BATCH_ROWS or size + more > BATCH_BYTES
        if full:
            yield portion()
            waiting, refused = [], []
            rows = size = raw = 0
        if isinstance(item, Refused):
            refused.append((place, item))
            raw += len(item.raw)
            place += 1
        else:
            waiting.append(placed(item, place))
            rows, size, place = rows + item.num_rows, size + more, place + item.num_rows
    if waiting or refused:
        yield portion()


def placed(batch: pa.RecordBatch, first: int) -> pa.RecordBatch:
    """The rows with their places in the task's input, counted on from `first`."""
    return batch.append_column(PLACE, pa.array(np.arange(first, first + batch.num_rows)))


def merged(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Several batches of one schema as one."""
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def read_split(job: Job, reader: FusedStep, schema: pa.Schema, cursor: Cursor) -> Iterator[pa.RecordBatch | Refused]:
    """What the reader gives, piece after piece. Where it is known to die, the rest of the piece is refused."""
    remote.use(remote.NetworkConfig.model_validate(job.body.get("network", {})))
    watch_waits(lambda waits: cursor.report(WAITING if waits else READING))
    for spec in job.body["split"]:
        piece = Piece(**spec)
        items = read_piece(piece, reader, schema)
        while True:
            cursor.report(READING)
            if (reason := job.poison.get(str(cursor.reads))) is not None:
                cursor.reads += 1
                yield Refused(
                    f"{piece.origin}:{piece.start}",
                    reason,
                    "the reader died in this part of the file; the rest of it was not read",
                )
                break
            if (item := next(items, None)) is None:
                break
            cursor.reads += 1
            yield item


def read_piece(piece: Piece, reader: FusedStep, schema: pa.Schema) -> Iterator[pa.RecordBatch | Refused]:
    """The rows of one piece with their ids, and its refused records."""
    stage = reader.stage
    for item in said(stage.function(piece, reader.config), stage, piece):
        if isinstance(item, Refused):
            if item.reason not in stage.refuses:
                raise StageError(
                    f"refused a record as {item.reason!r}, which it does not declare",
                    where=stage.name,
                    expected=f"one of {', '.join(stage.refuses)}",
                )
            yield item
        else:
            for first in range(0, item.num_rows, BATCH_ROWS):
                for part in cut(item.slice(first, BATCH_ROWS), BATCH_BYTES):
                    yield with_identity(part, reader, schema)
    changed(piece)


def said(items: Iterator[Any], stage: Stage, piece: Piece) -> Iterator[Any]:
    """What the reader gives; if it raises, the error names reader and piece. What it cannot read it must refuse."""
    try:
        yield from items
    except (DataEngineError, OSError, MemoryError):
        raise
    except Exception as error:
        raise StageError(
            f"raised {type(error).__name__}: {error}"[:2000],
            where=f"{stage.name} on {piece.origin}:{piece.start}",
            expected="rows, or a refused record with a declared reason",
        ) from error


def changed(piece: Piece) -> None:
    """Raise InputError if the file is not the one that was planned: its rows would be neither the old nor the new."""
    if piece.path and piece.stamp and not remote.is_remote(piece.path):  # which sees to it itself, answer by answer
        found = os.stat(piece.path)
        if piece.stamp != f"{found.st_size}-{found.st_mtime_ns}":
            raise InputError(
                "changed while it was being read",
                where=piece.origin,
                expected="input that stays as it is during a run",
                write="the same command again: the changed file is read anew",
            )


def with_identity(batch: pa.RecordBatch, reader: FusedStep, schema: pa.Schema) -> pa.RecordBatch:
    """The rows with ``id`` and ``source``."""
    ids = identities(reader.lane, batch.column("origin"), batch.column(reader.stage.content))
    batch = batch.append_column("id", ids).append_column("source", constant(reader.lane, batch.num_rows))
    unknown = set(batch.schema.names) - set(schema.names)
    if unknown:
        raise StageError(f"gave columns it does not declare: {', '.join(sorted(unknown))}", where=reader.stage.name)
    return shards.conform(batch, schema)


def identities(lane: str, origins: pa.Array, content: pa.Array) -> pa.Array:
    """Ids of rows: xxh3-128 of lane, origin and content, a zero byte between them."""
    return id_texts(named_digests(lane.encode() + b"\0", utf8(origins), utf8(in_bytes(content))))


def in_bytes(column: pa.Array) -> pa.Array:
    """A column of text or bytes as it is; of other values, such as messages, what Python writes for them."""
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return column if any(test(column.type) for test in kinds) else pa.array(map(str, column.to_pylist()), pa.string())
