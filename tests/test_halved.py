"""A batch on which a stage raises is halved down to the rows at fault, and nobody watches rows in between."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine import stage
from dataengine.errors import StageError
from dataengine.tasks.poison import Fault, halved


def doubled(batch: pa.RecordBatch, rows: np.ndarray) -> list[int]:
    """The engine watches, the stage says its rows, and below nothing it raises."""
    stage.watch_rows(lambda row: rows[row])
    values = batch.column(0).to_pylist()
    for row, value in enumerate(values):
        stage.at_row(row)
        if value == -1:
            raise ValueError("below nothing")
        if value == -2:
            raise MemoryError
    return [2 * value for value in values]


@given(st.lists(st.integers(-2, 5), min_size=1, max_size=40))
def test_every_row_has_its_answer_or_its_fault_and_none_is_watched_when_they_are_said(values: list[int]) -> None:
    batch = pa.RecordBatch.from_pydict({"value": pa.array(values, pa.int64())})
    said: list[int | str] = []
    places: list[int] = []
    for answer, part, rows in halved(batch, np.arange(len(values)), doubled):
        stage.at_row(1_000)  # whoever reads the answers may call other stages
        said += [answer.reason] if isinstance(answer, Fault) else answer
        places += rows.tolist()
        assert part.num_rows == len(rows)
    assert places == list(range(len(values)))
    assert said == [{-1: "error", -2: "out_of_memory"}.get(value, 2 * value) for value in values]


def test_an_error_of_our_own_is_no_rows_fault() -> None:
    def broken(batch: pa.RecordBatch, rows: np.ndarray) -> None:
        raise StageError("a contract is broken")

    batch = pa.RecordBatch.from_pydict({"value": [1, 2]})
    with pytest.raises(StageError):
        list(halved(batch, np.arange(2), broken))
