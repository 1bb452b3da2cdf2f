"""What a plan is made of: segments of steps, and tasks whose address is the hash of what makes their bytes.

Made by `dataengine.plan` alone; everybody else reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dataengine import shards
from dataengine.recipe import Recipe


@dataclass(frozen=True)
class TaskRef:
    """Where a task's result will be, and the lane in which its rows were born."""

    segment: str
    address: str
    source: str = ""

    def folder(self, run: Path) -> Path:
        """Its place in a run."""
        return shards.task_folder(run, self.segment, self.address)


@dataclass(frozen=True)
class Task:
    """One segment over one input: the unit of work. `body` is what a worker needs, as JSON."""

    ref: TaskRef
    kind: str
    inputs: tuple[TaskRef, ...]
    body: Mapping[str, Any]
    input: str = ""
    """Hash of what it reads: its address is the hash of this and of its segment's `chain`."""


@dataclass(frozen=True)
class Share:
    """What one task of a segment begins with: pieces of its reader, or the rows that another task has stored."""

    inputs: tuple[TaskRef, ...]
    identity: Any
    """What, besides the inputs, decides its rows."""
    body: Mapping[str, Any]
    source: str
    """The lane in which its rows were born."""


def stored(refs: Iterable[TaskRef]) -> tuple[Share, ...]:
    """The rows that these tasks have stored."""
    return tuple(Share((ref,), None, {"parent": [ref.segment, ref.address]}, ref.source) for ref in refs)


@dataclass(frozen=True)
class Step:
    """A block, ready to run: its files found, its fingerprint taken."""

    name: str
    lane: str
    stage: str
    version: int
    config: Mapping[str, Any]
    """As the recipe has it, defaults filled in."""
    loaded: Mapping[str, str | list[str]] = field(default_factory=dict)
    """Field -> absolute path of a file to load; paths, where the field is a list."""
    hashes: Mapping[str, str | list[str]] = field(default_factory=dict)
    """Field -> sha256 of that file; of each, where the field is a list."""
    made: Mapping[str, TaskRef] = field(default_factory=dict)
    """Field -> the task that makes the file."""

    def fingerprint(self) -> list[Any]:
        """What of this step decides its output."""
        config = dict(self.config) | self.hashes | {name: ref.address for name, ref in self.made.items()}
        return [self.name, self.stage, self.version, config]

    def body(self) -> dict[str, Any]:
        """For the worker: the config with real paths in it; made files are paths below the run's folder."""
        made = {name: f"steps/{ref.segment}/{ref.address}/model.bin" for name, ref in self.made.items()}
        return {
            "step": self.name,
            "lane": self.lane,
            "stage": self.stage,
            "config": dict(self.config) | self.loaded,
            "made": made,
        }


@dataclass(frozen=True)
class Segment:
    """Steps that run in one pass, and their tasks in the order of their rows."""

    name: str
    kind: str
    lane: str
    steps: tuple[Step, ...]
    tasks: tuple[Task, ...]
    final: bool = False
    """Its kept rows are the end of a lane that no other lane takes its rows from: what the run is for."""
    chain: str = ""
    """Hash of the steps and of what else all its tasks have in common."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """kind ``rows``: the columns it begins with."""
    rewrites: tuple[bool, ...] = ()
    """kind ``rows``: for each step, whether its stage replaces a column that stood there before (filters apart)."""
    audit: Mapping[str, Any] | None = None
    """kind ``rows``: share and seed of the audit sample, where there is one."""

    def record(self) -> dict[str, Any]:
        """Its entry in run.json."""
        steps = [
            {
                "step": step.name,
                "lane": step.lane,
                "stage": step.stage,
                "version": step.version,
                "config": dict(step.config),
                "files": dict(step.hashes),
            }
            for step in self.steps
        ]
        return {
            "name": self.name,
            "kind": self.kind,
            "lane": self.lane,
            "steps": steps,
            "tasks": [task.ref.address for task in self.tasks],
            "final": self.final,
            "chain": self.chain,
        } | ({"audit": dict(self.audit)} if self.audit else {})


@dataclass(frozen=True)
class Plan:
    """All segments, each after what it needs."""

    recipe: Recipe
    out: Path
    segments: tuple[Segment, ...]

    @property
    def tasks(self) -> Iterator[Task]:
        """All tasks, in order."""
        return (task for segment in self.segments for task in segment.tasks)

    @cached_property
    def committed(self) -> frozenset[TaskRef]:
        """The tasks that are done already."""
        return frozenset(task.ref for task in self.tasks if shards.is_committed(task.ref.folder(self.out)))

    @property
    def to_do(self) -> list[Task]:
        """The tasks still to run."""
        return [task for task in self.tasks if task.ref not in self.committed]

    @property
    def indexes(self) -> list[tuple[str, int, list[tuple[Path, Mapping[str, Any]]]]]:
        """For each index that the run writes: stage, version, and (folder, body) of the tasks that make its parts."""
        return [
            (step.stage, step.version, [(task.ref.folder(self.out), task.body) for task in segment.tasks])
            for segment in self.segments
            if segment.kind == "index"
            for step in segment.steps
        ]

    def record(self, state: str) -> dict[str, Any]:
        """The content of run.json."""
        recipe = self.recipe
        return {
            "format": shards.FORMAT,
            "name": recipe.name,
            "recipe": str(recipe.file),
            "seed": recipe.seed,
            "state": state,
            "segments": [segment.record() for segment in self.segments],
        }


def address(chain: str, read: str) -> str:
    """Of the task whose segment has this chain and which reads this input."""
    return digest([chain, read])


def digest(value: Any) -> str:
    """32 hex digits of the JSON form of a value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def places(refs: Iterable[TaskRef]) -> list[list[str]]:
    """Tasks as a worker is told of them: [segment, address]."""
    return [[ref.segment, ref.address] for ref in refs]
