"""A gather over a few texts, as the engine does it, in this process: plan, tasks, files, decisions read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from dataengine import index, shards
from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine.plan import Plan
from dataengine.tasks import Job, execute


class Gone(NamedTuple):
    """Why a row went."""

    stays: int
    """The row that stays in its place; -1 if it is none of these."""
    similarity: float | None
    band: int | None


def execute_all(recipe: Path, out: Path) -> Plan:
    """All tasks of a recipe, one after the other; what is committed is not done again."""
    plan = plans.make(recipes.load(recipe), out)
    (out / "tmp").mkdir(parents=True, exist_ok=True)
    for task in plan.to_do:
        inputs = [ref.address for ref in task.inputs]
        job = Job(out, task.ref.segment, task.ref.address, task.kind, inputs, dict(task.body))
        execute(job, lambda batch, row: None)
    index.publish_all(plan.indexes)
    return plan


def toml(value: Any) -> str:
    return json.dumps(value)


def rows_of(plan: Plan, file: str, segment: int = -1) -> list[dict[str, Any]]:
    """The rows of a segment's files, in the order of its tasks."""
    tasks = plan.segments[segment].tasks
    return [row for task in tasks for row in pq.read_table(task.ref.folder(plan.out) / file).to_pylist()]


def gathered(
    folder: Path, rows: Sequence[str | dict[str, Any]], stage: str = "dedup.minhash", /, *, files: int = 1,
    run: dict[str, Any] | None = None, types: dict[str, str] | None = None, **config: Any,
) -> dict[int, Gone]:
    """Which of the rows go, by their position, when they are dealt out in order to so many files, a shard each."""
    made = [{"text": row} if isinstance(row, str) else row for row in rows]
    folder.mkdir(parents=True, exist_ok=True)
    largest = 1
    for number in range(files):
        part = slice(number * len(made) // files, (number + 1) * len(made) // files)
        lines = (json.dumps(row | {"row": str(part.start + at)}) for at, row in enumerate(made[part]))
        largest = max(largest, (folder / f"{number:04}.jsonl").write_text("".join(f"{line}\n" for line in lines)))
    keep = sorted({"row", *(name for row in made for name in row)} - {"text", "url"})
    settings = "".join(f"{name} = {toml(value)}\n" for name, value in ({"split_bytes": largest} | (run or {})).items())
    kinds = ", ".join(f"{name} = {toml(kind)}" for name, kind in (types or {}).items())
    chosen = "".join(f"{name} = {toml(value)}\n" for name, value in config.items())
    (folder / "recipe.toml").write_text(
        f'name = "g"\n[run]\n{settings}[[data.web]]\nstage = "read.jsonl"\npaths = "*.jsonl"\nkeep = {toml(keep)}\n'
        f'types = {{ {kinds} }}\n[[data.web]]\nstage = "{stage}"\n{chosen}',
        encoding="utf-8",
    )
    plan = execute_all(folder / "recipe.toml", folder / "run")
    assert len(plan.segments[0].tasks) == files
    kept, dropped = rows_of(plan, shards.KEPT), rows_of(plan, shards.DROPPED)
    assert [int(row["row"]) for row in kept] == sorted(int(row["row"]) for row in kept)
    assert len(kept) + len(dropped) == len(made)
    name = {row["id"]: int(row["row"]) for row in kept}
    return {
        int(row["row"]): Gone(name.get(row["duplicate_of"], -1), row["similarity"], row["band"]) for row in dropped
    }
