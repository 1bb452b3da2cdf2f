"""From buckets of rows to `choose.Candidates`: who takes part, in which order, whose copy each is, and its buckets.

``place[row]`` is the document that a row of the lane is, `NOBODY` where it takes no part. Buckets lie one after the
other, with their sizes. Nothing is allocated here: the arrays may be mapped files larger than memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.choose import WAITING

NOBODY = -1


@njit(cache=True, nogil=True)
def enlist(rows, place, found, count):
    """Write rows that are new into `found` behind `count` others; returns how many there are then."""
    for i in range(rows.size):
        row = rows[i]
        if place[row] == NOBODY:
            place[row] = 0
            found[count] = row
            count += 1
    return count


@njit(cache=True, nogil=True)
def number(rows, place):
    """The rows are documents 0, 1, 2 ..."""
    for d in range(rows.size):
        place[rows[d]] = d


@njit(cache=True, nogil=True)
def sort_by(rank, rows, other_rank, other_rows):
    """Sort rows by rank, those of the same rank stay as they are; by one byte after the other, the least first."""
    counts = np.zeros((8, 256), np.int64)
    for i in range(rank.size):
        for byte in range(8):
            counts[byte, np.int64(rank[i] >> np.uint64(8 * byte)) & 255] += 1
    passes = 0
    for byte in range(8):
        if counts[byte].max() == rank.size:
            continue
        at, total = np.empty(256, np.int64), 0
        for digit in range(256):
            at[digit] = total
            total += counts[byte, digit]
        for i in range(rank.size):
            digit = np.int64(rank[i] >> np.uint64(8 * byte)) & 255
            other_rank[at[digit]], other_rows[at[digit]] = rank[i], rows[i]
            at[digit] += 1
        rank, other_rank = other_rank, rank
        rows, other_rows = other_rows, rows
        passes += 1
    if passes % 2:
        other_rows[:] = rows


@njit(cache=True, nogil=True)
def copies(rows, sizes, place, copy_of):
    """Everybody is himself, but the members of a bucket of copies, which are the first of them."""
    for d in range(copy_of.size):
        copy_of[d] = d
    at = 0
    for b in range(sizes.size):
        first = place[rows[at]]
        for e in range(at, at + sizes[b]):
            first = min(first, place[rows[e]])
        for e in range(at, at + sizes[b]):
            copy_of[place[rows[e]]] = first
        at += sizes[b]


@njit(cache=True, nogil=True)
def survey(rows, sizes, place, copy_of, starts, left):
    """(buckets of two documents or more that are no copies, documents in all of them). How many bucket b has comes
    into ``left[b]``, 0 where fewer than two; where the buckets of document d begin into ``starts[d]``.
    """
    at = buckets = entries = 0
    for b in range(sizes.size):
        originals = 0
        for e in range(at, at + sizes[b]):
            document = place[rows[e]]
            originals += copy_of[document] == document
        left[b] = 0
        if originals > 1:
            left[b] = originals
            buckets += 1
            entries += originals
            for e in range(at, at + sizes[b]):
                document = place[rows[e]]
                if copy_of[document] == document:
                    starts[document + 1] += 1
        at += sizes[b]
    for d in range(1, starts.size):
        starts[d] += starts[d - 1]
    return buckets, entries


@njit(cache=True, nogil=True)
def fill(rows, sizes, bands, place, copy_of, left, starts, owned, met, room):
    """Give each document its buckets, in their order, and each bucket that is left its band and room."""
    at = count = 0
    for b in range(sizes.size):
        if left[b]:
            for e in range(at, at + sizes[b]):
                document = place[rows[e]]
                if copy_of[document] == document:
                    owned[starts[document]] = count
                    starts[document] += 1
            met[count] = bands[b]
            room[count + 1] = room[count] + min(left[b], WAITING)
            count += 1
        at += sizes[b]
    for d in range(starts.size - 1, 0, -1):  # they stand where the buckets of each document end
        starts[d] = starts[d - 1]
    starts[0] = 0
