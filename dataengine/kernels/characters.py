"""What kinds of characters a text is made of, in one pass: damage, controls, symbols, and the longest runs of them.

**Mojibake** is UTF-8 that somebody read as windows-1252 or Latin-1: ``Ã©`` for ``é``, ``â€™`` for ``’``. A sequence of
such characters that spells one UTF-8 character counts where it is hardly ever meant (``Ã`` or ``Â`` before a sign of
the upper half, ``â€``, ``ï»¿``, ``ðŸ``), and any other only beside a second one, as in ``Ð¿Ñ€Ð¸``: ``É»`` and
``à «`` are good French.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numba import njit

from dataengine.kernels.words import character

SPACE, LETTER, DIGIT, SYMBOL, CONTROL, PRIVATE, INVISIBLE, REPLACEMENT, JOINER = range(9)
"""Classes of characters. LETTER is also what combines with one, JOINER what scripts need (U+200C to U+200F)."""

UNSPACED = 16
"""Added to the class of characters of scripts written without spaces."""

COLUMNS = (
    "characters", "visible", "letters", "symbols", "controls", "private_use", "invisible", "replacements", "mojibake",
    "longest_run", "longest_word", "longest_line",
)

CP1252 = {byte: bytes([byte]).decode("cp1252") for byte in range(0x80, 0xA0)
          if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}

_UNSPACED = ((0x0E00, 0x0EFF), (0x0F00, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19FF), (0x1A20, 0x1AAF), (0x1B00, 0x1BBF),
             (0x2E80, 0x31FF), (0x3400, 0xA4CF), (0xA980, 0xA9FF), (0xAA00, 0xAA7F), (0xAC00, 0xD7AF), (0xF900, 0xFAFF),
             (0xFF00, 0xFFEF))
"""Thai, Lao, Tibetan, Myanmar, Khmer, Tai Le, Tai Tham, Balinese, Javanese, Cham, Chinese, Japanese, Yi, Hangul."""


@cache
def classes() -> np.ndarray:
    """Class of each code point below U+10000: uint8, shape (65536,). Made from Python's Unicode tables in 20 ms."""
    table = np.full(0x10000, SYMBOL, np.uint8)
    for code in range(0x10000):
        letter = chr(code)
        category = unicodedata.category(letter)
        if category in ("Cc", "Cs"):
            table[code] = SPACE if letter in "\t\n\r\f\v\x85" else CONTROL
        elif letter.isspace():
            table[code] = SPACE
        elif category[0] in "LM":
            table[code] = LETTER
        elif category[0] == "N":
            table[code] = DIGIT
        elif category == "Co":
            table[code] = PRIVATE
        elif category == "Cf":
            table[code] = INVISIBLE if code in INVISIBLES else JOINER
    table[0xFFFD] = REPLACEMENT
    for first, last in _UNSPACED:
        table[first:last + 1] += UNSPACED
    table.flags.writeable = False
    return table


INVISIBLES = frozenset({0x200B, 0x2060, *range(0x2061, 0x2065), 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x2070),
                        *range(0xFFF9, 0xFFFC)})
"""Zero-width spaces, invisible operators, and the controls that turn the direction of text about."""


@cache
def latin_bytes() -> np.ndarray:
    """The byte that windows-1252 or Latin-1 reads as each code point below U+2200, 0 for none: uint8, shape (8704,)."""
    table = np.zeros(0x2200, np.uint8)
    table[0x80:0x100] = np.arange(0x80, 0x100)
    for byte, letter in CP1252.items():
        table[ord(letter)] = byte
    table.flags.writeable = False
    return table


def characters(data: np.ndarray, offsets: np.ndarray) -> dict[str, np.ndarray]:
    """Per row of UTF-8 text the counts `COLUMNS`: int64, shape (n,) each.

    `data` and `offsets` as `buffers.utf8` gives them. ``visible`` are the characters that are no white space;
    ``letters`` and ``symbols`` are among them, digits are the rest. ``longest_word`` is the longest run of visible
    characters of scripts that put spaces between words, ``longest_run`` the longest of one visible character.
    """
    table = np.zeros((offsets.size - 1, len(COLUMNS)), np.int64)
    count_characters(data, offsets, classes(), latin_bytes(), table)
    return dict(zip(COLUMNS, table.T, strict=True))


@njit(cache=True, nogil=True, inline="always")
def _class_of(code, table):
    if code < 0x10000:
        return np.int64(table[code])
    if code >= 0xE0000:
        return np.int64(PRIVATE) if code >= 0xF0000 else np.int64(INVISIBLE) if code < 0xE0080 else np.int64(LETTER)
    if code >= 0x20000:
        return np.int64(LETTER + UNSPACED)
    return np.int64(SYMBOL) if 0x1F000 <= code < 0x1FC00 else np.int64(LETTER)


@njit(cache=True, nogil=True)
def mojibake_at(data, i, end, latin):
    """Bytes of the sequence at `i` that spells one UTF-8 character in Latin letters (negative where it may well be
    meant as it stands), or 0."""
    code, step = character(data, i, end)
    if code < 0xC2 or code > 0xF4:
        return 0
    need = 1 if code < 0xE0 else 2 if code < 0xF0 else 3
    first = np.uint8(0)
    k = i + step
    for number in range(need):
        if k >= end:
            return 0
        follower, size = character(data, k, end)
        if follower < 0x80 or follower >= 0x2200:
            return 0
        byte = latin[follower]
        if byte < 0x80 or byte > 0xBF:
            return 0
        if number == 0:
            first = byte
        k += size
    if code in (0xC2, 0xC3):
        strong = True
    elif code == 0xE2:
        strong = first == 0x80
    elif code == 0xEF:
        strong = first == 0xBB
    else:
        strong = code == 0xF0 and first == 0x9F
    return k - i if strong else i - k


@njit(cache=True, nogil=True)
def count_characters(data, offsets, classes, latin, table):
    """Fill `table`, int64, shape (n, 12), columns in the order of `COLUMNS`."""
    for row in range(offsets.size - 1):
        i, end = offsets[row], offsets[row + 1]
        count = spaces = letters = symbols = controls = private = invisible = replaced = mojibake = 0
        best_run = run = best_word = word = best_line = 0
        line = 0  # value of `count` where the line began
        before = np.uint32(0)
        until = i - 1  # end of the mojibake sequence last seen
        weak = False  # that sequence is not counted yet
        while i < end:
            code = np.uint32(data[i])
            step = 1
            if code >= 0x80:
                code, step = character(data, i, end)
            cls = _class_of(code, classes)
            i += step
            count += 1
            if 0xC2 <= code <= 0xF4 and i > until:
                size = mojibake_at(data, i - step, end, latin)
                if size:
                    beside = until == i - step
                    if size > 0 or beside:
                        mojibake += 2 if beside and weak else 1
                    weak = size < 0 and not beside
                    until = i - step + abs(size)
            if cls == LETTER:
                letters += 1
                word += 1
            elif cls == SPACE:
                spaces += 1
                best_word = max(best_word, word)
                word = 0
                if code == 10:
                    best_line = max(best_line, count - 1 - line)
                    line = count
            else:
                word += 1
                if cls >= UNSPACED:
                    cls -= UNSPACED
                    word = 0
                    letters += cls == LETTER
                    spaces += cls == SPACE
                if cls == SYMBOL:
                    symbols += 1
                elif cls == CONTROL:
                    controls += i > until
                elif cls == PRIVATE:
                    private += 1
                elif cls == INVISIBLE:
                    invisible += code != 0x200B or before < 0x0E00
                elif cls == REPLACEMENT:
                    replaced += 1
            if code == before:
                run += 1
            else:
                if run > best_run:
                    best_run = run
                run = cls != SPACE
                before = code
            if cls == SPACE:
                run = 0
        out = table[row]
        out[0], out[1], out[2], out[3], out[4] = count, count - spaces, letters, symbols, controls
        out[5], out[6], out[7], out[8] = private, invisible, replaced, mojibake
        out[9], out[10], out[11] = max(best_run, run), max(best_word, word), max(best_line, count - line)
