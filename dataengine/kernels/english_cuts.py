"""Where the English splitter cuts a chunk: what is taken off at its ends, and out of its middle.

Each function looks at the characters about one place, so that each costs the same wherever it is asked. `classes` is
`english_characters.character_flags`; bounds are bytes.
"""

from __future__ import annotations

import numpy as np

from dataengine.kernels.english_characters import (
    ALPHA,
    BEFORE_DOT,
    CURRENCY,
    DASH,
    DIGIT,
    LETTER,
    LOWER,
    NOT_PUNCTUATION,
    PICTURE,
    PREFIX,
    QUOTE,
    SIZE,
    SUFFIX,
    UPPER,
    VISIBLE,
)
from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import character, hash_bytes

LONGEST_UNIT = 12
"""Bytes."""


@part
def flags_of(code, classes):
    """Flags of a code point."""
    if code < SIZE:
        return classes[code]
    han = (code >= 0x20000 and code <= 0x2EBEF and not (code >= 0x2A6E0 and code < 0x2A700)) or (
        code >= 0x2F800 and code <= 0x2FA1F
    )
    if han:
        return np.uint32(ALPHA | LOWER | UPPER | LETTER | VISIBLE | NOT_PUNCTUATION | BEFORE_DOT)
    return np.uint32(VISIBLE | NOT_PUNCTUATION)


@part
def last_character(data, lo, hi):
    """Code point of the last character of ``data[lo:hi]`` and its first byte; (0, lo) if there is none."""
    if hi <= lo:
        return np.uint32(0), lo
    i = hi - 1
    while i > lo and data[i] & 0xC0 == 0x80:
        i -= 1
    code, _ = character(data, i, hi)
    return code, i


@part
def run_of_dots(data, i, hi):
    """Full stops in a row from `i` on."""
    j = i
    while j < hi and data[j] == 46:
        j += 1
    return j - i


@part
def prefix_of(data, lo, hi, classes):
    """Bytes to be taken off at the beginning of ``data[lo:hi]``."""
    code, step = character(data, lo, hi)
    if flags_of(code, classes) & PREFIX:
        return step
    if code == 46:
        dots = run_of_dots(data, lo, hi)
        return dots if dots > 1 else 0
    if code == 43:  # + but not of a number
        return 0 if lo + 1 < hi and classes[data[lo + 1]] & DIGIT else 1
    if (code == 65 or code == 67) and lo + 1 < hi and data[lo + 1] == 36:  # A$, C$
        return 2
    if code == 85 and lo + 2 < hi and data[lo + 1] == 83 and data[lo + 2] == 36:  # US$
        return 3
    return 0


@part
def suffix_of(data, lo, hi, classes, units):
    """Bytes to be taken off at the end of ``data[lo:hi]``."""
    if hi <= lo:
        return 0
    code, at = last_character(data, lo, hi)
    flags = flags_of(code, classes)
    if code == 46:
        return dot_at_end(data, lo, hi, classes)
    if code == 0x2026:  # two of them are taken off together
        return 6 if at - lo >= 3 and data[at - 3] == 0xE2 and data[at - 2] == 0x80 and data[at - 1] == 0xA6 else 3
    if flags & SUFFIX:
        return hi - at
    before, start = last_character(data, lo, at)
    if (code == 115 or code == 83) and (before == 39 or before == 0x2019):  # 's
        return hi - start
    digit_before = before < 128 and classes[before] & DIGIT
    if digit_before and (code == 43 or flags & CURRENCY):
        return hi - at
    if not flags & DIGIT:
        return unit_at_end(data, lo, hi, classes, units)
    return 0


@part
def dot_at_end(data, lo, hi, classes):
    """Bytes to be taken off from a chunk that ends with a full stop."""
    j = hi
    while j > lo and data[j - 1] == 46:
        j -= 1
    if hi - j > 1:
        return hi - j
    code, at = last_character(data, lo, j)
    if at == j:
        return 0
    flags = flags_of(code, classes)
    if flags & BEFORE_DOT:
        return 1
    if flags & UPPER:
        before, start = last_character(data, lo, at)
        if start < at and flags_of(before, classes) & UPPER:
            return 1
    return 0


@part
def unit_at_end(data, lo, hi, classes, units):
    """Bytes of the unit behind the last digit of ``data[lo:hi]``, or 0."""
    i = hi - 1
    stop = max(lo, hi - LONGEST_UNIT - 1)
    while i >= stop and not (data[i] < 0x80 and classes[data[i]] & DIGIT):
        i -= 1
    if i < stop or hi - i - 1 == 0:
        return 0
    value = hash_bytes(data, i + 1, hi)
    for unit in units:
        if unit == value:
            return hi - i - 1
    return 0


@part
def cut_here(data, i, hi, code, flags, step, before, classes):
    """Bytes of what is to be cut out at `i`, or 0. `flags` are those of its character, `before` of the one before."""
    if flags & PICTURE or code == 0x2026:
        return step
    if code == 46:
        dots = run_of_dots(data, i, hi)
        if dots > 1:
            return dots
    after = np.uint32(0)
    if i + step < hi:
        after = flags_of(character(data, i + step, hi)[0], classes)
    if code == 46:
        return 1 if before & (LOWER | QUOTE) and after & (UPPER | QUOTE) else 0
    sign = code == 43 or code == 45 or code == 42 or code == 94
    if sign and before & DIGIT and (after & DIGIT or (i + 1 < hi and data[i + 1] == 45)):
        return 1
    if code == 44:
        return 1 if before & ALPHA and after & ALPHA else 0
    if not before & (ALPHA | DIGIT):
        return 0
    if flags & DASH:
        if after & ALPHA:
            return step
        # two or three hyphens, two long dashes
        j = i + step
        for _ in range(2 if code == 45 else 1 if code == 0x2014 else 0):
            if j >= hi or character(data, j, hi)[0] != code:
                return 0
            j += step
            if j < hi and flags_of(character(data, j, hi)[0], classes) & ALPHA:
                return j - i
        return 0
    if code == 58 or code == 60 or code == 61 or code == 62 or code == 47:
        return step if after & ALPHA else 0
    return 0
