"""Texts without some of their bytes, and the spans that say which."""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.lines import first_visible, last_visible


@njit(cache=True, nogil=True)
def _without(data, offsets, rows, starts, ends, out, bounds, left):
    filled = k = 0
    for row in range(offsets.size - 1):
        i, stop, first = offsets[row], offsets[row + 1], filled
        cut = k < rows.size and rows[k] == row
        while k < rows.size and rows[k] == row:
            until = offsets[row] + starts[k]
            out[filled : filled + until - i] = data[i:until]
            filled += until - i
            i = offsets[row] + ends[k]
            k += 1
        out[filled : filled + stop - i] = data[i:stop]
        filled += stop - i
        bounds[row + 1] = filled
        if cut:
            low = first_visible(out, first, filled)
            left[row] = last_visible(out, low, filled) - low


def without(
    data: np.ndarray, offsets: np.ndarray, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of an Arrow UTF-8 buffer without ``starts[k]:ends[k]`` of row ``rows[k]``.

    Spans are in order and do not overlap. Returns new (data, offsets from 0) and for each row the bytes that are left
    of it, without white space at its ends: int64, -1 for rows of which nothing was cut.
    """
    count = len(offsets) - 1
    out = np.empty(int(offsets[-1] - offsets[0] - (ends - starts).sum()), np.uint8)
    bounds, left = np.zeros(count + 1, np.int64), np.full(count, -1, np.int64)
    _without(data, offsets, rows, starts, ends, out, bounds, left)
    return out, bounds, left


@njit(cache=True, nogil=True)
def _apart(rows, starts, ends, kept, out_rows, out_starts, out_ends, out_kept):
    n = 0
    for k in range(rows.size):
        same = n > 0 and out_rows[n - 1] == rows[k]
        begin = max(starts[k], out_ends[n - 1]) if same else starts[k]
        if begin >= ends[k]:
            continue
        if same and out_ends[n - 1] == begin and (out_kept[n - 1] == kept[k]).all():
            out_ends[n - 1] = ends[k]
            continue
        out_rows[n], out_starts[n], out_ends[n] = rows[k], begin, ends[k]
        out_kept[n] = kept[k]
        n += 1
    return n


def apart(
    rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Spans in the order of rows and starts, made not to overlap; those that touch and have the same `kept` (uint8,
    shape (m, 16)) are one.
    """
    out = np.empty_like(rows), np.empty_like(starts), np.empty_like(ends), np.empty_like(kept)
    n = _apart(rows, starts, ends, kept, *out)
    return out[0][:n], out[1][:n], out[2][:n], out[3][:n]


@njit(cache=True, nogil=True)
def joined(rows, starts, ends):
    """int64 (m,): which stretch of touching spans each of these belongs to, counted from 0."""
    group = np.empty(rows.size, np.int64)
    n = -1
    for k in range(rows.size):
        if k == 0 or rows[k] != rows[k - 1] or starts[k] != ends[k - 1]:
            n += 1
        group[k] = n
    return group
