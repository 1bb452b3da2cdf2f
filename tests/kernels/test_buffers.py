"""Rows read through Arrow's buffers are the rows that Arrow gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.buffers import utf8

TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()]


def rows(column: pa.Array | pa.ChunkedArray) -> list[bytes]:
    data, offsets = utf8(column)
    assert data.dtype == np.uint8
    assert offsets.dtype == np.int64
    return [bytes(data[start:end]) for start, end in pairwise(offsets)]


def plain(column: pa.Array | pa.ChunkedArray) -> list[bytes]:
    return [value.encode() if isinstance(value, str) else value or b"" for value in column.to_pylist()]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.text(max_size=8), max_size=12), st.sampled_from(TYPES), st.integers(0, 5), st.integers(0, 9)
)
def test_every_type_of_text_sliced_anywhere_gives_its_rows(
    texts: list, kind: pa.DataType, start: int, size: int
) -> None:
    column = pa.array(texts).cast(pa.string()).cast(kind).slice(start, size)
    assert rows(column) == plain(column)
    chunks = pa.chunked_array([column, column.slice(1), column], kind)
    assert rows(chunks) == plain(chunks)


def test_bytes_under_a_null_belong_to_no_row() -> None:
    offsets = pa.py_buffer(np.array([0, 1, 3, 4], np.int32))
    column = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(b"\x05"), offsets, pa.py_buffer(b"abcd")])
    assert column.to_pylist() == ["a", None, "d"]
    assert rows(column) == [b"a", b"", b"d"]
    assert rows(column.slice(1)) == [b"", b"d"]


def test_no_byte_of_a_plain_column_is_copied() -> None:
    column = pa.array(["some", "words"] * 100)
    data, _ = utf8(column.slice(7, 50))
    assert data.__array_interface__["data"][0] == column.buffers()[2].address


def test_dictionaries_nulls_and_empty_columns_are_text_too() -> None:
    assert rows(pa.array(["a", None, "a"]).dictionary_encode()) == [b"a", b"", b"a"]
    assert rows(pa.nulls(2)) == [b"", b""]
    assert rows(pa.chunked_array([], pa.string())) == []


def test_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match="int64"):
        utf8(pa.array([1, 2]))
