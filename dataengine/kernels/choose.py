"""Which documents stay: candidates that share buckets, compared, in the order of who is to stay first.

*Greedy* (the default everywhere): documents come in their order of preference; one goes if its similarity with a
document that stays reaches the threshold, else it stays. So whoever goes has a partner in what is left, and no two who
stay and were candidates are that similar. *Chains*: all pairs that similar are tied together, and of what hangs
together the first stays: connected components, as other tools have them.

Only documents that stay wait in a bucket to be compared (with chains: all), those that share most buckets come first,
and the first that is similar enough ends it: a million near-copies of one document are compared once each. The search
is bounded at `WAITING` documents a bucket and `COMPARED` comparisons a document; how many documents reached a bound
is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.sets import enter, similarity, table_size
from dataengine.kernels.vectors import cosine

WAITING = 1024
"""So many documents of a bucket are compared with those that come after them."""
COMPARED = 256
"""With so many candidates a document is compared."""
NO_BAND = np.iinfo(np.int16).max


class Candidates(NamedTuple):
    """Documents 0..n-1, in the order of who is to stay first, and the buckets they share."""

    copy_of: np.ndarray
    """int32 (n,): the first document that is the same throughout, itself where there is none before it."""
    starts: np.ndarray
    """int64 (n + 1,): the buckets of document d are ``buckets[starts[d]:starts[d + 1]]``; none for copies."""
    buckets: np.ndarray
    """int32."""
    bands: np.ndarray
    """int16, a bucket each: its band."""
    room: np.ndarray
    """int64 (buckets + 1,): sums of the buckets' sizes, each at most `WAITING`."""


class Choice(NamedTuple):
    """What becomes of documents 0..n-1."""

    stays: np.ndarray
    """int32 (n,): the document for which this one goes; itself where it stays."""
    similarity: np.ndarray
    """float64 (n,): with that document; NaN where nothing was compared."""
    band: np.ndarray
    """int16 (n,): the least band they share, `NO_BAND` for copies."""
    waiting: np.ndarray
    """int32: who waits in each bucket."""
    waits: np.ndarray
    """int32, a bucket each: how many wait."""
    votes: np.ndarray
    """int16 (n,): scratch, zero between two documents."""
    least: np.ndarray
    """int16 (n,): scratch."""
    crowded: np.ndarray
    """int64 (1,): documents for which not every candidate was compared."""


def nothing_chosen(candidates: Candidates, array: Callable[[int, Any], np.ndarray] = np.zeros) -> Choice:
    """Everybody stays so far. `array` makes arrays of zeros."""
    n = len(candidates.copy_of)
    choice = Choice(
        array(n, np.int32), array(n, np.float64), array(n, np.int16), array(int(candidates.room[-1]), np.int32),
        array(len(candidates.bands), np.int32), array(n, np.int16), array(n, np.int16), np.zeros(1, np.int64),
    )
    _begin(choice)
    return choice


@njit(cache=True, nogil=True)
def _begin(choice):
    for d in range(choice.stays.size):
        choice.stays[d], choice.similarity[d], choice.band[d] = d, np.nan, NO_BAND


@njit(cache=True, nogil=True)
def _root(parent, x):
    """The root of x; halves the path on the way."""
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@njit(cache=True, nogil=True)
def _ballot(d, candidates, choice, met):
    """Who waits in the buckets of `d`: into `met` (int64), as ``-shared << 32 | document``; returns how many."""
    count = 0
    for e in range(candidates.starts[d], candidates.starts[d + 1]):
        bucket = candidates.buckets[e]
        band, first = candidates.bands[bucket], candidates.room[bucket]
        for at in range(first, first + choice.waits[bucket]):
            other = choice.waiting[at]
            if choice.votes[other] == 0:
                choice.least[other] = band
                met[count] = other
                count += 1
            choice.votes[other] += 1
            choice.least[other] = min(choice.least[other], band)
    for i in range(count):
        other = met[i]
        met[i] = np.int64(other) - (np.int64(choice.votes[other]) << 32)
        choice.votes[other] = 0
    return count


@njit(cache=True, nogil=True)
def choose(first, last, fixed, candidates, choice, elements, sets, threshold, chains, vectors):
    """Decide about documents ``first..last - 1``, all before them being decided. The first `fixed` of all stay anyhow.

    The set of document d is ``elements[sets[d]:sets[d + 1]]``, or its vector with `vectors`, which compares by cosine.
    A threshold below 0 compares nothing: sharing a bucket is enough. With chains `stays` holds a forest, whose roots
    stay; `settle` makes an answer of it.
    """
    widest = 0
    for d in range(first, last):
        widest = max(widest, candidates.starts[d + 1] - candidates.starts[d])
    met = np.empty(widest * WAITING, np.int64)
    table, generation = np.zeros(16, np.uint64), np.uint64(0)
    stays, likeness, band = choice.stays, choice.similarity, choice.band
    for d in range(first, last):
        if candidates.copy_of[d] != d:
            original = candidates.copy_of[d]
            stays[d] = stays[original]
            likeness[d] = 1.0 if stays[original] == original else likeness[original]
            band[d] = band[original]
            continue
        count = _ballot(d, candidates, choice, met) if d >= fixed else 0
        if count > 1:
            met[:count].sort()
        own = elements[sets[d] : sets[d + 1]]
        size = 0 if vectors else table_size(own.size)
        if count and threshold >= 0 and not vectors:
            if size > table.size:
                table, generation = np.zeros(size, np.uint64), np.uint64(0)
            generation += np.uint64(1)
            enter(table[:size], generation, own)
        compared = 0
        for i in range(count):
            other = np.int64(met[i] & 0xFFFFFFFF)
            if chains and _root(stays, other) == _root(stays, d):
                continue
            if compared == COMPARED:
                choice.crowded[0] += 1
                break
            compared += 1
            value = np.nan
            if threshold >= 0:
                theirs = elements[sets[other] : sets[other + 1]]
                if vectors:
                    value = cosine(own, theirs)
                else:
                    value = similarity(table[:size], generation, own.size, theirs, threshold)
                if value < threshold:
                    continue
            band[d] = min(band[d], choice.least[other])
            if not chains:
                stays[d], likeness[d] = other, value
                break
            band[other] = min(band[other], choice.least[other])
            one, two = _root(stays, other), _root(stays, d)
            stays[max(one, two)] = min(one, two)
        if chains or stays[d] == d:
            full = False
            for e in range(candidates.starts[d], candidates.starts[d + 1]):
                bucket = candidates.buckets[e]
                at = candidates.room[bucket] + choice.waits[bucket]
                if at < candidates.room[bucket + 1]:
                    choice.waiting[at] = d
                    choice.waits[bucket] += 1
                else:
                    full = True
            choice.crowded[0] += full


@njit(cache=True, nogil=True)
def settle(candidates, choice, elements, sets, compare, vectors):
    """With chains, when all is chosen: the root of every document, and how similar the two are."""
    table, generation = np.zeros(16, np.uint64), np.uint64(0)
    for d in range(choice.stays.size):
        original = candidates.copy_of[d]
        root = _root(choice.stays, original)
        choice.stays[d] = root
        if original != d:
            choice.band[d] = choice.band[original] if root != original else NO_BAND
            choice.similarity[d] = choice.similarity[original] if root != original else 1.0
        elif root != d and compare:
            own, theirs = elements[sets[d] : sets[d + 1]], elements[sets[root] : sets[root + 1]]
            if vectors:
                choice.similarity[d] = cosine(own, theirs)
                continue
            size = table_size(own.size)
            if size > table.size:
                table, generation = np.zeros(size, np.uint64), np.uint64(0)
            generation += np.uint64(1)
            enter(table[:size], generation, own)
            choice.similarity[d] = similarity(table[:size], generation, own.size, theirs, 0.0)
