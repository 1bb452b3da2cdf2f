"""Documents as sets of n-grams of token ids, in the form of `kernels.sets`.

A shingle is the hash of n ids in a row, as `kernels.shingles` makes it of words. The work is numpy's: a tokenizer gives
2 million ids a second, of which this takes a fortieth.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from xxhash import xxh3_128_digest

from dataengine.kernels.sets import Sets
from dataengine.kernels.shingles import LOW, ROLL

HALF = np.uint64(33)


def sets_of_ids(ids: np.ndarray, starts: np.ndarray, *, ngram: int, least: int = 1) -> Sets:
    """The sets of n-grams of documents with the ids ``ids[starts[i]:starts[i + 1]]`` (int32), sorted; of fewer than
    `least` ids: none. Memory is 32 bytes an id.
    """
    counts = np.diff(starts)
    windows = np.where(counts < max(least, ngram), 0, counts - ngram + 1)
    owners = np.repeat(np.arange(len(counts), dtype=np.uint64), windows)
    begins = np.arange(len(owners)) + np.repeat(starts[:-1] - (windows.cumsum() - windows), windows)
    entries = owners << np.uint64(32) | shingles_of_ids(ids, ngram)[begins]
    entries.sort()
    once = np.ones(len(entries), bool)
    once[1:] = entries[1:] != entries[:-1]
    entries = entries[once]
    sizes = np.bincount((entries >> np.uint64(32)).astype(np.int64), minlength=len(counts))
    view, edges = memoryview(ids.astype("<i4")).cast("B"), (4 * starts).tolist()
    same = b"".join([xxh3_128_digest(view[begin:end]) for begin, end in pairwise(edges)])
    return Sets(
        (entries & LOW).astype(np.uint32), np.concatenate([[0], sizes.cumsum()]).astype(np.int64),
        np.frombuffer(same, ">u8").astype(np.uint64).reshape(-1, 2), counts,
    )


def shingles_of_ids(ids: np.ndarray, ngram: int) -> np.ndarray:
    """The shingle that begins at every id, uint64 below 2^32, also those that reach into the next document."""
    hashes = mixed(ids.astype(np.uint64) + np.uint64(1))
    size = max(len(hashes) - ngram + 1, 0)
    found = np.zeros(size, np.uint64)
    for place in range(ngram):
        found *= ROLL
        found += hashes[place : place + size]
    return mixed(found) & LOW


def mixed(h: np.ndarray) -> np.ndarray:
    """`kernels.shingles.mix`, a whole array at a time."""
    h = (h ^ (h >> HALF)) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> HALF)) * np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> HALF)
