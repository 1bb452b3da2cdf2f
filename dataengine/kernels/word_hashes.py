"""The words of a text as hashes, straight off its UTF-8 bytes, sixty-four bytes a step.

A *word* is a run of ASCII letters and digits (folded to lower case) and of characters above ASCII (as they stand).
Spaces, ASCII punctuation and the Unicode punctuation of Latin texts separate words. Scripts that are written without
spaces (Han, kana, Thai, Lao, Burmese, Khmer, full-width forms) give one word per character, as one word per sentence
would make every n-gram unique.

What bytes belong to words comes as 64 bits; the beginnings and ends of words are where they change. Only characters
that may separate words, or stand alone, are looked at one by one. A word's hash takes its bytes eight at a time, and
different words of up to eight bytes have different hashes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.byte_vectors import WIDTH, eight_bytes, lowest, word_bits
from dataengine.kernels.part import part

LEADS = frozenset([0xC2, *range(0xE0, 0xEA), 0xEF])
"""First bytes of characters that `character_class` must look at; `byte_vectors.word_bits` knows them too."""
ASCII = np.uint64(0x8080808080808080)
"""The bits that ASCII has not."""
SPREAD = np.uint64(0x9FB21C651E98DF25)
"""Odd, its bits without pattern."""
ONE, HALF, ALL = np.uint64(1), np.uint64(32), np.uint64(0xFFFFFFFFFFFFFFFF)
SEPARATES, ALONE, LETTER = range(3)
"""Roles of a character."""


@njit(cache=True, nogil=True)
def character_class(first, second, third):
    """(bytes, role) of a character whose first byte is of LEADS: 0 separates, 1 is a word by itself, 2 a letter."""
    if first == 0xC2:  # U+0080..00BF: controls, no-break space, signs; the letters ª µ º
        return 2, LETTER if second == 0xAA or second == 0xB5 or second == 0xBA else SEPARATES
    if first == 0xE2:  # U+2000..206F: spaces, dashes, quotation marks, bullets, ellipsis
        return 3, SEPARATES if second == 0x80 or (second == 0x81 and third < 0xB0) else LETTER
    if first == 0xE0:  # Thai, Lao
        return 3, ALONE if second >= 0xB8 and second <= 0xBB else LETTER
    if first == 0xE1:  # Burmese, Khmer
        return 3, ALONE if (second >= 0x80 and second <= 0x82) or second == 0x9E or second == 0x9F else LETTER
    return 3, SEPARATES if first == 0xE3 and second == 0x80 else ALONE  # U+3000..303F; kana, Han, full-width forms


@part
def ones(count):
    """The lowest `count` bits, 0 to 64."""
    return ALL if count >= WIDTH else (ONE << np.uint64(count)) - ONE


@part
def fold(chunk):
    """Eight bytes with their ASCII letters in lower case, if all of ASCII in them is letters and digits: letters differ
    by their case in the bit 0x20, digits have it."""
    return chunk | (~chunk & ASCII) >> np.uint64(2)


@part
def chain(h, chunk):
    return (h ^ chunk) * SPREAD


@part
def hash_word(data, begin, stop):
    """Hash of ``data[begin:stop]``, one byte or more, ASCII letters folded to lower case: uint64.

    A chain over chunks of eight bytes, the last filled up with zeros: ``h = (h ^ chunk) * SPREAD; h ^= h >> 32``.
    """
    h, at = np.uint64(0), begin
    while stop - at > 8:
        h = chain(h, fold(eight_bytes(data, at)))
        h ^= h >> HALF
        at += 8
    free = np.uint64(64 - 8 * (stop - at))
    # read so that nothing beyond the array is touched: backwards from the end of the word
    chunk = fold(eight_bytes(data, stop - 8)) >> free if stop >= 8 else fold(eight_bytes(data, at)) & ALL >> free
    h = chain(h, chunk)
    return h ^ h >> HALF


@part
def look(data, base, end, word, lead, until, role):
    """Settle the characters of a block that must be looked at: (word bits, bits before which a word is cut, until,
    role). `until` is where the last of them ends, which may be in the next block, and `role` is its role."""
    cuts = np.uint64(0)
    reached = until - base
    if reached >= 0:
        after = ONE << np.uint64(reached)
        word = word & ~(after - ONE) if role == SEPARATES else word | (after - ONE)
        lead &= ~(after - ONE)
        if role == ALONE:
            cuts |= after
    while lead:
        place = lowest(lead)
        at = base + place
        second = data[at + 1] if at + 1 < end else np.uint8(0)
        third = data[at + 2] if at + 2 < end else np.uint8(0)
        size, role = character_class(data[at], second, third)
        until = at + size
        first = ONE << np.uint64(place)
        after = first << np.uint64(size)  # bits that leave the block on the left are the next one's
        bits = after - first
        word = word & ~bits if role == SEPARATES else word | bits
        lead &= ~bits
        if role == ALONE:
            cuts |= first | after
    return word, cuts, until, role


@njit(cache=True, nogil=True)
def words(data, start, end, out):
    """Hashes of the words of ``data[start:end]`` into `out` (uint64), until less than 64 are free in it: (how many,
    where to go on, which is `end` when there are no more).

    `data` (uint8) has at least 64 bytes, `out` 128. 1.5 to 2 GB/s on one core of an AMD EPYC with AVX-512, for
    English; a byte table and a branch a byte did a quarter of that.
    """
    count, base, begin = 0, start, start
    inside = np.uint64(0)  # whether the byte before this block belongs to a word, which began at `begin`
    until, role = start - 1, SEPARATES
    while base < end:
        if count + WIDTH > out.size:
            return count, (begin if inside else min(max(base, until), end))
        place = min(base, data.size - WIDTH)
        word, lead = word_bits(data, place)
        before = np.uint64(base - place)
        known = ones(end - base)
        word, lead = (word >> before) & known, (lead >> before) & known
        cuts = np.uint64(0)
        if lead or until >= base:
            word, cuts, until, role = look(data, base, end, word, lead, until, role)
            word &= known  # a character may be cut off by the end
        previous = word << ONE | inside
        begins, ends = word & (~previous | cuts), previous & (~word | cuts)
        if not inside:
            begin = base + lowest(begins)
            begins &= begins - ONE
        inside = word >> np.uint64(63)
        while ends:
            out[count] = hash_word(data, begin, base + lowest(ends))
            count += 1
            ends &= ends - ONE
            begin = base + lowest(begins)  # beyond the block if no word begins in it any more: then it is not used
            begins &= begins - ONE
        base += WIDTH
    if inside:
        out[count] = hash_word(data, begin, end)
        count += 1
    return count, end
