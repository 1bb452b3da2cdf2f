"""The part of a plan that makes a prune: its phases as segments.

    web.2.units     one task a shard          web.2.smaller          one a shard, where the stage divides its parts
    web.2.repeats   one a range of keys       web.2.smaller.repeats  one a range
    web.2.cuts      one                       web.2.smaller.cuts     one

See docs/architecture.md, "Prune", and `tasks.units`, `tasks.repeats`, `tasks.pruned`, which do it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dataengine.plan_gather import SHARDS_PER_RANGE
from dataengine.planned import Step, TaskRef, places
from dataengine.recipe import Block

if TYPE_CHECKING:
    from dataengine.plan import LaneEnd, _Planner


@dataclass(frozen=True)
class Pruned:
    """What the segment that makes a prune's cuts needs of it."""

    rounds: tuple[tuple[tuple[TaskRef, ...], TaskRef], ...]
    """(a task a shard that found parts, the task that holds what goes of them), once or, with smaller parts, twice."""

    @property
    def cuts(self) -> TaskRef:
        """The last task: it depends on all others."""
        return self.rounds[-1][1]

    def body(self, shard: int) -> dict[str, Any]:
        """For the worker on this shard."""
        rounds = [{"units": [units[shard].segment, units[shard].address], "cuts": [cuts.segment, cuts.address]}
                  for units, cuts in self.rounds]
        return {"shard": shard, "rounds": rounds}


def prune(planner: _Planner, block: Block, end: LaneEnd) -> Pruned:
    """The phases before cuts can be made, over the rows that a lane has stored."""
    planner.flow(block, dict(end.columns))
    step = planner.step(block)
    body, judging = step.body(), {rule.field for rule in block.stage.rules}
    # Rows are judged where the cuts are made: another threshold needs no new ones.
    step = replace(step, config={name: value for name, value in step.config.items() if name not in judging})
    ranges = max(1, -(-len(end.tasks) // SHARDS_PER_RANGE))
    reads = {column: end.columns[column] for column in block.stage.reads(block.config) if column in end.columns}
    common: dict[str, Any] = {"step": body, "ranges": ranges, "reads": reads,
                              "memory": planner.recipe.run.memory_per_worker}
    name, divides = f"{block.lane}.{block.index}", block.stage.smaller is not None
    units = planner.add(
        f"{name}.units", "units", block.lane, (step,),
        [((ref,), ranges, common | {"parent": [ref.segment, ref.address]}) for ref in end.tasks],
    )
    cuts = _met(planner, name, step, common | {"named": places(units), "divides": divides}, units)
    rounds = [(units, cuts)]
    if divides:
        bodies = [
            ((ref, cuts), number, common | {"parent": [ref.segment, ref.address], "shard": number,
                                            "units": [unit.segment, unit.address],
                                            "cuts": [cuts.segment, cuts.address]})
            for number, (ref, unit) in enumerate(zip(end.tasks, units, strict=True))
        ]
        parts = planner.add(f"{name}.smaller", "smaller", block.lane, (step,), bodies)
        cuts = _met(planner, f"{name}.smaller", step, common | {"named": places(units), "divides": False}, parts)
        rounds.append((parts, cuts))
    return Pruned(tuple(rounds))


def _met(planner: _Planner, name: str, step: Step, common: dict[str, Any], units: tuple[TaskRef, ...]) -> TaskRef:
    """The tasks that find which of these shards' parts were there before."""
    common = common | {"units": places(units)}
    repeats = planner.add(
        f"{name}.repeats", "repeats", step.lane, (step,),
        [(units, [number, common["divides"]], common | {"range": number}) for number in range(common["ranges"])],
    )
    body = common | {"repeats": places(repeats)}
    (cuts,) = planner.add(f"{name}.cuts", "cuts", step.lane, (step,), [(repeats, None, body)])
    return cuts
