"""A stretch of text as what it is compared by: letters in any case the same, white space runs one blank, and, where
asked for, any number like any other.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

from dataengine.kernels.digest import eight
from dataengine.kernels.part import part
from dataengine.kernels.spaces import space_at
from dataengine.kernels.token_arrays import character

TABLE = 0x1FC00
"""Code points that are looked up; those above have neither case nor numeric value."""
BLANK, ZERO = 0x20, 0x30
ONES = np.uint64(0x0101010101010101)
HIGH = np.uint64(0x8080808080808080)
ROOM = 2
"""So many times its bytes a folded stretch may need: characters of two bytes take three."""


@cache
def folds(masked: bool) -> np.ndarray:
    """int32, by code point: its one lower-case letter (Unicode's mapping where it is a single one), or itself;
    `masked`: decimal digits of any script are ``0``. Made in 50 ms.
    """
    table = np.arange(TABLE, dtype=np.int32)
    for code in range(TABLE):
        lower = chr(code).lower()
        if len(lower) == 1:
            table[code] = ord(lower)
        if masked and unicodedata.category(chr(code)) == "Nd":
            table[code] = ZERO
    table.flags.writeable = False
    return table


@part
def at_least(word, byte):
    """The high bit of each of eight ASCII bytes that is at least `byte`."""
    return (word + np.uint64(0x80 - byte) * ONES) & HIGH


@part
def plain(word, after_blank, masked):
    """Whether eight bytes are ASCII of which folding changes nothing but the case of letters."""
    if word & HIGH:
        return False
    printed = at_least(word, 0x20)
    blanks = printed & ~at_least(word, 0x21)
    twice = blanks & (blanks << np.uint64(8) | np.uint64(0x80 if after_blank else 0))
    numbers = at_least(word, 0x30) & ~at_least(word, 0x3A) if masked else np.uint64(0)
    return printed == HIGH and not twice | numbers


@part
def write_eight(word, out, i):
    at = np.uint64(i)
    for _ in range(8):
        out[at] = np.uint8(word & np.uint64(0xFF))
        word >>= np.uint64(8)
        at += np.uint64(1)


@part
def fold(data, start, end, table, masked, out):
    """Write ``data[start:end]`` folded to `out`; returns how many bytes. Characters above ASCII take three, of 7 bits
    each, so that different texts stay different. Eight bytes a step where only letters have to be made lower.
    """
    filled = 0
    i = start
    while i < end:
        if i + 8 <= end:
            word = eight(data, i)
            if plain(word, filled > 0 and out[filled - 1] == BLANK, masked):
                upper = at_least(word, 0x41) & ~at_least(word, 0x5B)
                write_eight(word | upper >> np.uint64(2), out, filled)
                filled += 8
                i += 8
                continue
        i, filled = fold_slowly(data, i, min(i + 8, end), end, table, masked, out, filled)
    return filled


@part
def fold_slowly(data, i, until, end, table, masked, out, filled):
    """Go on at `i` up to `until`, or to the end of the character there; returns (where to go on, bytes filled)."""
    while i < until:
        byte = data[i]
        code, step = np.int32(byte), 1
        space = 1 if byte == BLANK else 0 if 0x20 < byte < 0x80 else space_at(data, i, end)
        if space:
            if filled == 0 or out[filled - 1] != BLANK:
                out[filled] = BLANK
                filled += 1
            i += space
            continue
        if byte < 0x80:
            code = table[byte]
        else:
            wide, step = character(data, i, end)
            code = table[wide] if wide < table.size else np.int32(wide)
        i += step
        if code >= 0x80:
            out[filled] = 0x80 | (code >> 14 & 0x7F)
            out[filled + 1] = 0x80 | (code >> 7 & 0x7F)
            out[filled + 2] = 0x80 | (code & 0x7F)
            filled += 3
        elif not (masked and code == ZERO and filled and out[filled - 1] == ZERO):
            out[filled] = code
            filled += 1
    return i, filled
