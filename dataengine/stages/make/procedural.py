"""Problems with worked steps, made by programs and checked by other programs. No model, no network.

Three families: ``arithmetic`` (carries, borrows, partial products, long division), ``equations`` (linear, brackets,
fractional answers) and ``quantities`` (stories of several steps). Item i of a family follows from (seed, family, i)
alone, so more items never change the ones before, and any range can be made by any worker.

A second program reads each problem's text and finds the answer by another road, and every equation in the steps is
evaluated again in exact fractions; an item that fails either is refused as ``wrong_answer``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from dataengine.stage import MESSAGES, Piece, Refused, StageConfig, read

if TYPE_CHECKING:
    import pyarrow as pa

PIECE = 5_000
"""Items in a piece: under a second of work."""
BATCH = 1_000
ITEM_BYTES = 900
"""About what an item weighs as text and messages."""


class Config(StageConfig):
    families: list[Literal["arithmetic", "equations", "quantities"]] = Field(
        ["arithmetic", "equations", "quantities"], min_length=1
    )
    """Which kinds of problems to make."""
    count: int = Field(1_000, ge=1)
    """Items of each family. Low levels hold few different problems: a million two-digit sums must repeat themselves."""
    seed: int | None = None
    """Chooses the items; the recipe's seed where it is not given."""
    min_level: int = Field(1, ge=1, le=7)
    """Easiest level: level n has numbers of about n + 1 digits or stories of about n + 1 events."""
    max_level: int = Field(5, ge=1, le=7)
    """Hardest level; every item draws its own level between the two."""

    @model_validator(mode="after")
    def sensible(self) -> Config:
        if self.min_level > self.max_level:
            raise ValueError(f"min_level = {self.min_level} is above max_level = {self.max_level}")
        if len(set(self.families)) < len(self.families):
            raise ValueError("a family is named twice")
        return self


def pieces(config: Config, folder: Path) -> Iterator[Piece]:
    """Ranges of item numbers, family by family. `folder` is not looked at."""
    for family in config.families:
        for start in range(0, config.count, PIECE):
            end = min(start + PIECE, config.count)
            yield Piece(
                path="", origin=f"procedural/{family}", start=start, end=end, weight=(end - start) * ITEM_BYTES,
                stamp=f"seed {config.seed or 0}, levels {config.min_level} to {config.max_level}",
            )


@read(
    pieces=pieces, version=1, refuses=("wrong_answer",),
    columns={"text": "string", "messages": MESSAGES, "answer": "string", "family": "string", "level": "int64"},
)
def procedural(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    from dataengine.stages.make._families import family

    name = piece.origin.rpartition("/")[2]
    module = family(name)
    rows: list[dict[str, Any]] = []
    for index in range(piece.start, piece.end):
        row = one_row(module, name, index, piece.origin, config)
        if isinstance(row, Refused):
            yield row
            continue
        rows.append(row)
        if len(rows) == BATCH:
            yield _batch(rows)
            rows = []
    if rows:
        yield _batch(rows)


def one_row(module: Any, name: str, index: int, origin: str, config: Config) -> dict[str, Any] | Refused:
    """Item `index` of a family, made and checked: a row, or why it is refused."""
    from xxhash import xxh3_64_intdigest

    from dataengine.stages.make._families import fault
    from dataengine.stages.make._families.draws import Draws

    draws = Draws(xxh3_64_intdigest(f"{config.seed or 0}/{name}/{index}".encode()))
    level = draws.between(config.min_level, config.max_level)
    item = module.make(draws, level)
    work = "\n".join(item.steps)
    wrong = fault(module, item)
    if wrong:
        return Refused(f"{origin}:{index}", "wrong_answer", wrong, item.problem.encode())
    solution = f"{work}\nAnswer: {item.answer}"
    return {
        "origin": f"{origin}:{index}", "text": f"{item.problem}\n{solution}", "answer": item.answer,
        "messages": [{"role": "user", "content": item.problem}, {"role": "assistant", "content": solution}],
        "family": name, "level": level,
    }


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    import pyarrow as pa

    message = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
    schema = pa.schema([
        ("origin", pa.string()), ("text", pa.string()), ("messages", message), ("answer", pa.string()),
        ("family", pa.string()), ("level", pa.int64()),
    ])
    return pa.RecordBatch.from_pylist(rows, schema)
