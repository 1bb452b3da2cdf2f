"""What all dedup stages share: which of several duplicates stays, what is kept for later, what was kept before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from dataengine.stage import StageConfig

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    import pyarrow as pa

LAST = 0xFFFFFFFFFFFFFFFF
"""Rank of a row without a date or score: it stays only where there is no other."""
TYPES = {
    "newest": ("string", "int64", "float64", "timestamp"),
    "best": ("int64", "int32", "float64", "float32"),
}


class DedupConfig(StageConfig):
    """Who stays, and the indexes of other corpora."""

    keep: Literal["first", "longest", "newest", "best"] = "first"
    """Which of several duplicates stays: the first in the order of the lane; the longest text, in bytes; the one of the
    newest date, or of the highest score, in `column`. Of equals the first stays; no date, or no score, comes last."""
    column: str | None = None
    """With `keep = "newest"` the column of dates (ISO 8601, or numbers that grow), with `"best"` that of scores."""

    against: tuple[str, ...] = ()
    """Indexes of earlier corpora, folders that their runs wrote: what is a duplicate of anything in them goes."""
    index: str | None = None
    """A folder to write an index of what stays here into, for later corpora. It belongs to this step alone."""
    count: str | None = Field(None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """A column to add to what stays: how many rows of the lane each stands for, itself among them. What much of the web
    copies may be worth more, or be spam: `filter.where` can part lanes by it, which are then mixed by weight."""

    @model_validator(mode="after")
    def _column_where_needed(self) -> Self:
        if (self.keep in TYPES) != (self.column is not None):
            said = f'keep = "{self.keep}"' + (f' and column = "{self.column}"' if self.column else " without a column")
            raise ValueError(f'{said}: "newest" and "best" need the column to judge by, the others take none')
        return self


def reads(config: DedupConfig, *columns: str) -> tuple[str, ...]:
    """The columns that a stage reads: its own and those that rank its rows."""
    more = {"longest": "text"}.get(config.keep, config.column)
    return tuple(dict.fromkeys([*columns, *([more] if more else [])]))


def check(config: DedupConfig, columns: Mapping[str, str]) -> str | None:
    """What is wrong with the type of the column that ranks, or None."""
    if config.column is None or columns[config.column].startswith(TYPES[config.keep]):
        return None
    expected = ", ".join(TYPES[config.keep])
    return f'keep = "{config.keep}": column "{config.column}" is {columns[config.column]}; expected one of {expected}'


def rank(batch: pa.RecordBatch, config: DedupConfig) -> np.ndarray | None:
    """uint64 (n,), lower for the row that is to stay; None where the order of the lane decides."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if config.keep == "first":
        return None
    if config.keep == "longest":
        sizes = pc.fill_null(pc.binary_length(batch.column("text")), 0).to_numpy(zero_copy_only=False)
        return np.uint64(LAST) - sizes.astype(np.uint64)
    assert config.column is not None, "the config has seen to it"
    column = batch.column(config.column)
    if pa.types.is_string(column.type):
        values = np.array([_seconds(text) for text in column.to_pylist()], np.float64)
    else:
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        values = pc.fill_null(column.cast(pa.float64(), safe=False), float("nan")).to_numpy(zero_copy_only=False)
    return descending(values)


def descending(values: np.ndarray) -> np.ndarray:
    """float64 as uint64 in the opposite order, NaN last. The bits of positive floats count as they grow."""
    import numpy as np

    values = np.where(values == 0, 0.0, values)  # -0.0 is 0.0
    bits = values.view(np.uint64)
    negative = bits >> np.uint64(63) == 1
    ascending = np.where(negative, ~bits, bits | np.uint64(1 << 63))
    return np.where(np.isnan(values), np.uint64(LAST), ~ascending)


def _seconds(text: str | None) -> float:
    """Seconds since 1970 of a date in ISO 8601 (UTC where no zone is said) or in the form of mail and HTTP; or NaN."""
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    text = (text or "").strip()
    if text.isascii() and text.isdigit() and len(text) in (4, 6):  # 2024, 202406
        text = f"{text[:4]}-{text[4:] or '01'}-01"
    elif len(text) == 7 and text[4:5] == "-":  # 2024-06
        text += "-01"
    found: datetime | None = None
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = parse(text)
            break
        except (ValueError, TypeError, IndexError):
            continue
    if found is None:
        return float("nan")
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
