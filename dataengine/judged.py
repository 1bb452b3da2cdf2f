"""Why a row stayed or went: its stored measurements beside the thresholds of the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataengine import stage as stages
from dataengine.ledger import Step
from dataengine.terminal import clip

CONTENT = frozenset({*stages.BASE_COLUMNS, "text", "html", "messages"})
"""Columns that are the document, not something measured."""


@dataclass(frozen=True)
class Judged:
    """One rule of a filter and what this row measured against it."""

    reason: str
    measure: str
    value: Any
    op: str
    """The comparison that drops."""
    field: str
    threshold: Any
    broken: bool

    def __str__(self) -> str:
        sign = "drops" if self.broken else "passes"
        rule = f"dropped if {self.op} {self.field} ({short(self.threshold)})"
        return f"{self.measure} = {short(self.value)}, {rule}: {sign}"


def judge(step: Step, row: Mapping[str, Any]) -> list[Judged]:
    """The step's rules for this row, in the order in which they judge; none where the stage is no filter, or gone."""
    stage = load(step.stage)
    found = []
    for rule in stage.rules if stage else ():
        threshold = step.config.get(rule.field, _default(stage, rule.field))
        value = row.get(rule.measure)
        if threshold is not None and rule.measure in row:
            found.append(Judged(rule.reason, rule.measure, value, rule.op, rule.field, threshold,
                                _broken(rule.op, value, threshold)))
    return found


def measures(step: Step, row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the step's stage added to this row, text left out."""
    stage = load(step.stage)
    if stage is None:
        return {}
    try:
        added = stage.adds(stage.config.model_validate(dict(step.config)))
    except ValueError:  # a config of another version of the stage
        return {}
    return {name: row[name] for name in added if name in row and name not in CONTENT}


def load(name: str) -> stages.Stage | None:
    """The stage, or None where this installation does not have it: a run outlives the plugins that made it."""
    try:
        return stages.load(name)
    except (KeyError, ImportError):
        return None


def _default(stage: stages.Stage, field: str) -> Any:
    known = stage.config.model_fields.get(field)
    return known.get_default(call_default_factory=True) if known and not known.is_required() else None


def _broken(op: str, value: Any, threshold: Any) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return False
    return bool(stages.OPERATORS[op](value, threshold))


def short(value: Any) -> str:
    """A value for people, on one line."""
    return f"{value:.4g}" if isinstance(value, float) else "nothing" if value is None else clip(value, 120)
