"""A gather's or a prune's stage asked about the rows of a shard, before anything is decided about them.

A row on which the stage raises, or which is known to kill its worker, is refused: left out here, and quarantined where
the decisions are applied (`tasks.refusals`). It is as if it had never been there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import pyarrow as pa

from dataengine import stage as stages
from dataengine.tasks import Job, poison
from dataengine.tasks.columns import FusedStep
from dataengine.tasks.fused import Cursor
from dataengine.tasks.refusals import Refusals

Answer = TypeVar("Answer")


def answers(
    batch: pa.RecordBatch, rows: np.ndarray, job: Job, step: FusedStep, cursor: Cursor, refused: Refusals,
    ask: Callable[[pa.RecordBatch, np.ndarray], Answer],
) -> Iterator[tuple[Answer, np.ndarray]]:
    """What `ask` says of the cursor's batch, each answer with the rows it is about; with a probe, of the probed row.

    `rows` are the numbers in the shard, ascending, of those that matter; others are not asked about. What has no answer
    goes into `refused`. Raises StageError where the stage raises on every row.
    """
    if job.probe and cursor.batch != job.probe[0]:
        return
    own, killers = poison.sifted(job, cursor.batch, rows - cursor.base)
    refused.update((cursor.base + row, (reason, poison.KILLED)) for row, reason in killers.items())
    if len(own) < batch.num_rows:
        batch = batch.take(pa.array(own))
    rows, faults = cursor.base + own, 0

    def work(part: pa.RecordBatch, numbers: np.ndarray) -> Answer:
        stages.watch_rows(cursor)
        cursor.begin(numbers)
        return ask(part, numbers)

    for part in poison.strides(job, cursor.batch, len(rows)):
        for answer, _, numbers in poison.halved(batch.slice(part.start, part.stop - part.start), rows[part], work):
            if isinstance(answer, poison.Fault):
                refused[int(numbers[0])] = answer.reason, answer.detail
                faults += 1
            else:
                yield answer, numbers
    if len(rows) >= poison.FAILING_BATCH and faults == len(rows):
        raise poison.broken(step.name, step.stage.name, refused[int(rows[0])][1], "an answer about each row")
