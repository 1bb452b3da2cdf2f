"""Where a task may go on from stored rows: an earlier plan's task had the same input and the same first steps.

When step k of a segment changes, is added, taken away or replaced, the steps before k need not run again: every row
that came to step k is still stored, kept or dropped, in the task that the old steps made of the same input. That task
is found by computing what its address was: ``chains/`` in the run's folder holds the steps of all segments that were
planned here. Addresses and bytes do not depend on it (see `tasks.stored`); without the old task the whole task is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataengine import shards
from dataengine.errors import CorruptShard
from dataengine.plan import Plan, Segment, Task, address

CHAINS = "chains"
"""One file for every segment of kind ``rows`` that was ever planned, named by its chain."""
POISON = frozenset({"crash", "timeout", "out_of_memory"})
"""Counted at a task's first step, whichever step the record killed: then only the whole task tells what is to blame."""


@dataclass(frozen=True)
class Start:
    """Rows that came to a step, in another task's folder."""

    segment: str
    address: str
    step: int
    """Number, in the segment, of the first step that runs; all steps there are where none does."""


def starts(plan: Plan) -> dict[str, Start]:
    """Address -> where it goes on, for each task to do that need not begin at its input."""
    if not (plan.out / CHAINS).is_dir():
        return {}
    known = _chains(plan.out)
    found = {}
    for segment in plan.segments:
        if segment.kind != "rows" or all(task.ref in plan.committed for task in segment.tasks):
            continue
        others = _candidates(segment, known)
        for task in segment.tasks if others else ():
            if task.ref not in plan.committed and (start := _start(plan.out, task, others)):
                found[task.ref.address] = start
    return found


def remember(plan: Plan) -> None:
    """Write down the steps of the plan's segments, for later plans."""
    folder = plan.out / CHAINS
    folder.mkdir(exist_ok=True)
    for segment in plan.segments:
        path = folder / f"{segment.chain}.json"
        if segment.kind == "rows" and not path.exists():
            shards.replace_atomically(path, json.dumps(_record(segment), indent=1))


def _record(segment: Segment) -> dict[str, Any]:
    return {
        "segment": segment.name,
        "lane": segment.lane,
        "chain": segment.chain,
        "columns": dict(segment.columns),
        "audit": dict(segment.audit) if segment.audit else None,
        "steps": [step.fingerprint() for step in segment.steps],
        "rewrites": list(segment.rewrites),
    }


def _chains(out: Path) -> list[dict[str, Any]]:
    """What is written down; a file that cannot be read is as good as none."""
    found = []
    for path in sorted((out / CHAINS).glob("*.json")):
        try:
            found.append(shards.load_json(path))
        except (OSError, ValueError):
            continue
    return found


def _candidates(segment: Segment, known: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """(number of steps in common, chain) of the chains whose rows can be used, those with most in common first."""
    record = _record(segment)
    found = []
    for chain in known:
        alike = all(chain.get(name) == record[name] for name in ("lane", "columns", "audit"))
        if not alike or chain["chain"] == segment.chain:
            continue
        same = _in_common(record["steps"], chain["steps"])
        if same and not any(chain["rewrites"][same:]):
            found.append((same, chain))
    return sorted(found, key=lambda pair: (-pair[0], pair[1]["chain"]))


def _in_common(steps: list[Any], others: list[Any]) -> int:
    """How many steps are the same from the first on. Written to JSON and read back they compare as they are."""
    pairs = zip(json.loads(json.dumps(steps)), others, strict=False)
    return next((number for number, (one, other) in enumerate(pairs) if one != other), min(len(steps), len(others)))


def _start(out: Path, task: Task, others: list[tuple[int, dict[str, Any]]]) -> Start | None:
    """The first of the candidates that has this task's input, committed and fit for use."""
    for same, chain in others:
        there = address(chain["chain"], task.input)
        folder = shards.task_folder(out, chain["segment"], there)
        if shards.is_committed(folder) and _fit(folder):
            return Start(chain["segment"], there, same)
    return None


def _fit(folder: Path) -> bool:
    """Whether each row that came to a later step is there as it was then."""
    try:
        accounts = shards.read_manifest(folder).accounts
    except CorruptShard:
        return False
    if not POISON.isdisjoint(accounts[0].quarantined):
        return False
    # Where children could not be processed, their parent was quarantined in their place.
    return not (accounts[0].rows_created and any(account.quarantined for account in accounts[1:]))


def described(plan: Plan, found: dict[str, Start]) -> Iterator[tuple[Segment, Start, int]]:
    """For each segment and step at which tasks go on: an example and how many tasks there are."""
    for segment in plan.segments:
        mine: dict[int, list[Start]] = {}
        for task in segment.tasks:
            if start := found.get(task.ref.address):
                mine.setdefault(start.step, []).append(start)
        for _, alike in sorted(mine.items()):
            yield segment, alike[0], len(alike)
