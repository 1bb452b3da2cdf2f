"""What a task loads before its first record, loaded in the process from which workers are forked; see `nursery`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dataengine import stage as stages
from dataengine.tasks import KINDS

OWN_ENGINES = frozenset({"filter.where"})
"""Built-in stages that run a database of their own, which is not made to be forked. Workers load it."""


def wanted(task: Mapping[str, Any]) -> dict[str, Any]:
    """Of a task given to a worker, what `load` asks for."""
    body = task["body"]
    found: dict[str, Any] = {"kind": task["kind"]}
    if task["kind"] == "rows":
        found |= {"steps": body["steps"], "columns": body["columns_all"]}
    elif task["kind"] == "sketch":
        found |= {"steps": [body["step"]], "columns": body["reads"]}
    return found


def load(run: Path, task: Mapping[str, Any]) -> None:
    """Import the task's code, and let its built-in stages see one row. A plugin's are loaded by workers alone."""
    import_module(KINDS[task["kind"]].split(":")[0])
    if not task.get("steps"):
        return
    from dataengine.tasks.columns import FusedStep
    from dataengine.tasks.rows import warm_up

    steps = []
    for index, spec in enumerate(task["steps"]):
        if spec["stage"] not in stages.builtin_names() - OWN_ENGINES:
            continue
        stage = stages.load(spec["stage"])
        if stage.kind == "read" or (stage.kind == "gather" and task["kind"] == "rows"):
            continue
        made = {name: str(run / path) for name, path in spec.get("made", {}).items()}
        config = stage.config.model_validate(spec["config"] | made)
        steps.append(FusedStep(spec["step"], spec["lane"], stage, config, None, index))
    warm_up(steps, task["columns"])
