"""The problem families of ``make.procedural``: one file each, with a `make` that builds and a `solve` that checks.

`make(draws, level)` builds a problem and its worked steps; `solve(problem)` reads the problem's text alone and finds
the answer by another road. `fault` holds the two against each other and re-evaluates every equation of the steps.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from dataengine.stages.make._families.claims import false_claim
from dataengine.stages.make._families.item import Item

FAMILIES = ("arithmetic", "equations", "quantities")


def family(name: str) -> ModuleType:
    """The module of this family."""
    return import_module(f"dataengine.stages.make._families.{name}")


def fault(module: ModuleType, item: Item) -> str | None:
    """What is wrong with an item, in a sentence, or None: its answer, then its steps."""
    solved = module.solve(item.problem)
    if solved != item.answer:
        return f"the answer is {item.answer}, the solver finds {solved}"
    return false_claim("\n".join(item.steps), item.unknown, item.answer)
