"""What of a text tells its language: clean pieces of it, in lower case, a few hundred characters each.

Of a long text several windows are read, evenly spread, so that neither a menu at its head nor its licence at the end
speaks for all of it, and so that a text of 10 MB costs as much as one of 10 kB. In a window, these are left out:

- addresses: words with ``://`` or ``@``, or that begin with ``www.``; tags ``<...>`` and entities ``&amp;``
- ``#hashtags``, and words with a sign that belongs to code: one of ``{ } [ ] = | \\ ^ _ ~ ` $ < >``
- words without a letter or digit (dashes, bullets, emoji), except a single ASCII mark; ASCII words of more than 60
- lines of fewer than 3 words or 15 letters, as those of menus, if there are 60 letters in others

Digits and punctuation are left in: without them lid.176 was right less often.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.buffers import read_only
from dataengine.kernels.part import part
from dataengine.kernels.words import character

WINDOWS = 4
"""How many places of a long text are looked at."""

PIECE = 200
"""Letters from which a piece is complete: enough to tell a language by, few enough to see where it changes."""

LONGEST = 60
"""Characters beyond which an ASCII word is no word and another, of a script without blanks, is cut."""

REACH = 32
"""How many bytes a window may span for each character it may give, where most of it is left out."""

SHORT_WORDS, SHORT_LETTERS = 3, 15
ENOUGH_LETTERS = 60

OTHER, LATIN, CYRILLIC, ARABIC, DEVANAGARI, HAN, KANA = range(7)
SCRIPTS = (
    "", "Latn", "Cyrl", "Arab", "Deva", "Hani", "Kana", "Grek", "Armn", "Hebr", "Syrc", "Thaa", "Nkoo", "Beng", "Guru",
    "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Sinh", "Thai", "Laoo", "Tibt", "Mymr", "Geor", "Hang", "Ethi",
    "Cher", "Cans", "Khmr", "Mong", "Tfng", "Olck", "Mtei",
)
"""Scripts by their ISO 15924 codes; the first stands for everything that tells nothing. Han and Kana are Japanese when
they stand together, and then count as Kana."""

BLOCKS = """
0041-005A Latn 0061-007A Latn 00AA-00AA Latn 00BA-00BA Latn 00C0-00D6 Latn 00D8-00F6 Latn 00F8-02AF Latn 0370-03FF Grek
0400-052F Cyrl 0531-058F Armn 0591-05F4 Hebr 0620-06FF Arab 0700-074F Syrc 0750-077F Arab 0780-07BF Thaa 07C0-07FF Nkoo
08A0-08FF Arab 0900-097F Deva 0980-09FF Beng 0A00-0A7F Guru 0A80-0AFF Gujr 0B00-0B7F Orya 0B80-0BFF Taml 0C00-0C7F Telu
0C80-0CFF Knda 0D00-0D7F Mlym 0D80-0DFF Sinh 0E00-0E7F Thai 0E80-0EFF Laoo 0F00-0FFF Tibt 1000-109F Mymr 10A0-10FF Geor
1100-11FF Hang 1200-139F Ethi 13A0-13FF Cher 1400-167F Cans 1780-17FF Khmr 1800-18AF Mong 1C50-1C7F Olck 1C80-1C8F Cyrl
1C90-1CBF Geor 1D00-1D25 Latn 1D26-1D2A Grek 1D2B-1D2B Cyrl 1D2C-1DBF Latn 1E00-1EFF Latn 1F00-1FFF Grek 2C60-2C7F Latn
2D00-2D2F Geor 2D30-2D7F Tfng 2D80-2DDF Ethi 2DE0-2DFF Cyrl 3005-3007 Hani 3041-309F Kana 30A1-30FA Kana 30FC-30FF Kana
3130-318F Hang 31F0-31FF Kana 3400-4DBF Hani 4E00-9FFF Hani A640-A69F Cyrl A720-A7FF Latn A8E0-A8FF Deva A960-A97F Hang
AA60-AA7F Mymr AB00-AB2F Ethi AB30-AB64 Latn AB65-AB65 Grek AB66-AB6F Latn AB70-ABBF Cher ABC0-ABFF Mtei AC00-D7FF Hang
F900-FAFF Hani FB00-FB06 Latn FB50-FDFF Arab FE70-FEFC Arab FF21-FF3A Latn FF41-FF5A Latn FF66-FF9F Kana
"""
"""Blocks of Unicode 16 that hold letters, below U+10000."""

SPACE, MARK, CODE, DIGIT = 0, 1, 2, 3
"""Classes of characters that are no letters; those of letters are `LETTER` and the number of their script."""
LETTER = 4

CODE_SIGNS = "{}[]=|\\^_~`$<>"


class Table(NamedTuple):
    """What characters are, by code point below U+10000."""

    classes: np.ndarray
    """uint8: see `SPACE`."""
    lower: np.ndarray
    """uint16: the code point in lower case, where its UTF-8 is not longer; else itself."""


@cache
def table() -> Table:
    """Made from Python's Unicode tables in about 30 ms."""
    classes, lower = np.full(0x10000, MARK, np.uint8), np.arange(0x10000, dtype=np.uint16)
    for code in range(0x10000):
        kind = unicodedata.category(chr(code))
        if kind[0] in "ZC" and kind != "Cf":
            classes[code] = SPACE
        elif kind[0] == "N":
            classes[code] = DIGIT
        elif kind[0] in "LM":
            classes[code] = LETTER
        folded = chr(code).lower()
        if kind in ("Lu", "Lt") and len(folded[0].encode()) <= len(chr(code).encode()):
            lower[code] = ord(folded[0])
    words = BLOCKS.split()
    for span, name in zip(words[::2], words[1::2], strict=True):
        first, last = (int(end, 16) for end in span.split("-"))
        block = classes[first : last + 1]
        block[block == LETTER] = LETTER + SCRIPTS.index(name)
    for sign in CODE_SIGNS:
        classes[ord(sign)] = CODE
    for array in (classes, lower):
        array.flags.writeable = False
    return Table(classes, lower)


@part
def _class(code, classes):
    """Class of a code point. Above U+FFFF: ideographs from U+20000, pictographs from U+1F000, other letters."""
    if code < 0x10000:
        return np.int64(classes[code])
    if code >= 0x20000:
        return LETTER + HAN
    return MARK if code >= 0x1F000 else LETTER


@part
def _line_ends(code):
    return 0x0A <= code <= 0x0D or code == 0x85 or code == 0x2028 or code == 0x2029


@part
def _behind_tag(data, i, end):
    """Where the tag or entity that begins at `i` ends, or `i` where there is none; looks 256 bytes ahead."""
    if i + 1 >= end:
        return i
    second = data[i + 1] | 0x20  # letters in lower case
    if data[i] == 0x3C:
        if not (0x61 <= second <= 0x7A or data[i + 1] == 0x2F or data[i + 1] == 0x21 or data[i + 1] == 0x3F):
            return i
        for k in range(i + 2, min(end, i + 256)):
            if data[k] == 0x3E:
                return k + 1
            if data[k] == 0x3C:
                return i
    else:
        if not (0x61 <= second <= 0x7A or data[i + 1] == 0x23):
            return i
        for k in range(i + 2, min(end, i + 12)):
            if data[k] == 0x3B:
                return k + 1
            if not (0x30 <= data[k] <= 0x39 or 0x61 <= data[k] | 0x20 <= 0x7A):
                return i
    return i


@part
def _is_address(data, start, end):
    """Whether a word holds an @ or ``://``, begins with ``www.``, or is a hashtag."""
    if data[start] == 0x23 and end - start > 1:
        return True
    w = np.uint8(0x77)
    if end - start > 4 and data[start + 3] == 0x2E and (
        data[start] | 0x20 == w and data[start + 1] | 0x20 == w and data[start + 2] | 0x20 == w
    ):
        return True
    for k in range(start, end):
        if data[k] == 0x40 or (data[k] == 0x3A and k + 2 < end and data[k + 1] == 0x2F and data[k + 2] == 0x2F):
            return True
    return False


@part
def _scan(data, start, end, classes):
    """The word at `start`: (where it ends, its characters, letters, digits, code signs).

    A word longer than `LONGEST` is cut there, one of ASCII characters alone when it is over.
    """
    i, characters, letters, digits, signs, ascii_only = start, 0, 0, 0, 0, True
    while i < end and (characters < LONGEST or ascii_only):
        code, step = character(data, i, end)
        kind = _class(code, classes)
        if kind == SPACE or (i > start and (code == 0x3C or code == 0x26) and _behind_tag(data, i, end) > i):
            break
        letters += kind >= LETTER
        digits += kind == DIGIT
        signs += kind == CODE
        ascii_only &= code < 0x80
        characters += 1
        i += step
    return i, characters, letters, digits, signs


@part
def _write(data, i, end, classes, lower, folds, out, filled, scripts):
    """Copy a word, in lower case if `folds`, and count its letters by script; returns the new end of `out`."""
    while i < end:
        code, step = character(data, i, end)
        kind = _class(code, classes)
        if kind >= LETTER:
            scripts[kind - LETTER] += 1
        small = np.int64(lower[code]) if folds and code < 0x10000 else np.int64(code)
        if small < 0x80 and step == 1:
            out[filled] = small
            filled += 1
        elif small == code:
            for k in range(i, min(i + step, end)):
                out[filled] = data[k]
                filled += 1
        elif small < 0x80:
            out[filled] = small
            filled += 1
        elif small < 0x800:
            out[filled], out[filled + 1] = 0xC0 | small >> 6, 0x80 | small & 0x3F
            filled += 2
        else:
            out[filled], out[filled + 1] = 0xE0 | small >> 12, 0x80 | small >> 6 & 0x3F
            out[filled + 2] = 0x80 | small & 0x3F
            filled += 3
        i += step
    return filled


@part
def _window(data, i, end, quota, classes, lower, folds, out, filled, lines, scripts, count):
    """Write the clean lines of ``data[i:end]`` behind ``out[:filled]``, until there are `quota` characters.

    Of each line, from `count` on: `lines` int64 (3), where it ends in `out`, its letters and words; `scripts` int32,
    its letters by script. A line is cut when it has `PIECE` letters. Returns (filled, count).
    """
    written = letters = words = 0
    scripts[count] = 0
    while i < end and written < quota:
        code, step = character(data, i, end)
        ends = False
        if _class(code, classes) == SPACE:
            i += step
            ends = _line_ends(code)
        else:
            behind = _behind_tag(data, i, end) if code == 0x3C or code == 0x26 else i
            if behind > i:
                i = behind
                continue
            start = i
            i, characters, word_letters, digits, signs = _scan(data, start, end, classes)
            marks = not word_letters and not digits and i - start > 1
            if signs or marks or characters > LONGEST or _is_address(data, start, i):
                continue
            filled = _write(data, start, i, classes, lower, folds, out, filled, scripts[count])
            out[filled] = 0x20
            filled += 1
            written += characters + 1
            letters += word_letters
            words += 1
            ends = letters >= PIECE
        if ends and words:
            lines[count, 0], lines[count, 1], lines[count, 2] = filled, letters, words
            count += 1
            scripts[count] = 0
            letters = words = 0
    if words:
        lines[count, 0], lines[count, 1], lines[count, 2] = filled, letters, words
        count += 1
    return filled, count


@part
def _script(counts):
    """The script of more than half of the letters, or `OTHER`. Han beside Kana is Japanese."""
    total, best = 0, 0
    for k in range(counts.size):
        total += counts[k]
    han, kana = counts[HAN], counts[KANA]
    if 2 * (han + kana) > total and 10 * kana >= han + kana:
        return KANA
    for k in range(1, counts.size):
        if counts[k] > counts[best] or best == 0:
            best = k
    return best if 2 * counts[best] > total else OTHER


@part
def _start_of_word(data, i, end):
    """The first byte behind a blank, within 64 from `i`; else behind the character at `i`."""
    for k in range(i, min(i + 64, end)):
        if data[k] <= 0x20:
            return k
    while i < end and data[i] & 0xC0 == 0x80:
        i += 1
    return i


@njit(cache=True, nogil=True)
def _pieces(data, offsets, most, classes, lower, folds, text, ends, rows, letters, piece_scripts, row_scripts, lines,
            scripts, scratch):
    number, filled = 0, 0
    whole, part = np.zeros(scripts.shape[1], np.int32), np.zeros(scripts.shape[1], np.int32)
    for row in range(offsets.size - 1):
        begin, end = offsets[row], offsets[row + 1]
        windows = WINDOWS if end - begin > most else 1
        quota = -(-most // windows)
        used, count = np.int64(0), np.int64(0)
        for window in range(windows):
            start, stop = begin + (end - begin) * window // windows, begin + (end - begin) * (window + 1) // windows
            if window:
                start = _start_of_word(data, start, stop)
            stop = min(stop, start + REACH * quota)
            used, count = _window(data, start, stop, quota, classes, lower, folds, scratch, used, lines, scripts, count)
        enough = 0
        for k in range(count):
            if lines[k, 2] >= SHORT_WORDS and lines[k, 1] >= SHORT_LETTERS:
                enough += lines[k, 1]
        whole[:] = 0
        part[:] = 0
        held, at = 0, 0
        for k in range(count):
            if enough < ENOUGH_LETTERS or (lines[k, 2] >= SHORT_WORDS and lines[k, 1] >= SHORT_LETTERS):
                for byte in range(at, lines[k, 0]):
                    text[filled] = scratch[byte]
                    filled += 1
                held += lines[k, 1]
                for name in range(part.size):
                    part[name] += scripts[k, name]
                    whole[name] += scripts[k, name]
            at = lines[k, 0]
            if (held >= PIECE or k == count - 1) and filled > ends[number]:
                ends[number + 1], rows[number], letters[number] = filled, row, held
                piece_scripts[number] = _script(part)
                number += 1
                part[:] = 0
                held = 0
        row_scripts[row] = _script(whole)
    return number


class Pieces(NamedTuple):
    """Clean pieces of n texts, in their order; a text may have none."""

    text: np.ndarray
    """uint8: the bytes of all pieces; words are followed by a blank."""
    offsets: np.ndarray
    """int64 (p + 1,)."""
    rows: np.ndarray
    """int64 (p,): of which text it is a piece."""
    letters: np.ndarray
    """int64 (p,)."""
    scripts: np.ndarray
    """uint8 (p,): the script of most of its letters, a place in `SCRIPTS`."""
    row_scripts: np.ndarray
    """uint8 (n,): the same of all pieces of a text."""


def pieces(data: np.ndarray, offsets: np.ndarray, characters: int, lower_case: bool) -> Pieces:
    """Clean the rows of an Arrow UTF-8 buffer; of each row, `characters` are read, and whole words up to it."""
    sizes = np.diff(offsets)
    n, longest = len(sizes), int(sizes.max(initial=0))
    room = np.minimum(2 * sizes + 8, 5 * characters + 16 * LONGEST * WINDOWS)
    most_pieces = int((room // PIECE + 2).sum())
    most_lines = min(longest // 2 + 8, characters + 2 * LONGEST * WINDOWS)
    text, ends = np.empty(int(room.sum()), np.uint8), np.zeros(most_pieces + 1, np.int64)
    rows, letters = np.empty(most_pieces, np.int64), np.empty(most_pieces, np.int64)
    scripts, row_scripts = np.empty(most_pieces, np.uint8), np.empty(n, np.uint8)
    found = _pieces(read_only(data), offsets, characters, *table(), lower_case, text, ends, rows, letters, scripts,
                    row_scripts, np.empty((most_lines, 3), np.int64), np.empty((most_lines, len(SCRIPTS)), np.int32),
                    np.empty(int(room.max(initial=0)), np.uint8))
    return Pieces(text, ends[: found + 1], rows[:found], letters[:found], scripts[:found], row_scripts)
