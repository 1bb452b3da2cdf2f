"""A gather's first phase: what its stage says of every row of one shard, and the ids by which rows are named.

    a split, by its reader  ┐
    kept.parquet            ┴─ batch ─> stage ─> keys, sets, ranks; id.npy; refused.json      one task a shard

The rows that earlier gathers of the segment drop are not sketched; they keep their numbers. A row that kills its
worker, or on which the stage raises, is refused (`tasks.asked`). What the reader refuses is left to the task that
applies the decisions, which reads the split again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine.errors import StageError
from dataengine.stage import Sketch, Stage
from dataengine.tasks import Job, blank, refusals
from dataengine.tasks.asked import answers
from dataengine.tasks.decided import decisions, reader_deaths
from dataengine.tasks.fused import Cursor
from dataengine.tasks.gather import SketchFiles
from dataengine.tasks.head import head
from dataengine.tasks.refusals import Refusals
from dataengine.tasks.rows import load_step, warm_up


def sketch(job: Job, staging: Path | None, at: Callable[[int, int], None]) -> shards.Manifest:
    """The sketch of one shard. With a probe, of the probed row only, writing nothing."""
    job = replace(job, poison=reader_deaths(job) | job.poison)
    steps = [load_step(job, spec, number) for number, spec in enumerate(job.body["steps"])]
    gone = np.unique(np.concatenate([np.empty(0, np.int64), *(decided.gone for decided in decisions(job))]))
    schema = shards.arrow_schema(job.body["reads"])
    warm_up(steps[-1:], job.body["reads"])
    cursor, refused = Cursor(at), Refusals()

    def ask(part: pa.RecordBatch, _: np.ndarray) -> Sketch:
        return checked(steps[-1].stage.function(part, steps[-1].config), part, steps[-1].stage)

    manifest = blank(job)
    with SketchFiles(staging) if staging else contextlib.nullcontext() as files:
        for portion in head(job, steps, cursor):
            count = portion.rows.num_rows
            first, last = np.searchsorted(gone, [cursor.base, cursor.base + count])
            rows = np.delete(np.arange(cursor.base, cursor.base + count), gone[first:last] - cursor.base)
            batch = shards.conform(portion.rows, schema)
            for found, own in answers(batch, rows, job, steps[-1], cursor, refused, ask):
                if files:
                    files.add(found, own)
            if files:
                files.advance(portion.rows.column("id"))
            cursor.advance(count)
            if job.probe and cursor.batch > job.probe[0]:
                break
        if files:
            files.finish(job.body["ranges"])
            counts = {"rows": files.rows, "elements": files.elements, "alone": files.alone}
            manifest.figures = {name: float(count) for name, count in counts.items()}
    if staging:
        refusals.write(staging, refused, {place: reason for place, reason in job.poison.items() if ":" not in place})
    return manifest


def checked(found: Sketch, batch: pa.RecordBatch, stage: Stage) -> Sketch:
    """The sketch, if it is what the contract says. Raises StageError."""
    if found.alone.shape != (batch.num_rows,):
        raise StageError(f"gave a sketch of {len(found.alone)} rows for {batch.num_rows}", where=stage.name)
    return found
