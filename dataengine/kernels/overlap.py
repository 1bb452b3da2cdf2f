"""Which texts repeat passages of known items (questions of a benchmark)? N-grams in common, followed along both texts.

**Words** are what survives retyping: letters in lower case, punctuation left out (``don't`` is ``dont``), whitespace of
any kind between two words the same. Each has two hashes: one of its letters and digits as they are, and one in which
every number is the same (``2.50``, ``1,000`` and ``7`` are one word), so that a question with other numbers is still
that question. Scripts written without spaces give one word a character.

An **index** is built once of all items (`Index`). A text's n-grams are looked up in a bitmap first, which sends away
nearly all of them; where one is known, it is followed: the longest **run** of words in the same order, and the share of
an item's words that the text has near each other (**covered**), which one changed word in eight does not hide.
Cost: one pass; a text that repeats nothing goes through at 150 MB/s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit

from dataengine.kernels.shingles import ROLL, mix
from dataengine.kernels.word_hashes import character_class

FNV_START, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
LEAD = 1
"""The class of bytes above ASCII."""

DROPPED, SPACE, DIGIT = 2, 3, 4
"""Classes of ASCII bytes beside 0 (a letter, see `classes`) and LEAD."""
NUMBER = np.uint64(ord("0"))

MOST_POSTINGS = 64
"""An n-gram that is in more places than this tells no item from another, and is no n-gram of the index."""

RUN, RUN_ITEM, RUN_FIRST, RUN_LAST, COVERED, COVERED_ITEM, COVERED_FIRST, COVERED_LAST = range(8)
"""Columns of what `scan` finds: words, item, and first and last byte in the text, by run and by coverage."""


@cache
def classes() -> tuple[np.ndarray, np.ndarray]:
    """uint8 (256,): what a byte is, or its lower-case letter; uint16 (2048,): lower case below U+0800."""
    table = np.zeros(256, np.uint8)
    for byte in range(128):
        letter = chr(byte)
        table[byte] = (
            DIGIT if letter.isdigit() else ord(letter.lower()) if letter.isalpha()
            else SPACE if letter.isspace() else DROPPED
        )
    table[128:] = LEAD
    lower = np.arange(0x800, dtype=np.uint16)
    for code in range(0x80, 0x800):
        small = chr(code).lower()
        if len(small) == 1 and ord(small) < 0x800:
            lower[code] = ord(small)
    table.flags.writeable = lower.flags.writeable = False
    return table, lower


@njit(cache=True, nogil=True)
def words(data, start, end, table, lower, masked, exact, first, last):
    """The words of ``data[start:end]``: their hashes with and without numbers masked (uint64), first byte and the byte
    after the last (int64). Arrays hold at least ``(end - start) // 2 + 2`` entries. Returns how many."""
    count = 0
    inside = number = False
    one = two = FNV_START
    begins = ends = start
    i = start
    while i < end:
        byte = table[data[i]]
        size, role, code = 1, 2, np.uint64(byte)
        if byte == SPACE:
            role = 0
        elif byte == DROPPED:
            i += 1
            continue
        elif byte == DIGIT:
            code = np.uint64(data[i])
        elif byte == LEAD:
            second = data[i + 1] if i + 1 < end else np.uint8(0)
            third = data[i + 2] if i + 2 < end else np.uint8(0)
            lead = data[i]
            if lead >= 0xC2 and lead < 0xE0:
                size = 2
                if lead == 0xC2:
                    role = character_class(lead, second, third)[1]
                    if role == 0 and second != 0xA0 and second != 0x85:  # signs are dropped, the no-break space is one
                        i += min(size, end - i)
                        continue
                code = np.uint64(lower[(np.int64(lead & 0x1F) << 6) | np.int64(second & 0x3F)])
            elif lead >= 0xE0 and lead < 0xF0:
                size, role = character_class(lead, second, third)
                size = 3
                quote = lead == 0xE2 and second == 0x80 and third >= 0x98
                if role == 0 and quote:  # quotation marks, ellipsis, bullets
                    i += min(size, end - i)
                    continue
                code = (np.uint64(lead) << np.uint64(16)) | (np.uint64(second) << np.uint64(8)) | np.uint64(third)
            else:
                code = np.uint64(lead) | np.uint64(0x100)
        if role != 2 and inside:
            masked[count], exact[count], first[count], last[count] = one, two, begins, ends
            count += 1
            inside = number = False
            one = two = FNV_START
        if role != 0:
            if not inside:
                begins = i
            two = (two ^ code) * FNV_PRIME
            if byte == DIGIT:
                if not number:
                    one = (one ^ NUMBER) * FNV_PRIME
                number = True
            else:
                one = (one ^ code) * FNV_PRIME
                number = False
            inside = True
            ends = min(i + size, end)
            if role == 1:
                masked[count], exact[count], first[count], last[count] = one, two, begins, ends
                count += 1
                inside = number = False
                one = two = FNV_START
        i += size
    if inside:
        masked[count], exact[count], first[count], last[count] = one, two, begins, ends
        count += 1
    return count


@njit(cache=True, nogil=True)
def gram(hashes, start, ngram):
    """Hash of the n words from `start` on."""
    value = np.uint64(0)
    for i in range(start, start + ngram):
        value = value * ROLL + hashes[i]
    return mix(value)


@dataclass(frozen=True)
class Index:
    """The items to look for, back to back as words."""

    ngram: int
    masked: np.ndarray
    """uint64 (words,): hashes with numbers masked."""
    exact: np.ndarray
    """uint64 (words,): hashes of the words as they are."""
    item_of: np.ndarray
    """int32 (words,): the item of each word."""
    starts: np.ndarray
    """int64 (items + 1,): where each item begins."""
    slots: np.ndarray
    """int64 (2^k,): open-addressed table, number of the n-gram or -1."""
    keys: np.ndarray
    """uint64 (n-grams,)."""
    offsets: np.ndarray
    """int64 (n-grams + 1,): where an n-gram's postings are."""
    postings: np.ndarray
    """int64: positions of words at which the n-gram begins, ascending."""
    sieve: np.ndarray
    """uint8 (2^b,): 1 where the low bits of some n-gram's hash point."""

    @property
    def items(self) -> int:
        """How many there are."""
        return len(self.starts) - 1


def build(data: np.ndarray, offsets: np.ndarray, ngram: int) -> Index:
    """The index of items given as Arrow text (see `buffers.utf8`)."""
    table, lower = classes()
    size = int(np.diff(offsets).max(initial=0)) // 2 + 2
    masked, exact = np.empty(size, np.uint64), np.empty(size, np.uint64)
    first, last = np.empty(size, np.int64), np.empty(size, np.int64)
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for row in range(len(offsets) - 1):
        count = words(data, offsets[row], offsets[row + 1], table, lower, masked, exact, first, last)
        parts.append((masked[:count].copy(), exact[:count].copy()))
    lengths = np.array([len(part) for part, _ in parts], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    all_masked = np.concatenate([part for part, _ in parts]) if parts else np.empty(0, np.uint64)
    all_exact = np.concatenate([part for _, part in parts]) if parts else np.empty(0, np.uint64)
    item_of = np.repeat(np.arange(len(parts), dtype=np.int32), lengths)
    begins = np.concatenate([np.arange(s, s + max(0, n - ngram + 1)) for s, n in zip(starts, lengths, strict=False)]
                            or [np.empty(0, np.int64)]).astype(np.int64)
    hashes = _grams(all_masked, begins, ngram)
    order = np.argsort(hashes, kind="stable")
    keys, counts = np.unique(hashes[order], return_counts=True)
    telling = counts <= MOST_POSTINGS
    chosen = np.repeat(telling, counts)
    keys = keys[telling]
    places = np.concatenate([[0], np.cumsum(counts[telling])]).astype(np.int64)
    bits = max(12, int(16 * max(len(keys), 1)).bit_length())
    slots = np.full(1 << max(4, int(2 * max(len(keys), 1)).bit_length()), -1, np.int64)
    sieve = np.zeros(1 << bits, np.uint8)
    _fill(keys, slots, sieve)
    return Index(ngram, all_masked, all_exact, item_of, starts.astype(np.int64), slots, keys, places,
                 begins[order][chosen], sieve)


@njit(cache=True, nogil=True)
def _grams(hashes, begins, ngram):
    out = np.empty(begins.size, np.uint64)
    for i in range(begins.size):
        out[i] = gram(hashes, begins[i], ngram)
    return out


@njit(cache=True, nogil=True)
def _fill(keys, slots, sieve):
    for number in range(keys.size):
        sieve[keys[number] & np.uint64(sieve.size - 1)] = 1
        slot = np.int64((keys[number] >> np.uint64(32)) & np.uint64(slots.size - 1))
        while slots[slot] >= 0:
            slot = (slot + 1) & (slots.size - 1)
        slots[slot] = number


@njit(cache=True, nogil=True)
def find(key, keys, slots):
    """Number of an n-gram, or -1."""
    slot = np.int64((key >> np.uint64(32)) & np.uint64(slots.size - 1))
    while slots[slot] >= 0:
        if keys[slots[slot]] == key:
            return slots[slot]
        slot = (slot + 1) & (slots.size - 1)
    return np.int64(-1)


def scan(data: np.ndarray, offsets: np.ndarray, index: Index, short: int) -> np.ndarray:
    """What each text repeats: int64, shape (n, 8), columns `RUN` to `COVERED_LAST`; item -1 where there is nothing.

    Items of fewer than `short` words count only as a whole and with their numbers as they are (then all their words are
    covered); those with fewer words than an n-gram only if they are the whole text.
    """
    found = np.zeros((len(offsets) - 1, 8), np.int64)
    found[:, [RUN_ITEM, COVERED_ITEM]] = -1
    table, lower = classes()
    size = int(np.diff(offsets).max(initial=0)) // 2 + 2
    _scan(
        data, offsets, table, lower, index.ngram, short, index.masked, index.exact, index.item_of, index.starts,
        index.slots, index.keys, index.offsets, index.postings, index.sieve,
        np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.int64), np.empty(size, np.int64),
        tiny_items(index), found,
    )
    return found


def tiny_items(index: Index) -> np.ndarray:
    """int64 (k, 2): (hash of all words, item) of the items that have fewer words than an n-gram, sorted by hash."""
    lengths = np.diff(index.starts)
    rows = [(int(gram(index.exact, index.starts[item], lengths[item])) >> 1, item)
            for item in np.flatnonzero((lengths > 0) & (lengths < index.ngram))]
    return np.array(sorted(rows), np.int64).reshape(-1, 2)


@njit(cache=True, nogil=True)
def _scan(data, offsets, table, lower, ngram, short, item_masked, item_exact, item_of, starts, slots, keys, places,
          postings, sieve, masked, exact, first, last, tiny, found):
    length = item_masked.size
    run_end = np.full(length, -1, np.int64)  # where in all texts the n-gram at this word of an item was last seen
    run = np.zeros(length, np.int32)  # and the run of words that ended there
    seen = np.full(length, -1, np.int64)  # where in all texts this word of an item was last seen
    window = np.full(starts.size, -1, np.int64)  # where in all texts the item's words began to be seen
    window_first = np.zeros(starts.size, np.int64)
    covered = np.zeros(starts.size, np.int32)
    weight = np.uint64(1)
    for _ in range(ngram):
        weight *= ROLL
    low = np.uint64(sieve.size - 1)
    base = np.int64(0)
    for row in range(offsets.size - 1):
        count = words(data, offsets[row], offsets[row + 1], table, lower, masked, exact, first, last)
        out = found[row]
        best_share = 0.0
        if count < ngram and count > 0 and tiny.shape[0]:
            whole = np.int64(gram(exact, 0, count) >> np.uint64(1))
            place = np.searchsorted(tiny[:, 0], whole)
            if place < tiny.shape[0] and tiny[place, 0] == whole:
                item = tiny[place, 1]
                if starts[item + 1] - starts[item] == count:
                    out[COVERED], out[COVERED_ITEM] = count, item
                    out[COVERED_FIRST], out[COVERED_LAST] = first[0], last[count - 1]
        rolling = np.uint64(0)
        for p in range(count):
            rolling = rolling * ROLL + masked[p]
            if p >= ngram:
                rolling -= masked[p - ngram] * weight
            begin = p - ngram + 1
            if begin < 0:
                continue
            key = mix(rolling)
            if sieve[key & low] == 0:
                continue
            number = find(key, keys, slots)
            if number < 0:
                continue
            here = base + begin
            for posting in range(places[number + 1] - 1, places[number] - 1, -1):  # a word before its left neighbour
                g = postings[posting]
                item = item_of[g]
                words_of_item = starts[item + 1] - starts[item]
                longer = g > starts[item] and run_end[g - 1] == here - 1 and here > base
                reach = run[g - 1] + 1 if longer else ngram
                run_end[g], run[g] = here, reach
                if window[item] < base or here - window[item] > 2 * words_of_item:
                    window[item], window_first[item], covered[item] = here, first[begin], 0
                for word in range(g, g + ngram):
                    if seen[word] < window[item]:
                        covered[item] += 1
                    seen[word] = here
                if words_of_item < short and (
                    reach < words_of_item
                    or not _same(exact, p + 1 - words_of_item, item_exact, starts[item], words_of_item)
                ):
                    continue
                if reach > out[RUN] and words_of_item >= short:
                    out[RUN], out[RUN_ITEM], out[RUN_FIRST], out[RUN_LAST] = reach, item, first[p + 1 - reach], last[p]
                share = covered[item] / words_of_item
                if share > best_share:
                    best_share = share
                    out[COVERED], out[COVERED_ITEM] = covered[item], item
                    out[COVERED_FIRST], out[COVERED_LAST] = window_first[item], last[p]
        base += count + 1


@njit(cache=True, nogil=True)
def _same(left, left_start, right, right_start, count):
    for i in range(count):  # noqa: SIM110 (numba compiles no generators)
        if left[left_start + i] != right[right_start + i]:
            return False
    return True
