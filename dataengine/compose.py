"""The document of a recipe: its file over what that extends, then a profile, then ``--set``, then variables."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataengine import locate, variables, words
from dataengine.document import Document, Whole
from dataengine.locate import render
from dataengine.recipe_file import Source, Tree, numbers, read


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
    variables.substitute(document, variables.builtins(path.absolute().parent))
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
        source, inside = document.origin(("profiles", profile))
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
    wide = any(not -(2**63) <= number < 2**63 for _, number in numbers(tree))
    return text if wide or tree.keys() != {"value"} else tree["value"]
