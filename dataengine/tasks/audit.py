"""The audit sample: a share of the documents, chosen by (seed, id), that is measured by every filter, come what may.

What happens to the data stays as it is: a document of the sample that breaks a rule is dropped and counted as any
other. But a copy of it goes on beside the data, through all later steps, to the end of the segment and into the next
one; no filter drops it, and ``would_drop`` collects every rule that it breaks. ``audited.parquet`` holds the whole
sample as it was at the end of the segment: the documents that stayed, and the copies of those that went. So each rule's
rate over all documents that its filter could see is known, whatever the filters before it did.

Copies never meet a gather or a prune: they are no row for which another goes, and nothing is cut out of them. A copy
that a later step refuses or raises on leaves the sample; where one kills its worker, the row it is of is quarantined.
In a task that goes on from stored rows the copies run through all steps again: they are few.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import xxhash

from dataengine import content, shards
from dataengine import stage as stages
from dataengine.shards import AUDITED, PLACE, PLACES
from dataengine.tasks import PROCESSING, READING, Job, poison
from dataengine.tasks.columns import FusedStep, layouts, set_column, visible, with_columns, with_copies
from dataengine.tasks.fused import CHILD_BITS, Cursor, Outcome, apply_expand, apply_map, broken_rules, nothing
from dataengine.tasks.head import BATCH_BYTES, BATCH_ROWS, Portion, merged, placed

WOULD_DROP = "__would_drop"
KIND = "__kind"
AUDIT_COLUMNS = {WOULD_DROP: "list<struct<step: string, reason: string>>", KIND: "string"}
"""Rules the document breaks, in the order of the steps, of this segment and of those before it; `content.kind`."""


class Audit:
    """The sample of one task."""

    def __init__(self, job: Job, steps: list[FusedStep], cursor: Cursor) -> None:
        self.job, self.steps, self.cursor = job, steps, cursor
        settings = job.body["audit"]
        self.seed, self.below = int(settings["seed"]) % 2**64, int(settings["share"] * 2**64)
        rides = PLACES | {WOULD_DROP: AUDIT_COLUMNS[WOULD_DROP]}
        self.schemas = [shards.arrow_schema(columns | rides) for columns in layouts(steps, job.body["columns_in"])]
        """Of the copies before each step and at the end."""

    def incoming(self) -> Iterator[Portion]:
        """The copies that come from the segment before, in portions that hold nothing else."""
        if "parent" not in self.job.body:
            return
        columns = {**self.job.body["columns_in"], WOULD_DROP: AUDIT_COLUMNS[WOULD_DROP]}
        schema, none = shards.arrow_schema(columns), placed(pa.RecordBatch.from_pylist([], shards.arrow_schema({})), 0)
        path = self.job.folder(self.job.body["parent"]) / AUDITED
        for batch in shards.read_batches(path, list(columns), max_rows=BATCH_ROWS, max_bytes=BATCH_BYTES):
            batch = shards.conform(batch, schema)
            would = [bool(rules) for rules in batch.column(WOULD_DROP).to_pylist()]
            yield Portion(none, nothing(self.steps), placed(batch.filter(pa.array(would, pa.bool_())), 0))
            self.cursor.report(READING)

    def follow(self, portion: Portion, outcome: Outcome) -> None:
        """Add the sample of a portion to its outcome. Copies known to kill are left out; with a probe, all others."""
        number, children = self.cursor.batch, CHILD_BITS if self.steps[0].stage.kind == "expand" else 0
        careful = poison.careful(self.job, number) or self.job.probe
        copies, went = self.healthy(portion.copies, number), self.dropped(outcome)
        ends = [shards.conform(with_no_rule(self.chosen(batch)), self.schemas[-1]) for batch in outcome.kept]
        if not careful:
            ends.append(self.through(copies, went, None))
        else:  # the cursor is to name the row at work
            none = copies.slice(0, 0)
            for place in range(copies.num_rows):
                row = copies.slice(place, 1)
                ends.append(self.through(row, {}, row.column(PLACE)[0].as_py()))
            places = portion.rows.column(PLACE).to_numpy()
            for index, batch in went.items():
                for place in range(batch.num_rows):
                    row = batch.slice(place, 1)
                    at = int(np.searchsorted(places, row.column(PLACE)[0].as_py() >> children))
                    ends.append(self.through(none, {index: row}, at))
        outcome.audited += [labelled(batch) for batch in ends if batch.num_rows]

    def chosen(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of the batch that are in the sample: about 0.3 µs a row."""
        ids = batch.column("id").cast(pa.binary()).to_pylist()
        hashes = (xxhash.xxh3_64_intdigest(identity, seed=self.seed) for identity in ids)
        return batch.filter(pa.array([number < self.below for number in hashes], pa.bool_()))

    def healthy(self, copies: pa.RecordBatch | None, number: int) -> pa.RecordBatch:
        """The incoming copies of a portion that may be worked on."""
        if copies is None:
            return shards.conform(pa.RecordBatch.from_pylist([], self.schemas[0]), self.schemas[0])
        rows, _ = poison.sifted(self.job, number, np.arange(copies.num_rows))
        return shards.conform(copies.take(pa.array(rows)), self.schemas[0])

    def dropped(self, outcome: Outcome) -> dict[int, pa.RecordBatch]:
        """Number of a filter -> copies of the sample's rows that it dropped, with all of its rules that they break."""
        found: dict[int, list[pa.RecordBatch]] = {}
        filters = {step.name: step for step in self.steps if step.stage.kind == "filter"}
        for batch in outcome.dropped:
            names = np.array(batch.column("step").to_pylist(), dtype=object)
            for step in (filters[name] for name in dict.fromkeys(names.tolist()) if name in filters):
                rows = self.chosen(batch.filter(pa.array(names == step.name)))
                if rows.num_rows:
                    rows = shards.conform(with_no_rule(rows), self.schemas[step.index + 1])
                    found.setdefault(step.index, []).append(judged(rows, step))
        return {index: merged(batches) for index, batches in sorted(found.items())}

    def through(self, copies: pa.RecordBatch, joining: Mapping[int, pa.RecordBatch], at: int | None) -> pa.RecordBatch:
        """The copies behind the last step; those in `joining` come in behind the step that dropped them.

        `at` is the place of the one row they come from, in the portion; None where there are several.
        """
        for step in self.steps:
            if copies.num_rows and step.stage.kind not in ("read", "gather", "prune"):
                copies = self.past(copies, step, at)
            copies = shards.conform(copies, self.schemas[step.index + 1])
            if step.index in joining:
                copies = merged([copies, joining[step.index]])
        return copies

    def past(self, copies: pa.RecordBatch, step: FusedStep, at: int | None) -> pa.RecordBatch:
        """The copies behind one step. A copy on which the stage raises leaves the sample."""

        def work(part: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
            if at is None:
                self.cursor.report(PROCESSING)
            else:
                stages.watch_rows(self.cursor)
                self.cursor.begin(np.full(len(rows), self.cursor.base + at))
            if step.stage.kind == "filter":
                measures = dict(step.stage.function(visible(part), step.config))
                return judged(with_columns(with_copies(part, step), measures, step), step)
            apply = apply_map if step.stage.kind == "map" else apply_expand
            return apply(part, np.arange(len(rows)), step, nothing(self.steps), step.index)[0]

        schema = self.schemas[step.index + 1]
        found = [
            shards.conform(copies.slice(0, 0) if isinstance(part, poison.Fault) else part, schema)
            for part, *_ in poison.halved(copies, np.arange(copies.num_rows), work)
        ]
        return merged(found)


def with_no_rule(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with an empty list of rules."""
    return set_column(batch, WOULD_DROP, pa.array([[]] * batch.num_rows, shards.arrow_type(AUDIT_COLUMNS[WOULD_DROP])))


def judged(batch: pa.RecordBatch, step: FusedStep) -> pa.RecordBatch:
    """The rows with the rules of this filter that they break added to those of the steps before."""
    rules = step.stage.rules
    broken = list(zip(rules, broken_rules(batch, rules, step.config), strict=True))
    would = [
        before + [{"step": step.name, "reason": rule.reason} for rule, drops in broken if drops[row]]
        for row, before in enumerate(batch.column(WOULD_DROP).to_pylist())
    ]
    return set_column(batch, WOULD_DROP, pa.array(would, shards.arrow_type(AUDIT_COLUMNS[WOULD_DROP])))


def labelled(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with the kind of their content."""
    texts = batch.column("text").to_pylist() if "text" in batch.schema.names else [None] * batch.num_rows
    return set_column(batch, KIND, pa.array([content.kind(text) for text in texts], pa.string()))
