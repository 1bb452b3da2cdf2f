"""A handful of stages for tests of recipes: real configs and kinds, functions that nobody calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal
from unittest import mock

from pydantic import Field

from dataengine import stage
from dataengine.secret import Secret
from dataengine.stage import MadeBy, Stage, StageConfig


class Jsonl(StageConfig):
    paths: str | list[str]
    """Files, folders or globs."""
    text: str = "text"
    """The field that holds the text."""


class Items(StageConfig):
    count: int = Field(10, ge=1)
    """How many to make."""
    seed: int | None = None
    """From which they follow; the recipe's where nothing is said."""


class Html(StageConfig):
    pass


class Language(StageConfig):
    keep: list[str] = Field(min_length=1, examples=[["en"]])
    """Languages to keep."""
    min_confidence: float = Field(0.65, ge=0, le=1)
    """Least confidence of the model."""


class Gopher(StageConfig):
    min_words: int = Field(50, ge=0)
    """Fewest words."""
    max_words: int = Field(100_000, ge=1)
    """Most words."""
    max_hash_ratio: float = 0.1
    """Most '#' signs per word."""


class Exact(StageConfig):
    of: Literal["text", "normalized", "url"] = "text"
    """What must be the same."""


class Minhash(StageConfig):
    bands: int = Field(14, ge=1)
    """Bands."""
    rows: int = Field(8, ge=1)
    """Rows of a band."""


class Fasttext(StageConfig):
    classifier: Annotated[str, MadeBy("classifier")] | None = None
    """The classifier table."""
    column: str = "quality"
    """The column to add."""


class Hub(StageConfig):
    token: Secret
    """The token of the hub."""
    repository: str = "me/corpus"
    """Where to look."""


class Nested(StageConfig):
    sizes: dict[str, list[int]] = Field({})
    """Lists of sizes by name."""


def _stage(name: str, kind: stage.Kind, config: type[StageConfig]) -> Stage:
    return Stage(name, kind, lambda *_: None, config, 1, lambda config: (), lambda config: {}, doc=f"Tiny {name}.")


STAGES = {
    made.name: made for made in (
        _stage("read.jsonl", "read", Jsonl), _stage("make.items", "read", Items), _stage("extract.html", "map", Html),
        _stage("filter.language", "filter", Language), _stage("filter.gopher", "filter", Gopher),
        _stage("filter.hub", "filter", Hub), _stage("filter.nested", "filter", Nested),
        _stage("dedup.exact", "gather", Exact), _stage("dedup.minhash", "gather", Minhash),
        _stage("score.fasttext", "map", Fasttext),
    )
}


class Point:
    """What an entry point is to the registry."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self.load = load


def _broken() -> Stage:
    raise ImportError("No module named 'hyperscan'")


@contextmanager
def installed() -> Iterator[None]:
    """These stages and no others; ``filter.broken`` is a plugin that cannot be imported."""
    points = {name: Point(lambda made=made: made) for name, made in STAGES.items()}
    points["filter.broken"] = Point(_broken)
    stage.load.cache_clear()
    ours = mock.patch.object(stage, "builtin_names", frozenset)
    others = mock.patch.object(stage, "plugin_targets", lambda: points)
    with ours, others:
        yield
    stage.load.cache_clear()
