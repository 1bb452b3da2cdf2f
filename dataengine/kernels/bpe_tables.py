"""What a BPE tokenizer does, as tables: the symbol of each character, what two symbols merge to, where text can be cut.

BPE as SentencePiece does it (Sennrich et al., arXiv:1508.07909, by score and not by rank of the pair): a text begins as
its characters; of all neighbours that together are a piece those with the best score are merged, of equal scores the
leftmost, until there are none. So no piece ever crosses a place between two characters that **no piece holds side by
side**, and what is left of such a place never depends on what is right of it: the ids of a text are those of its parts,
one after another. This needs nothing to be known of how the model was learnt: the pairs are read from its pieces.

A symbol is the id of a piece, or a number behind them for a character that is no piece but stands in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.buffers import read_only
from dataengine.kernels.part import part

NONE = -1
"""The symbol of a character that no piece has, and what symbols merge to that do not."""
SPACE = 0x20
PAGES = 8192
"""Of 256 code points; also what is no UTF-8 gives a number below 2^21."""
MOST_SYMBOLS = 1 << 20
"""So that two symbols and a piece fit into 64 bits."""
PAIR_BITS = 32
"""Bits for each pair of characters that are not both ASCII, so that about one pair in 32 that no piece holds is taken
for one that a piece may hold. A place where text could be cut and is not costs time only."""


class Tables(NamedTuple):
    """Everything that `bpe.encode` reads. All arrays are read-only."""

    page_of: np.ndarray
    """int32, shape (PAGES,): the page of each 256 code points."""
    pages: np.ndarray
    """int32, shape (pages, 256): the symbol of each code point, or NONE."""
    rank: np.ndarray
    """int32, shape (vocabulary,): 0 is the best score; equal scores have equal ranks."""
    merges: np.ndarray
    """uint64, shape (2^k,): an open-addressed table of ``left << 44 | right << 24 | piece + 1``, the piece that two
    symbols make; 0 where free."""
    ascii_joined: np.ndarray
    """bool, shape (128 * 128,): whether a piece holds these two characters side by side."""
    joined: np.ndarray
    """uint64, shape (2^k,): a bit for each pair of other characters that a piece holds side by side, by a hash."""
    pair_shift: int
    """How far the hash is shifted to be such a bit's number."""
    byte_ids: np.ndarray
    """int32, shape (256,): the ids of the bytes of a character that is no piece."""
    vocabulary: int
    space_is_piece: bool
    """If not, a space is written as SentencePiece has it inside, in the three bytes of U+2581."""


def tables(
    pieces: Sequence[str], ids: np.ndarray, scores: np.ndarray, byte_ids: np.ndarray, mark: int | None
) -> Tables:
    """The tables of a model.

    `pieces` are those that text can become, spaces as spaces, and `ids` (int32) theirs; `scores`, float32, shape
    (vocabulary,); `byte_ids`, int32, shape (256,). `mark` is a character that is read as a space, if there is one.
    """
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    ends = np.cumsum(lengths)
    text = np.frombuffer("".join(pieces).encode("utf-32-le"), np.uint32).astype(np.int64)
    single = lengths == 1
    vocabulary = len(scores)
    symbols = dict(zip(text[ends[single] - 1].tolist(), ids[single].tolist(), strict=True))
    space_is_piece = SPACE in symbols
    for code in np.unique(text).tolist():
        symbols.setdefault(code, vocabulary + len(symbols))
    if mark is not None and SPACE in symbols:
        symbols[mark] = symbols[SPACE]
    page_of, pages = _pages(symbols)
    _, rank = np.unique(-scores, return_inverse=True)
    bounds = np.concatenate([[0], ends])
    found = np.empty(int(np.maximum(lengths - 1, 0).sum()), np.uint64)
    count = find_merges(text, bounds, ids.astype(np.int32), page_of, pages, found)
    size = 16
    while size < 2 * count:
        size *= 2
    merges = np.zeros(size, np.uint64)
    enter_merges(found[:count], merges)
    ascii_joined, joined, pair_shift = _joined(text, bounds, mark)
    return Tables(
        *map(read_only, (page_of, pages, rank.astype(np.int32), merges, ascii_joined, joined)),
        pair_shift, read_only(byte_ids.astype(np.int32)), vocabulary, space_is_piece,
    )


def _pages(symbols: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    codes = np.fromiter(symbols.keys(), np.int64, len(symbols))
    used = np.unique(codes >> 8)
    page_of = np.zeros(PAGES, np.int32)  # page 0 is empty
    page_of[used] = np.arange(1, used.size + 1)
    pages = np.full((used.size + 1, 256), NONE, np.int32)
    pages[page_of[codes >> 8], codes & 255] = np.fromiter(symbols.values(), np.int32, len(symbols))
    return page_of, pages


def _joined(text: np.ndarray, bounds: np.ndarray, mark: int | None) -> tuple[np.ndarray, np.ndarray, int]:
    """The pairs of neighbours inside the pieces; those of `mark` are those of the space."""
    inside = np.ones(max(text.size - 1, 0), bool)
    inside[bounds[1:-1][bounds[1:-1] < text.size] - 1] = False
    left, right = text[:-1][inside], text[1:][inside]
    if mark is not None:
        marked = [np.where(side == SPACE, mark, side) for side in (left, right)]
        left, right = (
            np.concatenate(sides) for sides in zip((left, right), (marked[0], right), (left, marked[1]), marked,
                                                   strict=True)
        )
    plain = (left < 128) & (right < 128)
    ascii_joined = np.zeros(128 * 128, bool)
    ascii_joined[left[plain] << 7 | right[plain]] = True
    left, right = left[~plain].astype(np.uint64), right[~plain].astype(np.uint64)
    size = 1024
    while size * 64 < PAIR_BITS * left.size and size < 1 << 16:
        size *= 2
    joined = np.zeros(size, np.uint64)
    shift = 65 - (size * 64).bit_length()
    bits = pair_hash.py_func(left, right) >> np.uint64(shift)
    np.bitwise_or.at(joined, (bits >> np.uint64(6)).astype(np.int64), np.uint64(1) << (bits & np.uint64(63)))
    return ascii_joined, joined, shift


@part
def pair_hash(left, right):
    """64 bits, of which the upper ones are to be used."""
    return (left * np.uint64(0x9E3779B97F4A7C15) ^ right) * np.uint64(0xD6E8FEB86659FD93)


@part
def symbol_of(code, page_of, pages):
    """The symbol of a code point below 2^21."""
    return pages[page_of[code >> 8], code & 255]


@part
def merge_slot(key, merges):
    """Where the merge of these two symbols, ``left << 20 | right``, stands, or the free slot where it would."""
    mask = np.uint64(merges.size - 1)
    slot = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(24) & mask
    while merges[slot] != 0 and merges[slot] >> np.uint64(24) != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@part
def merge_of(left, right, merges):
    """The piece that two symbols make, or NONE."""
    if left < 0 or right < 0:
        return np.int32(NONE)
    found = merges[merge_slot(np.uint64(left) << np.uint64(20) | np.uint64(right), merges)]
    return np.int32(np.int64(found & np.uint64(0xFFFFFF)) - 1)


@njit(cache=True, nogil=True)
def enter_merges(found, merges):
    """Put entries into an empty table that has twice the room."""
    for i in range(found.size):
        merges[merge_slot(found[i] >> np.uint64(24), merges)] = found[i]


@njit(cache=True, nogil=True)
def find_merges(text, bounds, ids, page_of, pages, found):
    """Find every way in which a piece is made of two symbols, as entries of the table of merges; returns how many.

    `text` holds the pieces' code points.
    """
    size = 16
    while size < 2 * ids.size:
        size *= 2
    table = np.full(size, -1, np.int32)
    for piece in range(ids.size):
        slot = _span_slot(text, bounds[piece], bounds[piece + 1], bounds, table)
        table[slot] = piece
    count = 0
    for piece in range(ids.size):
        start, end = bounds[piece], bounds[piece + 1]
        for cut in range(start + 1, end):
            left = _symbol_of_span(text, start, cut, bounds, ids, table, page_of, pages)
            right = _symbol_of_span(text, cut, end, bounds, ids, table, page_of, pages)
            if left >= 0 and right >= 0:
                pair = np.uint64(left) << np.uint64(44) | np.uint64(right) << np.uint64(24)
                found[count] = pair | np.uint64(ids[piece] + 1)
                count += 1
    return count


@part
def _symbol_of_span(text, start, end, bounds, ids, table, page_of, pages):
    if end - start == 1:
        return symbol_of(text[start], page_of, pages)
    piece = table[_span_slot(text, start, end, bounds, table)]
    return ids[piece] if piece >= 0 else np.int32(NONE)


@part
def _span_slot(text, start, end, bounds, table):
    """The slot of the piece that ``text[start:end]`` is, or the free slot where it would be."""
    key = np.uint64(end - start)
    for i in range(start, end):
        key = (key ^ np.uint64(text[i])) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    slot = np.int64(key >> np.uint64(16)) & (table.size - 1)
    while table[slot] >= 0:
        first = bounds[table[slot]]
        if bounds[table[slot] + 1] - first == end - start:
            same = True
            for i in range(end - start):
                if text[first + i] != text[start + i]:
                    same = False
                    break
            if same:
                break
        slot = (slot + 1) & (table.size - 1)
    return slot
