"""The line rules of C4: which lines of a text stay, and what the whole text must not hold."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.english_characters import SIZE, TERMINAL, character_flags
from dataengine.kernels.lines import characters_in, first_visible, last_visible
from dataengine.kernels.part import part
from dataengine.kernels.phrases import Phrases, make_phrases, phrases_at
from dataengine.kernels.sentences import is_closing, sentences_in
from dataengine.kernels.spaces import space_at
from dataengine.kernels.token_arrays import break_kind, character
from dataengine.kernels.words import UNIT, character_classes, class_of

COLUMNS = (
    "kept_lines", "lines_with_long_word", "lines_without_end_mark", "lines_with_few_words", "lines_with_javascript",
    "lines_with_policy", "removed_citations", "lorem_ipsum", "curly_brackets", "sentences", "long_lines",
)  # fmt: skip
KEPT, LONG_WORD, NO_END, FEW_WORDS, JAVASCRIPT_LINES, POLICY_LINES = range(6)
CITATIONS, LOREM, BRACKETS, SENTENCES, LONG = range(6, 11)

LOREM_IPSUM, JAVASCRIPT, POLICY = 1, 2, 4
PHRASES = {
    "lorem ipsum": LOREM_IPSUM, "javascript": JAVASCRIPT, "terms of use": POLICY, "privacy policy": POLICY,
    "cookie policy": POLICY, "uses cookies": POLICY, "use of cookies": POLICY, "use cookies": POLICY,
}  # fmt: skip

EDITED = (b"[edit]", b"[citation needed]")


class Options(NamedTuple):
    """What the config says, as numbers."""

    max_word: int
    """Most characters of a word, -1: any."""
    min_words: int
    """Fewest words of a line."""
    citations: bool
    """Whether to take out ``[12]``, ``[edit]``, ``[citation needed]``."""
    end_mark: bool
    javascript: bool
    policy: bool
    lorem: bool
    """Whether lorem ipsum drops the text."""
    bracket: bool
    """Whether a curly bracket drops the text."""
    datatrove: bool
    long_line: int
    """Fewest characters of a long line."""


class Cleaned(NamedTuple):
    """n texts without the lines that go."""

    data: np.ndarray
    """uint8: the texts end to end."""
    offsets: np.ndarray
    """int64, shape (n + 1,)."""
    counts: dict[str, np.ndarray]
    """`COLUMNS`: int64, shape (n,) each."""


def clean_lines(data: np.ndarray, offsets: np.ndarray, options: Options) -> Cleaned:
    """The texts of an Arrow UTF-8 buffer with the lines that C4 would keep.

    ``sentences`` are those of the kept lines by `sentences_in`; with ``options.datatrove`` they are left at 0, and the
    text is read only as far as the first line that drops it, which only ``lorem_ipsum`` or ``curly_brackets`` shows.
    Otherwise these two are counted in the whole text, lines that go included.
    """
    out, ends = np.empty(int(offsets[-1] - offsets[0]) + 1, np.uint8), np.zeros(len(offsets), np.int64)
    table = np.zeros((len(offsets) - 1, len(COLUMNS)), np.int64)
    edited = np.frombuffer(b"".join(EDITED), np.uint8)
    clean_texts(data, offsets, options, phrases(), edited, character_flags(), character_classes(), out, ends, table)
    return Cleaned(out[: ends[-1]], ends, dict(zip(COLUMNS, table.T, strict=True)))


@cache
def phrases() -> Phrases:
    return make_phrases(PHRASES)


@part
def end_of_line(data, i, end):
    """(where the line at `i` ends, the byte behind its break)."""
    while i < end:
        byte = data[i]
        if byte >= 0x20 and byte != 0xC2 and byte != 0xE2:
            i += 1
            continue
        code, step = character(data, i, end)
        kind = break_kind(code)
        if kind:
            if code == 13 and i + 1 < end and data[i + 1] == 10:
                return i, i + 2
            return i, i + step
        i += step
    return end, end


@part
def has_long_word(data, start, end, most, classes, unspaced):
    """Whether more than `most` characters stand between two white spaces; with `unspaced`, units of scripts without
    spaces part words too."""
    size = 0
    i = start
    while i < end:
        code, step = character(data, i, end)
        size += 1
        if space_at(data, i, end) or (unspaced and class_of(code, classes) == UNIT):
            size = 0
        if size > most:
            return True
        i += step
    return False


@part
def has_words(data, start, end, wanted, classes, unspaced):
    """Whether ``data[start:end]`` has `wanted` words; with `unspaced`, a unit of a script without spaces is a word."""
    found = 0
    inside = False
    i = start
    while i < end and found < wanted:
        space = space_at(data, i, end)
        if space:
            inside = False
            i += space
            continue
        if not inside:
            found += 1
            inside = True
        step = 1
        if data[i] >= 0x80:
            code, step = character(data, i, end)
            if unspaced and class_of(code, classes) == UNIT:
                inside = False
        i += step
    return found >= wanted


@part
def has_end_mark(data, start, end, datatrove, classes):
    """Whether a line ends as prose does: not with ``...``."""
    if end <= start:
        return False
    last = data[end - 1]
    if last == 46:
        return not (end - start >= 3 and data[end - 2] == 46 and data[end - 3] == 46)
    if last < 0x80:
        return last == 33 or last == 63 or last == 34 or (datatrove and last == 39)
    if datatrove:
        return False
    i = end - 1
    while i > start and data[i] & 0xC0 == 0x80:
        i -= 1
    code, _ = character(data, i, end)
    return (code < SIZE and classes[code] & TERMINAL > 0) or is_closing(code)


@part
def citation_at(data, i, end, edited):
    """Bytes of the citation mark that begins with the bracket at `i`, or 0."""
    j = i + 1
    while j < end and data[j] >= 48 and data[j] <= 57:
        j += 1
    if j < end and data[j] == 93:
        return j + 1 - i
    begin = 0
    for size in (6, 17):
        if i + size <= end:
            same = True
            for k in range(size):
                same = same and data[i + k] == edited[begin + k]
            if same:
                return size
        begin += size
    return 0


@part
def copy_line(data, start, end, citations, rare, edited, out, filled):
    """Copy a line without citation marks: (new end of `out`, marks, curly brackets, whether a rare letter was met)."""
    marks = brackets = squares = 0
    part, room = data[start:end], out[filled : filled + end - start]
    for i in range(part.size):
        room[i] = part[i]
        brackets += part[i] == 123
        squares += part[i] == 91
    rare_met = False
    for i in range(part.size):
        rare_met |= rare[part[i]]
    if squares == 0 or not citations:
        return filled + part.size, 0, brackets, rare_met
    i = start
    while i < end:
        byte = data[i]
        if byte == 91:
            size = citation_at(data, i, end, edited)
            if size:
                marks += 1
                i += size
                continue
        out[filled] = byte
        filled += 1
        i += 1
    return filled, marks, brackets, rare_met


@part
def phrases_in(data, start, end, rare, letters, bounds, places, bits):
    """The bits of all phrases in ``data[start:end]``."""
    found = 0
    for i in range(start, end):
        if rare[data[i]]:
            found |= phrases_at(data, i, start, end, letters, bounds, places, bits)
    return found


@part
def look_over_text(data, start, end, known, out):
    """Count lorem ipsum and curly brackets in a whole text."""
    part = data[start:end]
    brackets = letters = 0
    for i in range(part.size):
        brackets += part[i] == 123
        letters += (part[i] | 0x20) == 109
    out[BRACKETS] = brackets
    i = 0
    while letters:
        if (part[i] | 0x20) == 109:
            letters -= 1
            if i + 1 < part.size and part[i + 1] == 32:
                met = phrases_at(part, i, 0, part.size, known.letters, known.bounds, known.places, known.bits)
                out[LOREM] += met & LOREM_IPSUM > 0
        i += 1


@part
def clean_text(data, start, end, options, known, edited, flags, classes, out, filled, counts):
    """Copy the lines of one text that stay; returns the new end of `out`."""
    first = filled
    begin = start
    while begin < end:
        line_end, behind = end_of_line(data, begin, end)
        wide = line_end - begin >= options.long_line
        if wide:
            counts[LONG] += characters_in(data, begin, line_end) >= options.long_line
        lo = first_visible(data, begin, line_end)
        hi = last_visible(data, lo, line_end)
        begin = behind
        if (
            options.max_word >= 0
            and hi - lo > options.max_word
            and has_long_word(data, lo, hi, options.max_word, classes, not options.datatrove)
        ):
            counts[LONG_WORD] += 1
            continue
        cited = options.citations and hi > lo and data[hi - 1] == 93  # what is taken out at the end bares another end
        if options.end_mark and not cited and not has_end_mark(data, lo, hi, options.datatrove, flags):
            counts[NO_END] += 1
            continue
        line = filled + (filled > first)
        new, marks, brackets, rare_met = copy_line(data, lo, hi, options.citations, known.rare, edited, out, line)
        if options.end_mark and cited and not has_end_mark(out, line, new, options.datatrove, flags):
            counts[NO_END] += 1
            continue
        if not has_words(data, lo, hi, options.min_words, classes, not options.datatrove):
            counts[FEW_WORDS] += 1
            continue
        met = 0
        if rare_met:
            met = phrases_in(out, line, new, known.rare, known.letters, known.bounds, known.places, known.bits)
        if options.datatrove and met & LOREM_IPSUM:
            counts[LOREM] += 1
            if options.lorem:
                return filled
        if options.javascript and met & JAVASCRIPT:
            counts[JAVASCRIPT_LINES] += 1
            continue
        if options.datatrove and brackets:
            counts[BRACKETS] += brackets
            if options.bracket:
                return filled
        if options.policy and met & POLICY:
            counts[POLICY_LINES] += 1
            continue
        if line > filled:
            out[filled] = 10
        counts[KEPT] += 1
        counts[CITATIONS] += marks
        if not options.datatrove:
            counts[SENTENCES] += sentences_in(out, line, new, flags)
        filled = new
    return filled


@njit(cache=True, nogil=True)
def clean_texts(data, offsets, options, known, edited, flags, classes, out, ends, table):
    """Fill `out`, `ends` and `table`; see `clean_lines`."""
    filled = 0
    for row in range(offsets.size - 1):
        start, end = offsets[row], offsets[row + 1]
        if not options.datatrove:
            look_over_text(data, start, end, known, table[row])
        new = clean_text(data, start, end, options, known, edited, flags, classes, out, filled, table[row])
        hi = last_visible(out, filled, new)  # where a citation stood there may be white space at either end
        lo = first_visible(out, filled, hi)
        for i in range(lo, hi):
            out[filled + i - lo] = out[i]
        filled += hi - lo
        ends[row + 1] = filled
