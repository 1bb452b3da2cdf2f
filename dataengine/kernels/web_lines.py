"""Lines of web pages that are no prose, taken out: shouting, numbers, counters, single words, navigation.

A line ends with ``\\n``. Words are what stands between white space, as ``str.split`` sees it.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.words import character

UPPER, DIGIT, SPACE, ALNUM, DECIMAL = 1, 2, 4, 8, 16
"""Flags of characters: ``str.isupper``, ``isdigit``, ``isspace``, ``isalnum`` and ``isdecimal``."""

TABLE = 0x1FC00
"""Code points with flags of their own; those above are letters."""

COLUMNS = ("words_before", "words_removed", "uppercase_lines", "numeric_lines", "counter_lines", "one_word_lines",
           "navigation_lines")

ANYWHERE, END, START = range(3)
"""Where in a line a phrase stands, in the order in which they are taken out."""

KEPT, UPPERCASE, NUMERIC, COUNTER, ONE_WORD = range(5)


@cache
def flags() -> np.ndarray:
    """Flags of the code points below `TABLE`, as Python's ``str`` has them: uint8. Made in 60 ms."""
    table = np.zeros(TABLE, np.uint8)
    for code in range(TABLE):
        char = chr(code)
        table[code] = (UPPER * char.isupper() + DIGIT * char.isdigit() + SPACE * char.isspace() + ALNUM * char.isalnum()
                       + DECIMAL * char.isdecimal())
    table.flags.writeable = False
    return table


def packed(words: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """ASCII words in lower case, one after the other, and where each lies: uint8 and int64."""
    raw = [word.lower().encode("ascii") for word in words]
    return np.frombuffer(b"".join(raw) or b"\0", np.uint8), np.cumsum([0, *map(len, raw)])


@njit(cache=True, nogil=True)
def _flags_at(data, i, end, table):
    c = data[i]
    if c < 0x80:
        return table[c], 1
    code, step = character(data, i, end)
    return (table[code] if code < TABLE else np.uint8(ALNUM)), step


@njit(cache=True, nogil=True, inline="always")
def _lower(c):
    return c | 0x20 if 65 <= c <= 90 else c


@njit(cache=True, nogil=True)
def _before(data, start, i):
    """Where the character that ends at `i` begins."""
    i -= 1
    while i > start and data[i] & 0xC0 == 0x80:
        i -= 1
    return i


@njit(cache=True, nogil=True)
def trim(data, start, end, table):
    """(start, end) without the white space at either end."""
    while start < end:
        flag, step = _flags_at(data, start, end, table)
        if not flag & SPACE:
            break
        start += step
    while start < end:
        i = _before(data, start, end)
        if not _flags_at(data, i, end, table)[0] & SPACE:
            break
        end = i
    return start, end


@njit(cache=True, nogil=True)
def measure(data, start, end, table):
    """(words, words that begin with a letter or digit, characters, those visible, upper case, digits) of a line."""
    words = real = count = visible = upper = digits = 0
    inside = False
    i = start
    while i < end:
        flag, step = _flags_at(data, i, end, table)
        i += step
        count += 1
        if flag & SPACE:
            inside = False
            continue
        visible += 1
        upper += flag & UPPER
        digits += (flag & DIGIT) >> 1
        if not inside:
            inside = True
            words += 1
            real += (flag & ALNUM) >> 3
    return words, real, count, visible, upper, digits


@njit(cache=True, nogil=True)
def is_counter(data, i, end, table, nouns, bounds, singular):
    """Whether a line is a number and one of the nouns: ``3 likes``, ``(1.5K views)``. `singular`: ``1 like`` too."""
    flag = np.uint8(0)
    while i < end:
        flag, step = _flags_at(data, i, end, table)
        if flag & ALNUM or data[i] == 95:
            break
        i += step
    if i >= end or not flag & DECIMAL:
        return False
    while i < end:
        flag, step = _flags_at(data, i, end, table)
        if not (flag & DECIMAL or data[i] == 44 or data[i] == 46):
            break
        i += step
    if i < end and _lower(data[i]) in (107, 109, 98):  # thousands, millions, billions
        i += 1
    gap = i
    while i < end:
        flag, step = _flags_at(data, i, end, table)
        if not flag & SPACE:
            break
        i += step
    if i == gap:
        return False
    stop = i
    while stop < end and 97 <= _lower(data[stop]) <= 122:
        stop += 1
    if not _is_one_of(data, i, stop, nouns, bounds, singular):
        return False
    while stop < end:
        flag, step = _flags_at(data, stop, end, table)
        if flag & ALNUM or data[stop] == 95:
            return False
        stop += step
    return True


@njit(cache=True, nogil=True)
def _is_one_of(data, start, end, nouns, bounds, singular):
    for n in range(bounds.size - 1):
        first, size = bounds[n], bounds[n + 1] - bounds[n]
        short = singular and size > 1 and nouns[bounds[n + 1] - 1] == 115 and end - start == size - 1
        if end - start == size or short:
            k = 0
            while k < end - start and _lower(data[start + k]) == nouns[first + k]:
                k += 1
            if k == end - start:
                return True
    return False


@njit(cache=True, nogil=True)
def phrase_end(data, i, end, phrases, first, last, any_dot):
    """Where the phrase ``phrases[first:last]`` that begins at `i` ends, or -1. `any_dot`: a dot is any character."""
    for k in range(first, last):
        if i >= end:
            return -1
        if phrases[k] == 46 and any_dot:
            i += _width(data, i, end)
        elif _lower(data[i]) == phrases[k]:
            i += 1
        else:
            return -1
    return i


@njit(cache=True, nogil=True, inline="always")
def _width(data, i, end):
    c = data[i]
    return min(end - i, 1 if c < 0xC0 else 2 if c < 0xE0 else 3 if c < 0xF0 else 4)


@njit(cache=True, nogil=True)
def phrase_start(data, start, end, phrases, first, last, any_dot):
    """Where the phrase that ends at `end` begins, or -1."""
    i = end
    for k in range(last - 1, first - 1, -1):
        if i <= start:
            return -1
        if phrases[k] == 46 and any_dot:
            i = _before(data, start, i)
        elif _lower(data[i - 1]) == phrases[k]:
            i -= 1
        else:
            return -1
    return i


@njit(cache=True, nogil=True)
def _copy(data, start, end, out, filled):
    for i in range(start, end):
        out[filled] = data[i]
        filled += 1
    return filled


@njit(cache=True, nogil=True)
def without(data, size, table, phrases, bounds, groups, place, any_dot, out):
    """Write ``data[:size]`` to `out` without the phrases of a place and one space beside each; the new size."""
    start, end = 0, size
    if place == ANYWHERE:
        return _without_inner(data, size, table, phrases, bounds, groups, any_dot, out)
    for n in range(groups[place], groups[place + 1]):
        if place == START:
            stop = phrase_end(data, start, end, phrases, bounds[n], bounds[n + 1], any_dot)
            if stop >= 0:
                if stop < end and _flags_at(data, stop, end, table)[0] & SPACE:
                    stop += _width(data, stop, end)
                start = stop
        else:
            stop = phrase_start(data, start, end, phrases, bounds[n], bounds[n + 1], any_dot)
            if stop >= 0:
                before = _before(data, start, stop) if stop > start else stop
                if before < stop and _flags_at(data, before, end, table)[0] & SPACE:
                    stop = before
                end = stop
    return _copy(data, start, end, out, 0)


@njit(cache=True, nogil=True)
def _without_inner(data, size, table, phrases, bounds, groups, any_dot, out):
    i = filled = done = 0  # `done`: behind the phrase last taken out
    while i < size:
        stop = -1
        for n in range(groups[ANYWHERE], groups[ANYWHERE + 1]):
            stop = max(stop, phrase_end(data, i, size, phrases, bounds[n], bounds[n + 1], any_dot))
        if stop < 0:
            out[filled] = data[i]
            filled += 1
            i += 1
            continue
        if i > done and filled > 0:
            before = _before(out, 0, filled)
            if _flags_at(out, before, filled, table)[0] & SPACE:
                filled = before
        i = done = stop
    return filled


@njit(cache=True, nogil=True)
def clean(data, offsets, table, nouns, noun_bounds, phrases, bounds, groups, max_uppercase, min_words, max_words, dclm,
          out, ends, spare, counts):
    """Fill `out` uint8 and `ends` int64, shape (n + 1,), with the cleaned texts, `counts` int64, shape (n, 7).

    `phrases` and `bounds` as `packed` gives them; those of a place are ``groups[place]`` to ``groups[place + 1]``.
    `dclm`: shares are of all characters of a line, not of the visible ones; a dot in a phrase is any character; lines
    of white space go; the ends of the text are trimmed; words count as removed that are gone, not those of touched
    lines.
    `spare`: uint8, shape (2, longest line).
    """
    filled = 0
    for row in range(offsets.size - 1):
        begin, i, end = filled, offsets[row], offsets[row + 1]
        if dclm:
            i, end = trim(data, i, end, table)
        before = removed = 0
        lines = 0
        while i <= end and end > offsets[row]:
            stop = i
            while stop < end and data[stop] != 10:
                stop += 1
            words, real, count, visible, upper, digits = measure(data, i, stop, table)
            before += real
            whole = count if dclm else visible
            fate = KEPT
            if visible:
                if upper > max_uppercase * whole:
                    fate = UPPERCASE
                elif digits == whole:
                    fate = NUMERIC
                elif is_counter(data, i, stop, table, nouns, noun_bounds, not dclm):
                    fate = COUNTER
                elif words < min_words:
                    fate = ONE_WORD
            elif dclm and count:
                fate = ONE_WORD
            if fate != KEPT:
                removed += real
                if visible:
                    counts[row, 1 + fate] += 1
            else:
                mark = filled
                if lines:
                    out[filled] = 10
                    filled += 1
                edited = filled
                if visible and words <= max_words:
                    filled = _edit(data, i, stop, table, phrases, bounds, groups, dclm, out, filled, spare)
                else:
                    filled = _copy(data, i, stop, out, filled)
                lines += 1
                if filled - edited != stop - i:
                    counts[row, 6] += 1
                    left = measure(out, edited, filled, table)
                    removed += real - left[1] if dclm else real
                    if not left[3]:
                        filled = mark
                        lines -= 1
            i = stop + 1
        if dclm and filled > begin:
            first, last = trim(out, begin, filled, table)
            for k in range(first, last):
                out[begin + k - first] = out[k]
            filled = begin + last - first
        ends[row + 1] = filled
        counts[row, 0], counts[row, 1] = before, removed


@njit(cache=True, nogil=True)
def _edit(data, i, stop, table, phrases, bounds, groups, dclm, out, filled, spare):
    """Write a short line without its phrases to `out`; the new end."""
    first, last = i, stop
    if not dclm:
        first, last = trim(data, i, stop, table)
    size = _copy(data, first, last, spare[0], 0)
    for place in range(3):
        size = without(spare[place % 2], size, table, phrases, bounds, groups, place, dclm, spare[1 - place % 2])
    if size == last - first:  # nothing found: the line stays as it is, with its indentation
        return _copy(data, i, stop, out, filled)
    return _copy(spare[1], 0, size, out, filled)


class Rules(NamedTuple):
    """What `clean_lines` takes out."""

    counters: tuple[str, ...]
    starts: tuple[str, ...]
    anywhere: tuple[str, ...]
    ends: tuple[str, ...]
    max_uppercase: float
    min_words: int
    max_words: int
    dclm: bool


def clean_lines(data: np.ndarray, offsets: np.ndarray, rules: Rules) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The cleaned rows of an Arrow UTF-8 buffer: new (data uint8, offsets int64, shape (n + 1,)), counts int64, shape
    (n, 7), columns in the order of `COLUMNS`."""
    rows = offsets.size - 1
    out = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    ends, counts = np.zeros(rows + 1, np.int64), np.zeros((rows, len(COLUMNS)), np.int64)
    spare = np.empty((2, int(np.diff(offsets).max(initial=0))), np.uint8)
    phrases = (*rules.anywhere, *rules.ends, *rules.starts)
    groups = np.cumsum([0, len(rules.anywhere), len(rules.ends), len(rules.starts)])
    limits = (rules.max_uppercase, rules.min_words, rules.max_words, rules.dclm)
    clean(data, offsets, flags(), *packed(rules.counters), *packed(phrases), groups, *limits, out, ends, spare, counts)
    return out[: ends[-1]], ends, counts
