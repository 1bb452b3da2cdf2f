"""A ``rows`` task: fused stages over one split or one shard, every row judged and accounted for.

head (a reader's pieces | a parent's shard | rows stored before a step that has changed)
  └─ batch ─> stage ─> stage ─> ... ─> kept.parquet
                └─> dropped.parquet, quarantined.parquet, one account per step
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine import stage as stages
from dataengine.shards import PLACE, PLACES, ShardWriter, content_bytes, hidden
from dataengine.stage import BASE_COLUMNS
from dataengine.tasks import WRITING, Job, blank, poison, stored
from dataengine.tasks.audit import AUDIT_COLUMNS, Audit
from dataengine.tasks.columns import FusedStep, layouts
from dataengine.tasks.decided import decisions, reader_deaths
from dataengine.tasks.fused import (
    DROP_COLUMNS,
    QUARANTINE_COLUMNS,
    Cursor,
    Outcome,
    attempt,
    broken_stage,
    quarantine,
)
from dataengine.tasks.head import head, identities, merged
from dataengine.tasks.pruned import load_cuts
from dataengine.tasks.scrubbed import scrub_departed


def run(job: Job, staging: Path | None, at: Callable[[int, int], None]) -> shards.Manifest:
    """Run the fused steps over the task's input. With a probe, over the probed row only, writing nothing."""
    job = replace(job, poison=reader_deaths(job) | job.poison)
    steps = load_steps(job)
    first = job.stored[2] if job.stored else 0
    manifest = blank(job)
    manifest.accounts = [step.account() for step in steps]
    called = [step for step in steps[first:] if step.stage.kind not in ("read", "gather", "prune")]
    warm_up(called, job.body["columns_all"])
    cursor = Cursor(at)
    if job.stored:
        manifest.accounts[:first] = stored.accounts(job)
        portions = stored.portions(job, steps, cursor)
    else:
        portions = head(job, steps, cursor)
    audit = Audit(job, steps, cursor) if job.body.get("audit") else None
    if audit:
        portions = itertools.chain(portions, audit.incoming())
    with Outputs(staging, job.body, steps) as outputs:
        while job.probe is None or cursor.batch <= job.probe[0]:
            started = time.perf_counter()
            portion = next(portions, None)
            if portion is None:
                break
            outcome = portion.settled
            if not job.stored:
                scrub(outcome, steps)
            outcome.accounts[min(first, len(steps) - 1)].seconds += time.perf_counter() - started
            if job.probe is None or cursor.batch == job.probe[0]:
                process(portion.rows, steps, job, outcome, cursor)
                if audit:
                    audit.follow(portion, outcome)
            cursor.report(WRITING)
            for mine, others in zip(manifest.accounts, outcome.accounts, strict=True):
                mine.add(others)
            outputs.write(outcome)
            cursor.advance(portion.rows.num_rows + (portion.copies.num_rows if portion.copies else 0))
        cursor.report(WRITING)
    for account in manifest.accounts:
        account.seconds = round(account.seconds, 4)
    return manifest


def process(batch: pa.RecordBatch, steps: list[FusedStep], job: Job, outcome: Outcome, cursor: Cursor) -> None:
    """All steps over one batch, without the records known to be poison (with a probe, over the probed row only)."""
    first = steps[0]
    todo = job.stored[2] if job.stored else int(first.stage.kind == "read")
    healthy, killers = poison.sifted(job, cursor.batch, np.arange(batch.num_rows))
    if killers:
        sick = batch.take(pa.array(list(killers)))
        lost = Outcome([step.account() for step in steps])
        lost.accounts[0].rows_in += len(killers)
        lost.accounts[0].bytes_in += content_bytes(sick)
        quarantine(sick, first, list(killers.values()), poison.KILLED, lost, 0)
        scrub(lost, steps)
        outcome.add(lost)
    if len(healthy) < batch.num_rows:
        batch = batch.take(pa.array(healthy))
    if first.stage.kind == "read" and not job.stored:
        account, size = outcome.accounts[0], content_bytes(batch)
        account.rows_in += batch.num_rows
        account.rows_kept += batch.num_rows
        account.bytes_in += size
        account.bytes_out += size
    result = Outcome([step.account() for step in steps])
    for part in poison.strides(job, cursor.batch, batch.num_rows):
        own = batch.slice(part.start, part.stop - part.start)
        result.add(attempt(own, cursor.base + healthy[part], steps, todo, cursor))
    scrub(result, steps)
    broken_stage(result)
    outcome.add(result)


def scrub(outcome: Outcome, steps: list[FusedStep]) -> None:
    """Clean what left before it came to a stage that scrubs."""
    scrubbers = [(place, step) for place, step in enumerate(steps) if step.stage.scrubs]
    if scrubbers:
        places = {step.name: place for place, step in enumerate(steps)}
        for batches in (outcome.dropped, outcome.quarantined, outcome.whole):
            scrub_departed(batches, places, scrubbers)


def load_steps(job: Job) -> list[FusedStep]:
    """The segment's steps, each gather and prune with what it has decided about this shard."""
    decided = iter(decisions(job))
    steps = [load_step(job, spec, number) for number, spec in enumerate(job.body["steps"])]
    steps = [replace(step, decided=next(decided)) if step.stage.kind == "gather" else step for step in steps]
    return [replace(step, cuts=load_cuts(job)) if step.stage.kind == "prune" else step for step in steps]


def load_step(job: Job, spec: Mapping[str, Any], number: int) -> FusedStep:
    """A step's stage, with its config typed again and the files made for it in place."""
    stage = stages.load(spec["stage"])
    made = {name: str(job.run / path) for name, path in spec["made"].items()}
    config = stage.config.model_validate(spec["config"] | made)
    return FusedStep(spec["step"], spec["lane"], stage, config, index=number)


def warm_up(steps: list[FusedStep], columns: Mapping[str, str]) -> None:
    """Let each stage see one harmless row before the clock of the first record runs: kernels compile, models load.

    Whatever a stage makes of this row is thrown away, errors too: they come again with a real row, or never.
    """
    batch = harmless(columns)
    identities("lane", batch.column("origin"), batch.column("id"))
    for step in steps:
        with contextlib.suppress(Exception):
            step.stage.function(batch, step.config)


def harmless(columns: Mapping[str, str]) -> pa.RecordBatch:
    """One row on which no stage should stumble."""
    columns = BASE_COLUMNS | columns
    row = {name: WARM_VALUES.get(kind) for name, kind in columns.items()}
    return pa.RecordBatch.from_pylist([row], shards.arrow_schema(columns))


WARM_VALUES = {
    "string": "One row to begin with.\n",
    "binary": b"<p>One row to begin with.</p>",
    "int64": 1,
    "float64": 1.0,
    "bool": True,
}


class Outputs:
    """The shards of a task, each in the order of the rows' places; writes nowhere if `staging` is None."""

    def __init__(self, staging: Path | None, body: Mapping[str, Any], steps: list[FusedStep]) -> None:
        self.staging = staging
        self.writers: dict[str, ShardWriter] = {}
        copies = {name: kind for name, kind in layouts(steps, body["columns_in"])[-1].items() if hidden(name)} | PLACES
        self.schemas = {
            "kept": shards.arrow_schema(body["columns_out"] | copies),
            "dropped": shards.arrow_schema(body["columns_all"] | DROP_COLUMNS | copies),
            "quarantined": shards.arrow_schema(QUARANTINE_COLUMNS | PLACES),
            "whole": shards.arrow_schema(body["columns_all"] | {"step": "string"} | copies),
        }
        if body.get("audit"):
            columns = layouts(steps, body["columns_in"])[-1] | PLACES | AUDIT_COLUMNS
            self.schemas["audited"] = shards.arrow_schema(columns)
        for name in self.schemas.keys() - {"whole"}:
            self._writer(name)

    def _writer(self, name: str) -> ShardWriter | None:
        if name not in self.writers and self.staging is not None:
            self.writers[name] = ShardWriter(self.staging / f"{name}.parquet", self.schemas[name])
        return self.writers.get(name)

    def write(self, outcome: Outcome) -> None:
        for name, schema in self.schemas.items():
            batches = [shards.conform(batch, schema) for batch in getattr(outcome, name) if batch.num_rows]
            if batches and (writer := self._writer(name)):
                writer.write(in_order(merged(batches)))

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        for writer in self.writers.values():
            writer.abandon() if kind else writer.close()


def in_order(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows by their places."""
    places = batch.column(PLACE).to_numpy()
    return batch if (np.diff(places) > 0).all() else batch.take(pa.array(np.argsort(places, kind="stable")))
