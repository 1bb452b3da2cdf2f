"""Documents as sets of shingles: made from bytes, and compared by their Jaccard similarity.

Shingles are 32 bits, so two different ones fall together with a chance of 2^-32: of two sets of 1,000 a similarity is
wrong by one element about once in 4,000 pairs. Whether two documents are the same throughout is told by 128 bits of
the sequence of their words instead.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.buffers import read_only
from dataengine.kernels.byte_vectors import WIDTH
from dataengine.kernels.part import part
from dataengine.kernels.shingles import ROLL, characters, mix, shingles
from dataengine.kernels.spaces import fold_spaces
from dataengine.kernels.word_hashes import words

BLOCK = 2048
"""Words a pass: 16 KiB of hashes."""
OTHER_ROLL = np.uint64(0xD6E8FEB86659FD93)
"""Base of the second polynomial over all words; odd."""
HIGH = np.uint64(32)


class Sets(NamedTuple):
    """Documents as sets. Document i has the elements ``elements[starts[i]:starts[i + 1]]``, each once."""

    elements: np.ndarray
    """uint32."""
    starts: np.ndarray
    """int64, shape (n + 1,)."""
    same: np.ndarray
    """uint64, shape (n, 2): equal for documents whose words are the same, in the same order."""
    counts: np.ndarray
    """int64, shape (n,): words, or characters, of each."""


@njit(cache=True, nogil=True)
def _place(table, generation, value):
    """The slot of `value` in an open-addressed table of ``generation << 32 | value``, or the free slot where it goes.

    Slots of other generations are free, so that a table need not be cleared between two documents.
    """
    mask = table.size - 1
    slot = np.int64(value) & mask
    wanted = generation << HIGH | np.uint64(value)
    while table[slot] != wanted and table[slot] >> HIGH == generation:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def table_size(count):
    """The power of two that leaves a table of `count` elements at least three quarters empty."""
    size = 16
    while size < 4 * count:
        size *= 2
    return size


@njit(cache=True, nogil=True)
def enter(table, generation, elements):
    """Put the elements into the table."""
    for value in elements:
        table[_place(table, generation, value)] = generation << HIGH | np.uint64(value)


@njit(cache=True, nogil=True)
def shared(table, generation, elements, least):
    """How many of the elements are in the table, or -1 as soon as they cannot be `least` any more."""
    spare = elements.size - least
    found = 0
    for value in elements:
        if table[_place(table, generation, value)] >> HIGH == generation:
            found += 1
        else:
            spare -= 1
            if spare < 0:
                return -1
    return found


@njit(cache=True, nogil=True)
def similarity(table, generation, size, elements, threshold):
    """Jaccard similarity of the set in the table, of `size` elements, and another; -1 if it is below the threshold."""
    both = size + elements.size
    # a + b - s is the union: s / (a + b - s) >= t  <=>  s >= t * (a + b) / (1 + t); one less for the rounding
    least = np.int64(threshold * both / (1 + threshold)) - 1
    if min(size, elements.size) < least:
        return -1.0
    found = shared(table, generation, elements, least)
    if found < 0 or both == 0:
        return -1.0
    value = found / (both - found)
    return value if value >= threshold else -1.0


@part
def powers(base, out):
    """``out[j] = base ** j`` modulo 2^64."""
    value = np.uint64(1)
    for j in range(out.size):
        out[j] = value
        value *= base


@part
def weighed(hashes, weights):
    """The sum of ``hashes[j] * weights[j]`` modulo 2^64, vectorised."""
    total = np.uint64(0)
    for j in range(hashes.size):
        total += hashes[j] * weights[j]
    return total


@part
def add(table, value):
    """Whether `value` is new to an open-addressed table of uint32, a power of two, in which 0 is a free slot; it is in
    it then. Values go by their leading bits."""
    mask = np.uint32(table.size - 1)
    slot = np.uint32(np.uint64(value) * np.uint64(table.size) >> HIGH)
    while table[slot] != 0:
        if table[slot] == value:
            return False
        slot = (slot + np.uint32(1)) & mask
    table[slot] = value
    return True


@njit(cache=True, nogil=True)
def unique(values, count, table, out, filled):
    """Add those of ``values[:count]`` that are new to the table to ``out[filled:]``; returns how far it is filled."""
    for i in range(count):
        value = values[i]
        if add(table, value):
            out[filled] = value
            filled += 1
    return filled


@njit(cache=True, nogil=True)
def _make(data, offsets, ngram, of_words, least, elements, starts, same, counts):
    """Fill the arrays of `Sets`; returns how many elements there are."""
    hashes, work = np.empty(BLOCK + ngram, np.uint64), np.empty((2, BLOCK + ngram), np.uint64)
    ones, twos = np.empty(BLOCK + 1, np.uint64), np.empty(BLOCK + 1, np.uint64)
    powers(ROLL, ones)
    powers(OTHER_ROLL, twos)
    fresh, table = np.empty(BLOCK + ngram, np.uint32), np.empty(16, np.uint32)
    filled = 0
    for i in range(offsets.size - 1):
        at, end, carried, count, size = offsets[i], offsets[i + 1], 0, 0, 0
        one, two, weight_one, weight_two = np.uint64(0), np.uint64(0), np.uint64(1), np.uint64(1)
        starts[i] = first = filled
        while at < end:
            room = hashes[carried : carried + BLOCK]
            found, at = words(data, at, end, room) if of_words else characters(data, at, end, room)
            count += found
            one += weight_one * weighed(room[:found], ones)
            two += weight_two * weighed(room[:found], twos)
            weight_one *= ones[found]
            weight_two *= twos[found]
            held = carried + found
            made = shingles(hashes, held, ngram, work, fresh)
            if table_size(filled - first + made) > size:
                size = table_size(filled - first + made)
                if size > table.size:
                    table = np.empty(size, np.uint32)
                table[:size] = 0
                for j in range(first, filled):
                    add(table[:size], elements[j])
            filled = unique(fresh, made, table[:size], elements, filled)
            carried = min(held, ngram - 1)
            for j in range(carried):  # the words that shingles of the next block begin with
                hashes[j] = hashes[held - carried + j]
        counts[i], same[i, 0], same[i, 1] = count, mix(one), mix(two ^ np.uint64(count))
        if count < least:
            filled = first
    starts[offsets.size - 1] = filled
    return filled


def sets_of(data: np.ndarray, offsets: np.ndarray, *, ngram: int, of_words: bool = True, least: int = 1) -> Sets:
    """The sets of n-grams of the documents in an Arrow UTF-8 buffer; of fewer than `least` words (characters): none.

    Memory is 4 bytes for every two bytes of text (four for characters), of which elements fill a part.
    """
    if not of_words:
        data, offsets = fold_spaces(data, offsets)
    if len(data) < WIDTH:
        data = read_only(np.concatenate([data, np.zeros(WIDTH, np.uint8)]))
    n, size = len(offsets) - 1, int(offsets[-1] - offsets[0])
    elements = np.empty((size // 2 + 2 * n if of_words else size) + ngram + 1, np.uint32)
    starts, same, counts = np.zeros(n + 1, np.int64), np.zeros((n, 2), np.uint64), np.zeros(n, np.int64)
    filled = _make(data, offsets, ngram, of_words, max(least, ngram), elements, starts, same, counts)
    return Sets(elements[:filled], starts, same, counts)
