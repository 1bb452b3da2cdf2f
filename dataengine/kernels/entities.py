"""Character references of HTML (``&amp;``, ``&#233;``, ``&eacute``) as UTF-8, in one pass."""

from __future__ import annotations

from functools import cache
from html.entities import html5
from typing import NamedTuple

import numpy as np

from dataengine.kernels.part import bare, entry
from dataengine.kernels.token_arrays import PRIME, SEED

SLOTS = 8192
LONGEST = 8
"""Most bytes that a named reference stands for."""


class Entities(NamedTuple):
    """An open-addressing table of names, without ``&`` and ``;``."""

    hashes: np.ndarray
    """uint64, shape (SLOTS,); 0 is no entry."""
    lengths: np.ndarray
    """uint8: bytes that it stands for."""
    bare: np.ndarray
    """bool: may stand without its ``;``."""
    content: np.ndarray
    """uint8, shape (SLOTS, LONGEST)."""
    windows: np.ndarray
    """int32, shape (32,): what ``&#128;`` to ``&#159;`` mean: windows-1252."""


@cache
def entity_table() -> Entities:
    """The 2,125 names of the standard, as Python's ``html.entities`` has them."""
    hashes, lengths = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.uint8)
    bare, content = np.zeros(SLOTS, np.bool_), np.zeros((SLOTS, LONGEST), np.uint8)
    for name, text in html5.items():
        if not name.endswith(";"):
            continue
        value = int(SEED)
        for byte in name[:-1].encode():
            value = (value ^ byte) * int(PRIME) % 2**64
        place = value % SLOTS
        while hashes[place]:
            place = (place + 1) % SLOTS
        encoded = text.encode()
        hashes[place], lengths[place], bare[place] = value, len(encoded), name[:-1] in html5
        content[place, : len(encoded)] = np.frombuffer(encoded, np.uint8)
    codes = [ord(bytes([code]).decode("cp1252", "replace")) for code in range(128, 160)]
    return Entities(hashes, lengths, bare, content, np.array(codes, np.int32))


@bare
def write_code(code, out, n):
    """Write a code point as UTF-8; returns the place behind it."""
    if code < 0x80:
        out[n] = code
        return n + 1
    if code < 0x800:
        out[n], out[n + 1] = 0xC0 | code >> 6, 0x80 | code & 63
        return n + 2
    if code < 0x10000:
        out[n], out[n + 1], out[n + 2] = 0xE0 | code >> 12, 0x80 | code >> 6 & 63, 0x80 | code & 63
        return n + 3
    out[n], out[n + 1] = 0xF0 | code >> 18, 0x80 | code >> 12 & 63
    out[n + 2], out[n + 3] = 0x80 | code >> 6 & 63, 0x80 | code & 63
    return n + 4


@bare
def read_number(data, i, end, windows):
    """(code point, place behind it) of the digits behind ``&#``; the place is `i` where there are none."""
    base = 10
    j = i
    if j < end and data[j] | 32 == 120:
        base = 16
        j += 1
    first = j
    code = np.int64(0)
    while j < end:
        byte = np.int64(data[j])
        if 48 <= byte <= 57:
            digit = byte - 48
        elif base == 16 and 97 <= byte | 32 <= 102:
            digit = (byte | 32) - 87
        else:
            break
        code = min(code * base + digit, np.int64(0x110000))
        j += 1
    if j == first:
        return np.int64(0), i
    if j < end and data[j] == 59:
        j += 1
    if 128 <= code < 160:
        code = np.int64(windows[code - 128])
    if code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        code = np.int64(0xFFFD)
    return code, j


@entry
def write_reference(data, i, end, out, n, table):
    """Write what the ``&`` at `i` stands for; returns ``(place behind it, new n)``.

    What is no reference is written as the sign it is; control characters are left out. Never writes more than it reads,
    but for two names of five bytes that stand for six.
    """
    if i + 1 < end and data[i + 1] == 35:
        code, j = read_number(data, i + 2, end, table.windows)
        if j > i + 2:
            return j, n if code < 32 and not 9 <= code <= 13 else write_code(code, out, n)
    value = SEED
    j, best, best_end = i + 1, -1, i + 1
    while j < end and j < i + 33 and (48 <= data[j] <= 57 or (97 <= data[j] | 32 <= 122 and data[j] < 128)):
        value = (value ^ np.uint64(data[j])) * PRIME
        j += 1
        ends = j < end and data[j] == 59
        if ends or j - i <= 7:  # bare names have at most six letters
            place = np.int64(value & np.uint64(SLOTS - 1))
            while table.hashes[place] != 0 and table.hashes[place] != value:
                place = (place + 1) & (SLOTS - 1)
            if table.hashes[place] != 0 and (ends or table.bare[place]):
                best, best_end = place, j + ends
    if best < 0:
        out[n] = 38
        return i + 1, n + 1
    for k in range(table.lengths[best]):
        out[n + k] = table.content[best, k]
    return best_end, n + table.lengths[best]
