"""MinHash signatures of documents (Broder 1997) and their LSH bands, from the documents' sets of shingles.

The permutations are multiply-shift functions ``a * shingle + b`` modulo 2^32 with odd `a`. They are bijections of
well-mixed hashes, vectorise by themselves, and their S-curve is that of theory within sampling error. A set is worked
through in blocks of a few thousand shingles, which stay in cache.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.shingles import mix

BLOCK = 2048
"""Shingles a pass: 8 KiB."""
EMPTY = 0xFFFFFFFF


def permutations(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` pairs (a, b) as two uint32 arrays, a odd: splitmix64 from `seed`, the same on every machine."""
    state, mask = seed & 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF
    draws = np.empty(2 * count, np.uint32)
    for i in range(2 * count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        draws[i] = (z ^ (z >> 31)) >> 32
    return draws[:count] | np.uint32(1), draws[count:].copy()


@njit(cache=True, nogil=True)
def lower(block, size, a, b, signature):
    """``signature[p] = min(signature[p], min over block of a[p] * h + b[p])``, four permutations a pass."""
    whole = a.size - a.size % 4
    for p in range(0, whole, 4):
        a0, a1, a2, a3 = a[p], a[p + 1], a[p + 2], a[p + 3]
        b0, b1, b2, b3 = b[p], b[p + 1], b[p + 2], b[p + 3]
        m0, m1, m2, m3 = signature[p], signature[p + 1], signature[p + 2], signature[p + 3]
        for i in range(size):
            h = block[i]
            m0 = min(m0, np.uint32(h * a0 + b0))
            m1 = min(m1, np.uint32(h * a1 + b1))
            m2 = min(m2, np.uint32(h * a2 + b2))
            m3 = min(m3, np.uint32(h * a3 + b3))
        signature[p], signature[p + 1], signature[p + 2], signature[p + 3] = m0, m1, m2, m3
    for p in range(whole, a.size):
        least = signature[p]
        for i in range(size):
            least = min(least, np.uint32(block[i] * a[p] + b[p]))
        signature[p] = least


@njit(cache=True, nogil=True)
def signatures(sets, starts, a, b, out):
    """Signature of every set ``sets[starts[i]:starts[i + 1]]`` into ``out[i]`` (uint32); of no shingles: `EMPTY`."""
    for i in range(starts.size - 1):
        out[i, :] = np.uint32(EMPTY)
        for first in range(starts[i], starts[i + 1], BLOCK):
            size = min(BLOCK, starts[i + 1] - first)
            lower(sets[first : first + size], size, a, b, out[i])


@njit(cache=True, nogil=True)
def band_keys(signature, bands, rows, out):
    """One uint64 per band of `rows` values of each signature, the band's number mixed in: ``out[i, band]``."""
    for i in range(signature.shape[0]):
        for band in range(bands):
            h = mix(np.uint64(band + 1))
            for row in range(band * rows, band * rows + rows):
                h = mix(h ^ np.uint64(signature[i, row]))
            out[i, band] = h


def keys_of(sets: np.ndarray, starts: np.ndarray, *, bands: int, rows: int, seed: int = 0) -> np.ndarray:
    """Band keys, uint64 (n, bands), of the sets ``sets[starts[i]:starts[i + 1]]`` of shingles (uint32)."""
    a, b = permutations(bands * rows, seed)
    n = len(starts) - 1
    signature = np.empty((n, bands * rows), np.uint32)
    signatures(sets, starts, a, b, signature)
    keys = np.empty((n, bands), np.uint64)
    band_keys(signature, bands, rows, keys)
    return keys
