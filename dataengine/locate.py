"""Where in a TOML text a key or a value stands: what puts file, line, column and caret into a message.

`tomllib` says what a recipe's values are and nothing of where they stand; toml-rs says where. It is asked only when
there is something to complain about, and only about text that `gate` let through: toml-rs 0.4 ends the process
(stack overflow) on about 2,000 nested brackets. Without toml-rs a message names the path and no line.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Path = tuple[str | int, ...]
"""A place in a document: ``("data", "web", 3, "min_words")``."""

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_LINE_SHOWN = 200
"""Characters. A longer line is cut; a place beyond this column is told by its numbers only."""

_QUOTED = re.compile(
    r"""
      \"{3} (?: [^"\\] | \\. | "(?!"") )*+ (?: \"{3,5} | \Z )
    | '{3}  (?: [^']         | '(?!'') )*+ (?: '{3,5}  | \Z )
    | "     (?: [^"\\\n] | \\[^\n] )*+ "?
    | '     [^'\n]*+ '?
    | \#[^\n]*+
    """,
    re.DOTALL | re.VERBOSE,
)
"""Strings and comments. What is left open runs to the end, so that no text is scanned twice."""
_HEADER = re.compile(r"""[ \t]*(\[(?!\[)(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^]"'])*\])""")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Span:
    """A stretch of one line; line and column count from 1, in characters."""

    line: int
    column: int
    width: int = 1


def depth(text: str) -> int:
    """How deep tables, arrays and dotted keys nest in `text`. Linear; right for any text up to its first fault."""
    deepest, level, dots = 0, 0, 0
    open_levels: list[int] = []
    for mark in re.findall(r"[\[\]{}.,\n]", _QUOTED.sub("", text)):
        if mark == ".":
            dots += 1
        elif mark in "[{":
            open_levels.append(level)
            level, dots = level + dots + 1, 0
        else:
            dots = 0
            if mark in "]}" and open_levels:
                level = open_levels.pop()
        deepest = max(deepest, level + dots)
    return deepest


def render(path: Path) -> str:
    """``data.web[3].min_words``; names that TOML would quote are quoted."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{key(part)}" for part in path]
    return "".join(parts).removeprefix(".")


def parse(path: str) -> Path:
    """The inverse of `render`. Raises ValueError where a quote or a bracket stands alone."""
    parts: list[str | int] = []
    for match in re.finditer(r'\.?("(?:[^"\\]|\\.)*")|\[(\d+)\]|\.?([^."\[\]]+)|(.)', path, re.DOTALL):
        quoted, index, bare, stray = match.groups()
        if stray:
            raise ValueError(f"{stray!r} in {path!r}")
        parts.append(next(iter(tomllib.loads(f"{quoted}=0"))) if quoted else int(index) if index else bare)
    return tuple(parts)


def key(name: str) -> str:
    """`name` as TOML writes it left of the equals sign."""
    return name if _BARE.fullmatch(name) else string(name)


def string(text: str) -> str:
    """`text` as a TOML basic string. Lone surrogates, which TOML cannot hold, become U+FFFD."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(char) or _escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        return "\N{REPLACEMENT CHARACTER}"
    if char.isprintable():
        return char
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def shown(line: str) -> str:
    """A line as a message may show it: as many characters as before, none of which moves the cursor."""
    visible = (char if char.isprintable() else " " if char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in line)
    return "".join(visible)[:MAX_LINE_SHOWN].rstrip()


class Positions:
    """The places of all keys, values and headers of one TOML text, looked up by path."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self._text = text
        self._keys: dict[Path, Span] = {}
        self._values: dict[Path, Span] = {}
        self._many_lines: set[int] = set()
        """Lines that begin inside a value: no header stands there."""

    def find(self, path: Path, *, at_key: bool = False) -> Span | None:
        """Where the value (or the key) at `path` stands; of what is not in the text, the nearest table around it."""
        spans = self._spans
        if spans is None:
            return None
        keys, values = spans
        for end in range(len(path), 0, -1):
            place = path[:end]
            wanted = (keys, values) if at_key and end == len(path) else (values, keys)
            for table in wanted:
                if place in table:
                    return table[place]
        return None

    @cached_property
    def _spans(self) -> tuple[dict[Path, Span], dict[Path, Span]] | None:
        try:
            import toml_rs
        except ImportError:
            return None
        try:
            nodes = toml_rs.load_with_metadata(self._text).meta["nodes"]
        except toml_rs.TOMLDecodeError:  # tomllib took it: a message without a line is better than none
            return None
        self._table(nodes, ())
        self._headers()
        self._implied()
        return self._keys, self._values

    def _table(self, nodes: dict[str, Any], path: Path) -> None:
        for name, node in nodes.items():
            here = (*path, name)
            if isinstance(node.get("key_line"), int):
                self._keys[here] = self._span(node["key_line"], node["key_col"])
                self._value(node, here)
            else:
                self._table(node, here)

    def _value(self, node: dict[str, Any], here: Path) -> None:
        if "value_line" in node:
            self._values[here] = self._span(node["value_line"], node["value_col"])
        value = node["value"]
        if isinstance(value, dict):
            self._table(value, here)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                placed = isinstance(item.get("value_line"), int | tuple)  # a table in a list in a list is not
                (self._value if placed else self._table)(item, (*here, index))

    def _span(self, line: int | tuple[int, int], columns: int | tuple[int, int]) -> Span:
        """toml-rs counts columns in bytes of UTF-8 and includes the last one; a value of many lines has two lines."""
        first, last = line if isinstance(line, tuple) else (line, line)
        start, end = columns if isinstance(columns, tuple) else (columns, columns)
        self._many_lines.update(range(first + 1, last + 1))
        text = self.lines[first - 1].rstrip("\r")
        data = text.encode()
        column = len(data[: start - 1].decode(errors="replace")) + 1
        stop = len(data[:end].decode(errors="replace")) if first == last else len(text)
        return Span(first, column, max(1, stop - column + 1))

    def _headers(self) -> None:
        """``[mix.broad]`` lines, which toml-rs gives no place of their own."""
        for number, line in enumerate(self.lines, 1):
            match = None if number in self._many_lines else _HEADER.match(line)
            path = _header(match[1]) if match else ()
            if match and path:
                self._values.setdefault(path, Span(number, match.start(1) + 1, len(match[1])))

    def _implied(self) -> None:
        """A table that has no line of its own (``[a.b]`` makes ``a``) stands where the first thing in it stands."""
        places = sorted([*self._keys.items(), *self._values.items()], key=lambda item: (item[1].line, item[1].column))
        for path, span in places:
            for end in range(1, len(path)):
                if path[:end] not in self._keys and path[:end] not in self._values:
                    self._values[path[:end]] = span


def _header(line: str) -> Path:
    """The path of a ``[table]`` line; empty for what is none, such as a line of an array."""
    try:
        tree: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while tree:
        name, tree = next(iter(tree.items()))
        path.append(name)
    return tuple(path)
