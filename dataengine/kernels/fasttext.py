"""Prediction with fastText models (arXiv:1607.01759), as compiled loops over Arrow's UTF-8 buffers.

A text is the sum of the rows of its features: its words, their character n-grams, its word n-grams. What it says is a
function of that sum and of the number of features, so both are kept apart: `sum_features` makes them,
`fasttext_answers` reads them, and texts may be added up in between.

Words repeat, so the sum of each word met is kept, in a table of bounded size that is thrown away with the batch. The
word's bytes are compared, so what is found there never depends on what else was in the batch. Sums are float32, and
in another order than fastText's: probabilities agree to about 1e-6.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.buffers import on_cache_lines, read_only
from dataengine.kernels.part import part

LABEL = np.frombuffer(b"__label__", np.uint8)
"""A word that begins so is a label to fastText, and no feature."""

END_OF_LINE = np.frombuffer(b"</s>", np.uint8)
"""The word that stands behind the last; what stands behind it in a text is not seen."""

MEMORY = 1 << 22
"""Bytes of word sums that are kept within a batch."""

FEW = 1 << 13
"""How many are kept for a model without character n-grams, where making one is as cheap as finding it far away."""

FNV, PRIME = np.uint32(2166136261), np.uint32(16777619)


class Weights(NamedTuple):
    """A model, for prediction. Shapes: w words, v words and labels, l labels, r rows, d columns, o outputs."""

    blob: np.ndarray
    """uint8: the bytes of all words and labels."""
    ends: np.ndarray
    """int64 (v + 1,): where each begins and the last ends."""
    slots: np.ndarray
    """int32, a power of two: hash table from a word's hash to its number + 1."""
    rows: np.ndarray
    """float32 (r, d), or (0, d) where the matrix stays quantised."""
    codes: np.ndarray
    """uint8 (r, parts), or (0, 0)."""
    centroids: np.ndarray
    """float32: of each part of a row 256 centroids."""
    norms: np.ndarray
    """float32 (r,), what a quantised row is multiplied by."""
    bits: np.ndarray
    """uint64: which buckets of a pruned model have a row, see `kernels.fasttext.index_buckets`; empty for others."""
    ranks: np.ndarray
    """int32, as long as `bits`."""
    outputs: np.ndarray
    """float32 (d, o): the output matrix, transposed; (0, o) where it is in `rows` already."""
    left: np.ndarray
    """int32 (l - 1,): the left child of each inner node of the Huffman tree, children before parents; or empty."""
    right: np.ndarray
    words: int
    labels: int
    end_of_line: int
    """Number of the word ``</s>``, or -1."""
    ngrams: int
    hashed: int
    """Buckets that n-grams are hashed to, 0 where the model has no rows for them."""
    shortest: int
    longest: int
    part: int
    loss: int


@part
def _mix(value, byte):
    """One step of fastText's FNV-1a, which takes bytes for signed: those above 127 turn the upper 24 bits, too."""
    wide = np.uint32(byte) | (np.uint32(0xFFFFFF00) if byte & 0x80 else np.uint32(0))
    return np.uint32((value ^ wide) * PRIME)


@part
def _separator(data, i, end):
    """Bytes of the separator at `i`, or 0: ASCII controls and blank, U+007F to U+00A0, U+2028, U+2029."""
    c = data[i]
    if c <= 0x20 or c == 0x7F:
        return 1
    if c == 0xC2:
        return 2 if i + 1 < end and 0x80 <= data[i + 1] <= 0xA0 else 0
    if c == 0xE2 and i + 2 < end and data[i + 1] == 0x80 and (data[i + 2] == 0xA8 or data[i + 2] == 0xA9):
        return 3
    return 0


@part
def _same(data, i, other, k, size):
    step = 0
    while step < size and data[i + step] == other[k + step]:
        step += 1
    return step == size


@njit(cache=True, nogil=True)
def _find(data, start, size, value, blob, ends, slots):
    """Number of a word in the dictionary, or -1. `value` is its hash."""
    mask = slots.size - 1
    slot = np.int64(value) & mask
    while slots[slot]:
        number = slots[slot] - 1
        if ends[number + 1] - ends[number] == size and _same(data, start, blob, ends[number], size):
            return number
        slot = (slot + 1) & mask
    return -1


@njit(cache=True, nogil=True)
def _index_words(blob, ends, slots):
    mask = slots.size - 1
    for number in range(ends.size - 1):
        start, size = ends[number], ends[number + 1] - ends[number]
        value = FNV
        for k in range(start, start + size):
            value = _mix(value, blob[k])
        slot = np.int64(value) & mask
        while slots[slot]:
            other = slots[slot] - 1
            if ends[other + 1] - ends[other] == size and _same(blob, start, blob, ends[other], size):
                break
            slot = (slot + 1) & mask
        slots[slot] = number + 1


def index_words(blob: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The hash table of a dictionary; of words that are there twice, the last."""
    slots = np.zeros(1 << (2 * len(ends)).bit_length(), np.int32)
    _index_words(read_only(blob), ends, slots)
    return slots


def word_number(word: bytes, blob: np.ndarray, ends: np.ndarray, slots: np.ndarray) -> int:
    """Number of a word, or -1."""
    data, value = np.frombuffer(word, np.uint8), 2166136261
    for byte in word:
        value = (value ^ (byte | 0xFFFFFF00 * (byte > 127))) * 16777619 & 0xFFFFFFFF
    return int(_find(data, np.int64(0), len(word), np.uint32(value), read_only(blob), ends, slots))


@part
def _ones(word):
    """How many bits of a uint64 are set (Hacker's Delight, 5-1)."""
    word -= word >> np.uint64(1) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + (word >> np.uint64(2) & np.uint64(0x3333333333333333))
    word = word + (word >> np.uint64(4)) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return word * np.uint64(0x0101010101010101) >> np.uint64(56)


def index_buckets(buckets: np.ndarray, hashed: int) -> tuple[np.ndarray, np.ndarray]:
    """(bits, ranks) of the buckets, in rising order, that have a row, the first having row 0.

    Bit b & 63 of ``bits[b >> 6]``, uint64, says whether bucket b has one, ``ranks[b >> 6]``, int32, how many buckets
    in earlier words have: 375 kB for 2 million buckets, where a hash table of 43,000 rows takes 1 MB.
    """
    flags = np.zeros(-(-hashed // 64) * 64, np.uint8)
    flags[buckets] = 1
    bits = np.packbits(flags, bitorder="little").view(np.uint64)
    return bits, (np.cumsum(flags.reshape(-1, 64).sum(axis=1)) - flags.reshape(-1, 64).sum(axis=1)).astype(np.int32)


@part
def _has_row(bucket, bits):
    """1 where a bucket of a pruned model has a row, else 0."""
    return bits[bucket >> np.uint64(6)] >> (bucket & np.uint64(63)) & np.uint64(1)


@part
def _rows_of(buckets, count, bits, ranks, words):
    """Replace the first `count` buckets, which have rows, by the numbers of these."""
    for k in range(count):
        if not bits.size:
            buckets[k] += np.uint64(words)
            continue
        place = buckets[k] >> np.uint64(6)
        below = bits[place] & ((np.uint64(1) << (buckets[k] & np.uint64(63))) - np.uint64(1))
        buckets[k] = np.uint64(words) + np.uint64(ranks[place]) + _ones(below)


@part
def _add_rows(numbers, count, total, rows, codes, centroids, norms, part):
    """Add up the rows with these numbers, plain or quantised: see `Weights`."""
    for k in range(count):
        row = numbers[k]
        if len(rows):
            for column in range(total.size):
                total[column] += rows[row, column]
            continue
        begin = 0
        for number in range(codes.shape[1]):
            size = min(part, total.size - begin)
            at = 256 * begin + size * np.int64(codes[row, number])
            for column in range(size):
                total[begin + column] += norms[row] * centroids[at + column]
            begin += size


@part
def _find_ngrams(word, size, shortest, longest, hashed, bits, found):
    """Collect in `found` the buckets of the character n-grams of ``word[:size]``, ``<...>`` and a NUL; how many.

    Without a branch on which n-grams a pruned model still has: it cannot be foreseen, and most are gone.
    """
    kept, i, pruned = np.int64(0), 0, bits.size > 0
    while i < size:
        value, j, n = FNV, i, 0
        while n < longest and j < size:
            value = _mix(value, word[j])
            j += 1
            while word[j] & 0xC0 == 0x80:
                value = _mix(value, word[j])
                j += 1
            n += 1
            if n >= shortest and not (n == 1 and (i == 0 or j == size)):
                bucket = np.uint64(value % hashed)
                found[kept] = bucket
                kept += np.int64(_has_row(bucket, bits)) if pruned else 1
        i += 1
        while word[i] & 0xC0 == 0x80:
            i += 1
    return kept


@part
def _find_word_ngrams(recent, seen, ngrams, hashed, bits, found, kept):
    """Add to `found`, which has `kept`, the buckets of the word n-grams that end with the last of `seen` words.

    `recent` has the hashes of the last `ngrams` words, the last one last; fastText takes them for signed.
    """
    for n in range(2, min(ngrams, seen) + 1):
        value = np.uint64(recent[ngrams - n])
        for k in range(ngrams - n + 1, ngrams):
            value = value * np.uint64(116049371) + np.uint64(recent[k])
        found[kept] = value % np.uint64(hashed)
        kept += np.int64(_has_row(found[kept], bits)) if bits.size else 1
    return kept


@part
def _words(data, i, end, keys, places):
    """Split off the next words from byte `i`, as many as the arrays hold: (how many, where to go on).

    Per word, `keys` uint64 (3): its last 16 bytes and its size; `places` int64 (2): where it begins, and its hash.
    """
    count = 0
    while count < len(keys):
        while i < end:
            step = _separator(data, i, end)
            if step == 0:
                break
            i += step
        if i >= end:
            break
        start, value, low, high = i, FNV, np.uint64(0), np.uint64(0)
        while i < end:
            byte = data[i]
            if byte <= 0x20:
                break
            if byte >= 0x7F and (byte == 0x7F or byte == 0xC2 or byte == 0xE2) and _separator(data, i, end):
                break
            value = _mix(value, byte)
            high = high << np.uint64(8) | low >> np.uint64(56)
            low = low << np.uint64(8) | np.uint64(byte)
            i += 1
        keys[count, 0], keys[count, 1], keys[count, 2] = low, high, np.uint64(i - start)
        places[count, 0], places[count, 1] = start, np.int64(value)
        count += 1
    return count, i


@part
def _push(value, recent):
    """Append a hash to the last ones, the first of which goes."""
    for k in range(recent.size - 1):
        recent[k] = recent[k + 1]
    recent[recent.size - 1] = np.int32(value)


@part
def _surround(data, start, size, word):
    """Write ``<word>`` and a NUL, which ends the last character."""
    word[0], word[size + 1], word[size + 2] = 60, 62, 0
    for k in range(size):
        word[k + 1] = data[start + k]


@njit(cache=True, nogil=True)
def _sum_features(data, starts, ends, m, label, line_end, sums, counts, memo, heads):
    rows, codes, centroids, norms, bits, ranks = m.rows, m.codes, m.centroids, m.norms, m.bits, m.ranks
    mask, width, ring, hashed = heads.shape[0] - 1, sums.shape[1], max(m.ngrams, 1), np.uint32(m.hashed)
    end_value = FNV
    for k in range(line_end.size):
        end_value = _mix(end_value, line_end[k])
    recent, vector = np.zeros(ring, np.int64), np.zeros(width, np.float32)
    word, found = np.empty(256, np.uint8), np.empty(256 * max(m.longest, 1) + ring, np.uint64)
    keys, places, links = np.empty((64, 3), np.uint64), np.empty((64, 2), np.int64), np.empty(64 * ring, np.uint64)
    for row in range(starts.size):
        i, end = starts[row], ends[row]
        total, features, seen, closed = sums[row], 0, 0, False
        while not closed:
            count, i = _words(data, i, end, keys, places)
            if not count:
                break
            linked = np.int64(0)
            for t in range(count):
                start, value, size = places[t, 0], places[t, 1], np.int64(keys[t, 2])
                slot = value & mask
                if (
                    heads[slot, 0] == keys[t, 0] and heads[slot, 1] == keys[t, 1]
                    and np.int64(heads[slot, 2] >> np.uint64(32)) == size
                    and (size <= 16 or _same(data, start, data, np.int64(heads[slot, 3]), size))
                ):
                    for k in range(width):
                        total[k] += memo[slot, k]
                    features += np.int64(heads[slot, 2] & np.uint64(0xFFFFFFFF))
                else:
                    if size >= label.size and _same(data, start, label, np.int64(0), label.size):
                        continue
                    number = _find(data, start, size, np.uint32(value), m.blob, m.ends, m.slots)
                    if number >= m.words:  # a label with another prefix
                        continue
                    if size == line_end.size and _same(data, start, line_end, np.int64(0), size):
                        closed = True
                        break
                    if size + 3 > word.size:
                        word = np.empty(2 * size, np.uint8)
                        found = np.empty(2 * size * max(m.longest, 1) + ring, np.uint64)
                    new = 0
                    if m.longest > 0 and hashed:
                        _surround(data, start, size, word)
                        new = _find_ngrams(word, size + 2, m.shortest, m.longest, hashed, bits, found)
                        _rows_of(found, new, bits, ranks, m.words)
                    if number >= 0:
                        found[new] = np.uint64(number)
                        new += 1
                    vector[:] = 0
                    _add_rows(found, new, vector, rows, codes, centroids, norms, m.part)
                    for k in range(width):
                        total[k] += vector[k]
                        memo[slot, k] = vector[k]
                    features += new
                    heads[slot, 0], heads[slot, 1], heads[slot, 3] = keys[t, 0], keys[t, 1], np.uint64(start)
                    heads[slot, 2] = np.uint64(size) << np.uint64(32) | np.uint64(new)
                seen += 1
                if ring > 1 and hashed:
                    _push(value, recent)
                    linked = _find_word_ngrams(recent, seen, ring, hashed, bits, links, linked)
            # All at once, so that the memory they lie in is asked for all at once.
            _rows_of(links, linked, bits, ranks, m.words)
            _add_rows(links, linked, total, rows, codes, centroids, norms, m.part)
            features += linked
        if seen or closed:
            new = np.int64(0)
            if ring > 1 and hashed:
                _push(np.int64(end_value), recent)
                new = _find_word_ngrams(recent, seen + 1, ring, hashed, bits, found, new)
                _rows_of(found, new, bits, ranks, m.words)
            if m.end_of_line >= 0:
                found[new] = np.uint64(m.end_of_line)
                new += 1
            _add_rows(found, new, total, rows, codes, centroids, norms, m.part)
            features += new
        counts[row] = features


def sum_features(
    data: np.ndarray, starts: np.ndarray, ends: np.ndarray, model: Weights
) -> tuple[np.ndarray, np.ndarray]:
    """(sums float32 (n, d), counts int64 (n,)) of the features of n texts, text i being ``data[starts[i]:ends[i]]``.

    As fastText has it, an end of line stands behind each; here line breaks and other control characters within
    separate words. A text without words has nothing, not even its end.
    """
    width = model.rows.shape[1]
    sums, counts = np.zeros((len(starts), width), np.float32), np.zeros(len(starts), np.int64)
    size = int((ends - starts).sum())
    most = MEMORY // (4 * width) if model.longest > 0 else FEW
    slots = 1 << max(4, min(most, size // 2).bit_length() - 1)
    heads, memo = on_cache_lines((slots, 4), np.uint64), on_cache_lines((slots, width))
    heads[:] = 0  # size 0 is no word's
    _sum_features(read_only(data), starts, ends, model, LABEL, END_OF_LINE, sums, counts, memo, heads)
    return sums, counts


@njit(cache=True, nogil=True)
def _first_characters(data, offsets, most, starts, ends):
    for row in range(starts.size):
        i, end = offsets[row], offsets[row + 1]
        while i < end:
            step = _separator(data, i, end)
            if step == 0:
                break
            i += step
        starts[row] = i
        left = most
        while i < end and left > 0:
            i += 1
            while i < end and data[i] & 0xC0 == 0x80:
                i += 1
            left -= 1
        ends[row] = i


def first_characters(data: np.ndarray, offsets: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """(starts, ends), int64 (n,), of the first `most` characters of each row, not counting separators before them."""
    starts, ends = np.empty(len(offsets) - 1, np.int64), np.empty(len(offsets) - 1, np.int64)
    _first_characters(read_only(data), offsets, most, starts, ends)
    return starts, ends
