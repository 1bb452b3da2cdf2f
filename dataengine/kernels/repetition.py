"""How much of a text repeats itself: lines, paragraphs, and word n-grams from 2 to 10 (Gopher, table A1).

The n-grams would cost nine passes over a hash table. They cost little more than one: an (n+1)-gram can occur twice
only where both n-grams in it do, so each length looks only at the places that the length before left over.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.words import CHARACTERS, LINES, SEED, TOKENS, character_classes, longest, scan

COLUMNS = (
    "characters", "lines", "duplicate_lines", "duplicate_line_characters",
    "paragraphs", "duplicate_paragraphs", "duplicate_paragraph_characters",
    "top_2gram_characters", "top_3gram_characters", "top_4gram_characters",
    "duplicate_5gram_characters", "duplicate_6gram_characters", "duplicate_7gram_characters",
    "duplicate_8gram_characters", "duplicate_9gram_characters", "duplicate_10gram_characters",
)

FOLD = np.uint64(0x9E3779B97F4A7C15)
SPREAD = np.uint64(0xFF51AFD7ED558CCD)


def repetition(data: np.ndarray, offsets: np.ndarray) -> dict[str, np.ndarray]:
    """Per row of UTF-8 text the counts `COLUMNS`: int64, shape (n,) each. `data`, `offsets`: see `buffers.utf8`.

    Words and lines are those of `dataengine.kernels.words`; characters are code points. Blank lines count nowhere and
    end a paragraph; two lines are the same when their words and marks are. The first occurrence is no duplicate.
    ``top_Ngram_characters``: length of the commonest N-gram, joined by spaces, times its occurrences; of equally common
    ones the first; 0 when none occurs twice. ``duplicate_Ngram_characters``: reading from the left, the characters,
    without spaces, of the N-grams read before; after one, reading goes on behind it, so none counts twice.
    """
    table = np.zeros((offsets.size - 1, len(COLUMNS)), np.int64)
    measure_repetition(data, offsets, character_classes(), table)
    return dict(zip(COLUMNS, table.T, strict=True))


@njit(cache=True, nogil=True)
def number_keys(keys, n, slots, base, ids):
    """Give each of ``keys[:n]`` the index of the first equal key, in `ids`.

    `slots` is an open-addressing table, int64, its size a power of two above n: an entry counts only if it is at least
    `base`, so that raising `base` by n empties the table without a write. Equal 64-bit hashes count as equal.
    """
    mask = slots.size - 1
    while mask >> 1 > 2 * n + 16:  # a short text stays in the cache's part of a long text's table
        mask >>= 1
    for k in range(n):
        key = keys[k] * SPREAD
        q = np.int64((key ^ key >> np.uint64(32)) & np.uint64(mask))
        while slots[q] >= base and keys[slots[q] - base] != keys[k]:
            q = (q + 1) & mask
        if slots[q] < base:
            slots[q] = base + k
        ids[k] = slots[q] - base


@njit(cache=True, nogil=True)
def count_duplicates(keys, sizes, n, slots, base, ids, out):
    """``out[0]``: how many of ``keys[:n]`` came before; ``out[1]``: the sum of their sizes."""
    number_keys(keys, n, slots, base, ids)
    for k in range(n):
        if ids[k] != k:
            out[0] += 1
            out[1] += sizes[k]


@njit(cache=True, nogil=True)
def count_lines(hashes, first_token, line_start, line_end, lines, slots, base, keys, sizes, ids, out):
    """Fill ``out[0:6]``: lines, duplicates, their characters; the same of paragraphs. Returns the new base."""
    n = 0
    for line in range(lines):
        if line_end[line] > line_start[line]:
            key = SEED
            for t in range(first_token[line], first_token[line + 1]):
                key = (key + hashes[t]) * FOLD
            keys[n], sizes[n] = key, line_end[line] - line_start[line]
            n += 1
    out[0] = n
    count_duplicates(keys, sizes, n, slots, base, ids, out[1:3])
    base += n
    # Paragraphs: fold the lines' keys in place; the n-th line is never behind the paragraph it goes into.
    n = paragraphs = 0
    began = -1
    for line in range(lines):
        if line_end[line] > line_start[line]:
            key = keys[n]
            n += 1
            if began < 0:
                began = line_start[line]
                keys[paragraphs] = key
            else:
                keys[paragraphs] = (keys[paragraphs] + key) * FOLD
            sizes[paragraphs] = line_end[line] - began
        elif began >= 0:
            paragraphs += 1
            began = -1
    paragraphs += began >= 0
    out[3] = paragraphs
    count_duplicates(keys, sizes, paragraphs, slots, base, ids, out[4:6])
    return base + paragraphs


@njit(cache=True, nogil=True)
def count_ngrams(hashes, ends, tokens, slots, base, places, keys, ids, times, out):
    """Fill ``out[0:9]``: top 2- to 4-gram, duplicated 5- to 10-gram characters. Returns the new base.

    ``ends[t]``: characters of the first t tokens. `places`: where n-grams begin that may occur twice, ascending.
    """
    left = tokens - 1
    for k in range(left):
        places[k] = k
        keys[k] = hashes[k] * FOLD + hashes[k + 1]
    for n in range(2, 11):
        if left <= 0:
            return base
        number_keys(keys, left, slots, base, ids)
        base += left
        for k in range(left):
            times[k] = 0
        for k in range(left):
            times[ids[k]] += 1
        if n <= 4:
            most, first = 1, -1
            for k in range(left):  # times of the first of its kind stands at its own place, so the earliest wins
                if ids[k] == k and times[k] > most:
                    most, first = times[k], k
            if first >= 0:
                place = places[first]
                out[n - 2] = most * (ends[place + n] - ends[place] + n - 1)
        else:
            free = 0
            for k in range(left):
                place = places[k]
                if place < free:
                    continue
                first = ids[k]
                if times[first] < 0:  # read before, not stepped over
                    out[n - 2] += ends[place + n] - ends[place]
                    free = place + n
                elif times[first] > 1:
                    times[first] = -1
            for k in range(left):
                if times[k] < 0:
                    times[k] = 2
        # Keep the places whose n-gram occurs twice, and of those the ones whose next place does too.
        kept = 0
        for k in range(left):
            if times[ids[k]] > 1:
                places[kept], keys[kept] = places[k], keys[k]
                kept += 1
        left = 0
        for k in range(kept - 1):
            if places[k + 1] == places[k] + 1:
                keys[left] = keys[k] * FOLD + hashes[places[k] + n]
                places[left] = places[k]
                left += 1
    return base


@njit(cache=True, nogil=True)
def measure_repetition(data, offsets, classes, table):
    """Fill `table`, int64, shape (n, 16), columns in the order of `COLUMNS`."""
    size = longest(offsets) + 2
    hashes, lengths, kinds = np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.uint8)
    first_token, line_start, line_end = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    flags = np.empty(size, np.uint8)
    counts = np.empty(5, np.int64)
    keys, sizes, ends = np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size + 1, np.int32)
    places, ids, times = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    slots = np.zeros(4096, np.int64)
    base = 1
    for row in range(offsets.size - 1):
        scan(data, offsets[row], offsets[row + 1], classes, hashes, lengths, kinds, first_token, line_start, line_end,
             flags, counts)
        tokens = counts[TOKENS]
        if slots.size < 2 * tokens + 16:
            wanted = slots.size
            while wanted < 2 * tokens + 16:
                wanted *= 2
            slots = np.zeros(wanted, np.int64)
            base = 1
        out = table[row]
        out[0] = counts[CHARACTERS]
        base = count_lines(hashes, first_token, line_start, line_end, counts[LINES], slots, base, keys, sizes, ids,
                           out[1:7])
        ends[0] = 0
        for t in range(tokens):
            ends[t + 1] = ends[t] + lengths[t]
        base = count_ngrams(hashes, ends, tokens, slots, base, places, keys, ids, times, out[7:16])
