"""Counts of words, symbols and lines per text: what the Gopher quality rules measure."""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.words import (
    BULLET,
    CHARACTERS,
    ELLIPSES,
    ELLIPSIS,
    HASHES,
    LETTER,
    LINES,
    MARK,
    TOKENS,
    character_classes,
    longest,
    scan,
    word_hash,
)

COLUMNS = (
    "tokens", "words", "word_characters", "alphabetic_words", "stop_words", "hashes", "ellipses",
    "lines", "bullet_lines", "ellipsis_lines", "characters",
)


def text_statistics(data: np.ndarray, offsets: np.ndarray, stop_words: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Per row of UTF-8 text the counts `COLUMNS`: int64, shape (n,) each.

    `data` and `offsets` as `buffers.utf8` gives them. ``tokens`` are words and marks, ``words`` those with a letter or
    digit, ``word_characters`` their characters; ``stop_words`` how many different ones of `stop_words` (at most 64)
    occur, case and all. Words and lines are those of `dataengine.kernels.words`; blank lines count as lines.
    """
    table = np.zeros((offsets.size - 1, len(COLUMNS)), np.int64)
    wanted = np.array([word_hash(word) for word in stop_words], np.uint64)
    count_texts(data, offsets, character_classes(), wanted, table)
    return dict(zip(COLUMNS, table.T, strict=True))


@njit(cache=True, nogil=True)
def count_texts(data, offsets, classes, stop_hashes, table):
    """Fill `table`, int64, shape (n, 11), columns in the order of `COLUMNS`."""
    size = longest(offsets) + 2
    hashes, lengths, kinds = np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.uint8)
    first_token, line_start, line_end = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    flags = np.empty(size, np.uint8)
    counts = np.empty(5, np.int64)
    sieve = np.zeros(256, np.bool_)  # most words are no stop word, and are known by one look
    for stop in stop_hashes:
        sieve[stop & np.uint64(255)] = True
    for row in range(offsets.size - 1):
        scan(data, offsets[row], offsets[row + 1], classes, hashes, lengths, kinds, first_token, line_start, line_end,
             flags, counts)
        words = letters = alphabetic = found = bullets = endings = 0
        seen = np.uint64(0)
        for t in range(counts[TOKENS]):
            if kinds[t] == MARK:
                continue
            words += 1
            letters += lengths[t]
            alphabetic += kinds[t] == LETTER
            if sieve[hashes[t] & np.uint64(255)]:
                for k in range(stop_hashes.size):
                    if stop_hashes[k] == hashes[t] and not (seen >> np.uint64(k)) & np.uint64(1):
                        seen |= np.uint64(1) << np.uint64(k)
                        found += 1
        for line in range(counts[LINES]):
            bullets += (flags[line] & BULLET) != 0
            endings += (flags[line] & ELLIPSIS) != 0
        out = table[row]
        out[0], out[1], out[2], out[3], out[4] = counts[TOKENS], words, letters, alphabetic, found
        out[5], out[6] = counts[HASHES], counts[ELLIPSES]
        out[7], out[8], out[9], out[10] = counts[LINES], bullets, endings, counts[CHARACTERS]
