"""Where in a text personal data could be: one pass that marks the few places worth a second look.

Looks at every byte once, at most twice more around an ``@``, a ``.`` or a ``:``, and needs no memory but its answer, so
text made to be slow is not. What is marked is judged elsewhere (`dataengine.pii`), by rules that read a short window;
text without candidates costs this pass alone, several hundred MB a second.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ADDRESS, DOTTED, NUMBER, TOKEN, COLONS, PASSWORD, LOGIN, ARMOR, SPELT_OUT = range(1, 10)
"""What a candidate is.

ADDRESS: what could be a mail address. DOTTED: digits and at least three dots. NUMBER: groups of digits, seven or more
in all (six in two groups). TOKEN: letters and digits mixed. COLONS: hex digits and colons. PASSWORD: a word such as
``db_password``. LOGIN: what stands before the ``@`` of ``scheme://user:word@host``. ARMOR: ``-----BEGIN``.
SPELT_OUT: ``at`` with a host name behind it.
"""

DIGIT, ALPHA, JOIN, HEX, LOCAL, WIDE = 1, 2, 4, 8, 16, 32
"""Bits of a byte: LOCAL may stand in the local part of a mail address, JOIN is ``_`` or ``-``, WIDE is not ASCII."""

MAX_LOGIN = 256


def _classes() -> np.ndarray:
    table = np.zeros(256, np.uint8)
    for byte in range(256):
        letter = chr(byte) if byte < 128 else ""
        table[byte] |= DIGIT * letter.isdigit() | ALPHA * letter.isalpha() | JOIN * (byte in b"_-")
        table[byte] |= HEX * (byte in b"0123456789abcdefABCDEF") | WIDE * (byte >= 128)
        table[byte] |= LOCAL * (letter.isalnum() or byte in b"!#$%&'*+/=?^_`{|}~-")
    return table


CLASS = _classes()
NAMES = np.frombuffer(b"drowssap\0dwssap\0\0\0dwp\0\0\0\0\0\0esarhpssap", np.uint8)
"""Ends of words that name a password, spelt backwards, each in nine bytes but the last in ten."""


@njit(cache=True, nogil=True)
def separator_at(data, i, end):
    """Bytes of the mark at `i` that may stand between groups of one number, or 0."""
    c = data[i]
    if c < 0x80:
        return 1 if c == 0x20 or c == 0x2D or c == 0x2E or c == 0x28 or c == 0x29 or c == 0x2F or c == 0x2B else 0
    if c == 0xC2:  # no-break space
        return 2 if i + 1 < end and data[i + 1] == 0xA0 else 0
    if c == 0xE2 and i + 2 < end and data[i + 1] == 0x80:  # hyphens and dashes; thin and narrow spaces
        third = data[i + 2]
        return 3 if 0x90 <= third <= 0x95 or third == 0x89 or third == 0xAF else 0
    return 0


@njit(cache=True, nogil=True)
def number_at(data, start, end):
    """(end, digits, groups) of the groups of digits that begin at `start`, marks between them."""
    i, digits, groups = start, 0, 0
    while True:
        while i < end and CLASS[data[i]] & DIGIT:
            i += 1
            digits += 1
        groups += 1
        j = i
        for _ in range(4):
            size = separator_at(data, j, end) if j < end else 0
            if not size:
                break
            j += size
        if j == i or j >= end or not CLASS[data[j]] & DIGIT:
            return i, digits, groups
        i = j


@njit(cache=True, nogil=True)
def names_password(data, start, end):
    """Whether the word ends as the name of a password does."""
    first = 0
    for width in (9, 9, 9, 10):
        k = 0
        while k < width and NAMES[first + k] and k < end - start and (data[end - 1 - k] | 0x20) == NAMES[first + k]:
            k += 1
        if k == width or not NAMES[first + k]:
            return True
        first += width
    return False


@njit(cache=True, nogil=True)
def host_follows(data, i, end):
    """Whether a name with a dot in it (or the word ``dot``) comes after the `at` that ends at `i`."""
    j = i
    while j < end and j < i + 3 and (data[j] == 0x20 or data[j] == 0x5D or data[j] == 0x29):
        j += 1
    if j == i:
        return False
    k = j
    while k < end and k < j + 64 and CLASS[data[k]] & (DIGIT | ALPHA) | (data[k] == 0x2D):
        k += 1
    if k == j or k + 1 >= end:
        return False
    if data[k] == 0x2E:
        return CLASS[data[k + 1]] & ALPHA != 0
    for m in range(k, min(k + 3, end - 3)):
        if (data[m] | 0x20) == 0x64 and (data[m + 1] | 0x20) == 0x6F and (data[m + 2] | 0x20) == 0x74:
            return m > k
    return False


@njit(cache=True, nogil=True)
def address_around(data, at, width, begin, end):
    """(begin, end) of the longest stretch around the ``@`` at `at` that may be an address; empty where none can be."""
    i = at
    while i > begin and (CLASS[data[i - 1]] & (LOCAL | WIDE) or (data[i - 1] == 0x2E and data[i] != 0x2E)):
        i -= 1
    if i == at or data[at - 1] == 0x2E or at + width >= end:
        return at, at
    j, dots = at + width, 0
    if data[j] == 0x5B:  # [: an IP address in brackets
        while j < end and j < at + 64 and data[j] != 0x5D:
            j += 1
        return (i, j + 1) if j < end and data[j] == 0x5D else (at, at)
    while j < end:
        c = CLASS[data[j]]
        if data[j] == 0x2E:
            dots += 1
        elif not (c & (DIGIT | ALPHA | WIDE) or data[j] == 0x2D):
            break
        j += 1
    return (i, j) if dots else (at, at)


@njit(cache=True, nogil=True)
def colons_around(data, at, begin, end):
    """(begin, end) of the hex digits, colons and dots around the colon at `at`; empty where they make no address."""
    i, j, colons, double = at, at, 0, False
    while i > begin and (CLASS[data[i - 1]] & HEX or data[i - 1] == 0x3A or data[i - 1] == 0x2E):
        i -= 1
    while i < at and data[i] == 0x2E:
        i += 1
    j = i
    while j < end and (CLASS[data[j]] & HEX or data[j] == 0x3A or data[j] == 0x2E):
        if data[j] == 0x3A:
            colons += 1
            double = double or (j > i and data[j - 1] == 0x3A)
        j += 1
    outside = i > begin and CLASS[data[i - 1]] & (DIGIT | ALPHA)
    if outside or colons < 2 or (j < end and CLASS[data[j]] & ALPHA) or not (double or 5 <= colons <= 7):
        return j, j
    return i, j


@njit(cache=True, nogil=True)
def login_after(data, i, end):
    """Where the ``@`` lies that ends a user and password beginning at `i`, or -1."""
    j = i
    while j < end and j < i + MAX_LOGIN:
        c = data[j]
        if c == 0x40:
            return j if j > i else -1
        if c <= 0x20 or c == 0x2F or c == 0x3F or c == 0x23 or c == 0x22 or c == 0x3C or c == 0x3E:
            return -1
        j += 1
    return -1


@njit(cache=True, nogil=True)
def word_at(data, start, stop, digits, end):
    """(what a word from `start` to `stop` is the beginning of, or 0; where that ends) by letters and what follows."""
    size = stop - start
    if size == 2 and (data[start] | 0x20) == 0x61 and (data[start + 1] | 0x20) == 0x74:
        return (SPELT_OUT if host_follows(data, stop, end) else 0), stop
    if not digits and ((data[stop - 1] | 0x20) == 0x64 or (data[stop - 1] | 0x20) == 0x65):
        return (PASSWORD if names_password(data, start, stop) else 0), stop
    if size == 17 and data[start + 2] == 0x2D and data[start + 5] == 0x2D:  # 00-1A-2B-3C-4D-5E
        return TOKEN, stop
    if size == 4 and stop < end:
        if stop + 6 <= end and data[stop] == 0x2E and data[stop + 5] == 0x2E:  # 001a.2b3c.4d5e
            return TOKEN, min(stop + 10, end)
        country = CLASS[data[start]] & CLASS[data[start + 1]] & ALPHA and digits == 2
        if country and CLASS[data[stop - 1]] & DIGIT and separator_at(data, stop, end):  # GB29 NWBK 6016
            return TOKEN, stop
    return 0, stop


@njit(cache=True, nogil=True)
def dotted_around(data, at, begin, end):
    """(begin, end, dots) of the digits and dots around the dot at `at`."""
    i, j, dots = at, at, 0
    while i > begin and (CLASS[data[i - 1]] & DIGIT or data[i - 1] == 0x2E):
        i -= 1
    while j < end and (CLASS[data[j]] & DIGIT or data[j] == 0x2E):
        j += 1
    for k in range(i, j):
        dots += data[k] == 0x2E
    return i, j, dots


@njit(cache=True, nogil=True)
def _scan(data, offsets, found):
    count, room = 0, found.shape[0]
    for row in range(offsets.size - 1):
        begin, i, end = offsets[row], offsets[row], offsets[row + 1]
        numbered = dotted = coloned = escaped = begin  # how far each of these has been looked at
        while i < end:
            c, what, first, last = data[i], 0, i, i
            kind = CLASS[c]
            if kind & (DIGIT | ALPHA):
                start, digits, seen = i, 0, 0
                while i < end:
                    k = CLASS[data[i]]
                    if not k & (DIGIT | ALPHA | JOIN) or (data[i] == 0x2D and data[i - 1] == 0x2D):
                        break
                    seen |= k
                    digits += k & DIGIT
                    i += 1
                if kind & DIGIT and start >= numbered:
                    numbered, total, groups = number_at(data, start, end)
                    if total >= 7 or (total == 6 and groups >= 2):
                        if count < room:
                            found[count, 0], found[count, 1], found[count, 2] = NUMBER, start, numbered
                            found[count, 3] = row
                        count += 1
                if digits and seen & ALPHA and ((i - start >= 7 and digits >= 3) or i - start >= 16):
                    what, first, last = TOKEN, start, i
                else:
                    what, last = word_at(data, start, i, digits, end)
                    first = start
            else:
                i += 1
                if c == 0x40:
                    first, last = address_around(data, first, 1, begin, end)
                    what = ADDRESS if last > first else 0
                elif c == 0x25:
                    if i + 1 < end and data[i] == 0x34 and data[i + 1] == 0x30:  # %40, an @ in a URL
                        first, last = address_around(data, first, 3, max(begin, escaped), end)
                        what, escaped = ADDRESS if last > first else 0, i + 2
                elif c == 0x2E:
                    if first >= dotted and first > begin and i < end and CLASS[data[i]] & DIGIT:
                        first, last, dots = dotted_around(data, first, dotted, end)
                        dotted = last
                        what = DOTTED if dots >= 3 else 0
                elif c == 0x3A:
                    if i + 1 < end and data[i] == 0x2F and data[i + 1] == 0x2F:
                        stop = login_after(data, i + 2, end)
                        if stop >= 0:
                            what, first, last = LOGIN, i + 2, stop
                    elif first >= coloned:
                        first, last = colons_around(data, first, coloned, end)
                        coloned = last
                        what = COLONS if last > first else 0
                elif c == 0x2D and i + 8 < end and data[i] == 0x2D and data[i + 3] == 0x2D and data[i + 4] == 0x42:
                    what, last = ARMOR, i + 4
            if what:
                if count < room:
                    found[count, 0], found[count, 1], found[count, 2], found[count, 3] = what, first, last, row
                count += 1
    return count


def candidates(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Candidates in the rows of an Arrow UTF-8 buffer: int64, shape (n, 4): kind, begin, end (bytes in `data`), row.

    They come in the order of the rows, and may overlap.
    """
    room = 1024 + int(offsets[-1] - offsets[0]) // 256
    while True:
        found = np.empty((room, 4), np.int64)
        count = _scan(data, offsets, found)
        if count <= room:
            return found[:count]
        room = count
