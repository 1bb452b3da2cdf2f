"""The part of a plan that makes a gather: its phases as segments, the indexes it is held against, the one it leaves.

    web.2.sketch   one task a shard       web.2.cluster  one
    web.2.match    one a range of keys    web.2.index    one a shard, where an index is asked for

A shard is what a task before the gather stored, or a split of the reader that stands straight before it and is read
once for the sketch and once more where the decisions are applied. Of several gathers in a row the later ones sketch the
same shards, without the rows that the earlier ones drop. See docs/architecture.md, "Gather", and `tasks.gather`,
`tasks.cluster`, `tasks.index`, which do it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dataengine import index as indexes
from dataengine.errors import InputError
from dataengine.planned import Share, Step, TaskRef, places
from dataengine.recipe import Block

if TYPE_CHECKING:
    from dataengine.plan import _Planner

SHARDS_PER_RANGE = 8
"""A match task sorts one range of the key space; there is one range for so many shards, which bounds its memory."""


@dataclass(frozen=True)
class Gathered:
    """What the segment that applies a gather's decisions needs of it."""

    sketches: tuple[TaskRef, ...]
    """One a shard."""
    cluster: TaskRef
    """Holds the decisions."""


def gather(
    planner: _Planner, block: Block, columns: Mapping[str, str], shares: tuple[Share, ...], reader: Block | None,
    before: Sequence[Gathered],
) -> Gathered:
    """The phases before a gather's decisions can be applied, over these shards.

    `columns` are those of their rows, `reader` reads them where nothing has stored them, `before` are the gathers that
    stand between them and this one.
    """
    planner.flow(block, dict(columns))
    step = planner.step(block)
    against, step = _held_against(planner, block, step)
    uncounted = without(step, "index", "count")
    alone = replace(without(uncounted, "against"), hashes={
        name: content for name, content in step.hashes.items() if name != "against"})
    ranges = max(1, -(-len(shares) // SHARDS_PER_RANGE))
    name, lane = f"{block.lane}.{block.index}", block.lane
    sketches = _sketches(planner, block, alone, columns, shares, reader, before, ranges)
    common = {
        "step": step.body(),
        "ranges": ranges,
        "sketches": places(sketches),
        "against": against,
        "memory": planner.recipe.run.memory_per_worker,
    }
    matches = planner.add(
        f"{name}.match",
        "match",
        lane,
        (uncounted,),
        [(sketches, number, common | {"range": number}) for number in range(ranges)],
    )
    body = common | {"matches": places(matches)}
    (cluster,) = planner.add(f"{name}.cluster", "cluster", lane, (step,), [(matches, None, body)])
    gathered = Gathered(sketches, cluster)
    if getattr(block.config, "index", None):
        _index(planner, block, step, gathered, before, ranges)
    return gathered


def without(step: Step, *names: str) -> Step:
    """The step without settings that a phase knows nothing of, so that it is not done again when they change."""
    return replace(step, config={name: value for name, value in step.config.items() if name not in names})


def _sketches(
    planner: _Planner, block: Block, alone: Step, columns: Mapping[str, str], shares: tuple[Share, ...],
    reader: Block | None, before: Sequence[Gathered], ranges: int,
) -> tuple[TaskRef, ...]:
    """One task a shard."""
    reads = {column: columns[column] for column in block.stage.reads(block.config) if column in columns}
    steps = (planner.step(reader), alone) if reader else (alone,)
    clusters = tuple(gathered.cluster for gathered in before)
    common = {
        "steps": [step.body() for step in steps],
        "ranges": ranges,
        "reads": reads,
        "columns_in": {} if reader else {"id": columns["id"]} | reads,
    }
    bodies = []
    for number, share in enumerate(shares):
        identity = ranges if share.identity is None else [ranges, share.identity]
        body = common | share.body
        if before:
            identity = [identity, number]
            body |= {
                "shard": number,
                "clusters": places(clusters),
                "sketches": places(gathered.sketches[number] for gathered in before),
            }
        bodies.append(((*share.inputs, *clusters), identity, body))
    return planner.add(f"{block.lane}.{block.index}.sketch", "sketch", block.lane, steps, bodies)


def _alike(block: Block, step: Step) -> dict[str, Any]:
    """What the sketches of two corpora must have in common: settings, and what is in the files they load."""
    files = {name: content for name, content in step.hashes.items() if name != "against"}
    return dict(block.stage.alike(block.config)) | files


def _held_against(planner: _Planner, block: Block, step: Step) -> tuple[list[str], Step]:
    """The parts of the indexes that the lane is held against, and the step with what is in them."""
    parts: list[str] = []
    hashes: list[str] = []
    for folder in getattr(block.config, "against", ()):
        try:
            found, content = indexes.read(
                (planner.recipe.base / folder).expanduser(), block.stage.name, block.stage.version,
                _alike(block, step),
            )
        except InputError as error:
            path = f"data.{block.lane}[{block.index}].against"
            planner.problem(path, f"{error.where}: {error.found}", error.expected, error.write)
            continue
        parts += found
        hashes.append(content)
    return parts, replace(step, hashes=dict(step.hashes) | {"against": ",".join(hashes)}) if hashes else step


def _index(
    planner: _Planner, block: Block, step: Step, gathered: Gathered, before: Sequence[Gathered], ranges: int
) -> None:
    """The tasks that make the parts of an index, which the run publishes at its end."""
    folder = str((planner.recipe.base / block.config.index).expanduser())  # type: ignore[attr-defined]
    if folder in planner.indexes:
        planner.problem(
            f"data.{block.lane}[{block.index}].index", f"step {planner.indexes[folder]} writes this index too",
            "a folder for each step",
        )
    planner.indexes[folder] = block.step
    clusters = tuple(each.cluster for each in (*before, gathered))
    common = {
        "index": folder,
        "alike": _alike(block, step),
        "ranges": ranges,
        "clusters": places(clusters),
    }
    bodies = [
        ((sketch, *clusters), number, common | {"sketch": place, "shard": number})
        for number, (sketch, place) in enumerate(zip(gathered.sketches, places(gathered.sketches), strict=True))
    ]
    planner.add(f"{block.lane}.{block.index}.index", "index", block.lane, (step,), bodies)
