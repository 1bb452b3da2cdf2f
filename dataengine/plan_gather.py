"""The part of a plan that makes a gather: its phases as segments, the indexes it is held against, the one it leaves.

    web.2.sketch   one task a shard       web.2.cluster  one
    web.2.match    one a range of keys    web.2.index    one a shard, where an index is asked for

See docs/architecture.md, "Gather", and `tasks.gather`, `tasks.cluster`, `tasks.index`, which do it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dataengine import index as indexes
from dataengine.errors import InputError
from dataengine.planned import Step, TaskRef, places
from dataengine.recipe import Block

if TYPE_CHECKING:
    from dataengine.plan import LaneEnd, _Planner

SHARDS_PER_RANGE = 8
"""A match task sorts one range of the key space; there is one range for so many shards, which bounds its memory."""


def gather(planner: _Planner, block: Block, end: LaneEnd) -> TaskRef:
    """The phases before a gather's decisions can be applied. Returns the task that holds the decisions."""
    planner.flow(block, dict(end.columns))
    step = planner.step(block)
    against, step = _held_against(planner, block, step)
    kept = {name: value for name, value in step.config.items() if name not in ("against", "index")}
    alone = replace(step, config=kept, hashes={name: h for name, h in step.hashes.items() if name != "against"})
    reads = [column for column in block.stage.reads(block.config) if column in end.columns]
    ranges = max(1, -(-len(end.tasks) // SHARDS_PER_RANGE))
    name, lane = f"{block.lane}.{block.index}", block.lane
    common = {"step": alone.body(), "ranges": ranges}
    sketch = common | {"reads": {column: end.columns[column] for column in reads}}
    sketches = planner.add(
        f"{name}.sketch",
        "sketch",
        lane,
        (alone,),
        [((ref,), ranges, sketch | {"parent": [ref.segment, ref.address]}) for ref in end.tasks],
    )
    common |= {
        "step": step.body(),
        "sketches": places(sketches),
        "against": against,
        "memory": planner.recipe.run.memory_per_worker,
    }
    matches = planner.add(
        f"{name}.match",
        "match",
        lane,
        (step,),
        [(sketches, number, common | {"range": number}) for number in range(ranges)],
    )
    body = common | {"matches": places(matches), "parents": places(end.tasks)}
    (cluster,) = planner.add(f"{name}.cluster", "cluster", lane, (step,), [((*matches, *end.tasks), None, body)])
    if getattr(block.config, "index", None):
        _index(planner, block, step, end, sketches, cluster)
    return cluster


def _held_against(planner: _Planner, block: Block, step: Step) -> tuple[list[str], Step]:
    """The parts of the indexes that the lane is held against, and the step with what is in them."""
    parts: list[str] = []
    hashes: list[str] = []
    for folder in getattr(block.config, "against", ()):
        try:
            found, content = indexes.read(
                (planner.recipe.base / folder).expanduser(), block.stage.name, block.stage.version,
                block.stage.alike(block.config),
            )
        except InputError as error:
            path = f"data.{block.lane}[{block.index}].against"
            planner.problem(path, f"{error.where}: {error.found}", error.expected, error.write)
            continue
        parts += found
        hashes.append(content)
    return parts, replace(step, hashes=dict(step.hashes) | {"against": ",".join(hashes)}) if hashes else step


def _index(
    planner: _Planner, block: Block, step: Step, end: LaneEnd, sketches: tuple[TaskRef, ...], cluster: TaskRef
) -> None:
    """The tasks that make the parts of an index, which the run publishes at its end."""
    folder = str((planner.recipe.base / block.config.index).expanduser())  # type: ignore[attr-defined]
    if folder in planner.indexes:
        planner.problem(
            f"data.{block.lane}[{block.index}].index", f"step {planner.indexes[folder]} writes this index too",
            "a folder for each step",
        )
    planner.indexes[folder] = block.step
    common = {
        "index": folder,
        "alike": dict(block.stage.alike(block.config)),
        "ranges": max(1, -(-len(end.tasks) // SHARDS_PER_RANGE)),
        "cluster": [cluster.segment, cluster.address],
    }
    pairs = zip(places(sketches), places(end.tasks), strict=True)
    bodies = [
        ((sketch, cluster, ref), number, common | {"sketch": place, "parent": parent, "shard": number})
        for number, (sketch, ref, (place, parent)) in enumerate(zip(sketches, end.tasks, pairs, strict=True))
    ]
    planner.add(f"{block.lane}.{block.index}.index", "index", block.lane, (step,), bodies)
