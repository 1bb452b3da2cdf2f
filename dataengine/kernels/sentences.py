"""How many sentences a line or a text has, by two rules."""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.english_characters import SIZE, SPACE, TERMINAL
from dataengine.kernels.lines import next_break
from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import AFTER_GAP, KIND, PUNCTUATION, STOP, TOKEN, TokenArrays, character

CLOSING = "\"'”’»›)]」』）】》〉"
"""Marks that may stand between the end of a sentence and the white space behind it."""


@njit(cache=True, nogil=True)
def sentences_in(data, start, end, classes):
    """Sentences in ``data[start:end]``: each ends with marks that end one, closing quotes, and white space.

    Full-width marks need no white space; before a small letter nothing ends (``e.g. this``). What stands behind the
    last end is one more.
    """
    found = 0
    pending = 0  # 1: a sentence may end here; 2: white space has come too
    open_ = False  # something stands behind the last end
    i = start
    while i < end:
        while open_ and pending == 0 and i < end and data[i] < 0x80 and not classes[data[i]] & TERMINAL:
            i += 1  # most of a sentence
        if i == end:
            break
        code, step = character(data, i, end)
        flags = classes[code] if code < SIZE else np.uint32(0)
        i += step
        if flags & SPACE:
            if pending == 1:
                pending = 2
            continue
        if pending == 2:
            if not (code >= 97 and code <= 122):
                found += 1
            pending = 0
        if flags & TERMINAL:
            if code >= 0x3000:
                found += open_
                open_ = False
            else:
                pending = 1
                open_ = True
        elif pending == 1 and is_closing(code):
            continue
        elif not (is_closing(code) and not open_):
            pending = 0
            open_ = True
    return found + (open_ or pending > 0)


@part
def is_closing(code):
    """Whether a code point is one of `CLOSING`."""
    if code < 128:
        return code == 34 or code == 39 or code == 41 or code == 93
    return (
        code == 0x201D
        or code == 0x2019
        or code == 0xBB
        or code == 0x203A
        or code == 0x300D
        or code == 0x300F
        or code == 0xFF09
        or code == 0x3011
        or code == 0x300B
        or code == 0x3009
    )


def english_sentences(tokens: TokenArrays) -> np.ndarray:
    """Sentences of the lines of each row, int64, shape (n,), as spaCy's sentencizer cuts each line by itself.

    One begins with a line, and with a token behind a mark that ends one; punctuation goes with the sentence before.
    White space of more than a blank is a token there, so it can begin a sentence too.
    """
    found = np.zeros(tokens.rows.shape[0] - 1, np.int64)
    count_english(tokens.rows, tokens.tokens, tokens.breaks, found)
    return found


@njit(cache=True, nogil=True)
def count_english(rows, tokens, breaks, found):
    """Fill `found`; see `english_sentences`."""
    for row in range(found.size):
        first = rows[row, 0]
        k, last = rows[row, 1], rows[row + 1, 1]
        begin = first
        while True:
            k, closing = next_break(breaks, k, last, False)
            end = first + breaks[k, TOKEN] if k < last else rows[row + 1, 0]
            if begin < end:
                found[row] += 1
            stopped = False
            for t in range(begin, end):
                kind = tokens[t, KIND]
                if stopped and t > begin and kind & AFTER_GAP:
                    found[row] += 1
                    stopped = False
                if stopped and not kind & (PUNCTUATION | STOP):
                    found[row] += 1
                    stopped = False
                elif kind & STOP:
                    stopped = True
            if k == last:
                break
            begin = end
            k = closing + 1
