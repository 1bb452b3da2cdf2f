"""N-grams of words or characters as hashes of 32 bits.

A *shingle* is the hash of n words (`kernels.word_hashes`), or characters, in a row: the polynomial of their hashes
modulo 2^64, mixed by the finaliser of MurmurHash3, cut to 32 bits. None is 0, so that tables can say by 0 that a place
is free.

A *character* is what UTF-8 encodes, ASCII letters folded to lower case; who wants white space folded does it before
(`kernels.spaces`).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.part import part

ROLL = np.uint64(0x9E3779B97F4A7C15)
"""Base of the polynomial: odd, so that no word is multiplied away."""

LOW = np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True)
def mix(h):
    """The finaliser of MurmurHash3: every bit of the uint64 `h` reaches every bit of the answer. A bijection."""
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@njit(cache=True, nogil=True)
def characters(data, start, end, out):
    """Hashes of the characters of ``data[start:end]`` into `out`, until it is full: (how many, where to go on)."""
    count = 0
    i = start
    while i < end and count < out.size:
        code = np.uint64(data[i])
        i += 1
        if code >= 0x80:
            while i < end and data[i] & 0xC0 == 0x80:
                code = code << np.uint64(8) | np.uint64(data[i])
                i += 1
        elif code >= 0x41 and code <= 0x5A:
            code |= np.uint64(0x20)
        out[count] = mix(code + np.uint64(1))
        count += 1
    return count, i


@part
def join(first, second, weight, size, out):
    """``first * weight + second``, of the first `size` elements: a loop without a branch, which is vectorised."""
    for i in range(size):
        out[i] = first[i] * weight + second[i]


@njit(cache=True, nogil=True)
def shingles(hashes, count, ngram, work, out):
    """Shingles of the first `count` hashes into `out` (uint32); returns how many: max(0, count - ngram + 1).

    The polynomial of n hashes is put together from those of half as many, so that it costs about ``2 log2(n)``
    multiplications, all of them in loops that are vectorised. `work`: uint64, shape (2, `count` or more).
    """
    if count < ngram:
        return 0
    value, span, weight, turn = hashes, 1, ROLL, 0  # `value[i]`: of the `span` hashes from i on; weight: ROLL ** span
    bit = 1
    while 2 * bit <= ngram:
        bit *= 2
    while bit > 1:
        bit //= 2
        join(value, value[span:], weight, count - 2 * span + 1, work[turn])
        value, span, weight, turn = work[turn], 2 * span, weight * weight, 1 - turn
        if ngram & bit:
            join(value, hashes[span:], ROLL, count - span, work[turn])
            value, span, weight, turn = work[turn], span + 1, weight * ROLL, 1 - turn
    for i in range(count - ngram + 1):
        out[i] = max(np.uint32(1), np.uint32(mix(value[i]) & LOW))
    return count - ngram + 1
