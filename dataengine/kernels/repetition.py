"""How much of a text repeats itself: lines, paragraphs, and word n-grams from 2 to 10 (Gopher, table A1).

The n-grams would cost nine passes over a hash table. They cost little more than one: an (n+1)-gram can occur twice
only where both n-grams in it do, so each length looks only at the places that the length before left over.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.lines import first_visible, last_visible
from dataengine.kernels.part import part
from dataengine.kernels.repeated_lines import fold_paragraphs, pieces, visible_lines
from dataengine.kernels.scan import Scan
from dataengine.kernels.token_arrays import CHARACTERS, SIZE

COLUMNS = (
    "characters", "token_characters", "lines", "duplicate_lines", "duplicate_line_characters",
    "paragraphs", "duplicate_paragraphs", "duplicate_paragraph_characters",
    "top_2gram_characters", "top_3gram_characters", "top_4gram_characters",
    "duplicate_5gram_characters", "duplicate_6gram_characters", "duplicate_7gram_characters",
    "duplicate_8gram_characters", "duplicate_9gram_characters", "duplicate_10gram_characters",
    "all_5gram_characters", "all_6gram_characters", "all_7gram_characters",
    "all_8gram_characters", "all_9gram_characters", "all_10gram_characters",
)  # fmt: skip

PAPER, DATATROVE, DOLMA = range(3)
"""Whose reading is meant; see `repetition`."""

FOLD = np.uint64(0x9E3779B97F4A7C15)
SPREAD = np.uint64(0xFF51AFD7ED558CCD)


def repetition(scan: Scan, reading: int = PAPER) -> dict[str, np.ndarray]:
    """Per row of a scan the counts `COLUMNS`: int64, shape (n,) each. Characters are code points.

    PAPER. Lines are those with something visible on them; paragraphs end at a blank line; the first of its kind is no
    duplicate. ``top_Ngram_characters``: length of the commonest N-gram, joined by spaces, times its occurrences; of
    equally common ones the first; 0 when none occurs twice. ``duplicate_Ngram_characters``: reading from the left, the
    characters, without spaces, of the N-grams read before; after one, reading goes on behind it, so none counts twice.

    DATATROVE. As above, but lines are parted by runs of ``\\n``, paragraphs by runs of two and more, both as they
    stand, even an empty one at the end; and a commonest N-gram that occurs once counts.

    DOLMA. Lines are parted by each ``\\n``; there are no paragraphs; of what occurs twice all count, the first too;
    N-grams are measured without spaces, overlapping ones each, and ``all_Ngram_characters`` is their whole.
    """
    table = np.zeros((scan.rows.size, len(COLUMNS)), np.int64)
    size = int(np.diff(scan.offsets).max(initial=0)) + 2
    room = (
        np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32),
        np.empty(size, np.int32), np.empty(size + 1, np.int32), np.empty(size, np.bool_),
    )  # fmt: skip
    tokens = scan.tokens
    measure_repetition(
        scan.data, scan.offsets, scan.rows, tokens.rows, tokens.hashes, tokens.tokens, tokens.breaks, tokens.counts,
        reading, *room, table,
    )  # fmt: skip
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


@part
def count_duplicates(keys, sizes, n, slots, base, ids, times, reading, out):
    """``out[0]``: how many of ``keys[:n]`` are duplicates; ``out[1]``: the sum of their sizes."""
    number_keys(keys, n, slots, base, ids)
    if reading == DOLMA:
        count_times(ids, n, times)
    for k in range(n):
        if ids[k] != k or (reading == DOLMA and times[k] > 1):
            out[0] += 1
            out[1] += sizes[k]


@part
def count_times(ids, n, times):
    """How often each key occurs, at the place of the first of its kind."""
    for k in range(n):
        times[k] = 0
    for k in range(n):
        times[ids[k]] += 1


@part
def count_lines(data, start, end, breaks, first, last, reading, slots, base, keys, sizes, ids, times, blank, out):
    """Fill ``out[0:6]``: lines, duplicates, their characters; the same of paragraphs. Returns the new base."""
    if reading == PAPER:
        n = visible_lines(data, start, end, breaks, first, last, keys, sizes, blank)
    else:
        n = pieces(data, start, end, start, end, breaks, first, last, 1 if reading == DATATROVE else 0, keys, sizes)
    out[0] = n
    count_duplicates(keys, sizes, n, slots, base, ids, times, reading, out[1:3])
    base += n
    if reading == PAPER:
        n = fold_paragraphs(keys, sizes, blank, n)
    elif reading == DATATROVE:
        lo = first_visible(data, start, end)
        hi = last_visible(data, lo, end)
        n = pieces(data, start, end, lo, hi, breaks, first, last, 2, keys, sizes)
    else:
        n = 0
    out[3] = n
    count_duplicates(keys, sizes, n, slots, base, ids, times, reading, out[4:6])
    return base + n


@part
def top_characters(n, left, places, ids, times, ends, tokens, reading):
    """Characters in the commonest of the n-grams at ``places[:left]``; where none occurs twice, it is any one."""
    most, place = 1, -1
    for k in range(left):  # times of the first of its kind stands at its own place, so the earliest wins
        if ids[k] == k and times[k] > most:
            most, place = times[k], places[k]
    if place < 0:
        if reading == PAPER or tokens < n:
            return 0
        place = 0
    return most * (ends[place + n] - ends[place] + (0 if reading == DOLMA else n - 1))


@part
def duplicate_characters(n, left, places, ids, times, ends, reading):
    """Characters in the n-grams at ``places[:left]`` that are duplicates."""
    found = 0
    if reading == DOLMA:
        for k in range(left):
            if times[ids[k]] > 1:
                found += ends[places[k] + n] - ends[places[k]]
        return found
    free = 0
    for k in range(left):
        place = places[k]
        if place < free:
            continue
        first = ids[k]
        if times[first] < 0:  # read before, not stepped over
            found += ends[place + n] - ends[place]
            free = place + n
        elif times[first] > 1:
            times[first] = -1
    for k in range(left):
        if times[k] < 0:
            times[k] = 2
    return found


@part
def count_ngrams(hashes, first, ends, tokens, reading, slots, base, places, keys, ids, times, out):
    """Fill ``out[0:9]``: top 2- to 4-gram, duplicated 5- to 10-gram characters. Returns the new base.

    ``ends[t]``: characters of the first t tokens. `places`: where n-grams begin that may occur twice, ascending.
    """
    left = tokens - 1
    for k in range(left):
        places[k] = k
        keys[k] = hashes[first + k] * FOLD + hashes[first + k + 1]
    for n in range(2, 11):
        left = max(left, 0)
        number_keys(keys, left, slots, base, ids)
        base += left
        count_times(ids, left, times)
        if n <= 4:
            out[n - 2] = top_characters(n, left, places, ids, times, ends, tokens, reading)
        else:
            out[n - 2] = duplicate_characters(n, left, places, ids, times, ends, reading)
        # Keep the places whose n-gram occurs twice, and of those the ones whose next place does too.
        kept = 0
        for k in range(left):
            if times[ids[k]] > 1:
                places[kept], keys[kept] = places[k], keys[k]
                kept += 1
        left = 0
        for k in range(kept - 1):
            if places[k + 1] == places[k] + 1:
                keys[left] = keys[k] * FOLD + hashes[first + places[k] + n]
                places[left] = places[k]
                left += 1
    return base


@njit(cache=True, nogil=True)
def measure_repetition(
    data,
    offsets,
    chosen,
    rows,
    hashes,
    tokens,
    breaks,
    counts,
    reading,
    keys,
    sizes,
    ids,
    times,
    places,
    ends,
    blank,
    table,
):
    """Fill `table`, int64, shape (n, 23), columns in the order of `COLUMNS`. The arrays between are room to work in."""
    slots = np.zeros(4096, np.int64)
    base = 1
    for row in range(chosen.size):
        source = chosen[row]
        first = rows[source, 0]
        many = rows[source + 1, 0] - first
        lines = rows[source + 1, 1] - rows[source, 1] + 1
        wanted = 2 * max(many, lines) + 16
        if slots.size < wanted:
            size = slots.size
            while size < wanted:
                size *= 2
            slots = np.zeros(size, np.int64)
            base = 1
        out = table[row]
        out[0] = counts[source, CHARACTERS]
        base = count_lines(
            data,
            offsets[row],
            offsets[row + 1],
            breaks,
            rows[source, 1],
            rows[source + 1, 1],
            reading,
            slots,
            base,
            keys,
            sizes,
            ids,
            times,
            blank,
            out[2:8],
        )
        ends[0] = 0
        for t in range(many):
            ends[t + 1] = ends[t] + tokens[first + t, SIZE]
        out[1] = ends[many]
        base = count_ngrams(hashes, first, ends, many, reading, slots, base, places, keys, ids, times, out[8:17])
        if reading == DOLMA:
            for n in range(5, 11):
                for t in range(many - n + 1):
                    out[12 + n] += ends[t + n] - ends[t]
