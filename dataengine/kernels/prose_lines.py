"""Shape of a text's lines: how they end, how long they are, how much of them came before."""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.english_characters import SIZE, TERMINAL, character_flags
from dataengine.kernels.lines import (
    byte_behind,
    characters_in,
    first_visible,
    hash_text,
    last_visible,
    next_break,
)
from dataengine.kernels.part import part
from dataengine.kernels.repetition import number_keys
from dataengine.kernels.scan import Scan
from dataengine.kernels.token_arrays import CHARACTERS, PLACE, character

COLUMNS = ("tokens", "lines", "ended_lines", "short_lines", "repeated_characters", "line_characters", "breaks")


def prose_lines(scan: Scan, short: int, as_is: bool) -> dict[str, np.ndarray]:
    """Per row of a scan the counts `COLUMNS`: int64, shape (n,) each. Blank lines count nowhere but in ``breaks``.

    ``ended_lines`` end with a mark that ends sentences in some script; ``short_lines`` have at most `short` characters;
    ``repeated_characters`` are those of lines that came before; ``line_characters`` all but the line breaks.
    Lines end where ``str.splitlines`` ends them and are taken without the white space around them; with `as_is` they
    end at ``\\n`` only and are taken as they stand.
    """
    table = np.zeros((scan.rows.size, len(COLUMNS)), np.int64)
    rows, _, _, breaks, counts = scan.tokens
    most = int(np.diff(rows[:, 1]).max(initial=0)) + 1
    slots = np.zeros(1 << (2 * most + 16).bit_length(), np.int64)
    count_prose(
        scan.data, scan.offsets, scan.rows, rows, breaks, counts, short, as_is, character_flags(),
        np.empty(most, np.uint64), np.empty(most, np.int64), np.empty(most, np.int64), slots, table,
    )  # fmt: skip
    return dict(zip(COLUMNS, table.T, strict=True))


@part
def ends_prose(data, start, end, classes):
    """Whether the last character of ``data[start:end]`` ends a sentence."""
    i = end - 1
    while i > start and data[i] & 0xC0 == 0x80:
        i -= 1
    code, _ = character(data, i, end)
    return code < SIZE and classes[code] & TERMINAL > 0


@njit(cache=True, nogil=True)
def count_prose(data, offsets, chosen, rows, breaks, counts, short, as_is, classes, keys, sizes, ids, slots, table):
    """Fill `table`, int64, shape (n, 7), columns in the order of `COLUMNS`. The arrays between are room to work in."""
    base = 1
    for row in range(chosen.size):
        source = chosen[row]
        start, end = offsets[row], offsets[row + 1]
        k, last = rows[source, 1], rows[source + 1, 1]
        n = ended = shorts = newlines = 0
        begin = start
        while True:
            k, closing = next_break(breaks, k, last, as_is)
            stop = start + breaks[k, PLACE] if k < last else end
            lo = first_visible(data, begin, stop)
            if lo < stop:
                hi = last_visible(data, lo, stop)
                if as_is:
                    lo, hi = begin, stop
                ended += ends_prose(data, lo, hi, classes)
                keys[n], sizes[n] = hash_text(data, lo, hi), characters_in(data, lo, hi)
                shorts += sizes[n] <= short
                n += 1
            if k == last:
                break
            newlines += 1
            begin = start + byte_behind(breaks, closing)
            k = closing + 1
        number_keys(keys, n, slots, base, ids)
        base += n
        repeated = 0
        for line in range(n):
            if ids[line] != line:
                repeated += sizes[line]
        outside = newlines if as_is else rows[source + 1, 1] - rows[source, 1]  # \r\n is two characters of no line
        out = table[row]
        out[0] = rows[source + 1, 0] - rows[source, 0]
        out[1], out[2], out[3], out[4] = n, ended, shorts, repeated
        out[5] = counts[source, CHARACTERS] - outside
        out[6] = newlines
