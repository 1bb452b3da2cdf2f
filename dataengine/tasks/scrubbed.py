"""What a scrubbing stage removes is removed from all that is stored, not only from the columns it returns.

Rows that a step before it dropped or quarantined never reach it, and would be stored as they came; so do ``url`` and
``title`` of the rows it sees. Both are cleaned here, by the stage itself, before anything is written or said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa

from dataengine.stage import Stage

NAMES = frozenset({"id", "source", "origin", "parent", "step", "stage", "reason"})
"""Columns by which the engine knows a row; they hold none of its content."""
FAILURES = frozenset({"error", "out_of_memory"})
"""Reasons whose detail is what a stage said when it raised."""
UNSAID = "its words are not kept, they may quote what scrubbing removes"


def scrubbed(batch: pa.RecordBatch, stage: Stage, config: Any, leave: Collection[str] = ()) -> pa.RecordBatch:
    """The batch with all its text cleaned but for the columns in `leave`."""
    assert stage.scrubs is not None, "only stages that scrub are asked to"
    stay = NAMES | set(leave)
    columns = tuple(field.name for field in batch.schema if field.name not in stay and _holds_text(field.type))
    return stage.scrubs(batch, config, columns)


def scrub_departed(
    batches: list[pa.RecordBatch], places: Mapping[str, int], scrubbers: list[tuple[int, Any]]
) -> None:
    """Clean rows that were dropped or quarantined, in their list, as far as they left before they were scrubbed.

    `places` says where in the segment a step stands, `scrubbers` which steps scrub and where they stand. The text of a
    quarantined row is not kept: a record that could not be read may hold what no rule would find in it. Nor is what a
    stage said when it failed, which may quote a part of a value: only the kind of failure stays. Where the scrubbing
    stage itself fails on a row, nothing of the row's content is kept.
    """
    for number, batch in enumerate(batches):
        left = places[batch["step"][0].as_py()]
        for place, step in scrubbers:
            if left <= place:
                batch = _without_quotations(batch) if "detail" in batch.schema.names else batch
                try:
                    batch = scrubbed(batch, step.stage, step.config)
                except Exception:  # whatever the stage stumbled on must not be stored either
                    batch = _emptied(batch)
        batches[number] = batch


def _without_quotations(batch: pa.RecordBatch) -> pa.RecordBatch:
    details = [
        f"{detail.partition(':')[0]}: {UNSAID}" if reason in FAILURES and not detail.endswith(UNSAID) else detail
        for reason, detail in zip(batch["reason"].to_pylist(), batch["detail"].to_pylist(), strict=True)
    ]
    place = batch.schema.get_field_index("detail")
    batch = batch.set_column(place, batch.schema.field(place), pa.array(details, pa.string()))
    return _null(batch, ["text"])


def _emptied(batch: pa.RecordBatch) -> pa.RecordBatch:
    return _null(batch, [field.name for field in batch.schema if field.name not in NAMES and _holds_text(field.type)])


def _null(batch: pa.RecordBatch, names: list[str]) -> pa.RecordBatch:
    for name in names:
        place = batch.schema.get_field_index(name)
        field = batch.schema.field(place)
        batch = batch.set_column(place, field, pa.nulls(batch.num_rows, field.type))
    return batch


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_holds_text(kind.field(number).type) for number in range(kind.num_fields))
    if pa.types.is_dictionary(kind):
        return _holds_text(kind.value_type)
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)
