"""One pass over a text: its words, marks and lines, as arrays that other kernels count over.

Between two whitespaces a **word** runs from the first letter or digit to the last, with whatever stands in between
(``don't``, ``well-known``, ``3.14``, ``a/b``). Every **mark** before or after it is a token of its own, and a run of
dots or of hyphens is one (``...``, ``---``). So ``"(well-known...)"`` has four tokens: ``(  well-known  ...  )``.
This is simple and linear, and comes close to what spaCy's English splitter gives to datatrove's Gopher filters.

Letters, digits, marks and spaces are Unicode's (`character_classes`). A script written without spaces gives few, very
long words. A **line** ends with ``\\n``, ``\\r\\n`` or a lone ``\\r``.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numba import njit

SPACE, MARK, WORD, LETTER = 0, 1, 2, 3
"""Classes of characters. WORD is a part of a word that is no letter: a digit, a combining accent, a joiner."""

BULLET, ELLIPSIS = 1, 2
"""Flags of a line: begins with a bullet point, ends with an ellipsis."""

TOKENS, LINES, CHARACTERS, HASHES, ELLIPSES = range(5)
"""What `scan` counts: places in its `counts`."""

SEED = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
"""FNV-1a, 64 bits, over code points: one multiplication a character."""


@cache
def character_classes() -> np.ndarray:
    """Class of each code point below U+10000: uint8, shape (65536,). Made from Python's Unicode tables in 15 ms."""
    table = np.full(0x10000, MARK, np.uint8)
    for code in range(0x10000):
        category = unicodedata.category(chr(code))
        if chr(code).isspace() or code in (0x200B, 0xFEFF):  # zero-width space, byte order mark
            table[code] = SPACE
        elif category[0] == "L":
            table[code] = LETTER
        elif category[0] in "NM" or category == "Cf":
            table[code] = WORD
    table.flags.writeable = False
    return table


@njit(cache=True, nogil=True, inline="always")
def character(data, i, end):
    """Code point at byte `i` and its length in bytes. Bytes that are no UTF-8 give some code point, never a crash."""
    lead = np.uint32(data[i])
    if lead < 0x80 or i + 1 >= end:
        return lead, 1
    second = np.uint32(data[i + 1] & 0x3F)
    if lead < 0xE0 or i + 2 >= end:
        return (lead & np.uint32(0x1F)) << np.uint32(6) | second, 2
    third = np.uint32(data[i + 2] & 0x3F)
    if lead < 0xF0 or i + 3 >= end:
        return (lead & np.uint32(0xF)) << np.uint32(12) | second << np.uint32(6) | third, 3
    fourth = np.uint32(data[i + 3] & 0x3F)
    return (lead & np.uint32(0x7)) << np.uint32(18) | second << np.uint32(12) | third << np.uint32(6) | fourth, 4


@njit(cache=True, nogil=True, inline="always")
def class_of(code, classes):
    """Class of a code point. Above U+FFFF pictographs are marks and everything else letters, which is nearly right."""
    if code < 0x10000:
        return classes[code]
    return np.uint8(MARK) if 0x1F000 <= code < 0x1FC00 else np.uint8(LETTER)


@njit(cache=True, nogil=True)
def add_marks(data, start, end, n, hashes, lengths, kinds):
    """Append the marks in ``data[start:end]`` as tokens, a run of dots or hyphens as one; returns the new count."""
    i = start
    while i < end:
        code, step = character(data, i, end)
        value = (SEED ^ np.uint64(code)) * PRIME
        length = 1
        i += step
        while (code == 46 or code == 45) and i < end and data[i] == code:
            value = (value ^ np.uint64(code)) * PRIME
            length += 1
            i += 1
        hashes[n] = value
        lengths[n] = length
        kinds[n] = MARK
        n += 1
    return n


@njit(cache=True, nogil=True)
def line_flags(data, start, end):
    """Flags of a line whose visible part is ``data[start:end]``. Bullets are ``-`` and ``•``, as in datatrove."""
    flags = 0
    if end > start and (data[start] == 45 or _is(data, start, end, 0xE2, 0x80, 0xA2)):
        flags |= BULLET
    if end - start >= 3 and (_is(data, end - 3, end, 46, 46, 46) or _is(data, end - 3, end, 0xE2, 0x80, 0xA6)):
        flags |= ELLIPSIS
    return flags


@njit(cache=True, nogil=True, inline="always")
def _is(data, i, end, a, b, c):
    return i + 3 <= end and data[i] == a and data[i + 1] == b and data[i + 2] == c


@njit(cache=True, nogil=True)
def scan(data, start, end, classes, hashes, lengths, kinds, first_token, line_start, line_end, flags, counts):
    """Split ``data[start:end]`` into tokens and lines.

    Per token, filled in: `hashes` uint64; `lengths` int32, characters; `kinds` uint8, MARK, WORD (no letter in it) or
    LETTER. Per line, blank ones too: `first_token` int32 (with one more entry after the last line), `line_start` and
    `line_end` int32, the characters between which it is not blank (equal for a blank line), `flags` uint8.
    `counts` int64, shape (5,): see `TOKENS`. Arrays of tokens hold at least ``end - start`` entries, those of lines
    ``end - start + 2``.
    """
    n = lines = characters = hash_signs = ellipses = 0
    value = seen = SEED  # hash of the characters since the word began, and what it was at the word's last letter
    length = seen_length = 0
    kind = np.uint8(MARK)
    inside = False  # between two spaces
    after = start  # where marks begin that belong to no word yet
    dots = 0
    last_dot = -2
    visible_start, visible_end, visible_start_character, visible_end_character = -1, -1, 0, 0
    first_token[0] = 0
    i = start
    while i <= end:
        if i < end:
            code = np.uint32(data[i])
            step = 1
            if code >= 0x80:
                code, step = character(data, i, end)
            cls = class_of(code, classes)
        else:
            code, step, cls = np.uint32(10), 1, np.uint8(SPACE)

        if cls >= WORD:
            if not inside:
                inside = True
                after = i
                if visible_start < 0:
                    visible_start, visible_start_character = i, characters
            if kind == MARK:
                if after < i:
                    n = add_marks(data, after, i, n, hashes, lengths, kinds)
                value, length = SEED, 0
            value = (value ^ np.uint64(code)) * PRIME
            length += 1
            seen, seen_length = value, length
            after = i + step
            kind = max(kind, cls)
            characters += 1
        elif cls == MARK:
            if not inside:
                inside = True
                after = i
                if visible_start < 0:
                    visible_start, visible_start_character = i, characters
            value = (value ^ np.uint64(code)) * PRIME
            length += 1
            characters += 1
            if code == 46:
                dots = dots + 1 if i == last_dot + 1 else 1
                last_dot = i
                if dots == 3:
                    ellipses += 1
                    dots = 0
            elif code == 35:
                hash_signs += 1
            elif code == 0x2026:
                ellipses += 1
        else:
            if inside:
                if kind != MARK:
                    hashes[n] = seen
                    lengths[n] = seen_length
                    kinds[n] = kind
                    n += 1
                    kind = np.uint8(MARK)
                if after < i:
                    n = add_marks(data, after, i, n, hashes, lengths, kinds)
                inside = False
                visible_end, visible_end_character = i, characters
            line_ends = code == 10 or (code == 13 and (i + 1 >= end or data[i + 1] != 10))
            if line_ends and (i < end or visible_start >= 0):  # the text's end ends a line only if something is on it
                if visible_start >= 0:
                    line_start[lines], line_end[lines] = visible_start_character, visible_end_character
                    flags[lines] = line_flags(data, visible_start, visible_end)
                else:
                    line_start[lines] = line_end[lines] = characters
                    flags[lines] = 0
                visible_start = -1
                lines += 1
                first_token[lines] = n
            characters += i < end
        i += step
    counts[TOKENS] = n
    counts[LINES] = lines
    counts[CHARACTERS] = characters
    counts[HASHES] = hash_signs
    counts[ELLIPSES] = ellipses


@njit(cache=True, nogil=True)
def longest(offsets):
    """Bytes of the longest row."""
    most = 0
    for row in range(offsets.size - 1):
        most = max(most, offsets[row + 1] - offsets[row])
    return most


def word_hash(word: str) -> int:
    """The hash `scan` gives to `word`, which must be one word for it: without spaces, marks at its edges cut off."""
    value = int(SEED)
    for letter in word:
        value = (value ^ ord(letter)) * int(PRIME) % 2**64
    return value
