"""Stretches of text by which every repeated substring is found: winnowing (Schleimer, Wilkerson, Aiken, SIGMOD 2003).

Of a window of L bytes the least hash of its k-grams is its anchor. Equal windows have equal anchors, so two texts that
share L bytes share an anchor's hash there: nothing is missed, and only one k-gram in about L / 4 has to be kept.
Windows in a row whose anchor is the same k-gram are one *stretch*, all bytes of them. Where the anchor leaves the
window the rightmost least takes its place, and as long as it is in the window no equal one does ("robust winnowing"):
in a run of one character, too, a stretch has as many windows as it can.

Hashes are polynomials modulo 2^64, rolled from byte to byte; the least of a window is kept in two parts, minima of
suffixes of what came and of all that came since, so that text of any kind takes the same few steps a byte.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.digest import digest, finished
from dataengine.kernels.part import part
from dataengine.kernels.units import Found

ROLL = np.uint64(0x9E3779B97F4A7C15)
SPREAD = np.uint64(0xD6E8FEB86659FD93)
MOST = np.uint64(0xFFFFFFFFFFFFFFFF)


def gram_of(length: int) -> int:
    """Bytes of the k-grams for windows of `length`: half, which keeps fewest of those that make few false pairs."""
    return length // 2


def stretches(data: np.ndarray, offsets: np.ndarray, length: int) -> Found:
    """The stretches of an Arrow UTF-8 buffer's rows for windows of `length` bytes (at least 4).

    The first half of a key is of the anchor's hash, the second of all of the stretch's bytes. Rows shorter than
    `length` have none. About 200 MB/s.
    """
    room = 1 << (length - gram_of(length)).bit_length()
    ring, least = np.empty(room, np.uint64), np.empty(room, np.uint64)
    places = np.empty(room, np.int64)
    size = 64 + 5 * int(offsets[-1] - offsets[0]) // length
    rows, starts, ends, keys = find_stretches(data, offsets, length, gram_of(length), ring, least, places, size)
    return Found(rows, starts, ends, keys)


@part
def wider(values):
    """A copy with room for twice as many."""
    out = np.empty(2 * values.size, values.dtype)
    out[: values.size] = values
    return out


@part
def suffix_minima(ring, least, places, first, last):
    """For p from `first` to `last` the least of ``ring[p:last + 1]`` and where it is, the rightmost of equals. Places
    count modulo the room.
    """
    mask = ring.size - 1
    low, place = MOST, last
    for p in range(last, first - 1, -1):
        if ring[p & mask] < low:
            low, place = ring[p & mask], p
        least[p & mask], places[p & mask] = low, place


@njit(cache=True, nogil=True)
def find_stretches(data, offsets, length, k, ring, least, places, size):
    """(rows, starts, ends, keys) of all stretches; `size`: room to begin with. See the module's docstring."""
    rows, starts, ends = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    anchors, contents = np.empty(size, np.uint64), np.empty(size, np.uint64)
    found, mask, width = 0, ring.size - 1, length - k + 1
    leaving = np.uint64(1)
    for _ in range(k):
        leaving *= ROLL
    for row in range(offsets.size - 1):
        text = data[offsets[row] : offsets[row + 1]]
        if text.size < length:
            continue
        rolling = np.uint64(0)
        for i in range(k - 1):
            rolling = rolling * ROLL + np.uint64(text[i])
        begin, anchor, low = -1, -1, MOST
        since, since_low, known = -1, MOST, 0  # the least from place `known` on; before it stand minima of suffixes
        for g in range(text.size - k + 1):
            rolling = rolling * ROLL + np.uint64(text[g + k - 1])
            if g:
                rolling -= np.uint64(text[g - 1]) * leaving
            h = rolling * SPREAD
            h ^= h >> np.uint64(32)
            ring[g & mask] = h
            if h <= since_low:
                since, since_low = g, h
            q = g - width + 1
            if q < 0 or (anchor >= q and h >= low):
                continue
            before = low
            if anchor >= q:
                anchor, low = g, h
            else:
                if q >= known:
                    suffix_minima(ring, least, places, q, g)
                    since, since_low, known = -1, MOST, g + 1
                anchor, low = places[q & mask], least[q & mask]
                if since >= 0 and since_low <= low:
                    anchor, low = since, since_low
            if begin >= 0:
                if found == rows.size:
                    rows, starts, ends = wider(rows), wider(starts), wider(ends)
                    anchors, contents = wider(anchors), wider(contents)
                rows[found], starts[found], ends[found], anchors[found] = row, begin, q - 1 + length, before
                found += 1
            begin = q
        if found == rows.size:
            rows, starts, ends = wider(rows), wider(starts), wider(ends)
            anchors, contents = wider(anchors), wider(contents)
        rows[found], starts[found], ends[found], anchors[found] = row, begin, text.size, low
        found += 1
    keys = np.empty((found, 2), np.uint64)
    for i in range(found):
        first = offsets[rows[i]]
        keys[i, 0] = finished(anchors[i])
        keys[i, 1], _ = digest(data, first + starts[i], first + ends[i])
    return rows[:found], starts[:found], ends[:found], keys


def windows(
    data: np.ndarray, offsets: np.ndarray, length: int, rows: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> Found:
    """Every window of `length` bytes inside these stretches, each known by 128 bits of its bytes."""
    sizes = ends - starts - length + 1
    places = np.concatenate([[0], sizes.cumsum()]).astype(np.int64)
    count = int(places[-1])
    first = np.repeat(starts - places[:-1], sizes) + np.arange(count)
    keys = np.empty((count, 2), np.uint64)
    owner = np.repeat(rows, sizes)
    key_windows(data, offsets[owner] + first, length, keys)
    return Found(owner, first, first + length, keys)


@njit(cache=True, nogil=True)
def key_windows(data, places, length, keys):
    """Fill `keys` with the 128 bits of ``data[place : place + length]``."""
    for i in range(places.size):
        keys[i, 0], keys[i, 1] = digest(data, places[i], places[i] + length)
