"""Arrow text columns as the two numpy arrays that kernels loop over, without a Python object per row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

OFFSET_TYPES = {
    pa.string(): np.int32, pa.binary(): np.int32, pa.large_string(): np.int64, pa.large_binary(): np.int64,
}


def utf8(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of a string or binary column and where each row lies in them.

    Returns ``(data, offsets)``: uint8, shape (m,), and int64, shape (n + 1,). Row i is
    ``data[offsets[i]:offsets[i + 1]]``; a null row is empty. `data` is Arrow's own buffer: read-only, and longer than
    the rows of a slice, so ``offsets[0]`` may be above 0 and `data` says nothing without `offsets`. Bytes are copied
    only for an array of several chunks, for views and dictionaries, and where nulls hide bytes.
    Raises TypeError for a column that is not text or bytes.
    """
    array = _one_array(column)
    width = OFFSET_TYPES[array.type]
    if len(array) == 0:
        return read_only(np.empty(0, np.uint8)), read_only(np.zeros(1, np.int64))
    _, positions, content = array.buffers()
    offsets = np.frombuffer(positions, width, len(array) + 1, array.offset * np.dtype(width).itemsize)
    data = np.frombuffer(content, np.uint8) if content is not None and content.size else np.empty(0, np.uint8)
    return read_only(data), read_only(offsets.astype(np.int64, copy=False))


def read_only(data: np.ndarray) -> np.ndarray:
    """The same array as one that cannot be written: for numba another type, and one type is one compilation less."""
    view = data.view()
    view.flags.writeable = False
    return view


def on_cache_lines(shape: tuple[int, int], dtype: type = np.float32) -> np.ndarray:
    """An empty array that begins on a cache line, so that a row of 64 bytes is one line and not parts of two."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first : first + size].view(dtype).reshape(shape)


def as_text(data: np.ndarray, offsets: np.ndarray) -> pa.Array:
    """The other way round: a string array over `data`, which must be UTF-8, without a copy of it."""
    narrow = int(offsets[-1]) < 2**31
    places = np.ascontiguousarray(offsets, np.int32 if narrow else np.int64)
    kind = pa.string() if narrow else pa.large_string()
    return pa.Array.from_buffers(kind, len(offsets) - 1, [None, pa.py_buffer(places), pa.py_buffer(data)])


def _one_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One contiguous array of a type in `OFFSET_TYPES` whose nulls cover no bytes."""
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # more than one array can hold
            column = pa.concat_arrays(column.cast(pa.large_binary()).chunks)
    if column.type not in OFFSET_TYPES:
        column = _plain(column)
    if column.null_count and _hidden_bytes(column):
        # Arrow allows bytes under a null; n + 1 offsets cannot jump over them.
        column = column.fill_null(pa.scalar("", column.type))
    return column


def _plain(column: pa.Array) -> pa.Array:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return column.cast(pa.large_binary())
    if pa.types.is_null(kind):
        return pa.array([""] * len(column), pa.string())
    raise TypeError(f"expected a column of text or bytes, found {column.type}")


def _hidden_bytes(column: pa.Array) -> bool:
    """Whether any null row of `column` has a length other than 0."""
    width = OFFSET_TYPES[column.type]
    offsets = np.frombuffer(column.buffers()[1], width, len(column) + 1, column.offset * np.dtype(width).itemsize)
    return bool(np.diff(offsets)[pc.is_null(column).to_numpy(zero_copy_only=False)].any())


def text_array(data: np.ndarray, offsets: np.ndarray) -> pa.Array:
    """The other way: UTF-8 bytes and int64 offsets, shape (n + 1,), that begin at 0, as a large string array."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
