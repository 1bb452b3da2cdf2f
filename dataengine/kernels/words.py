"""Words by a rule that holds in every script: what white space separates, without the marks around it.

Between two white spaces a **word** runs from the first letter or digit to the last, with whatever stands in between
(``don't``, ``well-known``, ``3.14``, ``a/b``). Marks around it belong to no word; marks all by themselves (``--``,
``|``) are a token that is no word.

**Scripts written without spaces** are cut into the smallest units that can be told without a dictionary:

| script | one word is | words per word of ICU |
|---|---|---|
| Han, hiragana | a character | 1.6 (Chinese, Japanese; per word of jieba 1.7) |
| katakana | a run, as in other alphabets | |
| Thai, Lao | a consonant with the vowels and tones written around it | 2.6, 2.4 |
| Khmer, Javanese, Balinese | the same, with subscripts | 2.8 |
| Burmese | the same, with the final consonant | 1.4 |
| Tibetan | a syllable: the marks between syllables separate words | 1.0 |

Where ICU's word breaker begins a word, one of these begins too: in 99 to 100 of 100 cases, Burmese 88. Of English,
Hindi and Korean there are .94 to .99 words to one of ICU. (``python -m benchmarks.word_units``, on the Universal
Declaration of Human Rights and news.)

What ends a line is what ends it for ``str.splitlines``.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numba import njit

from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import (
    BEFORE,
    CHARACTERS,
    ELLIPSES,
    END,
    HASHES,
    KIND,
    LETTERS,
    PLACE,
    PRIME,
    SEED,
    SIZE,
    SORT,
    START,
    SYMBOL,
    TOKEN,
    UNSPACED,
    VISIBLE,
    TokenArrays,
    break_kind,
    character,
    empty_arrays,
)

SPACE, MARK, WORD, LETTER, UNIT, COMBINING, LEADING, JOINING, CLOSING = range(9)
"""Classes of characters. WORD: part of a word that is no letter, as a digit. UNIT: begins a word of its own, LEADING:
begins it before its UNIT; COMBINING: goes with the one before, JOINING: with the next UNIT too; CLOSING: makes the
UNIT before it the end of the word before that."""

UNSPACED_BLOCKS = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0x1B00, 0x1B7F),
    (0x3005, 0x3007), (0x3041, 0x309F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA980, 0xA9FF), (0xAA60, 0xAADF),
    (0xF900, 0xFAFF),
)  # fmt: skip
FOLLOWING = "\u0e2f\u0e30\u0e32\u0e33\u0e45\u0e46\u0eaf\u0eb0\u0eb2\u0eb3\u0ec6々ゝゞ"
"""Letters by category, but they never begin a word: vowels written behind, marks of repetition."""
BEFORE_UNIT = "\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4"
SUBSCRIPTS = "\u1039\u17d2\u1a60\u1b44\ua9c0"
FINALS = "\u103a"
SEPARATORS = "\u200b\ufeff\u0f0b\u0f0c\u0f0d\u0f0e"
"""Zero-width space, byte order mark, and what stands between syllables and sentences of Tibetan."""
BEYOND = 0x20000
"""Code points in the tables: two planes."""


@cache
def character_classes() -> np.ndarray:
    """Class of each code point below U+20000: uint8, shape (131072,). Made from Python's Unicode tables in 50 ms."""
    table = np.full(BEYOND, MARK, np.uint8)
    unspaced = {code for first, last in UNSPACED_BLOCKS for code in range(first, last + 1)}
    for code in range(BEYOND):
        category = unicodedata.category(chr(code))
        if chr(code).isspace() or chr(code) in SEPARATORS:
            table[code] = SPACE
        elif category == "Lo" and code in unspaced:
            table[code] = UNIT
        elif category[0] == "L":
            table[code] = LETTER
        elif category[0] == "M" or category == "Cf":
            table[code] = COMBINING
        elif category[0] == "N":
            table[code] = WORD
    for letters, kind in ((FOLLOWING, COMBINING), (BEFORE_UNIT, LEADING), (SUBSCRIPTS, JOINING), (FINALS, CLOSING)):
        table[[ord(letter) for letter in letters]] = kind
    table[0x3007] = UNIT  # the Chinese zero
    table.flags.writeable = False
    return table


@cache
def chunk_classes() -> np.ndarray:
    """Classes by which everything between two white spaces is one word, as for ``str.split``."""
    table = np.full(BEYOND, WORD, np.uint8)
    for code in range(BEYOND):
        if chr(code).isspace():
            table[code] = SPACE
        elif chr(code).isalpha():
            table[code] = LETTER
    table.flags.writeable = False
    return table


@part
def class_of(code, classes):
    """Class of a code point. Above U+1FFFF there is little but Han."""
    if code < 0x20000:
        return classes[code]
    if code < 0x40000:
        return classes[0x4E00]
    return np.uint8(WORD) if classes[0x4E00] == LETTER else np.uint8(MARK)


@part
def add(hashes, tokens, n, start, end, value, size, kind):
    """Token `n`; returns n + 1."""
    hashes[n] = value
    tokens[n, START] = start
    tokens[n, END] = end
    tokens[n, SIZE] = size
    tokens[n, KIND] = kind
    return n + 1


@part
def close_unit(data, base, hashes, tokens, n, floor):
    """Make token n - 1 the end of token n - 2, if they touch and that is one of the same chunk; returns the new n."""
    if n - 2 < floor or tokens[n - 2, END] != tokens[n - 1, START] or not tokens[n - 2, KIND] & UNSPACED:
        return n
    value = hashes[n - 2]
    for i in range(base + tokens[n - 1, START], base + tokens[n - 1, END]):
        value = (value ^ np.uint64(data[i])) * PRIME
    hashes[n - 2] = value
    tokens[n - 2, END] = tokens[n - 1, END]
    tokens[n - 2, SIZE] += tokens[n - 1, SIZE]
    return n - 1


@part
def add_chunk(data, lo, hi, base, n, classes, hashes, tokens, counts):
    """The tokens of ``data[lo:hi]``, which has no white space in it."""
    floor = n
    value = seen = SEED  # hash of the characters since the word began, and what it was at its last letter
    size = seen_size = kind = 0
    start = end = lo
    inside = unit = joins = False
    dots = symbols = size_of_all = 0
    i = lo
    while i < hi:
        code, step = character(data, i, hi)
        cls = class_of(code, classes)
        dots = dots + 1 if code == 46 else 0
        if dots == 3:
            counts[ELLIPSES] += 1
            dots = 0
        if code == 35 or code == 0x2026:
            counts[HASHES if code == 35 else ELLIPSES] += 1
            symbols = SYMBOL
        size_of_all += 1
        begins = cls in (UNIT, LEADING)
        if cls == UNIT and unit and joins and end == i:
            begins = False  # the consonant that a leading vowel or a subscript sign waits for
        goes_on = unit and end == i and cls in (COMBINING, JOINING, CLOSING)
        if inside and (begins or (unit and not begins and cls != UNIT and not goes_on)):
            n = add(hashes, tokens, n, start - base, end - base, seen, seen_size, kind)
            inside = False
        if cls != MARK and not inside:
            inside, unit = True, begins
            start = i
            value, size = SEED, 0
            kind = VISIBLE | (UNSPACED | LETTERS if begins else 0)
        if inside:
            for k in range(i, i + step):
                value = (value ^ np.uint64(data[k])) * PRIME
            size += 1
        if cls != MARK:
            seen, seen_size, end = value, size, i + step
            joins = cls in (LEADING, JOINING)
            if cls == LETTER:
                kind |= LETTERS
            if cls == CLOSING and unit and n > floor:
                n = (
                    close_unit(
                        data,
                        base,
                        hashes,
                        tokens,
                        add(hashes, tokens, n, start - base, end - base, seen, seen_size, kind),
                        floor,
                    )
                    - 1
                )
                # The last token stays open: what combines with it is still to come.
                start, seen_size, kind = base + tokens[n, START], tokens[n, SIZE], tokens[n, KIND]
                value = seen = hashes[n]
                size = seen_size
        i += step
    if inside:
        n = add(hashes, tokens, n, start - base, end - base, seen, seen_size, kind)
    if n == floor:  # nothing but marks
        value = SEED
        for k in range(lo, hi):
            value = (value ^ np.uint64(data[k])) * PRIME
        n = add(hashes, tokens, n, lo - base, hi - base, value, size_of_all, 0)
    tokens[floor, KIND] |= symbols
    return n


@njit(cache=True, nogil=True)
def split_rows(data, offsets, classes, rows, hashes, tokens, breaks, counts):
    """Fill `rows`, `hashes`, `tokens`, `breaks` and `counts`, see `TokenArrays`."""
    n = many_breaks = 0
    for row in range(offsets.size - 1):
        base, end = offsets[row], offsets[row + 1]
        first = n
        characters = 0
        i = base
        while i < end:
            byte = data[i]
            if byte == 32:
                characters += 1
                i += 1
                continue
            code, step = character(data, i, end)
            if class_of(code, classes) == SPACE:
                kind = break_kind(code)
                if kind:
                    breaks[many_breaks, PLACE] = i - base
                    breaks[many_breaks, BEFORE] = characters
                    breaks[many_breaks, TOKEN] = n - first
                    breaks[many_breaks, SORT] = kind | step << 4
                    many_breaks += 1
                characters += 1
                i += step
                continue
            # Letters of ASCII, the most of a text, cost one look each.
            lo = i
            value = SEED
            while i < end and data[i] < 0x80 and classes[data[i]] == LETTER:
                value = (value ^ np.uint64(data[i])) * PRIME
                i += 1
            core = i
            if i < end and data[i] < 0x80 and classes[data[i]] == MARK and core > lo and data[i] != 35:
                i += 1  # one mark behind them
            if core > lo and (i >= end or (data[i] < 0x80 and classes[data[i]] == SPACE)):
                n = add(hashes, tokens, n, lo - base, core - base, value, core - lo, VISIBLE | LETTERS)
                characters += i - lo
                continue
            while i < end:
                code, step = character(data, i, end)
                if class_of(code, classes) == SPACE:
                    break
                i += step
            for k in range(lo, i):
                characters += data[k] & 0xC0 != 0x80
            n = add_chunk(data, lo, i, base, n, classes, hashes, tokens, counts[row])
        counts[row, CHARACTERS] = characters
        rows[row + 1, 0] = n
        rows[row + 1, 1] = many_breaks


def split_words(data: np.ndarray, offsets: np.ndarray) -> TokenArrays:
    """The words of each row of UTF-8 text, and marks that stand alone. `data`, `offsets`: see `buffers.utf8`."""
    found = empty_arrays(offsets)
    split_rows(data, offsets, character_classes(), *found)
    return found


def split_chunks(data: np.ndarray, offsets: np.ndarray) -> TokenArrays:
    """What ``str.split`` gives for each row."""
    found = empty_arrays(offsets)
    split_rows(data, offsets, chunk_classes(), *found)
    return found
