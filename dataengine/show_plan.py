"""A plan in words and as JSON: what is there already, what is to do, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataengine.terminal import number, plural, safe_text, say, size, width_of, wrapped

if TYPE_CHECKING:
    from dataengine.plan import Plan

NOTHING_NEW = "not done yet"
"""Why a segment is to do that no plan has run here before: not worth a line."""


def summary(plan: Plan) -> dict[str, Any]:
    """The plan in one dictionary, ready for JSON. ``why`` is empty where nothing is to do.

    ``goes_on`` says of how many tasks only ``steps`` run, because the rows that ``kept_steps`` made are stored.
    """
    from dataengine import going_on
    from dataengine.why import reasons

    why = reasons(plan)
    goes_on: dict[str, list[dict[str, Any]]] = {}
    for segment, start, tasks in going_on.described(plan, going_on.starts(plan)):
        names = [step.name for step in segment.steps]
        goes_on.setdefault(segment.name, []).append(
            {"tasks": tasks, "kept_steps": names[: start.step], "steps": names[start.step :]}
        )
    segments = []
    for segment in plan.segments:
        have = sum(task.ref in plan.committed for task in segment.tasks)
        steps = [{"step": step.name, "stage": step.stage, "config": dict(step.config)} for step in segment.steps]
        segments.append(
            {
                "name": segment.name,
                "kind": segment.kind,
                "lane": segment.lane,
                "final": segment.final,
                "tasks": len(segment.tasks),
                "have": have,
                "to_do": len(segment.tasks) - have,
                "why": why.get(segment.name, ""),
                "goes_on": goes_on.get(segment.name, []),
                "bytes": sum(_weight(task.body) for task in segment.tasks),
                "steps": steps,
            }
        )
    return {
        "name": plan.recipe.name,
        "recipe": str(plan.recipe.file),
        "out": str(plan.out),
        "tasks": sum(entry["tasks"] for entry in segments),
        "to_do": sum(entry["to_do"] for entry in segments),
        "segments": segments,
    }


def _weight(body: Any) -> int:
    """About how many bytes the task reads from outside the run."""
    return sum(piece["weight"] for piece in body.get("split", ()))


def show(plan: Plan) -> None:
    """Print it for people: a line a segment, under it why it is to do."""
    width = width_of()
    found = summary(plan)
    say(f"{safe_text(found['name'])}: {safe_text(found['recipe'])} -> {safe_text(found['out'])}\n")
    longest = max((len(entry["name"]) for entry in found["segments"]), default=0)
    for entry in found["segments"]:
        state = "to do" if entry["to_do"] else "have"
        reads = f", {size(entry['bytes'])}" if entry["bytes"] else ""
        part = f"{number(entry['to_do'])} of " if 0 < entry["to_do"] < entry["tasks"] else ""
        head = f"{state:<6} {entry['name']:<{longest}}  {part + plural(entry['tasks'], 'task') + reads:<18} "
        say(wrapped(_told(entry), first=head, indent=" " * len(head), width=width))
        if entry["why"] and entry["why"] != NOTHING_NEW:
            because = "" if entry["why"].startswith("follows") else "because "
            say(wrapped(because + safe_text(entry["why"]), first=" " * 7, indent=" " * 9, width=width))
        for start in entry["goes_on"]:
            say(wrapped(safe_text(_goes_on(entry, start)), first=" " * 7, indent=" " * 9, width=width))
    say(f"\n{number(found['to_do'])} of {plural(found['tasks'], 'task')} to run")


def _told(entry: dict[str, Any]) -> str:
    """The stages of a segment, or what it does for them."""
    stages = " > ".join(step["stage"] for step in entry["steps"])
    if entry["kind"] == "rows":
        return stages
    return entry["kind"] if stages == entry["kind"] else f"{entry['kind']} for {stages}"


def _goes_on(entry: dict[str, Any], start: dict[str, Any]) -> str:
    """What of a segment's steps runs, where not all of them do."""
    kept = _span(start["kept_steps"])
    some = "" if start["tasks"] == entry["to_do"] else f"{plural(start['tasks'], 'task')}: "
    if not start["steps"]:
        return f"{some}no step runs: the rows that {kept} made are stored"
    return f"{some}goes on from {start['steps'][0]} with the rows stored before it; {kept} does not run again"


def _span(steps: list[str]) -> str:
    """Consecutive steps of a lane in short: ``prose.0-2``."""
    return steps[0] if len(steps) == 1 else f"{steps[0]}-{steps[-1].rpartition('.')[2]}"
