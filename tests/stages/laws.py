"""What the laws are proved on: the fixtures of the stages, one JSON Lines file a stage.

A line is a case: ``{"text": ...}`` or ``{"input": {column: value}}``, what comes of it (``"reason"`` for a filter,
``"output"`` or ``"refused"`` for a map, ``"children"`` for an expand, ``"parts"``, each [first byte, byte behind the
last], for a prune), and ``"config"`` if it is not the default.
A long text may be written ``{"repeat": ["text ", 60]}``, bytes ``{"bytes": "latin-1 text"}``. One line, ``{"golden":
{"version": 1, "sha256": "..."}}``, pins the stage's output: whoever changes it has to raise the version.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dataengine import shards, stage
from dataengine.prune import Units
from dataengine.stage import BASE_COLUMNS, Stage
from dataengine.tasks.columns import FusedStep, visible
from dataengine.tasks.fused import Cursor, Outcome, through
from dataengine.tasks.head import placed

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One line of a fixture."""

    stage: Stage
    config: Any
    row: dict[str, Any]
    expected: dict[str, Any]

    @property
    def columns(self) -> dict[str, str]:
        """Names and types of the columns that the case gives."""
        return {name: _type(value) for name, value in self.row.items()}


def _type(value: Any) -> str:
    if isinstance(value, list):
        return "list<float>" if all(isinstance(number, int | float | None) for number in value) else stage.MESSAGES
    return {bool: "bool", int: "int64", float: "float64", bytes: "binary"}.get(type(value), "string")


def _value(value: Any) -> Any:
    if isinstance(value, dict) and "repeat" in value:
        return value["repeat"][0] * value["repeat"][1]
    if isinstance(value, dict) and "bytes" in value:
        return value["bytes"].encode("latin-1")
    if isinstance(value, dict) and "concat" in value:
        return "".join(map(_value, value["concat"]))
    return value


def fixture(name: str) -> Path:
    """The file with a stage's cases."""
    verb, noun = name.split(".")
    return FOLDER / verb / f"{noun}.jsonl"


def lines(name: str) -> list[dict[str, Any]]:
    """All lines of a stage's fixture."""
    return [json.loads(line) for line in fixture(name).read_text(encoding="utf-8").splitlines() if line.strip()]


def cases(name: str) -> list[Case]:
    """The cases of a stage's fixture."""
    found = stage.load(name)
    return [
        Case(
            found,
            found.config.model_validate(line.get("config", {})),
            {key: _value(value) for key, value in (line.get("input") or {"text": line["text"]}).items()},
            {
                key: _value(value) if key != "output" else {name: _value(cell) for name, cell in value.items()}
                for key, value in line.items()
                if key in ("reason", "output", "refused", "children", "parts")
            },
        )
        for line in lines(name)
        if "golden" not in line
    ]


def batch_of(rows: list[Case]) -> pa.RecordBatch:
    """The cases' rows as one batch, with the columns that every row has."""
    columns = BASE_COLUMNS | {name: kind for case in rows for name, kind in case.columns.items()}
    data = [
        {"id": f"{number:032x}", "source": "test", "origin": f"test:{number}"} | case.row
        for number, case in enumerate(rows)
    ]
    return pa.RecordBatch.from_pylist(data, shards.arrow_schema(columns))


def apply(case: Case, batch: pa.RecordBatch) -> Outcome:
    """What becomes of a batch in the engine, with this case's stage and config."""
    step = FusedStep("test.0", "test", case.stage, case.config)
    outcome = Outcome([step.account()])
    try:
        return _through(batch, step, outcome)
    finally:
        stage.watch_rows(None)


def _through(batch: pa.RecordBatch, step: FusedStep, outcome: Outcome) -> Outcome:
    through(placed(batch, 0), np.arange(batch.num_rows), [step], 0, outcome, Cursor(lambda number, row: None))
    for batches in (outcome.kept, outcome.dropped, outcome.quarantined):
        batches[:] = map(visible, batches)
    return outcome


def failing(case: Case, identity: str) -> FusedStep:
    """The case's step, with a stage that raises whenever it sees the row with this id."""

    def function(batch: pa.RecordBatch, config: Any) -> Any:
        if identity in batch["id"].to_pylist():
            raise ValueError("no good")
        return case.stage.function(batch, config)

    return FusedStep("test.0", "test", replace(case.stage, function=function), case.config)


def rows_of(outcome: Outcome) -> dict[str, list[dict[str, Any]]]:
    """Kept, dropped and quarantined rows."""
    return {
        name: [row for part in getattr(outcome, name) for row in part.to_pylist()]
        for name in ("kept", "dropped", "quarantined")
    }


def sketched(sketch: stage.Sketch | Units) -> dict[str, Any]:
    """What a gather or a prune says of its rows, as lists: what it does not give is None."""
    values = {field.name: getattr(sketch, field.name) for field in fields(sketch)}
    return {name: None if value is None else value.tolist() for name, value in values.items()}


def digest(name: str) -> str:
    """The hash of all that the stage makes of its fixture; floats to 9 digits, which every machine agrees on."""
    found = []
    for case in cases(name):
        if case.stage.kind in ("gather", "prune"):
            found.append(sketched(case.stage.function(batch_of([case]), case.config)))
        else:
            found.append(rows_of(apply(case, batch_of([case]))))
    return hashlib.sha256(json.dumps(_rounded(found), sort_keys=True).encode()).hexdigest()[:32]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {key: _rounded(cell) for key, cell in value.items()}
    return [_rounded(cell) for cell in value] if isinstance(value, list) else value
