"""What of a text is not as it should be, found in one pass: so that only rows with something to repair cost more.

Of ASCII without controls the pass looks at nothing but the bytes. A text is NFC (UAX #15) for sure when no character
of it could combine with another or has a spelling of its own; `SUSPECT` says that this has to be looked at.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numba import njit

from dataengine.kernels.characters import INVISIBLES, latin_bytes, mojibake_at
from dataengine.kernels.words import character

CONTROL, LINE_BREAK, INVISIBLE, MOJIBAKE, SUSPECT, MARKS = 1, 2, 4, 8, 16, 32
"""What a row may hold: control characters, other line ends than a newline, invisible characters, UTF-8 read as
windows-1252, characters that need the normal form looked at, too many combining marks in a row to do that."""

MOST_MARKS = 100
"""Combining marks in a row. Normal forms sort them in quadratic time; UAX #15's stream-safe text has at most 30."""

_OTHER, _BREAK, _CONTROL, _C1, _HIDDEN, _SUSPECT, _MARK = range(7)


@cache
def classes(form: str) -> np.ndarray:
    """What each code point below U+10000 asks for, under NFC or NFKC: uint8, shape (65536,). Made in 60 ms."""
    table = np.zeros(0x10000, np.uint8)
    for code in range(0x80, 0x10000):
        char = chr(code)
        parts = unicodedata.decomposition(char)
        if unicodedata.combining(char):
            table[code] = _MARK
        elif not unicodedata.is_normalized(form, char) or 0x1160 <= code <= 0x11FF:  # Hangul's vowels and finals
            table[code] = max(table[code], _SUSPECT)
        if parts and "<" not in parts and " " in parts:
            second = int(parts.split()[1], 16)
            table[second] = max(table[second], _SUSPECT)  # it may be drawn into the character before it
    for code in INVISIBLES | {0xAD}:
        table[code] = _HIDDEN
    table[:0x20] = _CONTROL
    table[[0x09, 0x0A]] = _OTHER
    table[[0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029]] = _BREAK
    table[0x7F] = table[0xFFFE] = table[0xFFFF] = _CONTROL
    table[0x80:0x85] = table[0x86:0xA0] = _C1
    table.flags.writeable = False
    return table


@cache
def bytes_at_fault() -> np.ndarray:
    """1 for the bytes that are no plain ASCII text: controls, and all above 0x7F. uint8, shape (256,)."""
    table = np.ones(256, np.uint8)
    table[0x20:0x7F] = table[[0x09, 0x0A]] = 0
    table.flags.writeable = False
    return table


def faults(data: np.ndarray, offsets: np.ndarray, form: str) -> np.ndarray:
    """Per row of UTF-8 text what it may hold (`CONTROL` and the others, added up): uint8, shape (n,)."""
    found = np.zeros(offsets.size - 1, np.uint8)
    find_faults(data, offsets, bytes_at_fault(), classes(form), latin_bytes(), found)
    return found


@njit(cache=True, nogil=True)
def find_faults(data, offsets, plain, classes, latin, found):
    """Fill `found`, uint8, shape (n,)."""
    for row in range(offsets.size - 1):
        any_fault = np.uint8(0)
        for i in range(offsets[row], offsets[row + 1]):
            any_fault |= plain[data[i]]
        found[row] = _faults_of(data, offsets[row], offsets[row + 1], classes, latin) if any_fault else 0


@njit(cache=True, nogil=True)
def _faults_of(data, i, end, classes, latin):
    flags = marks = 0
    weak_until = -1  # end of a sequence that is mojibake only beside another
    while i < end:
        c = data[i]
        if 0x20 <= c < 0x7F:
            i += 1
            marks = 0
            continue
        code, step = np.uint32(c), 1
        if c >= 0x80:
            code, step = character(data, i, end)
        if 0xC2 <= code <= 0xF4:
            size = mojibake_at(data, i, end, latin)
            if size > 0 or (size < 0 and weak_until == i) or _half_a_quote(data, i, end, code):
                flags |= MOJIBAKE
            elif size < 0:
                weak_until = i - size
        i += step
        kind = classes[code] if code < 0x10000 else _above(code)
        marks = marks + 1 if kind == _MARK else 0
        if kind == _OTHER:
            continue
        if kind == _BREAK:
            flags |= LINE_BREAK
        elif kind == _CONTROL:
            flags |= CONTROL
        elif kind == _C1:
            flags |= CONTROL | MOJIBAKE
        elif kind == _HIDDEN:
            flags |= INVISIBLE
        else:
            flags |= SUSPECT
            if marks > MOST_MARKS:
                flags |= MARKS
    return flags


@njit(cache=True, nogil=True, inline="always")
def _above(code):
    """Of the characters above U+FFFF: tags are hidden, what may combine or decompose is looked at, letters are not."""
    if 0xE0000 <= code < 0xE0080:
        return np.uint8(_HIDDEN)
    if 0x1F000 <= code < 0x1F100 or 0x1F300 <= code < 0x1FBF0 or 0x20000 <= code < 0x2F800:
        return np.uint8(_OTHER)
    return np.uint8(_MARK)


@njit(cache=True, nogil=True, inline="always")
def _half_a_quote(data, i, end, code):
    """``â€`` whose third byte was lost."""
    return code == 0xE2 and i + 5 <= end and data[i + 2] == 0xE2 and data[i + 3] == 0x82 and data[i + 4] == 0xAC
