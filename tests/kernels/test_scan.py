"""The scan that is kept: whatever was scanned before, the tokens are those of the column at hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import scan, words
from dataengine.kernels.token_arrays import TokenArrays

TEXT = st.lists(st.sampled_from(["one ", "two. ", "\n", "...", "日本", "", "x"]), max_size=6).map("".join)
COLUMNS = st.lists(TEXT, max_size=12)


def rows(
    tokens: TokenArrays, places: np.ndarray
) -> list[tuple[list[int], list[list[int]], list[list[int]], list[int]]]:
    """All that is said of each row."""
    found = []
    for place in places:
        (first, first_break), (last, last_break) = tokens.rows[place : place + 2].tolist()
        found.append(
            (
                tokens.hashes[first:last].tolist(),
                tokens.tokens[first:last].tolist(),
                tokens.breaks[first_break:last_break].tolist(),
                tokens.counts[place].tolist(),
            )
        )
    return found


def fresh(column: list[str]) -> list[tuple[list[int], list[list[int]], list[list[int]], list[int]]]:
    scan.forget()
    found = scan.scan(pa.array(column, pa.string()), "words")
    return rows(found.tokens, found.rows)


@settings(max_examples=150, deadline=None)
@given(COLUMNS, st.data())
def test_rows_dropped_changed_and_moved_have_the_tokens_of_a_scan_from_nothing(
    column: list[str], data: st.DataObject
) -> None:
    columns = [column]
    for _ in range(3):
        kept = [text for text in columns[-1] if data.draw(st.booleans())]
        columns.append([data.draw(TEXT) if data.draw(st.integers(0, 4)) == 0 else text for text in kept])
    columns.append(data.draw(st.permutations(column)))
    expected = [fresh(each) for each in columns]
    scan.forget()
    for each, right in zip(columns, expected, strict=True):
        found = scan.scan(pa.array(each, pa.string()), "words")
        assert rows(found.tokens, found.rows) == right


def test_rows_that_stayed_are_not_split_again(monkeypatch: pytest.MonkeyPatch) -> None:
    split = []

    def counting(data: np.ndarray, offsets: np.ndarray) -> TokenArrays:
        split.append(offsets.size - 1)
        return real(data, offsets)

    real = words.split_words
    monkeypatch.setattr(words, "split_words", counting)
    scan.forget()
    column = pa.array([f"text number {number}" for number in range(100)])
    scan.scan(column, "words")
    scan.scan(column, "words")
    scan.scan(column.take(pa.array(range(0, 100, 7))), "words")
    assert split == [100]
    scan.scan(pa.array(["text number 0", "another text", "text number 14"]), "words")
    assert split == [100, 1]


def test_a_column_is_not_kept_from_what_other_ways_of_splitting_say() -> None:
    scan.forget()
    column = pa.array(["don't (stop)"])
    many = {name: int(scan.scan(column, name).tokens.rows[-1, 0]) for name in ("words", "english", "chunks")}
    assert many == {"words": 2, "english": 5, "chunks": 2}


def test_many_rows_of_one_length_cost_no_square_of_them() -> None:
    scan.forget()
    first = pa.array([f"{number:06d} and some text behind it" for number in range(20_000)])
    scan.scan(first, "words")
    found = scan.scan(pa.array([f"{number:06d} and some text behind it" for number in range(20_000, 40_000)]), "words")
    assert found.tokens.rows[-1, 0] == 20_000 * 6
