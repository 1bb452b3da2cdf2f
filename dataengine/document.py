"""One tree of values laid together from recipe files, a profile and ``--set``; and where each value came from.

Later wins: base file, recipe file, profile, overrides. Tables are merged, everything else is replaced whole, but a
block of a lane can be reached by its index or by its stage: ``data.web.3``, ``data.web.gopher``,
``data.web.filter.gopher``. What is wrong is collected, with its place.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dataengine import words
from dataengine.errors import Location, Problem, RecipeError
from dataengine.locate import render
from dataengine.recipe_file import Place, Source, Tree, values


@dataclass(frozen=True)
class Whole:
    """A value of ``--set``: it replaces what was there, also where both are tables."""

    value: Any


class Document:
    """The merged tree. `report` collects problems; `finish` raises them."""

    def __init__(self, main: Source) -> None:
        self.main = main
        self.tree: Tree = {}
        self.problems: list[Problem] = []
        self.profiles: tuple[str, ...] = ()
        """The profiles one could choose."""
        self._origins: dict[Place, tuple[Source, Place]] = {}

    # -- merging

    def merge(self, overlay: Tree, source: Source, inside: Place = ()) -> None:
        """Lay `overlay`, found in `source` at `inside`, over what is there."""
        self._merge(self.tree, overlay, source, (), inside)

    def _merge(self, table: Tree, overlay: Tree, source: Source, here: Place, inside: Place) -> None:
        for name, value in overlay.items():
            at, within = (*here, name), (*inside, name)
            old = table.get(name)
            if isinstance(value, Whole):
                self._replace(table, name, value.value, source, at, within)
            elif isinstance(value, dict) and isinstance(old, dict):
                if source.text:  # an override is no better place to show than the table's own
                    self._origins[at] = (source, within)
                self._merge(old, value, source, at, within)
            elif isinstance(value, dict) and isinstance(old, list) and len(at) == 2 and at[0] == "data":
                self._merge_blocks(old, value, source, at, within)
            else:
                self._replace(table, name, value, source, at, within)

    def _replace(self, table: Tree, name: str, value: Any, source: Source, at: Place, within: Place) -> None:
        for below in _places(table.get(name)):
            self._origins.pop(at + below, None)
        table[name] = copy.deepcopy(value)
        for below in _places(value):
            self._origins[at + below] = (source, within + below)

    def _merge_blocks(self, blocks: list[Any], overlay: Tree, source: Source, here: Place, inside: Place) -> None:
        """``{ gopher = { min_words = 40 } }`` over the blocks of a lane."""
        for name, value in overlay.items():
            within = (*inside, name)
            is_verb = any(stage.startswith(f"{name}.") for stage in _stages(blocks))
            if is_verb and isinstance(value, dict):
                for noun, inner in value.items():
                    self._merge_block(blocks, f"{name}.{noun}", inner, source, here, (*within, noun))
            else:
                self._merge_block(blocks, name, value, source, here, within)

    def _merge_block(
        self, blocks: list[Any], name: str, value: Any, source: Source, here: Place, inside: Place,
    ) -> None:
        index = block_index(blocks, name)
        lane = here[1]
        if index is None:
            stages = _stages(blocks)
            matches = [number for number, stage in enumerate(stages) if _is_called(stage, name)]
            found = f"{words.string(name)} stands more than once in lane {lane!r}" if matches else (
                f"lane {lane!r} has no block {words.string(name)}")
            near = str(matches[0]) if matches else words.nearest(name, filter(None, stages))
            self.problems.append(source.problem(
                inside, found, f"an index from 0 to {len(blocks) - 1}, or a stage that stands once in the lane",
                f"data.{lane}.{near}" if near else "", at_key=True))
        elif not isinstance(value, dict):
            value = value.value if isinstance(value, Whole) else value
            self.problems.append(source.problem(
                inside, f"{words.a_value(value)} cannot replace a whole block",
                "a field of the block and its value", f"data.{lane}.{name}.FIELD = {words.toml(value)}"))
        elif isinstance(blocks[index], dict):
            self._merge(blocks[index], value, source, (*here, index), inside)

    def origin(self, place: Place) -> tuple[Source, Place]:
        """The text that the value at `place` came from, and where it stands there."""
        return self._origins[place]

    # -- complaints

    def report(self, place: Place, found: str, expected: str = "", write: str = "", **where: Any) -> None:
        """Collect a problem at `place` of the merged tree."""
        self.problems.append(self.problem(place, found, expected, write, **where))

    def problem(self, place: Place, found: str, expected: str = "", write: str = "", **where: Any) -> Problem:
        """A problem at `place` of the merged tree, shown where the text has it (or the nearest table around it)."""
        for end in range(len(place), 0, -1):
            if place[:end] in self._origins:
                source, inside = self._origins[place[:end]]
                where["at_key"] = where.get("at_key", False) and end == len(place)
                return source.problem(inside, found, expected, write, path=render(place), **where)
        return Problem(Location(self.main.name), render(place), found, expected, write)

    def finish(self) -> None:
        """Raise what was collected, each once."""
        if self.problems:
            raise RecipeError(list(dict.fromkeys(self.problems)))


def block_index(blocks: Sequence[Any], name: str) -> int | None:
    """The block called `name`: its index, its stage, or its stage's noun, if that stands once among them."""
    if name.isascii() and name.isdigit():
        return int(name) if int(name) < len(blocks) else None
    matches = [index for index, stage in enumerate(_stages(blocks)) if _is_called(stage, name)]
    return matches[0] if len(matches) == 1 else None


def _stages(blocks: Sequence[Any]) -> list[str]:
    """The stage of each block; nothing where none is said."""
    stages = [block.get("stage") if isinstance(block, dict) else None for block in blocks]
    return [stage if isinstance(stage, str) else "" for stage in stages]


def _is_called(stage: str, name: str) -> bool:
    return stage == name or stage.endswith(f".{name}")


def _places(value: Any) -> Iterator[Place]:
    return (place for place, _ in values(value))
