"""The lines of a text, from the breaks that a splitter noted."""

from __future__ import annotations

import numpy as np

from dataengine.kernels.part import part
from dataengine.kernels.spaces import space_at
from dataengine.kernels.token_arrays import NEWLINE, PLACE, RETURN, SORT

HASH_START = np.uint64(0xCBF29CE484222325)
HASH_STEP = np.uint64(0x9E3779B97F4A7C15)


@part
def first_visible(data, start, end):
    """The first byte of ``data[start:end]`` that is no white space, or `end`."""
    i = start
    while i < end:
        size = space_at(data, i, end)
        if size == 0:
            return i
        i += size
    return end


@part
def last_visible(data, start, end):
    """The byte behind the last of ``data[start:end]`` that is no white space, or `start`."""
    while end > start:
        i = end - 1
        while i > start and data[i] & 0xC0 == 0x80:
            i -= 1
        if space_at(data, i, end) == 0:
            return end
        end = i
    return start


@part
def characters_in(data, start, end):
    """Code points in ``data[start:end]``."""
    part = data[start:end]  # an index that cannot be negative lets the compiler use vectors
    many = 0
    for i in range(part.size):
        many += (part[i] & 0xC0) != 0x80
    return many


@part
def hash_text(data, start, end):
    """A 64-bit hash of ``data[start:end]``, four bytes a step."""
    value = HASH_START ^ np.uint64(end - start)
    i = start
    while i + 4 <= end:
        four = (
            np.uint64(data[i])
            | np.uint64(data[i + 1]) << np.uint64(8)
            | np.uint64(data[i + 2]) << np.uint64(16)
            | np.uint64(data[i + 3]) << np.uint64(24)
        )
        value = (value ^ four) * HASH_STEP
        value ^= value >> np.uint64(32)
        i += 4
    while i < end:
        value = (value ^ np.uint64(data[i])) * HASH_STEP
        i += 1
    return value ^ (value >> np.uint64(29))


@part
def next_break(breaks, k, last, only_newlines):
    """The break at or behind `k` that ends a line, and the last one that belongs to it; `last` twice if none does.

    ``\\r\\n`` is one end of two breaks. With `only_newlines` every break but ``\\n`` is a character like others.
    """
    while k < last:
        sort = breaks[k, SORT] & 15
        if not only_newlines:
            pair = sort == RETURN and k + 1 < last and breaks[k + 1, SORT] & 15 == NEWLINE
            return k, k + 1 if pair and breaks[k + 1, PLACE] == breaks[k, PLACE] + 1 else k
        if sort == NEWLINE:
            return k, k
        k += 1
    return last, last


@part
def byte_behind(breaks, k):
    """The byte behind break `k`."""
    return breaks[k, PLACE] + (breaks[k, SORT] >> 4)
