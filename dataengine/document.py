"""One tree of values out of a recipe file, what it extends, its profile and ``--set``; and where each value came from.

Later wins: base file, recipe file, profile, overrides. Tables are merged, everything else is replaced whole, but a
block of a lane can be reached by its index or by its stage: ``data.web.3``, ``data.web.gopher``,
``data.web.filter.gopher``. Then ``${name}`` in every string is replaced. What is wrong is collected, with its place.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
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
_VARIABLE = re.compile(r"\$\$\{|\$\{([^{}\n]*)\}")
MAX_TEXT = 1 << 20
"""Characters of a text after its variables are replaced: variables made of variables could fill the memory."""


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

    # -- variables

    def substitute(self, builtins: Mapping[str, Callable[[], str]]) -> None:
        """Replace ``${name}`` in every string but those of [vars], where it is replaced when the variable is used."""
        variables = self.tree.get("vars", {})
        if not isinstance(variables, dict):
            self.report(("vars",), f"{words.a_value(variables)} where variables are listed",
                        'a table { name = "value" }', '[vars]\nname = "value"')
            variables = {}
        for name, value in variables.items():
            if not isinstance(value, (str, int, float)) or isinstance(value, bool):
                self.report(("vars", name), f"{words.a_value(value)} cannot be a variable", "text or a number")
        Substitution(self, variables, builtins).everywhere()

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
    return (place for place, _ in _values(value))


def _values(value: Any) -> Iterator[tuple[Place, Any]]:
    """All values of a tree, the tree itself among them, and where they stand."""
    yield (), value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        for below, found in _values(inner):
            yield (name, *below), found


class Substitution:
    """One walk over a document that replaces ``${name}``; ``$${`` stands for ``${`` itself."""

    def __init__(self, document: Document, variables: Tree, builtins: Mapping[str, Callable[[], str]]) -> None:
        self.document, self.variables, self.builtins = document, variables, builtins
        self._known: dict[str, Any] = {}
        """Variables that were made once: a chain of variables takes linear time."""

    def everywhere(self) -> None:
        for name, value in self.document.tree.items():
            if name not in ("vars", "profiles", "extends"):
                self.document.tree[name] = self._walk(value, (name,))

    def _walk(self, value: Any, place: Place) -> Any:
        if isinstance(value, dict):
            return {name: self._walk(inner, (*place, name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._walk(inner, (*place, index)) for index, inner in enumerate(value)]
        return self._text(value, place, ()) if isinstance(value, str) and "${" in value else value

    def _text(self, text: str, place: Place, using: tuple[str, ...]) -> Any:
        alone = _VARIABLE.fullmatch(text)
        if alone and alone[1] is not None:  # a string that is one variable takes its type: "${words}" may be a number
            return self._value(alone[1], place, using)
        parts, end, size = [], 0, len(text)
        for match in _VARIABLE.finditer(text):
            value = "${" if match[1] is None else str(self._value(match[1], place, using))
            size += len(value)
            if size > MAX_TEXT:
                self.document.report(place, f"with its variables the text is longer than {MAX_TEXT:,} characters",
                                     "variables that hold less")
                return ""
            parts += [text[end:match.start()], value]
            end = match.end()
        return "".join([*parts, text[end:]])

    def _value(self, name: str, place: Place, using: tuple[str, ...]) -> Any:
        if name in using:
            self.document.report(place, f"the variable {words.string(name)} is made of itself",
                                 "variables that do not go in a circle", inside=f"${{{name}}}")
            return ""
        if name in self._known:
            return self._known[name]
        if name in self.variables:
            value = self.variables[name]
            if isinstance(value, str):
                value = self._text(value, ("vars", name), (*using, name))
            self._known[name] = value
            return value
        if name in self.builtins:
            return self.builtins[name]()
        known = [*self.variables, *self.builtins]
        near = words.nearest(name, known)
        self.document.report(place, f"there is no variable {words.string(name)}",
                             f"one of {words.one_of(known)}; your own stand in [vars]",
                             f"${{{near}}}" if near else f'[vars] {locate.key(name)} = "..."', inside=f"${{{name}}}")
        return ""


# --- reading files ----------------------------------------------------------------------------------------------------


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
    if wide := [place for place, value in _numbers(tree) if not -(2**63) <= value < 2**63]:
        raise RecipeError([source.problem(place, "this number is too large for TOML", _NUMBERS) for place in wide])
    return source, tree


_NUMBERS = "whole numbers of 64 bits: up to 9223372036854775807"


def _numbers(value: Any) -> Iterator[tuple[Place, int]]:
    """The whole numbers of a tree and where they stand."""
    for place, inner in _values(value):
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


# --- putting the pieces together --------------------------------------------------------------------------------------


def compose(path: Path, overrides: Sequence[str], profile: str | None) -> Document:
    """The document of a recipe. Raises InputError or RecipeError where a file cannot be read at all."""
    name = str(path)
    main, tree = read(path, name)
    document = Document(main)
    _extend(document, path.absolute(), main, tree, project_root(path), ())
    document.finish()  # without the base nobody knows what is missing
    _choose_profile(document, profile)
    for override in overrides:
        _override(document, override)
    document.substitute(_builtins(path.absolute().parent))
    return document


def project_root(recipe: Path) -> Path:
    """The folder outside of which nothing may be extended: the git repository around the recipe, else the working
    folder if the recipe is in it, else the recipe's own folder."""
    folder = recipe.absolute().parent.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    here = Path.cwd().resolve()
    return here if folder.is_relative_to(here) else folder


def _extend(
    document: Document, path: Path, source: Source, tree: Tree, root: Path, below: tuple[Path, ...],
) -> None:
    """Merge what `tree` extends, then `tree` itself."""
    chain = (*below, path.resolve())
    base = tree.pop("extends", None)
    if base is not None:
        target = path.parent / base if isinstance(base, str) and "\0" not in base else path
        wrong = _wrong_base(base, target, root, chain)
        if wrong:
            document.problems.append(source.problem(("extends",), *wrong))
        else:
            inner, inner_tree = read(target, str(Path(source.name).parent / base))
            _extend(document, target, inner, inner_tree, root, chain)
    document.merge(tree, source)


_LONGEST_NAME = 255
"""Bytes that file systems take for one name; asking for longer ones is an error of its own."""


def _wrong_base(base: Any, target: Path, root: Path, chain: tuple[Path, ...]) -> tuple[str, str, str] | None:
    if not isinstance(base, str) or not base or "\0" in base:
        found = f"{words.a_value(base)} is no file name"
        return found, "one recipe file, relative to this one", 'extends = "base.toml"'
    if "://" in base:
        return "a recipe extends no address of the network", "a file of this project", 'extends = "base.toml"'
    resolved = target.resolve()
    if not resolved.is_relative_to(root):
        return f"{words.toml(base)} is outside the project", "a file in the project's folder", ""
    if resolved in chain:
        return f"{words.toml(base)} extends this recipe in turn: a circle", "a base that does not lead back here", ""
    if len(base) > _LONGEST_NAME or not resolved.is_file():
        near = words.nearest(target.name, [file.name for file in target.parent.glob("*.toml")])
        return f"there is no file {words.toml(base)}", "one recipe file, relative to this one", (
            f"extends = {words.toml(str(Path(base).parent / near))}" if near else "")
    return None


def _choose_profile(document: Document, profile: str | None) -> None:
    profiles = document.tree.get("profiles", {})
    if not isinstance(profiles, dict):
        document.report(("profiles",), f"{words.a_value(profiles)} where profiles are listed", "tables [profiles.NAME]")
        profiles = {}
    document.profiles = tuple(name for name, table in profiles.items() if isinstance(table, dict))
    for name, table in profiles.items():
        if not isinstance(table, dict):
            document.report(("profiles", name), f"{words.a_value(table)} is no profile", "a table",
                            f"[profiles.{locate.key(name)}]")
        elif "profiles" in table or "extends" in table:
            inner = "profiles" if "profiles" in table else "extends"
            document.report(("profiles", name, inner), f"a profile cannot hold {inner!r}",
                            "what a recipe holds otherwise", at_key=True)
    if profile is not None and profile not in profiles:
        near = words.nearest(profile, profiles)
        document.problems.append(Source(f"--profile {profile}").problem(
            (), f"there is no profile {words.string(profile)}",
            f"one of {words.one_of(list(profiles))}" if profiles else "a recipe with a table [profiles.NAME]",
            f"--profile {near}" if near else ""))
    elif profile is not None and isinstance(profiles[profile], dict):
        source, inside = document._origins[("profiles", profile)]
        document.merge(profiles[profile], source, inside)
    document.tree.pop("profiles", None)


def _override(document: Document, override: str) -> None:
    """Merge ``data.web.3.min_words=40``."""
    name, equals, text = override.partition("=")
    source = Source(f"--set {name.strip()}")
    try:
        override.encode()
        place = locate.parse(name.strip())
    except ValueError:
        place = ()
    keys = [str(part) for part in place]
    if not equals or not keys:
        document.problems.append(source.problem((), "this sets nothing", "PATH=VALUE", "--set data.web.3.min_words=40"))
    elif keys[0] in ("extends", "profiles"):
        document.problems.append(source.problem((), f"{keys[0]!r} is read before overrides are", "any other value"))
    elif len(keys) > 2 and keys[1] not in _names(document, keys[0]):
        near = words.nearest(keys[1], _names(document, keys[0]))
        document.problems.append(source.problem(
            (), f"there is no {render((keys[0], keys[1]))}", words.one_of(_names(document, keys[0])),
            f"--set {render((keys[0], near, *keys[2:]))}=..." if near else ""))
    else:
        tree: Any = Whole(_override_value(text.strip()))
        for part in reversed(keys):
            tree = {part: tree}
        document.merge(tree, source)


def _names(document: Document, table: str) -> list[str]:
    inner = document.tree.get(table)
    return list(inner) if isinstance(inner, dict) else []


def _override_value(text: str) -> Any:
    """The value as TOML reads it; what is no TOML is a string, so that shells need no double quoting."""
    if locate.depth(text) > locate.MAX_DEPTH:
        return text
    try:
        tree = tomllib.loads(f"value = {text}")
    except ValueError:  # no TOML, or more digits than Python takes
        return text
    wide = any(not -(2**63) <= number < 2**63 for _, number in _numbers(tree))
    return text if wide or tree.keys() != {"value"} else tree["value"]


def _builtins(folder: Path) -> dict[str, Callable[[], str]]:
    def of_python(which: str) -> Callable[[], str]:
        def path() -> str:
            import sysconfig

            return sysconfig.get_paths()[which]

        return path

    return {
        "python.stdlib": of_python("stdlib"), "python.site_packages": of_python("purelib"),
        "recipe.folder": lambda: str(folder), "cwd": lambda: str(Path.cwd()),
    }
