"""A prune's first phase: the parts of one shard's texts, written by ranges of their keys.

    kept.parquet ─ units ─> row, start, end of every part; keys of those that this shard does not settle by itself;
                            refused.json

A part is known by its number in the shard. Of equal parts in one shard all but the first are settled here, so that a
line which stands a million times in the lane is at most one entry a shard when shards meet (`tasks.repeats`): 24 bytes
on the disk, and 12 for where it lies. Memory: the parts of one shard, about 100 bytes each.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine import stage as stages
from dataengine.errors import StageError
from dataengine.kernels.meet import buckets
from dataengine.prune import Units
from dataengine.stage import Stage, StageConfig
from dataengine.tasks import READING, WRITING, Job, blank, refusals
from dataengine.tasks.asked import answers
from dataengine.tasks.columns import FusedStep
from dataengine.tasks.fused import Cursor
from dataengine.tasks.gather import by_range
from dataengine.tasks.head import BATCH_BYTES, BATCH_ROWS
from dataengine.tasks.ids import raw_ids
from dataengine.tasks.refusals import Refusals
from dataengine.tasks.rows import harmless, warm_up
from dataengine.tasks.unit_files import ID_BYTES, section, whereabouts


def units(job: Job, staging: Path | None, at: Callable[[int, int], None]) -> shards.Manifest:
    """The parts of all texts of one shard. With a probe, of the probed row only, writing nothing."""
    step = step_of(job)
    cursor, refused = Cursor(at), Refusals()
    files, ids = UnitFiles(step.stage.copies(step.config)), [np.empty((0, ID_BYTES), np.uint8)]
    warm_up([step], job.body["reads"])

    def ask(part: pa.RecordBatch, _: np.ndarray) -> Units:
        return checked(step.stage.function(part, step.config), part, step.stage)

    for batch, texts in batches_of(job, cursor):
        rows = np.arange(cursor.base, cursor.base + batch.num_rows)
        for found, own in answers(texts, rows, job, step, cursor, refused, ask):
            files.add(found, own)
        ids.append(raw_ids(batch.column("id")))
    if staging:
        np.save(staging / "id.npy", np.concatenate(ids), allow_pickle=False)
    return finished(job, staging, files, refused)


def smaller(job: Job, staging: Path | None, at: Callable[[int, int], None]) -> shards.Manifest:
    """The parts inside those of one shard of which others have the first half of the key but not all of it."""
    step = step_of(job)
    divide = step.stage.smaller
    assert divide is not None, "planned only where there is one"
    cursor, refused = Cursor(at), Refusals()
    files = UnitFiles(step.stage.copies(step.config))
    there = whereabouts(job.folder(job.body["units"]))
    again = np.sort(section(job.folder(job.body["cuts"]), "again", job.body["shard"], np.uint32))
    rows, starts, ends = (values[again].astype(np.int64) for values in there)
    with contextlib.suppress(Exception):  # as in `warm_up`
        row = harmless(job.body["reads"])
        divide(row, step.config, step.stage.function(row, step.config))

    def ask(part: pa.RecordBatch, numbers: np.ndarray) -> Units:
        first, last = np.searchsorted(rows, (numbers[0], numbers[-1] + 1))
        here = first + np.flatnonzero(np.isin(rows[first:last], numbers))
        given = Units(np.searchsorted(numbers, rows[here]), starts[here], ends[here], np.empty((0, 2), np.uint64))
        return checked(divide(part, step.config, given), part, step.stage)

    for batch, texts in batches_of(job, cursor) if len(again) else ():
        first, last = np.searchsorted(rows, (cursor.base, cursor.base + batch.num_rows))
        for found, own in answers(texts, np.unique(rows[first:last]), job, step, cursor, refused, ask):
            files.add(found, own)
    return finished(job, staging, files, refused)


def finished(job: Job, staging: Path | None, files: UnitFiles, refused: Refusals) -> shards.Manifest:
    """What was found and what was refused, written; nothing with a probe."""
    if not staging:
        return blank(job)
    refusals.write(staging, refused, {})
    return files.finish(job, staging)


def step_of(job: Job) -> FusedStep:
    """The step of the prune."""
    spec = job.body["step"]
    return FusedStep(spec["step"], spec["lane"], *stage_of(job))


def stage_of(job: Job) -> tuple[Stage, StageConfig]:
    """The step's stage and its config."""
    spec = job.body["step"]
    stage = stages.load(spec["stage"])
    return stage, stage.config.model_validate(spec["config"])


def batches_of(job: Job, cursor: Cursor) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """The parent's rows with their ids, and what the stage reads of them; with a probe no further than its batch."""
    schema = shards.arrow_schema({"id": "string"} | job.body["reads"])
    cursor.report(READING)
    for batch in shards.read_batches(
        job.folder(job.body["parent"]) / shards.KEPT, schema.names, max_rows=BATCH_ROWS, max_bytes=BATCH_BYTES
    ):
        batch = shards.conform(batch, schema)
        yield batch, batch.select(list(job.body["reads"]))
        cursor.advance(batch.num_rows)
        if job.probe and cursor.batch > job.probe[0]:
            return
        cursor.report(READING)
    cursor.report(WRITING)


def checked(found: Units, batch: pa.RecordBatch, stage: Stage) -> Units:
    """The units, if they are what the contract says. Raises StageError."""
    shapes = {len(found.rows), len(found.starts), len(found.ends), len(found.keys)}
    ordered = len(shapes) == 1 and bool((np.diff(found.rows) >= 0).all())
    if not ordered or (len(found.rows) and not 0 <= found.rows[0] <= found.rows[-1] < batch.num_rows):
        raise StageError("gave units that do not fit together", where=stage.name,
                         expected="rows, starts, ends and keys of one length, in the order of the batch's rows")
    return found


class UnitFiles:
    """Writes the parts of one shard.

    ``row.npy``, ``start.npy`` and ``end.npy`` of every part; ``local.npy``: (part, the equal one before it) of those
    settled here; ``key.npy`` and ``unit.npy`` of the others, cut into ranges of keys by ``starts.npy``.
    """

    def __init__(self, copies: int) -> None:
        self.copies = copies
        self._rows = [np.empty(0, np.uint32)]
        self._starts = [np.empty(0, np.uint32)]
        self._ends = [np.empty(0, np.uint32)]
        self._keys = [np.empty((0, 2), np.uint64)]

    def add(self, found: Units, numbers: np.ndarray) -> None:
        """The parts of the rows with these numbers, ascending, after those of all rows added before."""
        self._rows.append(numbers[found.rows].astype(np.uint32))
        self._starts.append(found.starts.astype(np.uint32))
        self._ends.append(found.ends.astype(np.uint32))
        self._keys.append(found.keys)

    def finish(self, job: Job, staging: Path) -> shards.Manifest:
        """Write what is held."""
        row, start, end, key = map(np.concatenate, (self._rows, self._starts, self._ends, self._keys))
        local = settled_here(key, row, start, end, self.copies)
        left = np.ones(len(row), bool)
        left[local[:, 0]] = False
        unit = np.flatnonzero(left).astype(np.uint32)
        order, starts = by_range(key[unit, 0], job.body["ranges"])
        unit = unit[order]
        arrays = {"row": row, "start": start, "end": end, "local": local, "unit": unit, "key": key[unit],
                  "starts": starts}
        for name, values in arrays.items():
            np.save(staging / f"{name}.npy", values, allow_pickle=False)
        manifest = blank(job)
        manifest.figures = {"units": float(len(row)), "repeated_in_shard": float(len(local))}
        return manifest


def settled_here(key: np.ndarray, row: np.ndarray, start: np.ndarray, end: np.ndarray, copies: int) -> np.ndarray:
    """uint32 (n, 2): each part that goes for equal ones before it in the shard, and the first of those, in order."""
    met = buckets(key[:, 0], key[:, 1], np.arange(len(key), dtype=np.int64))
    sizes = np.diff(met.starts)
    first = np.repeat(met.rows[met.starts[:-1]], sizes)
    rank = np.arange(len(met.rows)) - np.repeat(met.starts[:-1], sizes)
    apart = (row[met.rows] != row[first]) | (start[met.rows] >= end[first])
    goes = (rank >= copies) & apart
    found = np.stack([met.rows[goes], first[goes]], axis=1).astype(np.uint32)
    return found[np.argsort(found[:, 0], kind="stable")]
