"""What a task loads before its first record, loaded in the process from which workers are forked; see `nursery`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dataengine import stage as stages
from dataengine.tasks import KINDS, Job

OWN_ENGINES = frozenset({"filter.where"})
"""Built-in stages that run a database of their own, which is not made to be forked. Workers load it."""


def forkable(names: Iterable[str]) -> bool:
    """Whether a process that has these stages at hand, but has called none, may be forked: a plugin may do anything
    when it is imported, and a database of its own has looked at a stage's config.
    """
    return set(names) <= stages.builtin_names() - OWN_ENGINES


def wanted(task: Mapping[str, Any]) -> dict[str, Any]:
    """Of a task given to a worker, what `load` asks for."""
    body, kind = task["body"], task["kind"]
    if kind == "rows":
        return {"kind": kind, "steps": body["steps"], "columns": body["columns_all"]}
    if kind == "sketch":
        return {"kind": kind, "steps": body["steps"][-1:], "columns": body["reads"]}
    return {"kind": kind, "steps": [], "columns": {}}


def load(run: Path, task: Mapping[str, Any]) -> None:
    """Import the task's code, and let its built-in stages see one row. A plugin's are loaded by workers alone."""
    import_module(KINDS[task["kind"]].split(":")[0])
    builtin = stages.builtin_names() - OWN_ENGINES
    if not (specs := [spec for spec in task["steps"] if spec["stage"] in builtin]):
        return
    from dataengine.tasks.rows import load_step, warm_up

    job = Job(run=run, segment="", address="", kind=task["kind"], inputs=[], body={})
    steps = [load_step(job, spec, number) for number, spec in enumerate(specs)]
    called = {"map", "filter", "expand"} if task["kind"] == "rows" else {"gather"}
    warm_up([step for step in steps if step.stage.kind in called], task["columns"])
