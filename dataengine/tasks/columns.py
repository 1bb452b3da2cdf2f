"""The columns of rows on their way through a segment: what a stage sees and adds, and what the engine adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dataengine import shards
from dataengine.errors import StageError
from dataengine.shards import HIDDEN, Account, hidden
from dataengine.stage import BASE_COLUMNS, Stage, StageConfig
from dataengine.tasks.decided import Decided


@dataclass(frozen=True)
class FusedStep:
    """One stage of the segment with its config loaded."""

    name: str
    lane: str
    stage: Stage
    config: StageConfig
    decided: Decided | None = None
    """gather: the decisions for this shard."""
    cuts: Any = None
    """prune: `tasks.pruned.Cuts` of this shard."""
    index: int = 0
    """Its number in the segment."""

    def account(self) -> Account:
        """An empty account."""
        return Account(self.name, self.lane, self.stage.name)


def with_columns(batch: pa.RecordBatch, columns: dict[str, Any], step: FusedStep) -> pa.RecordBatch:
    """The batch with a stage's columns, which must be just those it declares, one value a row."""
    declared = dict(step.stage.adds(step.config))
    if columns.keys() != declared.keys():
        raise StageError(
            f"gave the columns {', '.join(sorted(columns)) or '(none)'}",
            where=f"step {step.name} ({step.stage.name})",
            expected=f"just those it declares: {', '.join(sorted(declared))}",
        )
    for name, kind in declared.items():
        values = columns[name]
        wanted = shards.arrow_type(kind)
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if not isinstance(values, pa.Array):
            values = pa.array(values, wanted)
        if len(values) != batch.num_rows:
            raise StageError(
                f'gave {len(values)} values of "{name}" for {batch.num_rows} rows',
                where=f"step {step.name} ({step.stage.name})",
            )
        batch = set_column(batch, name, values if values.type == wanted else values.cast(wanted))
    used = step.stage.uses_up(step.config)
    return batch.select([name for name in batch.schema.names if name not in used]) if used else batch


def visible(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch as a stage sees it: without the engine's own columns."""
    return batch.select([name for name in batch.schema.names if not hidden(name)])


def copy_name(index: int, column: str) -> str:
    """Where the value is kept that `column` had before the filter with this number measured it anew."""
    return f"{HIDDEN}{index}_{column}"


def with_copies(batch: pa.RecordBatch, step: FusedStep) -> pa.RecordBatch:
    """The batch with a copy of each measurement that this filter is about to replace: a later plan may need it."""
    for name in step.stage.adds(step.config):
        if name in batch.schema.names:
            batch = set_column(batch, copy_name(step.index, name), batch.column(name))
    return batch


def layouts(steps: list[FusedStep], columns_in: Mapping[str, str]) -> list[dict[str, str]]:
    """The columns before each step and after the last, the engine's copies among them."""
    found = [dict(columns_in)]
    for step in steps:
        columns, adds = found[-1], dict(step.stage.adds(step.config))
        if step.stage.kind == "read":
            after = BASE_COLUMNS | adds
        elif step.stage.kind == "gather":
            count = step.stage.count(step.config)
            after = columns | ({count: "int64"} if count else {})
        elif step.stage.kind == "filter":
            copies = {copy_name(step.index, name): columns[name] for name in adds if name in columns}
            after = columns | copies | adds
        else:
            left = {name: kind for name, kind in columns.items() if name not in step.stage.uses_up(step.config)}
            after = left | adds | ({"parent": "string"} if step.stage.kind == "expand" else {})
        found.append(dict(after))
    return found


def set_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """The batch with this column replaced, or appended."""
    position = batch.schema.get_field_index(name)
    if position < 0:
        return batch.append_column(name, values)
    return batch.set_column(position, name, values)


def constant(value: str, rows: int) -> pa.Array:
    """A column of one text."""
    return pa.repeat(pa.scalar(value, pa.string()), rows)
