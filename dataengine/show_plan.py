"""A plan in words and as JSON: every segment, what is there already and what is to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataengine.terminal import clip, number, safe_text, say, size, table, to_json

if TYPE_CHECKING:
    from dataengine.plan import Plan


def summary(plan: Plan) -> dict[str, Any]:
    """The plan in one dictionary, ready for JSON."""
    segments = []
    for segment in plan.segments:
        have = sum(task.ref in plan.committed for task in segment.tasks)
        segments.append({"name": segment.name, "kind": segment.kind, "lane": segment.lane, "final": segment.final,
                         "tasks": len(segment.tasks), "have": have, "to_do": len(segment.tasks) - have,
                         "bytes": sum(_weight(task.body) for task in segment.tasks),
                         "steps": [{"step": step.name, "stage": step.stage, "config": dict(step.config)}
                                   for step in segment.steps]})
    return {"name": plan.recipe.name, "recipe": str(plan.recipe.file), "out": str(plan.out),
            "tasks": sum(entry["tasks"] for entry in segments), "to_do": sum(entry["to_do"] for entry in segments),
            "segments": segments}


def _weight(body: Any) -> int:
    """About how many bytes the task reads from outside the run."""
    return sum(piece["weight"] for piece in body.get("split", ()))


def show(plan: Plan) -> None:
    """Print it for people: the segments, under each its steps and the settings that are not the stage's defaults."""
    found = summary(plan)
    say(f"{safe_text(found['name'])}: {safe_text(found['recipe'])} -> {safe_text(found['out'])}")
    rows: list[list[object]] = []
    for segment in found["segments"]:
        state = "have" if not segment["to_do"] else f"{number(segment['to_do'])} to do"
        rows.append([segment["name"], segment["kind"], number(segment["tasks"]), state,
                     size(segment["bytes"]) if segment["bytes"] else "", ""])
        for step in segment["steps"]:
            words = f"{step['step']}  {step['stage']}  {settings(step['stage'], step['config'])}"
            rows.append(["", "", "", "", "", words.strip()])
    table(["segment", "kind", "tasks", "state", "reads", "steps"], rows, right=["tasks", "reads"])
    say(f"{number(found['to_do'])} of {number(found['tasks'])} tasks to run")


def settings(stage: str, config: dict[str, Any]) -> str:
    """The fields that differ from the stage's defaults, on one line."""
    from dataengine.judged import load

    known = load(stage)
    defaults = {name: field.get_default(call_default_factory=True) for name, field in known.config.model_fields.items()
                if not field.is_required()} if known else {}
    changed = {name: value for name, value in config.items()
               if value is not None and (name not in defaults or to_json(defaults[name]) != to_json(value))}
    return clip("  ".join(f"{name}={to_json(value)}" for name, value in changed.items()), 120)
