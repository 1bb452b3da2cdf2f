"""What a splitter says about a batch of texts: the tokens and line breaks of each row, as flat arrays.

Every splitter fills the same arrays, and whatever counts words, lines, n-grams or sentences reads nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.part import part

SEED = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
"""FNV-1a, 64 bits, over bytes: one multiplication a byte."""

VISIBLE, LETTERS, PUNCTUATION, STOP, AFTER_GAP, UNSPACED, SYMBOL = 1, 2, 4, 8, 16, 32, 64
"""Bits of a token's kind. VISIBLE: it is a word, not only marks. LETTERS: it has a letter. PUNCTUATION: nothing but
punctuation. STOP: one character that ends a sentence. AFTER_GAP: more than one blank before it. UNSPACED: of a script
that is written without spaces between words. SYMBOL: the first of a chunk with a ``#`` or ``…`` in it."""

NEWLINE, RETURN, OTHER = 1, 2, 3
"""Kinds of a line break: ``\\n``, ``\\r``, and what else ends a line for ``str.splitlines``."""

CHARACTERS, HASHES, ELLIPSES = range(3)
"""Columns of `TokenArrays.counts`: characters; ``#``; ``...`` and ``…``."""


START, END, SIZE, KIND = range(4)
"""Columns of `TokenArrays.tokens`: first byte and byte behind the last, in the row; characters; kind."""

PLACE, BEFORE, TOKEN, SORT = range(4)
"""Columns of `TokenArrays.breaks`: byte at which it stands, characters and tokens of the row before it; its kind,
plus 16 times its length in bytes."""


class TokenArrays(NamedTuple):
    """Tokens and line breaks of n rows: those of row i are ``rows[i]`` to ``rows[i + 1]``."""

    rows: np.ndarray
    """int64, shape (n + 1, 2): the first token and the first line break of each row."""
    hashes: np.ndarray
    """uint64, shape (tokens,): of a token's bytes."""
    tokens: np.ndarray
    """int32, shape (tokens, 4)."""
    breaks: np.ndarray
    """int32, shape (breaks, 4)."""
    counts: np.ndarray
    """int64, shape (n, 3)."""


def empty_arrays(offsets: np.ndarray) -> TokenArrays:
    """Arrays large enough for the rows of an Arrow buffer: no text has more tokens or breaks than bytes.

    Only the pages that are written cost memory.
    """
    rows, size = offsets.size - 1, int(offsets[-1] - offsets[0])
    return TokenArrays(
        np.zeros((rows + 1, 2), np.int64),
        np.empty(size, np.uint64),
        np.empty((size, 4), np.int32),
        np.empty((size, 4), np.int32),
        np.zeros((rows, 3), np.int64),
    )


@njit(cache=True, nogil=True)
def character(data, i, end):
    """Code point at byte `i` and its length in bytes. Bytes that are no UTF-8 give some code point, never a crash."""
    lead = np.uint32(data[i])
    if lead < 0x80 or i + 1 >= end:
        return lead, 1
    second = np.uint32(data[i + 1] & 0x3F)
    if lead < 0xE0 or i + 2 >= end:
        return (lead & np.uint32(0x1F)) << np.uint32(6) | second, 2
    third = np.uint32(data[i + 2] & 0x3F)
    if lead < 0xF0 or i + 3 >= end:
        return (lead & np.uint32(0xF)) << np.uint32(12) | second << np.uint32(6) | third, 3
    fourth = np.uint32(data[i + 3] & 0x3F)
    return (lead & np.uint32(0x7)) << np.uint32(18) | second << np.uint32(12) | third << np.uint32(6) | fourth, 4


@part
def break_kind(code):
    """The kind of line break that a space is, or 0."""
    if code == 10:
        return NEWLINE
    if code == 13:
        return RETURN
    if code == 11 or code == 12 or (code >= 0x1C and code <= 0x1E) or code == 0x85 or code == 0x2028 or code == 0x2029:
        return OTHER
    return 0


@part
def hash_bytes(data, start, end):
    """The hash of ``data[start:end]``, as `TokenArrays.hashes` has it."""
    value = SEED
    for i in range(start, end):
        value = (value ^ np.uint64(data[i])) * PRIME
    return value


def word_hash(word: str) -> int:
    """The hash of a token with this text."""
    value = int(SEED)
    for byte in word.encode():
        value = (value ^ byte) * int(PRIME) % 2**64
    return value
