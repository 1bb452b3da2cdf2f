"""Going on from stored rows: the input of a ``rows`` task whose first k steps an earlier plan's task has done already.

That task had the same input and the same first k steps. What it kept, dropped and quarantined at step k or later are
just the rows that came to step k; what it dropped or quarantined before is copied, with its accounts. All of its files
are in the order of the rows' places, so they are merged by them. The bytes are those of a task done from nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataengine import shards
from dataengine.shards import DROPPED, KEPT, PLACE, PLACES, QUARANTINED, WHOLE, Account
from dataengine.tasks import READING, Job
from dataengine.tasks.columns import FusedStep, copy_name, layouts, set_column
from dataengine.tasks.fused import Cursor, nothing
from dataengine.tasks.head import BATCH_BYTES, BATCH_ROWS, Portion, merged


def folder(job: Job) -> Path:
    """Of the task whose rows are used."""
    assert job.stored is not None, "asked only where there is one"
    return job.folder(list(job.stored[:2]))


def accounts(job: Job) -> list[Account]:
    """The accounts of the steps that are not run again."""
    assert job.stored is not None, "asked only where there is one"
    return shards.read_manifest(folder(job)).accounts[: job.stored[2]]


def portions(job: Job, steps: list[FusedStep], cursor: Cursor) -> Iterator[Portion]:
    """The rows that came to step k as they were then, and beside them what was settled before it."""
    assert job.stored is not None, "asked only where there is one"
    place, first = folder(job), job.stored[2]
    number = {account.step: index for index, account in enumerate(shards.read_manifest(place).accounts)}
    columns = layouts(steps, job.body["columns_in"])[first] | PLACES
    names = (KEPT, DROPPED, QUARANTINED, WHOLE)
    streams = [rows_of(place / name) for name in names]
    cursor.report(READING)
    for stretch in stretches(streams):
        settled, came = nothing(steps), []
        for name, batch in zip(names, stretch, strict=True):
            if batch is None or not batch.num_rows:
                continue
            if name == KEPT:
                came.append(restored(batch, None, columns, first))
                continue
            ends = np.array([number[step] for step in batch.column("step").to_pylist()], np.int64)
            done = batch.filter(pa.array(ends < first))
            if name == QUARANTINED:
                settled.quarantined.append(done)
                continue
            reached = ends + 1 if name == DROPPED else ends  # a quarantined row is as it was before its last step
            later = restored(batch.filter(pa.array(ends >= first)), reached[ends >= first], columns, first)
            came.append(later)
            (settled.dropped if name == DROPPED else settled.whole).append(done)
        rows = merged(came) if came else pa.RecordBatch.from_pylist([], shards.arrow_schema(columns))
        yield Portion(rows.take(pa.array(np.argsort(rows.column(PLACE).to_numpy()))), settled)
        cursor.report(READING)


def rows_of(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of one file of the task; none where there is no such file."""
    if path.name == WHOLE and not path.exists():
        return iter(())
    return shards.read_batches(path, max_rows=BATCH_ROWS, max_bytes=BATCH_BYTES)


def stretches(streams: list[Iterator[pa.RecordBatch]]) -> Iterator[list[pa.RecordBatch | None]]:
    """Successive stretches of the input: for each stream, which is in the order of places, its rows of the stretch."""
    waiting = [next(stream, None) for stream in streams]
    while any(batch is not None for batch in waiting):
        end = min(batch.column(PLACE)[-1].as_py() for batch in waiting if batch is not None)
        stretch: list[pa.RecordBatch | None] = []
        for number, batch in enumerate(waiting):
            if batch is None:
                stretch.append(None)
                continue
            rows = int(np.searchsorted(batch.column(PLACE).to_numpy(), end, side="right"))
            stretch.append(batch.slice(0, rows))
            waiting[number] = batch.slice(rows) if rows < batch.num_rows else next(streams[number], None)
        yield stretch


def restored(
    batch: pa.RecordBatch, reached: np.ndarray | None, columns: Mapping[str, str], first: int
) -> pa.RecordBatch:
    """The rows with the columns and values that they had before step `first`.

    What a later filter measured anew lies beside it as a copy. It holds for rows that this filter has measured:
    `reached` says how many steps each row has been through, None that all rows have been through all.
    """
    there = set(batch.schema.names)
    again: dict[str, int] = {}
    for name in there:
        number, _, column = name.removeprefix(shards.HIDDEN).partition("_")
        if shards.hidden(name) and number.isdigit() and int(number) >= first:
            again[column] = min(again.get(column, int(number)), int(number))
    for column, index in again.items():
        if column in columns:
            copy = batch.column(copy_name(index, column))
            if reached is not None:
                copy = pc.if_else(pa.array(reached > index), copy, batch.column(column))
            batch = set_column(batch, column, copy)
    return shards.conform(batch, shards.arrow_schema(columns))
