"""Keep what Python source says in words: the documentation strings of its module, classes and functions.

The source is parsed, never run. Documentation is put together in the order of the file, each under the name of what it
documents. A module without documentation gives empty text, which the filters drop; source that this Python cannot
parse is refused as `not_python`, and source of more than a MiB, which is data in all but name, as `too_large`.
"""

from __future__ import annotations

import ast
import inspect
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from dataengine.stage import StageConfig, at_row, map

if TYPE_CHECKING:
    import pyarrow as pa

LONGEST = 1 << 20
"""Characters. The parser takes 380 times the memory of source in lines of one word, and 2 to 4 seconds a MB."""
MOST_MARKS = 100
"""Combining marks in a row. The parser sorts those of a name in quadratic time: 300,000 took minutes."""
FOREIGN = re.compile(rf"[^\x00-\x7f]{{{MOST_MARKS},}}")


class Config(StageConfig):
    min_length: int = Field(40, ge=0)
    """Fewest characters of a documentation string worth keeping."""


@map(reads=["text"], adds={"text": "string"}, refuses=("not_python", "too_large"), version=1)
def docstrings(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    found, refused = [], []
    for row, source in enumerate(batch["text"].to_pylist()):
        at_row(row)
        long = len(source or "") > LONGEST
        text = None if long else documentation(source or "", config.min_length)
        found.append(text or "")
        refused.append("too_large" if long else "not_python" if text is None else None)
    return {"text": found, "refused": refused}


def documentation(source: str, min_length: int) -> str | None:
    """The documentation strings of Python source as one text, or None if it cannot be parsed."""
    if not source.isascii() and stalls(source):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes in other people's strings are not ours to report
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return "\n\n".join(f"{name}\n\n{text}" if name else text for name, text in strings(tree) if len(text) >= min_length)


def stalls(source: str) -> bool:
    """Whether the parser would take more than linear time: too many combining marks in a row."""
    for match in FOREIGN.finditer(source):
        run = 0
        for char in match[0]:
            run = run + 1 if unicodedata.combining(char) else 0
            if run > MOST_MARKS:
                return True
    return False


def strings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(dotted name, documentation) of the module and everything in it, in the order of the file."""
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        name, node = waiting.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            text := ast.get_docstring(node, clean=False)
        ):
            yield name, inspect.cleandoc(text)
        inner = [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        waiting += [(f"{name}.{child.name}".lstrip("."), child) for child in reversed(inner)]
