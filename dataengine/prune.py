"""Stages of kind ``prune``: of each part of text that occurs more than once in a lane, copies behind the first go.

The stage says of a batch which parts there are, each with 128 bits that are equal for equal parts; the engine finds
those that came before in the order of the lane, cuts them out of the text and writes down what was cut, and where the
copy is that stays (`tasks.units`, `tasks.repeats`, `tasks.pruned`). Rules judge what is left, as those of a filter do.

A stage whose parts have no natural borders gives larger ones first: where two share the first half of their key but
not the second, it is asked (`smaller`) for the parts inside both. The final cuts may be moved (`fit`) to where text may
be cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataengine.stage import Columns, Rule, Stage, _decorate, _fixed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

BYTES, SPANS = "_bytes", "_spans"
"""What is put behind the name of the column that counts, for the names of those that say how much went, and what."""
SPANS_TYPE = "list<struct<start: int64, end: int64, kept_in: string>>"


@dataclass(frozen=True)
class Units:
    """Parts of the texts of a batch, in the order of rows and of where they begin."""

    rows: np.ndarray
    """int64, shape (m,): the row of the batch."""
    starts: np.ndarray
    """int64, shape (m,): the first byte in the row's text that goes with the part."""
    ends: np.ndarray
    """int64, shape (m,): behind the last. Parts may overlap; then equal ones that do are no copies of one another."""
    keys: np.ndarray
    """uint64, shape (m, 2): 128 bits that are equal for copies."""


def measures(counts: str) -> Columns:
    """What a prune adds to a row, for ``removed_lines`` as the column that counts:

    ``removed_lines`` and ``removed_lines_bytes``: how many parts and bytes went;
    ``removed_lines_spans``: which bytes of the text as it came, in order, each with the id of a document with a copy
    that stays (of the first, where one stays);
    ``left_bytes``: what is left, without white space at its ends; null where nothing was cut.
    """
    return {"text": "string", counts: "int64", counts + BYTES: "int64", counts + SPANS: SPANS_TYPE,
            "left_bytes": "int64"}


def prune(
    *,
    counts: str,
    rules: Iterable[Rule],
    version: int,
    copies: int | Callable[[Any], int] = 1,
    smaller: Callable[[pa.RecordBatch, Any, Units], Units] | None = None,
    fit: Callable[..., Any] | None = None,
) -> Callable[[Callable[[pa.RecordBatch, Any], Units]], Stage]:
    """Sees the texts of a whole lane through their parts. `counts` names the column that counts those of a row that
    went; `copies` says how many of equal parts stay; `rules` are of the columns in `measures`.
    """
    return _decorate(
        "prune", reads=("text",), adds=measures(counts), version=version, rules=tuple(rules), copies=_fixed(copies),
        counts=counts, smaller=smaller, fit=fit,
    )
