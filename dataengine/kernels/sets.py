"""Documents as sets of shingles: made from bytes, and compared by their Jaccard similarity.

Shingles are 32 bits, so two different ones fall together with a chance of 2^-32: of two sets of 1,000 a similarity is
wrong by one element about once in 4,000 pairs. Whether two documents are the same throughout is told by 128 bits of
the sequence of their words instead.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.shingles import FOLD, ROLL, characters, mix, shingles, words
from dataengine.kernels.spaces import fold_spaces

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
    """The power of two that leaves a table of `count` elements at least half empty."""
    size = 16
    while size < 2 * count:
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


@njit(cache=True, nogil=True)
def _make(data, offsets, ngram, of_words, least, fold, elements, starts, same, counts):
    """Fill the arrays of `Sets`; returns how many elements there are."""
    hashes = np.empty(BLOCK + ngram, np.uint64)
    table = np.zeros(16, np.uint64)
    generation = np.uint64(0)
    filled = 0
    for i in range(offsets.size - 1):
        at, end, carried, raw = offsets[i], offsets[i + 1], 0, filled
        one, two = np.uint64(0), np.uint64(0)
        while at < end:
            room = hashes[carried : carried + BLOCK]
            found, at = words(data, at, end, fold, room) if of_words else characters(data, at, end, room)
            counts[i] += found
            held = carried + found
            for j in range(carried, held):
                one = one * ROLL + hashes[j]
                two = two * OTHER_ROLL + hashes[j]
            raw += shingles(hashes, held, ngram, elements[raw:])
            carried = min(held, ngram - 1)
            for j in range(carried):  # the words that shingles of the next block begin with
                hashes[j] = hashes[held - carried + j]
        same[i, 0], same[i, 1] = mix(one), mix(two ^ np.uint64(counts[i]))
        starts[i] = filled
        if counts[i] < least:
            continue
        size = table_size(raw - filled)
        if size > table.size:
            table = np.zeros(size, np.uint64)
        generation += np.uint64(1)
        part = table[:size]
        for j in range(filled, raw):
            value = elements[j]
            slot = _place(part, generation, value)
            if part[slot] >> HIGH != generation:
                part[slot] = generation << HIGH | np.uint64(value)
                elements[filled] = value
                filled += 1
    starts[offsets.size - 1] = filled
    return filled


def sets_of(data: np.ndarray, offsets: np.ndarray, *, ngram: int, of_words: bool = True, least: int = 1) -> Sets:
    """The sets of n-grams of the documents in an Arrow UTF-8 buffer; of fewer than `least` words (characters): none.

    Memory is 4 bytes for every two bytes of text (four for characters), of which elements fill a part.
    """
    if not of_words:
        data, offsets = fold_spaces(data, offsets)
    n, size = len(offsets) - 1, int(offsets[-1] - offsets[0])
    elements = np.empty((size // 2 + 2 * n if of_words else size) + ngram + 1, np.uint32)
    starts, same, counts = np.zeros(n + 1, np.int64), np.zeros((n, 2), np.uint64), np.zeros(n, np.int64)
    filled = _make(data, offsets, ngram, of_words, max(least, ngram), FOLD, elements, starts, same, counts)
    return Sets(elements[:filled], starts, same, counts)
