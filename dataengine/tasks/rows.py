"""A ``rows`` task: fused stages over one split or one shard, every row judged and accounted for.

head (a reader's pieces | a parent's shard with a gather's decisions)
  └─ batch ─> stage ─> stage ─> ... ─> kept.parquet
                └─> dropped.parquet, quarantined.parquet, one account per step
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine import stage as stages
from dataengine.shards import ShardWriter, content_bytes
from dataengine.stage import BASE_COLUMNS
from dataengine.tasks import WRITING, Job, blank
from dataengine.tasks.fused import (
    DROP_COLUMNS,
    QUARANTINE_COLUMNS,
    Cursor,
    FusedStep,
    Outcome,
    attempt,
    broken_stage,
    quarantine,
    refuse,
)
from dataengine.tasks.head import head


def run(job: Job, staging: Path | None, at: Callable[[int, int], None]) -> shards.Manifest:
    """Run the fused steps over the task's input. With a probe, over the probed row only, writing nothing."""
    steps = load_steps(job)
    manifest = blank(job)
    manifest.accounts = [step.account() for step in steps]
    called = [step for step in steps if step.stage.kind not in ("read", "gather")]
    warm_up(called, job.body["columns_in"] | job.body["columns_out"])
    cursor = Cursor(at)
    with Outputs(staging, job.body) as outputs:
        items = head(job, steps, cursor)
        while job.probe is None or cursor.batch <= job.probe[0]:
            started = time.perf_counter()
            item = next(items, None)
            if item is None:
                break
            outcome = Outcome([step.account() for step in steps])
            outcome.accounts[0].seconds += time.perf_counter() - started
            if isinstance(item, list):
                refuse(item, steps[0], outcome)
            elif job.probe is None or cursor.batch == job.probe[0]:
                process(item, steps, job, outcome, cursor)
            cursor.report(WRITING)
            for mine, others in zip(manifest.accounts, outcome.accounts, strict=True):
                mine.add(others)
            outputs.write(outcome)
            if not isinstance(item, list):
                cursor.advance(item.num_rows)
        cursor.report(WRITING)
    for account in manifest.accounts:
        account.seconds = round(account.seconds, 4)
    return manifest


def process(batch: pa.RecordBatch, steps: list[FusedStep], job: Job, outcome: Outcome, cursor: Cursor) -> None:
    """All steps over one batch, without the records known to be poison (with a probe, over the probed row only)."""
    first, reading = steps[0], steps[0].stage.kind == "read"
    chosen = np.arange(batch.num_rows)
    if job.probe:
        chosen = chosen[job.probe[1] : job.probe[1] + 1]
    poison = {row: reason for row in chosen.tolist() if (reason := job.poison.get(f"{cursor.batch}:{row}")) is not None}
    healthy = np.array([row for row in chosen.tolist() if row not in poison], dtype=np.int64) if poison else chosen
    if poison:
        sick = batch.take(pa.array(sorted(poison)))
        outcome.accounts[0].rows_in += len(poison)
        outcome.accounts[0].bytes_in += content_bytes(sick)
        quarantine(sick, first, [poison[row] for row in sorted(poison)], "it killed or stalled its worker", outcome, 0)
    if len(healthy) < batch.num_rows:
        batch = batch.take(pa.array(healthy))
    if reading:
        account, size = outcome.accounts[0], content_bytes(batch)
        account.rows_in += batch.num_rows
        account.rows_kept += batch.num_rows
        account.bytes_in += size
        account.bytes_out += size
    result = Outcome([step.account() for step in steps])
    size = 1 if cursor.batch in job.careful or -1 in job.careful else batch.num_rows
    for begin in range(0, batch.num_rows, max(size, 1)):
        part = slice(begin, begin + size)
        result.add(attempt(batch.slice(begin, size), cursor.base + healthy[part], steps, 1 if reading else 0, cursor))
    broken_stage(result)
    outcome.add(result)


def load_steps(job: Job) -> list[FusedStep]:
    """The segment's stages, with their configs typed again and the files made for them in place."""
    steps = []
    for spec in job.body["steps"]:
        stage = stages.load(spec["stage"])
        made = {name: str(job.run / path) for name, path in spec["made"].items()}
        config = stage.config.model_validate(spec["config"] | made)
        decisions = load_decisions(job) if stage.kind == "gather" else None
        steps.append(FusedStep(spec["step"], spec["lane"], stage, config, decisions))
    return steps


def load_decisions(job: Job) -> dict[str, Any]:
    """Which rows of this shard go, and for whom: arrays ``row``, ``duplicate_of``, ``band``, sorted by row."""
    folder = job.folder(job.body["cluster"])
    ranges = np.load(folder / "ranges.npy", allow_pickle=False)
    first, end = (int(ranges[job.body["shard"] + offset]) for offset in (0, 1))
    with pa.memory_map(str(folder / "decisions.arrow")) as source:
        table = pa.ipc.open_file(source).read_all().slice(first, end - first)
        return {
            "row": table["row"].to_numpy(),
            "band": table["band"].combine_chunks(),
            "duplicate_of": table["duplicate_of"].combine_chunks(),
        }


def warm_up(steps: list[FusedStep], columns: Mapping[str, str]) -> None:
    """Let each stage see one harmless row before the clock of the first record runs: kernels compile, models load.

    Whatever a stage makes of this row is thrown away, errors too: they come again with a real row, or never.
    """
    columns = BASE_COLUMNS | columns
    row = {name: WARM_VALUES.get(kind) for name, kind in columns.items()}
    batch = pa.RecordBatch.from_pylist([row], shards.arrow_schema(columns))
    for step in steps:
        with contextlib.suppress(Exception):
            step.stage.function(batch, step.config)


WARM_VALUES = {
    "string": "One row to begin with.\n",
    "binary": b"<p>One row to begin with.</p>",
    "int64": 1,
    "float64": 1.0,
    "bool": True,
}


class Outputs:
    """The three shards of a task; writes nowhere if `staging` is None."""

    def __init__(self, staging: Path | None, body: Mapping[str, Any]) -> None:
        self.writers: dict[str, ShardWriter] = {}
        if staging is not None:
            schemas = {
                "kept": body["columns_out"],
                "dropped": body["columns_all"] | DROP_COLUMNS,
                "quarantined": QUARANTINE_COLUMNS,
            }
            for name, columns in schemas.items():
                self.writers[name] = ShardWriter(staging / f"{name}.parquet", shards.arrow_schema(columns))

    def write(self, outcome: Outcome) -> None:
        for name, writer in self.writers.items():
            for batch in getattr(outcome, name):
                writer.write(batch)

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        for writer in self.writers.values():
            writer.abandon() if kind else writer.close()
