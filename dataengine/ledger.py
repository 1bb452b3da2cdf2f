"""What a run remembers, read back: run.json and the manifests of its current tasks.

Everything a run says about itself is a sum over committed manifests; nothing is counted anywhere else. Needs no Arrow
and no database, so that ``status`` answers at once: 10,000 manifests are read in about half a second.
"""

from __future__ import annotations

import difflib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dataengine.errors import CorruptShard, RunNotFound
from dataengine.shards import (
    AUDITED,
    DROPPED,
    FORMAT,
    KEPT,
    MANIFEST,
    QUARANTINED,
    Account,
    FileRecord,
    Manifest,
    read_manifest,
    task_folder,
)

RUN_FILE = "run.json"
RUNS = Path("runs")
"""Where runs live in the working folder, so that ``status atlas`` finds ``runs/atlas``."""

GATHER_PHASES = frozenset({"sketch", "match", "cluster", "index", "units", "smaller", "repeats", "cuts"})
"""Kinds whose rows are counted where the decisions are applied: of their accounts only the seconds are added."""


PRODUCTS = frozenset({"classifier", "tokenizer", "mix", "train"})
"""Kinds that make one thing of many inputs, and give no account of rows."""


@dataclass(frozen=True)
class Step:
    """One block as it was run."""

    step: str
    lane: str
    stage: str
    version: int = 1
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Segment:
    """Consecutive steps and the addresses of their current tasks, in order."""

    name: str
    kind: str
    lane: str
    steps: tuple[Step, ...]
    tasks: tuple[str, ...]
    final: bool = False


@dataclass(frozen=True)
class Shard:
    """One committed file of a current task."""

    segment: Segment
    task: str
    name: str
    """``kept.parquet``, ``tokens/code.bin``: relative to the task's folder."""
    path: Path
    record: FileRecord


@dataclass(frozen=True)
class Reason:
    """How many rows one step lost to one reason. `kind` is ``dropped`` or ``quarantined``."""

    step: str
    lane: str
    stage: str
    kind: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Figure:
    """A number, or a text such as a sample, that a task measured beside rows. Nested names are joined by dots."""

    step: str
    kind: str
    """Of the segment."""
    task: str
    name: str
    value: float | None
    text: str | None = None


def find_run(name: str | Path) -> Path:
    """The folder of a run given as a path or as its name under ``runs/``. Raises RunNotFound, naming the nearest."""
    given = Path(name)
    for folder in (given, RUNS / given):
        if os.path.isfile(folder / RUN_FILE):  # unlike Path.is_file it answers for names that no system takes
            return folder
    if os.path.isdir(given / "steps"):
        raise RunNotFound("a run's folder, but it has no run.json yet", where=str(given),
                          write="run the recipe again: it goes on where it was")
    if given.suffix == ".toml" and os.path.isfile(given):
        raise RunNotFound("this is a recipe, not a run", where=str(given), expected=there_is(),
                          write=f"dataengine run {given}, then the folder or the name of its run")
    near = difflib.get_close_matches(given.name, known_runs(), n=1, cutoff=0.5)
    raise RunNotFound("there is no run at this place", where=str(given), expected=there_is(),
                      write=str(RUNS / near[0]) if near else "")


def known_runs() -> list[str]:
    """Names of the runs under ``runs/`` of the working folder."""
    return sorted(file.parent.name for file in RUNS.glob(f"*/{RUN_FILE}"))


def there_is() -> str:
    """What could be asked for here, in words."""
    known = known_runs()
    return f"one of the runs here: {', '.join(known[:20])}" if known else "a folder that holds run.json"


@dataclass(frozen=True)
class Ledger:
    """A run as its files tell it. Built by `open`; reads each manifest once."""

    folder: Path
    name: str
    recipe: str
    recorded_state: str
    """What run.json says. `state` is this, checked against the lock."""
    segments: tuple[Segment, ...]
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """run.json as it stands."""

    @classmethod
    def open(cls, folder: str | Path) -> Ledger:
        """Read the run at `folder`, or so named under ``runs/``. Raises RunNotFound, or CorruptShard."""
        found = find_run(folder)
        path = found / RUN_FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise CorruptShard(f"this run has format {data['format']!r}", where=str(path),
                                   expected=f"format {FORMAT}, which this version of dataengine reads",
                                   write="open it with the version that made it, or run the recipe into a new folder")
            segments = tuple(_segment(entry, path) for entry in data["segments"])
            return cls(found, data["name"], data.get("recipe", ""), data.get("state", "unknown"), segments, data)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CorruptShard(f"run.json cannot be read: {type(error).__name__}: {error}", where=str(path),
                               write="run the recipe again: committed work is reused") from error

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        """Manifest of every done task, by ``segment/address``, in the plan's order."""
        found = {}
        for segment in self.segments:
            for task in segment.tasks:
                folder = task_folder(self.folder, segment.name, task)
                if (folder / MANIFEST).is_file():
                    found[f"{segment.name}/{task}"] = read_manifest(folder)
        return found

    def manifest(self, segment: Segment, task: str) -> Manifest | None:
        """The task's manifest, or None while it is not done."""
        return self.manifests.get(f"{segment.name}/{task}")

    def done(self, segment: Segment) -> int:
        """How many of the segment's tasks are committed."""
        return sum(f"{segment.name}/{task}" in self.manifests for task in segment.tasks)

    @cached_property
    def state(self) -> str:
        """``complete``, ``failed``...; a run that says ``running`` while nobody holds its lock is ``interrupted``."""
        if self.recorded_state == "running" and not is_locked(self.folder):
            return "interrupted"
        return self.recorded_state

    @cached_property
    def steps(self) -> list[Account]:
        """One account per step, summed over its tasks, in the plan's order; steps that did nothing yet are all zero."""
        planned = (step for segment in self.segments if segment.kind not in PRODUCTS for step in segment.steps)
        sums = {step.step: Account(step.step, step.lane, step.stage) for step in planned}
        for manifest in self.manifests.values():
            for account in manifest.accounts:
                total = sums.setdefault(account.step, Account(account.step, account.lane, account.stage))
                if manifest.kind in GATHER_PHASES:
                    total.seconds += account.seconds
                else:
                    total.add(account)
        return list(sums.values())

    @cached_property
    def reasons(self) -> list[Reason]:
        """Every (step, reason) that took rows, most rows first within a step."""
        found = []
        for account in self.steps:
            for kind, counts in (("dropped", account.dropped), ("quarantined", account.quarantined)):
                found += [Reason(account.step, account.lane, account.stage, kind, reason, rows)
                          for reason, rows in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if rows]
        return found

    @cached_property
    def figures(self) -> list[Figure]:
        """What tasks measured beside rows."""
        found = []
        for segment in self.segments:
            step = segment.steps[-1].step if segment.steps else segment.name
            for task in segment.tasks:
                manifest = self.manifest(segment, task)
                for name, value in _flatten(manifest.figures) if manifest else ():
                    said = (None, value) if isinstance(value, str) else (float(value), None)
                    found.append(Figure(step, segment.kind, task, name, *said))
        return found

    def shards(self, name: str | None = None, *, kind: str | None = None, final: bool = False) -> Iterator[Shard]:
        """Committed files, in the plan's order: those called `name`, of segments of this kind, of lanes' ends only."""
        for segment in self.segments:
            if (kind and segment.kind != kind) or (final and not segment.final):
                continue
            for task in segment.tasks:
                manifest = self.manifest(segment, task)
                if manifest is None or (name is not None and name not in manifest.files):
                    continue
                folder = task_folder(self.folder, segment.name, task)
                for file, record in sorted(manifest.files.items()):
                    if name is None or file == name:
                        yield Shard(segment, task, file, folder / _inside(file, folder), record)

    def kept(self) -> list[Shard]:
        """The ends of all lanes."""
        return list(self.shards(KEPT, kind="rows", final=True))

    def dropped(self) -> list[Shard]:
        """What filters and gathers dropped, in all lanes."""
        return list(self.shards(DROPPED, kind="rows"))

    def audited(self) -> list[Shard]:
        """The audit sample at the end of every segment, where the recipe asked for one."""
        return list(self.shards(AUDITED, kind="rows"))

    def quarantined(self) -> list[Shard]:
        """What could not be read or processed."""
        return list(self.shards(QUARANTINED, kind="rows"))


def is_locked(folder: Path) -> bool:
    """Whether a living process writes this run. False where the run was never locked."""
    import fcntl

    try:
        handle = os.open(folder / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def require_regular(shard: Shard) -> None:
    """Raise CorruptShard unless the file is a plain file of the expected size, reached through no symbolic link."""
    run = shard.path.parents[len(Path(shard.name).parts) + 2]
    place = shard.path
    while place != run:
        try:
            mode = place.lstat()
        except OSError as error:
            said = (error.strerror or "").lower()
            raise CorruptShard(f"committed, but {said}", where=str(place), write=REPAIR) from error
        if not (stat.S_ISREG(mode.st_mode) if place == shard.path else stat.S_ISDIR(mode.st_mode)):
            raise CorruptShard("not a plain file or folder: a link would lead out of the run", where=str(place),
                               write=REPAIR)
        if place == shard.path and mode.st_size != shard.record.bytes:
            raise CorruptShard(f"{mode.st_size} bytes", where=str(place), write=REPAIR,
                               expected=f"{shard.record.bytes} bytes, as committed")
        place = place.parent


REPAIR = "remove the folder of this task (verify names it) and run again: only it is made anew"


def _segment(entry: Mapping[str, Any], path: Path) -> Segment:
    steps = tuple(Step(step["step"], step["lane"], step["stage"], step.get("version", 1), step.get("config", {}))
                  for step in entry.get("steps", ()))
    for name in (entry["name"], *entry["tasks"]):
        if not name or "/" in name or "\0" in name or name in {".", ".."}:
            raise CorruptShard(f"{name!r} cannot be the name of a folder of the run", where=str(path))
    lane = entry.get("lane") or (steps[0].lane if steps else "")
    return Segment(entry["name"], entry["kind"], lane, steps, tuple(entry["tasks"]), bool(entry.get("final")))


def _inside(name: str, folder: Path) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise CorruptShard(f"the manifest names {name!r}, which is outside its folder", where=str(folder / MANIFEST))
    return name


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float | str]]:
    """Names and values, nested ones joined by dots."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield from _flatten({str(index): item for index, item in enumerate(value)}, f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name, value if isinstance(value, int | float) else str(value)
