"""What a worker does: one file per kind of task, each a function from a task's body to a manifest.

`KINDS` says where each kind's function is; it is imported when the first task of that kind runs, so that a worker that
only filters never loads a tokenizer.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from dataengine import shards
from dataengine.faults import fault

KINDS = {
    "rows": "dataengine.tasks.rows:run",
    "sketch": "dataengine.tasks.sketch:sketch",
    "match": "dataengine.tasks.gather:match",
    "cluster": "dataengine.tasks.cluster:cluster",
    "index": "dataengine.tasks.index:index",
    "units": "dataengine.tasks.units:units",
    "smaller": "dataengine.tasks.units:smaller",
    "repeats": "dataengine.tasks.repeats:repeats",
    "cuts": "dataengine.tasks.repeats:cuts",
    "classifier": "dataengine.tasks.learn:classifier",
    "tokenizer": "dataengine.tasks.learn:tokenizer",
    "tokens": "dataengine.tasks.tokens:tokens",
    "mix": "dataengine.tasks.tokens:mix",
    "train": "dataengine.tasks.train:train",
}


READING, PROCESSING, WRITING, STARTING, WAITING = -1, -2, -3, -4, -5
"""What a worker's cursor says in place of a row: the next batch is being read, a batch is worked on as a whole, its
rows are being written, nothing has been read yet or a kernel is compiled (no clock runs), or the reader waits for a
server (which bounds its own time: no clock runs either)."""


@dataclass
class Job:
    """One task as a worker sees it."""

    run: Path
    segment: str
    address: str
    kind: str
    inputs: list[str]
    body: Mapping[str, Any]
    poison: Mapping[str, str] = field(default_factory=dict)
    """``"batch:row"`` -> reason, of records that have killed or stalled a worker before; ``"batch"`` alone means that
    the reader died on the way to this batch."""
    careful: tuple[int, ...] = ()
    """Batches to be worked on row by row, so that the cursor names the row at work; -1 means all of them."""
    probe: tuple[int, int] | None = None
    """(batch, row): run this row alone and write nothing. Asked to prove that a record kills."""
    stored: tuple[str, str, int] | None = None
    """(segment, address, step): go on from this step with the rows that another task stored before it, which had the
    same input and the same steps so far."""

    def folder(self, place: list[str]) -> Path:
        """The folder of another task, given as [segment, address]."""
        return shards.task_folder(self.run, *place)


def execute(job: Job, at: Callable[[int, int], None]) -> shards.Manifest | None:
    """Do the task and commit it. `at(batch, row)` is called with the place in the input about to be worked on.

    Returns the manifest, or None for a probe.
    """
    fault("task_started")
    module, name = KINDS[job.kind].split(":")
    function = getattr(import_module(module), name)
    if job.probe:
        function(job, None, at)
        return None
    staging = job.run / "tmp" / f"{job.address}.{os.getpid()}"
    staging.mkdir(parents=True)
    started = time.perf_counter()
    try:
        manifest: shards.Manifest = function(job, staging, at)
        fault("shard_written")
        manifest.seconds = round(time.perf_counter() - started, 3)
        manifest.versions = shards.versions()
        return shards.commit(staging, shards.task_folder(job.run, job.segment, job.address), manifest)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def blank(job: Job) -> shards.Manifest:
    """The manifest of a task that is about to be done."""
    return shards.Manifest(task=job.address, segment=job.segment, kind=job.kind, inputs=job.inputs)
