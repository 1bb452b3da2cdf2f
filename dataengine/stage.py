"""What a stage is: one file, a frozen config, declared columns, one pure function over a batch.

The folder is the registry: ``stages/filter/gopher.py`` holds the stage ``filter.gopher``, its ``Config`` and a
function ``gopher``, which one of six decorators turns into a `Stage`:

    read      (piece, config) -> batches of rows and refused records      where rows come from
    map       (batch, config) -> columns added or replaced                extract, score, scrub
    filter    (batch, config) -> measured columns, judged by ``RULES``    the engine drops, never the stage
    expand    (batch, config) -> (columns, parent row of each new row)    one row becomes k
    gather    (batch, config) -> keys by which rows of a whole lane meet  dedup
    prune     (batch, config) -> parts of text that a whole lane shares   dedup; see `dataengine.prune`

A stage sees a `pyarrow.RecordBatch`, leaves it as it is, and gives the same answer however the rows are cut into
batches. Randomness comes from (seed, document id) alone. Other packages add stages by the entry point group
``dataengine.stages`` (``"filter.shouting" = "my_package.shouting:shouting"``).

This module and the top of every stage file import nothing heavy, so that ``dataengine check`` starts fast: column
types are written as words (``"int64"``, ``"list<string>"``) and kernels are imported inside the function.
"""

from __future__ import annotations

import importlib
import json
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Kind = Literal["read", "map", "filter", "expand", "gather", "prune"]
Columns = Mapping[str, str]
"""Column name -> type, in Arrow's words."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}

BASE_COLUMNS: dict[str, str] = {"id": "string", "source": "string", "origin": "string", "url": "string"}
"""What every row has. The engine makes ``id`` and ``source``; a reader gives ``origin`` and may give ``url``."""

MESSAGES = "list<struct<role: string, content: string>>"
"""The type of a ``messages`` column: a conversation, oldest turn first."""


class StageConfig(BaseModel):
    """Base of every stage's ``Config``. The string under a field is its help, its page and its schema description.

    `with_help` reads those strings: only what shows them pays for parsing the source.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


@cache
def with_help(config: type[BaseModel]) -> type[BaseModel]:
    """The same class, each field described by the string under it: 1 to 10 ms a class."""
    for info in config.model_fields.values():
        for inner in _classes(info.annotation):
            with_help(inner)
    said = {name: text for cls in reversed(config.__mro__) for name, text in _attribute_docstrings(cls).items()}
    for name, info in config.model_fields.items():
        info.description = info.description or said.get(name)
    config.model_rebuild(force=True)
    return config


def _classes(annotation: Any) -> Iterator[type[BaseModel]]:
    """The configs inside a field's type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _classes(inner)


def _attribute_docstrings(cls: type) -> dict[str, str]:
    """Field -> the string that stands under it in the source of a config; nothing where there is no source."""
    import ast
    import inspect
    import textwrap

    if not issubclass(cls, BaseModel) or cls in (BaseModel, StageConfig):
        return {}
    try:
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    return {
        above.target.id: inspect.cleandoc(below.value.value)
        for above, below in pairwise(statements)
        if isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name)
        and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }


def _false_is_none(value: Any) -> Any:
    return None if value is False else value


_OFF = BeforeValidator(_false_is_none)
Limit = Annotated[float | None, _OFF, WithJsonSchema({"anyOf": [{"type": "number"}, {"const": False}]})]
CountLimit = Annotated[int | None, _OFF, WithJsonSchema({"anyOf": [{"type": "integer"}, {"const": False}]})]
"""Types of config fields that a `Rule` compares with. TOML has no null: ``max_words = false`` switches the rule off."""


@dataclass(frozen=True)
class LoadedFile:
    """Marks a config field, ``Annotated[str, LoadedFile()]``, that names a file the stage loads, such as a model.

    The planner makes the path absolute and puts the file's content, not its path, into the fingerprint. A field that
    is a list of files is marked as a whole: ``Annotated[tuple[str, ...], LoadedFile()]``.
    """


@dataclass(frozen=True)
class MadeBy:
    """Marks a config field, ``Annotated[str, MadeBy("classifier")]``, that names another table of the recipe.

    The stage's step then waits for that table's step and gets the path of the file it made.
    """

    table: str


def marks(config: type[BaseModel]) -> Iterator[tuple[str, LoadedFile | MadeBy]]:
    """(field, mark) of a config's fields that name files or things other tables make.

    The mark stands beside the field's type, or inside it: ``Annotated[str, MadeBy("classifier")] | None``.
    """
    for name, info in config.model_fields.items():
        for mark in (*info.metadata, *_inner_marks(info.annotation)):
            if isinstance(mark, LoadedFile | MadeBy):
                yield name, mark


def _inner_marks(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from _inner_marks(inner)


@dataclass(frozen=True)
class Rule:
    """Drop a row for `reason` when ``measure OP config.field`` holds. A null measure drops nothing."""

    reason: str
    measure: str
    op: str
    field: str

    def __post_init__(self) -> None:
        if self.op not in OPERATORS:
            raise ValueError(f"rule {self.reason}: no comparison {self.op!r}; one of {', '.join(OPERATORS)}")

    def broken(self, values: np.ndarray, config: StageConfig) -> np.ndarray:
        """True where the rule drops. `values` is float or object free: NaN compares false, so null drops nothing.

        A config field set to None (see `Limit`) switches the rule off.
        """
        import numpy as np

        threshold = getattr(config, self.field)
        if threshold is None:
            return np.zeros(len(values), dtype=bool)
        broken = OPERATORS[self.op](values, threshold)
        return broken & (values == values) if self.op == "!=" else broken


@dataclass(frozen=True)
class Piece:
    """A part of one input that can be read by itself: the unit from which splits are made.

    `start` and `end` count whatever the reader likes (bytes, row groups, row numbers); `end` = -1 means to the end.
    """

    path: str
    """Where to open it; empty for generated data."""
    origin: str
    """Its name in the ledger: the path as the recipe sees it. Part of every row's id."""
    start: int = 0
    end: int = -1
    weight: int = 0
    """About how many bytes it is to read; small pieces are grouped into one split by it."""
    stamp: str = ""
    """Changes when the content does: size and modification time of a file, or the piece's own parameters."""


@dataclass(frozen=True)
class Refused:
    """A record that a reader could not turn into a row. It is quarantined; its neighbours go on."""

    origin: str
    """As precise as can be: ``crawl/a.jsonl:1023`` (byte offset) or ``a.zip!b/c.py``."""
    reason: str
    """One of the stage's declared ``refuses``."""
    detail: str = ""
    """What was found, in a sentence: ``line 7 column 3: expected a value``."""
    raw: bytes = b""
    """The beginning of the record, for the eye."""


@dataclass(frozen=True)
class Sketch:
    """What a gather stage says about a batch of n rows: by what they are known, by what they meet, what is compared."""

    alone: np.ndarray
    """bool, shape (n,): rows that match nothing, such as empty documents."""
    same: np.ndarray | None = None
    """uint64, shape (n, 2): 128 bits that are equal for rows that are copies of one another."""
    keys: np.ndarray | None = None
    """uint64, shape (n, bands): rows that share a key in a band are candidates."""
    copies_only: np.ndarray | None = None
    """bool, shape (n,): rows whose keys do not count; they match their copies and nothing else."""
    elements: np.ndarray | None = None
    """uint32: what a pair's similarity is taken from, one row after the other: sets, each element once, or vectors of
    length one, as the bits of their float32 numbers."""
    sets: np.ndarray | None = None
    """int64, shape (n + 1,): row i has ``elements[sets[i]:sets[i + 1]]``."""
    rank: np.ndarray | None = None
    """uint64, shape (n,): of two rows the lower stays; in the order of the lane where they are equal, or not given."""


@dataclass(frozen=True)
class Choice:
    """How the engine chooses who of a gather's candidates stays; see `kernels.choose`."""

    threshold: float | None = None
    """The similarity of two sets from which they are duplicates; None: sharing a key is enough."""
    chains: bool = False
    """All that hangs together is one cluster; else a row goes only for a row that stays."""
    vectors: bool = False
    """Similarity is the cosine of two vectors, not the Jaccard similarity of two sets."""


@dataclass(frozen=True)
class Stage:
    """A stage as the engine sees it. Made by the decorators below, never by hand."""

    name: str
    """``filter.gopher``; filled in by `load`."""
    kind: Kind
    function: Callable[..., Any]
    config: type[StageConfig]
    version: int
    """Bumped when the output changes; part of every fingerprint."""
    reads: Callable[[Any], tuple[str, ...]]
    adds: Callable[[Any], Columns]
    rules: tuple[Rule, ...] = ()
    refuses: tuple[str, ...] = ()
    """The reasons for which the stage may quarantine a record."""
    reason: str = ""
    """gather: why the rows that were not chosen are dropped."""
    choice: Callable[[Any], Choice] = lambda config: Choice()
    """gather: how it is chosen among the rows that meet."""
    alike: Callable[[Any], Mapping[str, Any]] = lambda config: {}
    """gather: what the configs of two corpora must have in common, so that the sketches of one serve the other."""
    count: Callable[[Any], str | None] = lambda config: None
    """gather: the column (int64) that says of a row that stays how many rows of the lane it stands for; None for none.
    """
    copies: Callable[[Any], int] = lambda config: 1
    """prune: how many copies of a part stay."""
    counts: str = ""
    """prune: the column that says how many parts of a row went."""
    smaller: Callable[..., Any] | None = None
    """prune: (batch, config, units) -> the smaller units inside these, where only the first half of a key is shared."""
    fit: Callable[..., Any] | None = None
    """prune: (data, offsets, config, spans) -> the spans moved to where the text may be cut."""
    content: str = "text"
    """read: the column that, with the origin, makes the id."""
    pieces: Callable[[Any, Path], Iterable[Piece]] | None = None
    """read: (config, base folder) -> pieces, in a fixed order."""
    again: Callable[[Piece, Any], bool] = lambda piece, config: False
    """read: (piece, config) -> whether reading the piece once more costs less than storing its rows. Then a gather
    straight behind the reader has it read again, which must give the same rows."""
    check: Callable[[Any, Columns], str | None] | None = None
    """Looks at the config and the columns at hand before any data moves; returns what is wrong, or None."""
    uses_up: Callable[[Any], tuple[str, ...]] = lambda config: ()
    """map: columns that rows no longer have behind it, such as the page behind the extraction of its text."""
    scrubs: Callable[[pa.RecordBatch, Any, tuple[str, ...]], pa.RecordBatch] | None = None
    """map: (batch, config, columns) -> the batch with these columns cleaned. The stage removes something that must not
    be stored: the engine has it clean all text it stores beside what the stage returns, and rows that left the segment
    before it; the planner lets no earlier segment store the rows, unless the config has ``keep_originals``."""
    doc: str = field(default="", compare=False)

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    @property
    def summary(self) -> str:
        """First line of the module's docstring."""
        return self.doc.strip().splitlines()[0] if self.doc.strip() else ""


def _fixed(value: Any) -> Callable[[Any], Any]:
    """A constant declaration as a function of the config."""
    return value if callable(value) else lambda config: value


def _decorate(kind: Kind, *, reads: Any, adds: Any, version: int, **more: Any) -> Callable[[Callable[..., Any]], Stage]:
    def decorate(function: Callable[..., Any]) -> Stage:
        module = function.__globals__
        return Stage(
            name="",
            kind=kind,
            function=function,
            config=module["Config"],
            version=version,
            reads=_fixed(reads),
            adds=_fixed(adds),
            doc=module.get("__doc__") or "",
            **more,
        )

    return decorate


def read(
    *,
    pieces: Callable[[Any, Path], Iterable[Piece]],
    columns: Columns | Callable[[Any], Columns],
    version: int,
    refuses: tuple[str, ...] = (),
    content: str = "text",
    again: Callable[[Piece, Any], bool] = lambda piece, config: False,
    check: Callable[[Any, Columns], str | None] | None = None,
) -> Callable[[Callable[..., Iterator[pa.RecordBatch | Refused]]], Stage]:
    """A source of rows. `columns` are what it gives besides ``origin`` (and ``url``, if it is among them)."""
    return _decorate(
        "read", reads=(), adds=columns, version=version, refuses=refuses, content=content, pieces=pieces, again=again,
        check=check,
    )


def map(
    *,
    reads: Iterable[str] | Callable[[Any], Iterable[str]],
    adds: Columns | Callable[[Any], Columns],
    version: int,
    refuses: tuple[str, ...] = (),
    check: Callable[[Any, Columns], str | None] | None = None,
    uses_up: Iterable[str] | Callable[[Any], Iterable[str]] = (),
    scrubs: Callable[[pa.RecordBatch, Any, tuple[str, ...]], pa.RecordBatch] | None = None,
) -> Callable[[Callable[..., Mapping[str, Any]]], Stage]:
    """n rows -> n rows. Returns the declared columns; with `refuses` also ``"refused"``: a reason or None per row."""
    return _decorate("map", reads=reads, adds=adds, version=version, refuses=refuses, check=check,
                     uses_up=_fixed(uses_up), scrubs=scrubs)


def filter(
    *,
    reads: Iterable[str] | Callable[[Any], Iterable[str]],
    measures: Columns | Callable[[Any], Columns],
    rules: Iterable[Rule],
    version: int,
    check: Callable[[Any, Columns], str | None] | None = None,
) -> Callable[[Callable[..., Mapping[str, Any]]], Stage]:
    """n rows -> n measurements. The engine judges by `rules`, in their order: the first broken one is the reason.

    A filter whose measures name a column that it reads, such as ``text``, edits it: rows that stay get the new value,
    dropped ones keep what they came with.
    """
    return _decorate("filter", reads=reads, adds=measures, version=version, rules=tuple(rules), check=check)


def expand(
    *,
    reads: Iterable[str] | Callable[[Any], Iterable[str]],
    adds: Columns | Callable[[Any], Columns],
    version: int,
    check: Callable[[Any, Columns], str | None] | None = None,
) -> Callable[[Callable[..., tuple[Mapping[str, Any], np.ndarray]]], Stage]:
    """One row -> k rows: returns the columns of the new rows and, for each, the index of its parent row (ascending)."""
    return _decorate("expand", reads=reads, adds=adds, version=version, check=check)


def gather(
    *,
    reads: Iterable[str] | Callable[[Any], Iterable[str]],
    reason: str,
    version: int,
    choice: Choice | Callable[[Any], Choice] = Choice(),
    alike: Callable[[Any], Mapping[str, Any]] = lambda config: {},
    count: Callable[[Any], str | None] = lambda config: None,
    check: Callable[[Any, Columns], str | None] | None = None,
) -> Callable[[Callable[..., Sketch]], Stage]:
    """Sees a whole lane through what its function says of each row; of rows that are duplicates one stays."""
    return _decorate(
        "gather",
        reads=reads,
        adds={"duplicate_of": "string", "similarity": "float64", "band": "int64"},
        version=version,
        reason=reason,
        choice=_fixed(choice),
        alike=alike,
        count=count,
        check=check,
    )


# --- progress within a batch ------------------------------------------------------------------------------------------

_watcher: Callable[[int], None] | None = None


def watch_rows(watcher: Callable[[int], None] | None) -> None:
    """The engine's side of `at_row`."""
    global _watcher
    _watcher = watcher


def at_row(row: int) -> None:
    """Say which row of its batch a stage is about to work on: about 0.5 µs.

    A stage that hands one document after another to a foreign parser calls this, so that a document which stalls or
    kills the worker is known at once. Without it the engine finds the document by trying halves.
    """
    if _watcher is not None:
        _watcher(row)


_waits: Callable[[bool], None] | None = None


def watch_waits(watcher: Callable[[bool], None] | None) -> None:
    """The engine's side of `waiting`."""
    global _waits
    _waits = watcher


@contextmanager
def waiting() -> Iterator[None]:
    """Say that what follows waits for the world outside, such as a server: the record's deadline does not run.

    Whoever waits bounds the time itself. About 2 µs.
    """
    if _waits is not None:
        _waits(True)
    try:
        yield
    finally:
        if _waits is not None:
            _waits(False)


# --- the registry -----------------------------------------------------------------------------------------------------

FOLDER = Path(__file__).parent / "stages"


@cache
def builtin_names() -> frozenset[str]:
    """The stages of this package, read off its folders without importing them."""
    files = FOLDER.glob("*/*.py")
    return frozenset(f"{file.parent.name}.{file.stem}" for file in files if not file.stem.startswith("_"))


@cache
def plugin_targets() -> dict[str, Any]:
    """Stages of other packages: name -> entry point."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group="dataengine.stages")}


def names() -> list[str]:
    """All stages there are, sorted."""
    return sorted(builtin_names() | plugin_targets().keys())


@cache
def load(name: str) -> Stage:
    """The stage of this name. Raises KeyError where there is none. Our own stages win over a plugin's."""
    if name in builtin_names():
        verb, noun = name.split(".")
        module = importlib.import_module(f"dataengine.stages.{verb}.{noun}")
        found = getattr(module, noun)
    elif name in plugin_targets():
        found = plugin_targets()[name].load()
    else:
        raise KeyError(name)
    if not isinstance(found, Stage):
        raise TypeError(f"{name} names {found!r}, which no decorator of dataengine.stage has made a stage")
    return replace(found, name=name)


def canonical(config: BaseModel) -> str:
    """The config as one JSON text, keys sorted: what fingerprints are made of."""
    return json.dumps(config.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
