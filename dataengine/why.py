"""Why a segment has to run: what is different from the plan that was run here last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dataengine import shards
from dataengine.plan import Plan, Segment


def reasons(plan: Plan) -> dict[str, str]:
    """Segment -> why it is to do, for every segment that is not done. Compares with the run.json that is there."""
    before = _before(plan)
    changed: dict[str, str] = {}
    found: dict[str, str] = {}
    for segment in plan.segments:
        reason = _reason(segment, before, changed)
        if reason:
            changed[segment.name] = reason
        have = sum(task.ref in plan.committed for task in segment.tasks)
        if have < len(segment.tasks):
            found[segment.name] = reason or (
                f"not finished: {have} of {len(segment.tasks)} tasks are done" if have else "not done yet"
            )
    return found


def _before(plan: Plan) -> dict[str, Any]:
    """The segments of the last plan by name; empty where there was none that we can read."""
    try:
        record = shards.load_json(plan.out / "run.json")
        return {segment["name"]: segment for segment in record["segments"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _reason(segment: Segment, before: Mapping[str, Any], changed: Mapping[str, str]) -> str:
    """What is different about this segment; empty where nothing is."""
    old = before.get(segment.name)
    if old is None:
        old = next((other for other in before.values() if _same_place(segment, other)), None)
    if old is None:
        return "new" if before else ""
    if own := list(_differences(segment.record()["steps"], old["steps"])):
        return "; ".join(own)
    shares = [audit["share"] if audit else 0 for audit in (old.get("audit"), segment.audit)]
    if shares[0] != shares[1]:
        return f"[run] audit {shares[0]} -> {shares[1]}"
    addresses = [task.ref.address for task in segment.tasks]
    if addresses == old["tasks"]:
        return ""
    if above := [
        name for name in dict.fromkeys(ref.segment for task in segment.tasks for ref in task.inputs) if name in changed
    ]:
        return "follows " + ", ".join(above)
    fresh = len(set(addresses) - set(old["tasks"]))
    return (
        f"its input changed: {fresh} of {len(addresses)} splits are new or different"
        if fresh
        else "its input changed: some of it is gone"
    )


def _same_place(segment: Segment, old: Mapping[str, Any]) -> bool:
    """Whether an old segment of another name began with the same block: then steps were added to it or taken away."""
    return (
        bool(old["steps"])
        and bool(segment.steps)
        and old["kind"] == segment.kind
        and old["steps"][0]["step"] == segment.steps[0].name
    )


def _differences(now: list[dict[str, Any]], old: list[dict[str, Any]]) -> Iterator[str]:
    """Each way in which the steps differ, in words."""
    if [step["stage"] for step in now] != [step["stage"] for step in old]:
        added = [step["stage"] for step in now if step["stage"] not in [other["stage"] for other in old]]
        gone = [step["stage"] for step in old if step["stage"] not in [other["stage"] for other in now]]
        parts = [f"{', '.join(names)} {word}" for names, word in ((added, "added"), (gone, "taken away")) if names]
        yield " and ".join(parts) or "its steps stand in another order"
        return
    for step, other in zip(now, old, strict=True):
        label = f"{step['step']} {step['stage']}" if step["step"] != step["stage"] else step["step"]
        if step["step"] != other["step"]:
            yield f"{label}: was {other['step']}"
        if step["version"] != other["version"]:
            yield f"{label}: version {other['version']} -> {step['version']}"
        for name in sorted(step["config"].keys() | other["config"].keys()):
            if step["config"].get(name) != other["config"].get(name):
                yield f"{label}: {name} {other['config'].get(name)!r} -> {step['config'].get(name)!r}"
        for name in sorted(step["files"]):
            if step["files"][name] != other.get("files", {}).get(name) and step["config"].get(name) == other[
                "config"
            ].get(name):
                yield f"{label}: the content of {name} changed"
