"""Where a text may be cut: between characters, words or lines. Spans shrink to the borders inside them."""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.part import part
from dataengine.kernels.spaces import space_at
from dataengine.kernels.token_arrays import character
from dataengine.kernels.words import UNIT, character_classes

CHARACTER, WORD, LINE = 0, 1, 2
BORDERS = {"character": CHARACTER, "word": WORD, "line": LINE}


@part
def unspaced(data, i, end, classes):
    """Whether the character that begins at `i` is one of a script without spaces."""
    if data[i] < 0xE0:
        return False
    code, _ = character(data, i, end)
    return code >= classes.size or classes[code] == UNIT


@part
def is_border(data, begin, stop, i, kind, classes):
    """Whether ``data[begin:stop]`` may be cut before byte `i`.

    A word begins behind white space; beside a character of a script without spaces there is a border on either side.
    """
    if i == begin:
        return True
    if i == stop:
        return True
    if data[i] & 0xC0 == 0x80:
        return False
    if kind == CHARACTER:
        return True
    if kind == LINE:
        return data[i - 1] == 10
    before = i - 1
    while before > begin and data[before] & 0xC0 == 0x80:
        before -= 1
    return space_at(data, before, stop) > 0 or unspaced(data, before, stop, classes) or unspaced(data, i, stop, classes)


@njit(cache=True, nogil=True)
def shrink(data, offsets, rows, starts, ends, kind, least, classes, out_starts, out_ends):
    """Fill the last two: each span from its first border to its last; empty if that is less than `least` bytes."""
    for k in range(rows.size):
        begin, stop = offsets[rows[k]], offsets[rows[k] + 1]
        start, end = begin + starts[k], begin + ends[k]
        while start < end and not is_border(data, begin, stop, start, kind, classes):
            start += 1
        while end > start and not is_border(data, begin, stop, end, kind, classes):
            end -= 1
        if end - start < least:
            end = start
        out_starts[k], out_ends[k] = start - begin, end - begin


def shrunk(
    data: np.ndarray, offsets: np.ndarray, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray, kind: str,
    least: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The spans of an Arrow UTF-8 buffer's rows, each moved inwards to borders of this kind (`BORDERS`): new starts and
    ends, equal where less than `least` bytes are left of a span. Linear in the bytes of the spans.
    """
    out = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    shrink(data, offsets, rows, starts, ends, BORDERS[kind], least, character_classes(), *out)
    return out
