"""One recipe file, or one ``--set``: its text, its values, and what is wrong with it, shown where it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dataengine import locate, words
from dataengine.errors import InputError, Location, Problem, RecipeError
from dataengine.locate import Positions, render

Place = locate.Path
Tree = dict[str, Any]

_SYNTAX_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_SYNTAX_TABLE, _SYNTAX_NAME = re.compile(r"\('[^()]*'(?:,)?\)"), r"'([^']*)'"
_NUMBERS = "whole numbers of 64 bits: up to 9223372036854775807"


@dataclass(frozen=True)
class Source:
    """A text that values come from: a recipe file, or one ``--set`` argument, which has no lines."""

    name: str
    text: str = ""

    @cached_property
    def positions(self) -> Positions:
        return Positions(self.text)

    def problem(
        self, place: Place, found: str, expected: str = "", write: str = "",
        *, path: str | None = None, at_key: bool = False, inside: str = "", show_line: bool = True,
    ) -> Problem:
        """What is wrong at `place` of this text; `inside` moves the caret to a part of the value."""
        shown_path = render(place) if path is None else path
        span = self.positions.find(place, at_key=at_key) if self.text else None
        if span is None:
            return Problem(Location(self.name), shown_path, found, expected, write)
        line = self.positions.lines[span.line - 1].rstrip("\r")
        column, width = span.column, span.width
        if inside and (start := line.find(inside, column - 1)) >= 0:
            column, width = start + 1, len(inside)
        return _at(self.name, line if show_line else "", span.line, column, width, shown_path, found, expected, write)


def _at(
    name: str, line: str, number: int, column: int, width: int,
    path: str, found: str, expected: str = "", write: str = "",
) -> Problem:
    visible = locate.shown(line) if column <= locate.MAX_LINE_SHOWN else ""
    width = max(1, min(width, len(visible) - column + 1))
    return Problem(Location(name, number, column, width), path, found, expected, write, visible)


def read(path: Path, name: str) -> tuple[Source, Tree]:
    """A recipe file and its values. Raises InputError for what cannot be read, RecipeError for what is no TOML."""
    source = Source(name, _text_of(path, name))
    if locate.depth(source.text) > locate.MAX_DEPTH:
        found = f"tables, lists and dotted names are nested more than {locate.MAX_DEPTH} deep"
        raise RecipeError([Problem(Location(name), "", found, "a recipe of a few levels")])
    try:
        tree = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError([_syntax_problem(source, str(error))]) from None
    except ValueError:  # Python's own limit for the digits of a number
        raise RecipeError([Problem(Location(name), "", "it holds a number of thousands of digits", _NUMBERS)]) from None
    if wide := [place for place, value in numbers(tree) if not -(2**63) <= value < 2**63]:
        raise RecipeError([source.problem(place, "this number is too large for TOML", _NUMBERS) for place in wide])
    return source, tree


def numbers(value: Any) -> Iterator[tuple[Place, int]]:
    """The whole numbers of a tree and where they stand."""
    for place, inner in values(value):
        if isinstance(inner, int):
            yield place, inner


def _text_of(path: Path, name: str) -> str:
    try:
        there = path.exists()
    except OSError as error:  # such as a name that no file system takes
        raise InputError(f"the file cannot be read: {error.strerror}", where=words.clipped(name)) from None
    if not there:
        near = words.nearest(path.name, [file.name for file in path.parent.glob("*.toml")])
        raise InputError("there is no such file", where=name, expected="a recipe in TOML",
                         write=str(Path(name).parent / near) if near else "")
    if not path.is_file():
        raise InputError("this is not a file", where=name, expected="a recipe in TOML")
    try:
        with path.open("rb") as file:
            data = file.read(locate.MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", where=name) from None
    if len(data) > locate.MAX_BYTES:
        raise RecipeError([Problem(Location(name), "", f"the file is larger than {locate.MAX_BYTES:,} bytes",
                                   "a recipe: kilobytes of text, the data elsewhere")])
    try:
        return data.decode().removeprefix("\N{BYTE ORDER MARK}")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        number, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        line = data.split(b"\n")[number - 1].decode(errors="replace").rstrip("\r")
        raise RecipeError([_at(name, line, number, column, 1, "", f"the byte 0x{data[error.start]:02x} is not UTF-8",
                               "text saved as UTF-8")]) from None


def _syntax_problem(source: Source, message: str) -> Problem:
    """tomllib names the place in its message: ``... (at line 2, column 5)``."""
    match = _SYNTAX_PLACE.search(message)
    lines = source.text.split("\n")
    if match and match[1]:
        number, column = int(match[1]), int(match[2])
    else:
        number = len(lines) - 1 if lines[-1] == "" and len(lines) > 1 else len(lines)
        column = len(lines[number - 1].rstrip("\r")) + 1
    line = lines[number - 1].rstrip("\r")
    trouble = _SYNTAX_PLACE.sub("", message)
    trouble = _SYNTAX_TABLE.sub(lambda match: f"[{'.'.join(re.findall(_SYNTAX_NAME, match[0]))}]", trouble)
    found = f"this is not TOML: {trouble}"
    expected, write = ("a closing quote", "") if "character '\\n'" in trouble else _syntax_hint(line)
    return _at(source.name, line, number, column, 1, "", locate.shown(found), expected, write)


def _syntax_hint(line: str) -> tuple[str, str]:
    """What is most often meant by a line that is no TOML."""
    bare = re.fullmatch(r"\s*([A-Za-z0-9_-]+)\s*=\s*([A-Za-z_./*][^\"'\[\]{}#=]*?)\s*(#.*)?", line)
    if bare and bare[2].lower() in ("true", "false"):
        return "true or false in small letters", f"{bare[1]} = {bare[2].lower()}"
    if bare and bare[2].lower() in ("none", "null"):
        return "a value; a field that has none is left out", f"# {bare[1]} = ..."
    if bare:
        return "text in quotes", f"{bare[1]} = {words.toml(bare[2])}"
    colon = re.fullmatch(r"\s*([A-Za-z0-9_-]+)\s*:\s*(\S.*)", line)
    if colon:
        return "an equals sign between name and value", f"{colon[1]} = {colon[2]}"
    return "", ""


def values(value: Any) -> Iterator[tuple[Place, Any]]:
    """All values of a tree, the tree itself among them, and where they stand."""
    yield (), value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        for below, found in values(inner):
            yield (name, *below), found
