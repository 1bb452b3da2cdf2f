"""A gather's first phase: what its stage says of every row of one shard, and the ids by which rows are named.

    a split, by its reader  ┐
    kept.parquet            ┴─ batch ─> stage ─> keys, sets, ranks; id.npy; refused.json      one task a shard

The rows that earlier gathers of the segment drop are not sketched; they keep their numbers. Poison is found as in a
``rows`` task: a row that kills its worker, or on which the stage raises, is left out here and quarantined where the
decisions are applied. What the reader refuses is left to that task too, which reads the split again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine import stage as stages
from dataengine.errors import DataEngineError, StageError
from dataengine.stage import Sketch
from dataengine.tasks import Job, blank
from dataengine.tasks.columns import FusedStep
from dataengine.tasks.decided import REFUSED, decisions, reader_deaths
from dataengine.tasks.fused import FAILING_BATCH, KILLED, Cursor
from dataengine.tasks.gather import SketchFiles
from dataengine.tasks.head import head
from dataengine.tasks.rows import load_step, warm_up

Refusals = dict[int, tuple[str, str]]
"""Row -> reason and detail."""


def sketch(job: Job, staging: Path | None, at: Callable[[int, int], None]) -> shards.Manifest:
    """The sketch of one shard. With a probe, of the probed row only, writing nothing."""
    job = replace(job, poison=reader_deaths(job) | job.poison)
    steps = [load_step(job, spec, number) for number, spec in enumerate(job.body["steps"])]
    gone = np.unique(np.concatenate([np.empty(0, np.int64), *(decided.gone for decided in decisions(job))]))
    schema = shards.arrow_schema(job.body["reads"])
    warm_up(steps[-1:], job.body["reads"])
    cursor, refused = Cursor(at), Refusals()
    manifest = blank(job)
    with SketchFiles(staging) if staging else contextlib.nullcontext() as files:
        for portion in head(job, steps, cursor):
            count = portion.rows.num_rows
            if job.probe is None or cursor.batch == job.probe[0]:
                rows = chosen(job, cursor, count, gone, refused)
                batch = shards.conform(portion.rows, schema)
                batch = batch if len(rows) == count else batch.take(pa.array(rows - cursor.base))
                for found, own in portions(batch, rows, job, steps[-1], cursor, refused):
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
        write_refused(job, staging, refused)
    return manifest


def chosen(job: Job, cursor: Cursor, count: int, gone: np.ndarray, refused: Refusals) -> np.ndarray:
    """The rows of the cursor's batch, of `count` rows, that are to be sketched; known poison goes into `refused`."""
    rows = np.arange(cursor.base, cursor.base + count)
    if job.probe:
        return rows[job.probe[1] : job.probe[1] + 1]
    first, last = np.searchsorted(gone, [cursor.base, cursor.base + count])
    if last > first:
        rows = np.delete(rows, gone[first:last] - cursor.base)
    sick = {f"{cursor.batch}:{row}": cursor.base + row for row in range(count)} if job.poison else {}
    poison = {sick[place]: reason for place, reason in job.poison.items() if place in sick}
    refused.update((row, (reason, KILLED)) for row, reason in poison.items())
    return rows[~np.isin(rows, list(poison))] if poison else rows


def portions(
    batch: pa.RecordBatch, rows: np.ndarray, job: Job, step: FusedStep, cursor: Cursor, refused: Refusals
) -> Iterator[tuple[Sketch, np.ndarray]]:
    """The sketches of a batch, each with its rows; row by row where the cursor is to name the one at work."""
    before = len(refused)
    size = 1 if cursor.batch in job.careful or -1 in job.careful else max(len(rows), 1)
    for first in range(0, len(rows), size):
        yield from attempt(batch.slice(first, size), rows[first : first + size], step, cursor, refused)
    if len(rows) >= FAILING_BATCH and len(refused) - before == len(rows):
        raise StageError(
            f"raised on every row: {refused[int(rows[0])][1]}",
            where=f"step {step.name} ({step.stage.name})",
            expected="a sketch of each row",
        )


def attempt(
    batch: pa.RecordBatch, rows: np.ndarray, step: FusedStep, cursor: Cursor, refused: Refusals
) -> Iterator[tuple[Sketch, np.ndarray]]:
    """The sketch of a batch; if the stage raises, those of its halves, down to the row at fault, which is refused."""
    stages.watch_rows(cursor)
    cursor.begin(rows)
    try:
        found = step.stage.function(batch, step.config)
    except DataEngineError:
        raise
    except MemoryError as error:
        fault, reason = error, "out_of_memory"
    except Exception as error:  # a stage is anyone's code, and one record must not end the run
        fault, reason = error, "error"
    else:
        if found.alone.shape != (batch.num_rows,):
            raise StageError(f"gave a sketch of {len(found.alone)} rows for {batch.num_rows}", where=step.stage.name)
        yield found, rows
        return
    finally:
        stages.watch_rows(None)
    if batch.num_rows == 1:
        refused[int(rows[0])] = reason, f"{type(fault).__name__}: {fault}"[:2000]
        return
    middle = batch.num_rows // 2
    for part in (slice(0, middle), slice(middle, None)):
        half = batch.slice(part.start, len(rows[part]))
        yield from attempt(half, rows[part], step, cursor, refused)


def write_refused(job: Job, staging: Path, refused: Refusals) -> None:
    """What could not be sketched, where there is any."""
    reads = {place: reason for place, reason in job.poison.items() if ":" not in place}
    if reads or refused:
        said = {"reads": reads, "rows": {str(row): list(why) for row, why in sorted(refused.items())}}
        (staging / REFUSED).write_text(json.dumps(said), encoding="utf-8")
