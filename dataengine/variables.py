"""``${name}`` in the strings of a recipe: replaced by what [vars] says, or by what the engine knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dataengine import locate, words
from dataengine.document import Document
from dataengine.recipe_file import Place, Tree

_VARIABLE = re.compile(r"\$\$\{|\$\{([^{}\n]*)\}")
MAX_TEXT = 1 << 20
"""Characters of a text after its variables are replaced: variables made of variables could fill the memory."""


def substitute(document: Document, builtins: Mapping[str, Callable[[], str]]) -> None:
    """Replace ``${name}`` in every string but those of [vars], where it is replaced when the variable is used."""
    variables = document.tree.get("vars", {})
    if not isinstance(variables, dict):
        document.report(("vars",), f"{words.a_value(variables)} where variables are listed",
                        'a table { name = "value" }', '[vars]\nname = "value"')
        variables = {}
    for name, value in variables.items():
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            document.report(("vars", name), f"{words.a_value(value)} cannot be a variable", "text or a number")
    Substitution(document, variables, builtins).everywhere()


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


def builtins(folder: Path) -> dict[str, Callable[[], str]]:
    """What the engine knows: places of this Python, of the recipe and of the caller."""

    def of_python(which: str) -> Callable[[], str]:
        def path() -> str:
            import sysconfig

            return sysconfig.get_paths()[which]

        return path

    return {
        "python.stdlib": of_python("stdlib"), "python.site_packages": of_python("purelib"),
        "recipe.folder": lambda: str(folder), "cwd": lambda: str(Path.cwd()),
    }
