"""White space, and punctuation too, folded: every run of it becomes one blank, none stays at either end.

White space is what ``str.split`` takes for it: tab to carriage return, U+001C to U+001F, blank, U+0085, U+00A0, U+1680,
U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def space_at(data, i, end):
    """Bytes of the white space character that begins at `i`, or 0 where there is none."""
    c = data[i]
    if c < 0x80:
        return 1 if c == 0x20 or (c >= 0x09 and c <= 0x0D) or (c >= 0x1C and c <= 0x1F) else 0
    if c == 0xC2:
        return 2 if i + 1 < end and (data[i + 1] == 0x85 or data[i + 1] == 0xA0) else 0
    if (c != 0xE1 and c != 0xE2 and c != 0xE3) or i + 2 >= end:
        return 0
    second, third = data[i + 1], data[i + 2]
    if c == 0xE1:
        return 3 if second == 0x9A and third == 0x80 else 0
    if c == 0xE3:
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x80:
        return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
    return 3 if second == 0x81 and third == 0x9F else 0


@njit(cache=True, nogil=True)
def _fold(data, offsets, out, ends):
    filled = 0
    for row in range(offsets.size - 1):
        begin, i, end = filled, offsets[row], offsets[row + 1]
        pending = False
        while i < end:
            size = space_at(data, i, end)
            if size:
                pending = True
                i += size
                continue
            if pending and filled > begin:
                out[filled] = 0x20
                filled += 1
            pending = False
            out[filled] = data[i]
            filled += 1
            i += 1
            while i < end and 0x20 < data[i] < 0x80:  # most of a word: no look-up, no test but this
                out[filled] = data[i]
                filled += 1
                i += 1
        ends[row + 1] = filled


def fold_spaces(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of an Arrow UTF-8 buffer with their white space folded: new (data uint8, offsets int64)."""
    out = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    _fold(data, offsets, out, ends)
    return out[: ends[-1]], ends


@cache
def marks() -> np.ndarray:
    """bool, by code point up to U+1FFFF: white space, and punctuation (Unicode's categories P)."""
    table = np.zeros(0x20000, np.bool_)
    for code in range(len(table)):
        character = chr(code)
        table[code] = character.isspace() or unicodedata.category(character).startswith("P")
    return table


@njit(cache=True, nogil=True)
def _fold_marks(data, offsets, table, out, ends):
    filled = 0
    for row in range(offsets.size - 1):
        begin, i, end = filled, offsets[row], offsets[row + 1]
        pending = False
        while i < end:
            first, code, size = data[i], np.int64(data[i]), 1
            if first >= 0xC0:
                size = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
                code = first & (0x7F >> size)
                for j in range(i + 1, min(i + size, end)):
                    code = code << 6 | np.int64(data[j] & 0x3F)
                size = min(size, end - i)
            if code < table.size and table[code]:
                pending = True
                i += size
                continue
            if pending and filled > begin:
                out[filled] = 0x20
                filled += 1
            pending = False
            for _ in range(size):
                out[filled] = data[i]
                filled += 1
                i += 1
        ends[row + 1] = filled


def fold_marks(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of an Arrow UTF-8 buffer, every run of white space and punctuation one blank, none at either end."""
    out = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    _fold_marks(data, offsets, marks(), out, ends)
    return out[: ends[-1]], ends
