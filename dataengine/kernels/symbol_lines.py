"""Lines that hold no letter and no digit, taken out: rules, stray bullets, what is left of a table."""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.characters import CONTROL, SPACE, SYMBOL, UNSPACED, classes
from dataengine.kernels.words import character


@njit(cache=True, nogil=True)
def _only_symbols(data, i, end, table):
    """Whether a line holds signs and white space only, and at least one sign. Pictographs are no signs here."""
    found = False
    while i < end:
        code, step = character(data, i, end)
        i += step
        kind = table[code] % UNSPACED if code < 0x10000 else np.uint8(SPACE + 1)
        if kind == SYMBOL:
            found = True
        elif kind not in (SPACE, CONTROL):
            return False
    return found


@njit(cache=True, nogil=True)
def drop_symbol_lines(data, offsets, table, blank, out, ends, counts):
    """Fill `out` uint8 and `ends` int64, shape (n + 1,), with the texts without their lines of symbols, and `counts`
    int64, shape (n,), with the number of those. `blank`: one blank line stays for each run of them."""
    filled = 0
    for row in range(offsets.size - 1):
        i, end = offsets[row], offsets[row + 1]
        first, inside = True, False
        while i <= end and end > offsets[row]:
            stop = i
            while stop < end and data[stop] != 10:
                stop += 1
            symbols = _only_symbols(data, i, stop, table)
            counts[row] += symbols
            if not symbols or (blank and not inside):
                if not first:
                    out[filled] = 10
                    filled += 1
                first = False
            if not symbols:
                for k in range(i, stop):
                    out[filled] = data[k]
                    filled += 1
            inside = symbols
            i = stop + 1
        ends[row + 1] = filled


def without_symbol_lines(data: np.ndarray, offsets: np.ndarray, blank: bool) -> tuple[np.ndarray, ...]:
    """The rows of an Arrow UTF-8 buffer without lines of symbols: new (data uint8, offsets int64), lines taken out."""
    rows = offsets.size - 1
    out = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    ends, counts = np.zeros(rows + 1, np.int64), np.zeros(rows, np.int64)
    drop_symbol_lines(data, offsets, classes(), blank, out, ends, counts)
    return out[: ends[-1]], ends, counts
