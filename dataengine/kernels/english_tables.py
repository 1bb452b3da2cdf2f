"""The exceptions of the English splitter as tables of hashes, and how they are looked up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import hash_bytes

SLOTS = 8192
"""Places in each table; a power of two, several times what it holds."""
LONGEST_EXCEPTION = 40
"""Bytes; the longest there is has 38."""
IN_SIEVE, IS_HASH, OPENS = 1, 2, 4
"""Bits of `Tables.hints`: an exception has this first byte, last byte and length; or a hash that falls here; a phrase
begins with a token whose hash falls here."""


class Tables(NamedTuple):
    """What the splitter looks up."""

    flags: np.ndarray
    """uint32, shape (SIZE,)."""
    hints: np.ndarray
    """uint8, shape (SLOTS,): what cannot be in the next two tables is mostly known by one look here."""
    known: np.ndarray
    """uint64, shape (SLOTS, 2): hash of an exception, 0 for none; bytes before its second token + 256 x third."""
    phrases: np.ndarray
    """uint64, shape (SLOTS, 2): hash of the first tokens of an exception cut by rule; 1 if they are all of it."""
    units: np.ndarray
    """uint64: hashes of units."""


@part
def slot_of(key):
    return np.int64((key ^ (key >> np.uint64(29))) & np.uint64(SLOTS - 1))


@part
def find(table, key):
    """The place of `key` in an open-addressing table, or -1."""
    q = slot_of(key)
    while table[q, 0] != np.uint64(0):
        if table[q, 0] == key:
            return q
        q = (q + 1) & (SLOTS - 1)
    return -1


@part
def sieve_place(first, last, size):
    return (np.int64(first) * 31 + np.int64(last) * 7 + size * 257) & (SLOTS - 1)


@part
def exception_of(value, first, last, size, hints, known):
    """The place in `known` of the exception with this hash, first and last byte and size in bytes, or -1."""
    if size > LONGEST_EXCEPTION or not hints[sieve_place(first, last, size)] & IN_SIEVE:
        return -1
    return find(known, value) if hints[slot_of(value)] & IS_HASH else -1


@part
def exception_at(data, lo, hi, hints, known):
    """The place in `known` of the exception ``data[lo:hi]``, or -1."""
    size = hi - lo
    if size > LONGEST_EXCEPTION or not hints[sieve_place(data[lo], data[hi - 1], size)] & IN_SIEVE:
        return -1
    return find(known, hash_bytes(data, lo, hi))
