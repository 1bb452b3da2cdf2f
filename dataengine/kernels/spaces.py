"""White space folded: every run of it becomes one blank, none stays at either end.

White space is what ``str.split`` takes for it: tab to carriage return, U+001C to U+001F, blank, U+0085, U+00A0, U+1680,
U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
"""

from __future__ import annotations

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
