"""Lines and paragraphs as keys by which equal ones are found, with their lengths in characters."""

from __future__ import annotations

import numpy as np

from dataengine.kernels.lines import (
    byte_behind,
    characters_in,
    first_visible,
    hash_text,
    last_visible,
    next_break,
)
from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import BEFORE, NEWLINE, PLACE, SORT

VISIBLE, RUNS, AS_IS = 0, 1, 2
"""Which lines: those with something visible on them, without the white space around it; what stands between runs of
``\\n``, as it stands; or between any two ``\\n``."""

FOLD = np.uint64(0x9E3779B97F4A7C15)


@part
def visible_lines(data, start, end, breaks, first, last, keys, sizes, blank_before):
    """Keys and sizes of the visible lines of ``data[start:end]``, and whether a blank one came before; how many.

    A line's size counts the characters between its visible ends.
    """
    n = 0
    begin, blank = start, True
    k = first
    while True:
        k, closing = next_break(breaks, k, last, False)
        stop = start + breaks[k, PLACE] if k < last else end
        lo = first_visible(data, begin, stop)
        hi = last_visible(data, lo, stop)
        if lo < hi:
            keys[n], sizes[n], blank_before[n] = hash_text(data, lo, hi), characters_in(data, lo, hi), blank
            n += 1
        blank = lo >= hi
        if k == last:
            return n
        begin = start + byte_behind(breaks, closing)
        k = closing + 1


@part
def fold_paragraphs(keys, sizes, blank_before, n):
    """Make paragraphs, in place, of lines that no blank line parts; how many. The breaks between lines count too."""
    paragraphs = 0
    for line in range(n):
        if blank_before[line]:
            keys[paragraphs], sizes[paragraphs] = keys[line], sizes[line]
            paragraphs += 1
        else:
            keys[paragraphs - 1] = keys[paragraphs - 1] * FOLD + keys[line]
            sizes[paragraphs - 1] += sizes[line] + 1
    return paragraphs


@part
def pieces(data, start, end, from_byte, to_byte, breaks, first, last, least, keys, sizes):
    """Keys and sizes of what runs of at least `least` ``\\n`` (0: each) part in a piece of a text; how many.

    The text is ``data[start:end]``, the part of it ``data[from_byte:to_byte]``.
    """
    n = 0
    begin = from_byte
    before = characters_in(data, start, from_byte)
    k = first
    while k < last:
        place = start + breaks[k, PLACE]
        if breaks[k, SORT] & 15 != NEWLINE or place < from_byte:
            k += 1
            continue
        if place >= to_byte:
            break
        run = 1
        while least > 0 and k + run < last and breaks[k + run, PLACE] == breaks[k, PLACE] + run:
            if breaks[k + run, SORT] & 15 != NEWLINE:
                break
            run += 1
        if run >= least:
            keys[n], sizes[n] = hash_text(data, begin, place), breaks[k, BEFORE] - before
            n += 1
            begin, before = place + run, breaks[k, BEFORE] + run
        k += run
    keys[n], sizes[n] = hash_text(data, begin, to_byte), characters_in(data, begin, to_byte)
    return n + 1
