"""Vectors as directions: of length one, with keys by which near ones meet, compared by their cosine.

Keys are those of random hyperplanes (Charikar, STOC 2002): a bit says on which side of one a vector lies, so two
vectors at an angle a agree in a bit with probability 1 - a/pi, whatever the vectors are.

Vectors decide the same on every machine, whatever library multiplies matrices and however rows are cut into batches.
Hyperplanes and vectors are rounded to whole numbers so small that no sum of their products leaves what a float32 holds
exactly; the rounding turns a vector by a hundredth of a degree at 256 numbers, by an eighth at 4,096. Lengths and
cosines are sums in float64 in a fixed order.
"""

from __future__ import annotations

from functools import lru_cache
from math import floor, log2

import numpy as np
from numba import njit

from dataengine.kernels.token_sets import mixed

STEP = np.uint64(0x9E3779B97F4A7C15)
LARGEST = 16
"""Of a hyperplane's numbers: the count of ones among 32 random bits, less 16. That is near enough to normal."""
MOST_BITS = 64
"""Of one key."""


@njit(cache=True, nogil=True)
def units(values, starts, out):
    """The vectors ``values[starts[i]:starts[i + 1]]`` at length one into `out` (float32, as long as `values`).

    Returns bool (n,): false for a vector without a direction: of no numbers, of zeros, or with one that is not finite.
    """
    good = np.zeros(starts.size - 1, np.bool_)
    for row in range(good.size):
        first, last = starts[row], starts[row + 1]
        largest, finite = 0.0, True
        for i in range(first, last):
            finite &= np.isfinite(values[i])
            largest = max(largest, abs(np.float64(values[i])))
        if not finite or largest == 0:
            continue
        total = 0.0
        for i in range(first, last):
            part = values[i] / largest  # so that no square is too large or too small
            total += part * part
        length = np.sqrt(total)
        for i in range(first, last):
            out[i] = np.float32(values[i] / largest / length)
        good[row] = True
    return good


@njit(cache=True, nogil=True)
def cosine(one, two):
    """The cosine of two vectors of length one, given as the bits (uint32) of their float32 numbers; -1 for vectors
    of different lengths. A product of two float32 is exact in float64.
    """
    if one.size != two.size:
        return -1.0
    x, y = one.view(np.float32), two.view(np.float32)
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = x.size - x.size % 4
    for i in range(0, whole, 4):
        a += np.float64(x[i]) * np.float64(y[i])
        b += np.float64(x[i + 1]) * np.float64(y[i + 1])
        c += np.float64(x[i + 2]) * np.float64(y[i + 2])
        d += np.float64(x[i + 3]) * np.float64(y[i + 3])
    for i in range(whole, x.size):
        a += np.float64(x[i]) * np.float64(y[i])
    return min(a + b + c + d, 1.0)


@lru_cache(maxsize=4)
def hyperplanes(size: int, count: int, seed: int) -> np.ndarray:
    """float32 (size, count): whole numbers from `seed`, by splitmix64, the same on every machine."""
    numbers = np.arange(1, (size * count + 1) // 2 + 1, dtype=np.uint64)
    state = numbers * STEP + np.uint64(seed & 0xFFFFFFFFFFFFFFFF)
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    halves = (z ^ (z >> np.uint64(31))).view(np.uint32)
    return (np.bitwise_count(halves[: size * count]).astype(np.float32) - LARGEST).reshape(size, count)


def whole_numbers(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length one, float32 (n, size), scaled and rounded so that products with `hyperplanes` are exact.

    Of a vector q and a hyperplane h no sum over any of their products exceeds ``|q| |h| <= (scale + sqrt(size) / 2) *
    16 * sqrt(size)``, which is below 2^24 up to size 600,000.
    """
    scale = 2.0 ** floor(19.5 - log2(vectors.shape[1]) / 2)
    return np.rint(vectors * np.float32(scale))


def keys_of(vectors: np.ndarray, *, bands: int, rows: int, seed: int = 0) -> np.ndarray:
    """Band keys, uint64 (n, bands), of vectors of length one, float32 (n, size); `rows` bits, at most 64, make a key.

    Takes 2 * size * bands * rows operations a vector: 9 us at 256 numbers and 1,012 bits.
    """
    n, size = vectors.shape
    sides = whole_numbers(vectors) @ hyperplanes(size, bands * rows, seed) > 0
    packed = np.zeros((n, bands, MOST_BITS // 8), np.uint8)
    packed[:, :, : -(-rows // 8)] = np.packbits(sides.reshape(n, bands, rows), axis=2)
    bits = packed.view("<u8").reshape(n, bands).astype(np.uint64)
    return mixed(bits ^ mixed(np.arange(1, bands + 1, dtype=np.uint64)))
