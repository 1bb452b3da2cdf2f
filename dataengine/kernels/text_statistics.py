"""Counts of words, symbols and lines per text: what the Gopher quality rules measure."""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.lines import byte_behind, first_visible, last_visible, next_break
from dataengine.kernels.part import part
from dataengine.kernels.scan import Scan
from dataengine.kernels.token_arrays import (
    CHARACTERS,
    ELLIPSES,
    HASHES,
    KIND,
    LETTERS,
    PLACE,
    SIZE,
    SYMBOL,
    UNSPACED,
    VISIBLE,
    word_hash,
)

COLUMNS = (
    "tokens", "words", "spaced_words", "spaced_characters", "alphabetic_words", "stop_words", "stop_word_occurrences",
    "symbol_words", "hashes", "ellipses", "characters", "lines", "bullet_lines", "ellipsis_lines", "median_size",
)  # fmt: skip

TRIMMED, AS_IS = 0, 1
"""How a line is looked at: ends and begins where it is visible, as datatrove does; or as it stands, as dolma does."""


def text_statistics(scan: Scan, stop_words: tuple[str, ...], lines: int = TRIMMED) -> dict[str, np.ndarray]:
    """Per row of a scan the counts `COLUMNS`: int64, shape (n,) each.

    ``tokens`` are all there are, ``words`` those that are not only marks, ``spaced_words`` the words of scripts that
    are written with spaces, ``spaced_characters`` their characters, ``median_size`` twice the median of all tokens'
    characters. ``stop_words``: how many different ones of `stop_words` (at most 64) occur, case and all.
    ``symbol_words``: chunks with a ``#`` or ``…``. Blank lines are lines.

    `lines` = TRIMMED: lines end where ``str.splitlines`` ends them, bullets are ``-`` and ``•``, ellipses ``...`` and
    ``…``. AS_IS: lines end at ``\\n`` and what stands behind the last is one too, bullets are ``-`` and ``*``, and the
    only ellipsis is ``…``.
    """
    table = np.zeros((scan.rows.size, len(COLUMNS)), np.int64)
    wanted = np.array([word_hash(word) for word in stop_words], np.uint64)
    rows, hashes, tokens, breaks, counts = scan.tokens
    count_texts(scan.data, scan.offsets, scan.rows, rows, hashes, tokens, breaks, counts, wanted, lines, table)
    return dict(zip(COLUMNS, table.T, strict=True))


@part
def is_ellipsis(data, i, end):
    """Whether ``…`` begins at `i`."""
    return i + 3 <= end and data[i] == 0xE2 and data[i + 1] == 0x80 and data[i + 2] == 0xA6


@part
def look_at_line(data, start, end, lines, out):
    """Count one line ``data[start:end]`` in the last three columns."""
    out[11] += 1
    if lines == TRIMMED:
        start = first_visible(data, start, end)
        end = last_visible(data, start, end)
    if start == end:
        return
    first = data[start]
    if lines == AS_IS:
        out[12] += first == 45 or first == 42
        out[13] += end - start >= 3 and is_ellipsis(data, end - 3, end)
        return
    bullet = start + 3 <= end and first == 0xE2 and data[start + 1] == 0x80 and data[start + 2] == 0xA2
    out[12] += first == 45 or bullet
    if end - start >= 3:
        dots = data[end - 1] == 46 and data[end - 2] == 46 and data[end - 3] == 46
        out[13] += dots or is_ellipsis(data, end - 3, end)


@part
def count_lines(data, start, end, breaks, first, last, lines, out):
    """Fill the columns of lines."""
    begin = start
    k = first
    while k < last:
        k, closing = next_break(breaks, k, last, lines == AS_IS)
        if k == last:
            break
        look_at_line(data, begin, start + breaks[k, PLACE], lines, out)
        begin = start + byte_behind(breaks, closing)
        k = closing + 1
    if begin < end or lines == AS_IS:
        look_at_line(data, begin, end, lines, out)


@part
def twice_the_median(tokens, first, end):
    """Twice the median of the tokens' sizes, by counting; sizes from 1,023 on count as that."""
    if first == end:
        return 0
    seen = np.zeros(1024, np.int64)
    for t in range(first, end):
        seen[min(tokens[t, SIZE], 1023)] += 1
    low, high = (end - first - 1) // 2, (end - first) // 2
    passed = answer = 0
    for size in range(1024):
        if passed <= low and low < passed + seen[size]:
            answer += size
        if passed <= high and high < passed + seen[size]:
            answer += size
        passed += seen[size]
    return answer


@njit(cache=True, nogil=True)
def count_texts(data, offsets, chosen, rows, hashes, tokens, breaks, counts, stop_hashes, lines, table):
    """Fill `table`, int64, shape (n, 15), columns in the order of `COLUMNS`."""
    sieve = np.zeros(256, np.bool_)  # most words are no stop word, and are known by one look
    for stop in stop_hashes:
        sieve[stop & np.uint64(255)] = True
    for row in range(chosen.size):
        source = chosen[row]
        first, end = rows[source, 0], rows[source + 1, 0]
        words = spaced = letters = alphabetic = found = occurrences = symbols = 0
        seen = np.uint64(0)
        for t in range(first, end):
            kind = tokens[t, KIND]
            symbols += kind & SYMBOL > 0
            alphabetic += kind & LETTERS > 0
            if not kind & VISIBLE:
                continue
            words += 1
            if not kind & UNSPACED:
                spaced += 1
                letters += tokens[t, SIZE]
            if sieve[hashes[t] & np.uint64(255)]:
                for k in range(stop_hashes.size):
                    if stop_hashes[k] == hashes[t]:
                        occurrences += 1
                        bit = np.uint64(1) << np.uint64(k)
                        found += seen & bit == 0
                        seen |= bit
        out = table[row]
        out[0], out[1], out[2], out[3], out[4] = end - first, words, spaced, letters, alphabetic
        out[5], out[6], out[7] = found, occurrences, symbols
        out[8], out[9] = counts[source, HASHES], counts[source, ELLIPSES]
        out[10] = counts[source, CHARACTERS]
        count_lines(data, offsets[row], offsets[row + 1], breaks, rows[source, 1], rows[source + 1, 1], lines, out)
        if lines == AS_IS:
            out[14] = twice_the_median(tokens, first, end)
