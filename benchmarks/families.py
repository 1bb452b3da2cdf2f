"""A corpus of any size whose similar pairs are known, made in bounded memory, document by document.

It is that of `benchmarks.known_pairs`, families of edited texts of pseudo-words drawn by Zipf's law, but each document
is a function of (seed, its number): files can be made in any order and by several processes, the members of a family
lie far apart, and the true similarity of any family can be had without the rest. About 1.2 kB a document, 200 MB/s.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit

from benchmarks.known_pairs import NGRAM, vocabulary

VOCABULARY = 40_000
TABLE_BITS = 18
LONGEST = 290
GROUP_ROWS = 8192
FILE_ROWS = 100_000
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Families:
    """`documents` texts. Slots count them family by family; a document's place in the corpus is another number."""

    documents: int
    seed: int = 7

    @cached_property
    def starts(self) -> np.ndarray:
        """int64 (families + 1,): the slots of family f are ``starts[f]..starts[f + 1] - 1``, the first is edited from
        nothing; two thirds of all documents have relatives.
        """
        draw = np.random.default_rng(self.seed)
        count = self.documents
        alone = draw.random(count) >= 0.6
        sizes = np.where(alone, 1, 1 + draw.choice([1, 1, 1, 2, 2, 3, 5], count))
        ends = sizes.cumsum()
        families = int(np.searchsorted(ends, count)) + 1
        return np.concatenate([[0], np.minimum(ends[:families], count)])

    @cached_property
    def step(self) -> int:
        """Place p holds slot ``p * step % documents``: neighbours in a family are far apart."""
        step = max(1, int(self.documents * 0.6180339887))
        while math.gcd(step, self.documents) > 1:
            step += 1
        return step

    @cached_property
    def words(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(bytes of all words each with a blank before it, where each begins, words drawn by Zipf's law)."""
        pool = vocabulary(VOCABULARY, random.Random(self.seed))
        encoded = [f" {word}".encode() for word in pool]
        starts = np.concatenate([[0], np.cumsum([len(word) for word in encoded])]).astype(np.int32)
        weights = 1 / (np.arange(VOCABULARY) + 10)
        shares = (np.arange(1 << TABLE_BITS) + 0.5) / (1 << TABLE_BITS)
        table = np.searchsorted(weights.cumsum() / weights.sum(), shares).astype(np.uint16)
        return np.frombuffer(b"".join(encoded), np.uint8), starts, table

    def slots(self, first: int, last: int) -> np.ndarray:
        """Of the documents at places ``first..last - 1``."""
        return np.arange(first, last) * self.step % self.documents

    def texts(self, first: int, last: int) -> pa.StringArray:
        """The documents at these places."""
        slots = self.slots(first, last)
        family = np.searchsorted(self.starts, slots, side="right") - 1
        letters, begins, table = self.words
        data = np.empty(len(slots) * LONGEST * 13, np.uint8)
        offsets = np.zeros(len(slots) + 1, np.int32)
        _write(self.seed, family, slots - self.starts[family], letters, begins, table, data, offsets)
        return pa.StringArray.from_buffers(len(slots), pa.py_buffer(offsets), pa.py_buffer(data[: offsets[-1]].copy()))

    def write(self, folder: Path, number: int) -> Path:
        """File `number`: `FILE_ROWS` documents, with their slots in column ``row``."""
        path = folder / f"{number:05}.parquet"
        first, last = number * FILE_ROWS, min((number + 1) * FILE_ROWS, self.documents)
        schema = pa.schema([("row", pa.int64()), ("text", pa.string())])
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False, write_statistics=False) as file:
            for start in range(first, last, GROUP_ROWS):
                end = min(start + GROUP_ROWS, last)
                batch = [pa.array(self.slots(start, end)), self.texts(start, end)]
                file.write_batch(pa.record_batch(batch, schema=schema))
        return path

    @property
    def files(self) -> int:
        return -(-self.documents // FILE_ROWS)

    def pairs(self, families: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For some families at a time, the pairs within them: slots int64 (p, 2), exact Jaccard over word 5-grams."""
        sizes = np.diff(self.starts)
        for part in np.array_split(families, max(1, len(families) // 10_000)):
            of = sizes[part]
            slots = np.empty((int((of * (of - 1) // 2).sum()), 2), np.int64)
            jaccard = np.empty(len(slots))
            _compare(self.seed, part, self.starts, self.words[2], slots, jaccard)
            yield slots, jaccard


@njit(cache=True, nogil=True)
def _next(state):
    """The next of a row of random numbers (splitmix64)."""
    state[0] += GOLDEN
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True)
def _begin(state, seed, family, member):
    state[0] = np.uint64(seed)
    state[0] = _next(state) ^ np.uint64(family)
    state[0] = _next(state) ^ np.uint64(member)


@njit(cache=True, nogil=True)
def _below(state, n):
    return np.int64((_next(state) >> np.uint64(32)) * np.uint64(n) >> np.uint64(32))


@njit(cache=True, nogil=True)
def _share(state):
    return np.float64(_next(state) >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True, nogil=True)
def _draw(state, table, words, first, last):
    for i in range(first, last):
        words[i] = table[np.int64(_next(state) >> np.uint64(64 - TABLE_BITS))]


@njit(cache=True, nogil=True)
def document(seed, family, member, table, state, scratch, words):
    """The words of one document into `words`; returns how many. See `known_pairs.edited` for the three ways."""
    _begin(state, seed, family, 0)
    n = 90 + _below(state, 201)
    _draw(state, table, words, 0, n)
    if member == 0:
        return n
    _begin(state, seed, family, member)
    target = 0.5 + 0.47 * _share(state)
    lost = (1 - 2 * target / (1 + target)) * (n - NGRAM + 1)
    way = _share(state)
    if way < 0.5:
        for i in range(n):
            scratch[i] = i
        for i in range(max(1, round(lost / NGRAM))):
            j = i + _below(state, n - i)
            scratch[i], scratch[j] = scratch[j], scratch[i]
            _draw(state, table, words, scratch[i], scratch[i] + 1)
        return n
    size = max(1, round(lost - NGRAM + 1)) if way < 0.8 else max(1, round(n * (1 - target) * 0.5))
    start = _below(state, max(1, n - size))
    if way < 0.8:
        _draw(state, table, words, start, start + size)
        return n
    for i in range(start, n - size):
        words[i] = words[i + size]
    _draw(state, table, words, n - size, n)
    return n


@njit(cache=True, nogil=True)
def _write(seed, families, members, letters, begins, table, data, offsets):
    state, scratch, words = np.empty(1, np.uint64), np.empty(LONGEST, np.int64), np.empty(LONGEST, np.int64)
    at = 0
    for d in range(families.size):
        n = document(seed, families[d], members[d], table, state, scratch, words)
        for i in range(n):
            for k in range(begins[words[i]] + (i == 0), begins[words[i] + 1]):
                data[at] = letters[k]
                at += 1
        offsets[d + 1] = at


@njit(cache=True, nogil=True)
def _grams(words, n, out):
    """The different hashes of a document's n-grams, sorted, into `out`; returns how many."""
    count = n - NGRAM + 1
    for i in range(count):
        h = np.uint64(0)
        for k in range(NGRAM):
            h = (h ^ np.uint64(words[i + k] + 1)) * GOLDEN
            h ^= h >> np.uint64(29)
        out[i] = h
    out[:count].sort()
    kept = 0
    for i in range(count):
        if i == 0 or out[i] != out[kept - 1]:
            out[kept] = out[i]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _compare(seed, families, starts, table, slots, jaccard):
    state, scratch, words = np.empty(1, np.uint64), np.empty(LONGEST, np.int64), np.empty(LONGEST, np.int64)
    sets, sizes, pair = np.empty((8, LONGEST), np.uint64), np.empty(8, np.int64), 0
    for f in families:
        members = starts[f + 1] - starts[f]
        for m in range(members):
            sizes[m] = _grams(words, document(seed, f, m, table, state, scratch, words), sets[m])
        for a in range(members):
            for b in range(a + 1, members):
                i = j = both = 0
                while i < sizes[a] and j < sizes[b]:
                    if sets[a, i] == sets[b, j]:
                        both += 1
                        i += 1
                        j += 1
                    elif sets[a, i] < sets[b, j]:
                        i += 1
                    else:
                        j += 1
                slots[pair, 0], slots[pair, 1] = starts[f] + a, starts[f] + b
                jaccard[pair] = both / (sizes[a] + sizes[b] - both)
                pair += 1
