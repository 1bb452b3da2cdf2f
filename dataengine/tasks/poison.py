"""How one bad row is found, and left out, wherever a stage is called on rows: its neighbours never suffer.

    batch ─ sifted ─> without rows known to kill ─ strides ─> whole, or row by row ─ halved ─> answers and faults

A row that kills or stalls its worker is hunted by the driver, from outside (`run.Search`); a row on which a stage
raises is found here, in the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from dataengine import stage as stages
from dataengine.errors import DataEngineError, StageError
from dataengine.tasks import Job

KILLED = "it killed or stalled its worker"
FAILING_BATCH = 8
"""A stage that raises on each row of a batch of at least so many is broken; fewer may be bad luck with the data."""
DETAIL = 2000
"""Characters kept of what a stage said when it raised."""
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Fault:
    """Why there is no answer about a row."""

    reason: str
    """``error`` or ``out_of_memory``."""
    detail: str
    """What the stage said."""


def halved(
    batch: pa.RecordBatch, rows: np.ndarray, work: Callable[[pa.RecordBatch, np.ndarray], Answer]
) -> Iterator[tuple[Answer | Fault, pa.RecordBatch, np.ndarray]]:
    """What `work` answers about a batch, of at least one row. If it raises, its halves are tried, down to the row at
    fault: each answer, or fault, with the rows that it is about, in their order.

    An error of our own, such as a broken contract, is no row's fault and goes on.
    """
    answer = tried(batch, rows, work)
    if not isinstance(answer, Fault) or batch.num_rows == 1:
        yield answer, batch, rows
        return
    middle = batch.num_rows // 2
    yield from halved(batch.slice(0, middle), rows[:middle], work)
    yield from halved(batch.slice(middle), rows[middle:], work)


def tried(
    batch: pa.RecordBatch, rows: np.ndarray, work: Callable[[pa.RecordBatch, np.ndarray], Answer]
) -> Answer | Fault:
    """What `work` answers, or why it does not. Nobody watches rows any more when it has returned."""
    try:
        return work(batch, rows)
    except DataEngineError:
        raise
    except MemoryError as error:
        return Fault("out_of_memory", said(error))
    except Exception as error:  # a stage is anyone's code, and one record must not end the run
        return Fault("error", said(error))
    finally:
        stages.watch_rows(None)


def said(error: Exception) -> str:
    """The kind of an error and its message, cut to size."""
    return f"{type(error).__name__}: {error}"[:DETAIL]


def sifted(job: Job, number: int, rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Of these rows of batch `number`, ascending: those to be worked on, and the reasons of those known to kill.

    With a probe only the probed row is.
    """
    if job.probe:
        rows = rows[rows == job.probe[1]]
    killers = {}
    for place, reason in job.poison.items():
        batch, _, row = place.partition(":")
        if row and int(batch) == number and int(row) in rows:
            killers[int(row)] = reason
    return rows[~np.isin(rows, list(killers))] if killers else rows, dict(sorted(killers.items()))


def careful(job: Job, number: int) -> bool:
    """Whether batch `number` is worked on row by row, so that the cursor names the one at work."""
    return number in job.careful or -1 in job.careful


def strides(job: Job, number: int, count: int) -> Iterator[slice]:
    """The parts in which `count` rows of batch `number` are worked on."""
    size = 1 if careful(job, number) else max(count, 1)
    return (slice(first, first + size) for first in range(0, count, size))


def broken(step: str, stage: str, said: str, expected: str) -> StageError:
    """The error that stops the run where a stage raised on every row it saw of a batch."""
    return StageError(f"raised on every row: {said}", where=f"step {step} ({stage})", expected=expected)
