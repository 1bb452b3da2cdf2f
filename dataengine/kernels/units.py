"""The lines and paragraphs of texts, each with 128 bits by which equal ones are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.digest import digest
from dataengine.kernels.fold import ROOM, fold, folds
from dataengine.kernels.lines import characters_in, first_visible, last_visible
from dataengine.kernels.part import part

EXACT, FOLDED, MASKED = 0, 1, 2
MODES = {"exact": EXACT, "folded": FOLDED, "masked": MASKED}


class Found(NamedTuple):
    """Parts of texts; see `dataengine.prune.Units`."""

    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    keys: np.ndarray


def line_units(data: np.ndarray, offsets: np.ndarray, *, min_length: int, normalize: str = "exact") -> Found:
    """Every line of at least `min_length` characters between its visible ends, with its line end, and with the blank
    lines behind it if what stands before it is blank too.

    Takes an Arrow UTF-8 buffer. A line ends with ``\\n``; white space at its ends, ``\\r`` too, is not compared.
    """
    return _units(data, offsets, False, min_length, MODES[normalize])


def paragraph_units(data: np.ndarray, offsets: np.ndarray, *, min_length: int, normalize: str = "exact") -> Found:
    """Every paragraph of at least `min_length` characters, with the blank lines behind it. Blank lines part them."""
    return _units(data, offsets, True, min_length, MODES[normalize])


def _units(data: np.ndarray, offsets: np.ndarray, paragraphs: bool, min_length: int, mode: int) -> Found:
    first = int(offsets[0])
    breaks = np.flatnonzero(data[first : offsets[-1]] == 10) + first
    most = len(breaks) + len(offsets) - 1
    found = Found(*(np.empty(most, np.int64) for _ in range(3)), np.empty((most, 2), np.uint64))
    room = np.empty(ROOM * int(np.diff(offsets).max(initial=0)) if mode else 0, np.uint8)
    how = min_length, mode, folds(mode == MASKED), room
    many = (find_paragraphs if paragraphs else find_lines)(data, offsets, breaks, *how, *found)
    return Found(*(values[:many] for values in found))


@part
def long_enough(data, start, end, least):
    """Whether ``data[start:end]`` has at least `least` characters."""
    if end - start < least:
        return False
    return end - start >= 4 * least or characters_in(data, start, end) >= least


@part
def write_key(data, start, end, mode, table, room, key):
    """The 128 bits of ``data[start:end]`` in the form that is compared."""
    if mode == EXACT:
        key[0], key[1] = digest(data, start, end)
    else:
        key[0], key[1] = digest(room, 0, fold(data, start, end, table, mode == MASKED, room))


@njit(cache=True, nogil=True)
def find_lines(data, offsets, breaks, least, mode, table, room, rows, starts, ends, keys):
    """Fill the last four; returns how many. `breaks`: the places of all ``\\n`` in the rows."""
    found = k = 0
    for row in range(offsets.size - 1):
        begin, stop = offsets[row], offsets[row + 1]
        line = begin
        parted, takes = True, False  # a blank line, or nothing, stands before; the last part takes blank lines along
        while line < stop:
            end = after = stop
            if k < breaks.size and breaks[k] < stop:
                end, after = breaks[k], breaks[k] + 1
                k += 1
            low = first_visible(data, line, end)
            if low == end:
                parted = True
                if takes:
                    ends[found - 1] = after - begin
            else:
                high = last_visible(data, low, end)
                takes = False
                if long_enough(data, low, high, least):
                    rows[found], starts[found], ends[found] = row, line - begin, after - begin
                    write_key(data, low, high, mode, table, room, keys[found])
                    found += 1
                    takes = parted
                parted = False
            line = after
    return found


@njit(cache=True, nogil=True)
def find_paragraphs(data, offsets, breaks, least, mode, table, room, rows, starts, ends, keys):
    """As `find_lines`. A paragraph ends where the next one begins, or with the text."""
    found = k = 0
    for row in range(offsets.size - 1):
        begin, stop = offsets[row], offsets[row + 1]
        line = begin
        opened, low, high, parted = -1, begin, begin, False
        while opened >= 0 or line < stop:
            end = after = stop
            if k < breaks.size and breaks[k] < stop:
                end, after = breaks[k], breaks[k] + 1
                k += 1
            first = first_visible(data, line, end)
            visible = first < end
            if opened >= 0 and (line == stop or (visible and parted)):
                if long_enough(data, low, high, least):
                    rows[found], starts[found], ends[found] = row, opened - begin, line - begin
                    write_key(data, low, high, mode, table, room, keys[found])
                    found += 1
                opened = -1
            if visible:
                if opened < 0:
                    opened, low = line, first
                high = last_visible(data, first, end)
            parted = not visible
            line = after
    return found
