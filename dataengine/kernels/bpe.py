"""Text to ids by BPE, part by part: cut where no piece can cross, remembered parts looked up, the others merged.

See `bpe_tables` for why this is exact. A part of natural text is mostly a word, and words repeat (Zipf), so nearly all
are found in a table of bounded size, by all of their bytes and not by their hash alone. It holds what fits on a cache
line; what does not is merged each time. Merging takes the square of a short part's length, n log n of a long one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.bpe_tables import NONE, SPACE, Tables, merge_of, pair_hash, symbol_of
from dataengine.kernels.buffers import on_cache_lines
from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import character

SLOTS = 1 << 16
"""Parts that are remembered: 4 MiB, read at random."""
LONGEST_PART, MOST_IDS = 32, 6
"""What fits on a line of 64 bytes: bytes in words 0 to 3, then bytes and number of ids, then the ids."""
SHORT = 48
"""Characters of a part that is merged by looking at all of it for each merge."""
MARK_BYTES = (0xE2, 0x96, 0x81)
WORST = np.int32(2**31 - 1)
"""The rank of two symbols that do not merge."""


def memory() -> np.ndarray:
    """An empty table of remembered parts, for one model: uint64, shape (SLOTS, 8)."""
    lines = on_cache_lines((SLOTS, 8), np.uint64)
    lines[:] = 0
    return lines


def encode(
    data: np.ndarray, offsets: np.ndarray, tables: Tables, lines: np.ndarray, last: int = NONE
) -> tuple[np.ndarray, np.ndarray]:
    """The ids of each row of UTF-8 text, `last` behind each if it is not NONE.

    Returns ``(ids, bounds)``: int32, shape (m,), and int64, shape (n + 1,); row i is ``ids[bounds[i]:bounds[i + 1]]``.
    `lines` comes from `memory` and is written to; what it holds changes the time taken and never the ids.
    """
    most = int(offsets[-1] - offsets[0]) * (1 if tables.space_is_piece else len(MARK_BYTES)) + len(offsets) - 1
    ids = np.empty(most, np.int32)
    bounds = np.zeros(len(offsets), np.int64)
    encode_rows(data, offsets, tables, lines, np.int32(last), ids, bounds)
    return ids[: bounds[-1]], bounds


@njit(cache=True, nogil=True)
def encode_rows(data, offsets, tables, lines, last, ids, bounds):
    """Fill `ids` and `bounds`.

    What is done for every character and every part stands here, for calls would halve the speed.
    """
    # Arrays are taken out of their tuple once: each time costs a count of references, atomic and in every part.
    page_of, pages, rank, merges, byte_ids = tables.page_of, tables.pages, tables.rank, tables.merges, tables.byte_ids
    ascii_joined, joined, pair_shift = tables.ascii_joined, tables.joined, np.uint64(tables.pair_shift)
    symbols, starts = np.empty(SHORT, np.int32), np.empty(SHORT + 1, np.int64)
    pairs, ranks = np.empty(SHORT, np.int32), np.empty(SHORT, np.int32)
    slot_mask = np.uint64(lines.shape[0] - 1)
    n = 0
    for row in range(offsets.size - 1):
        i, end = offsets[row], offsets[row + 1]
        while i < end:
            # a part: the bytes i to j, so many characters, the last of which is `left`
            left, step = np.uint32(data[i]), 1
            if left >= 0x80:
                left, step = character(data, i, end)
            j = i + step
            count = 1
            while j < end:
                right, step = np.uint32(data[j]), 1
                if right >= 0x80:
                    right, step = character(data, j, end)
                if left < 0x80 and right < 0x80:
                    if not ascii_joined[left << np.uint32(7) | right]:
                        break
                else:
                    bit = pair_hash(np.uint64(left), np.uint64(right)) >> pair_shift
                    if not joined[bit >> np.uint64(6)] >> (bit & np.uint64(63)) & np.uint64(1):
                        break
                left = right
                j += step
                count += 1
            size = j - i
            # its ids
            if count == 1:
                n = _emit(symbol_of(left, page_of, pages), data, i, j, rank, byte_ids, ids, n)
            elif count > SHORT:
                n = _merge_long(data, i, j, count, page_of, pages, rank, merges, byte_ids, ids, n)
            else:
                slot, key = np.int64(-1), np.uint64(0)
                word0 = word1 = word2 = word3 = np.uint64(0)
                if size <= LONGEST_PART:
                    for k in range(i, min(j, i + 8)):
                        word0 = word0 << np.uint64(8) | np.uint64(data[k])
                    if size > 8:
                        for k in range(i + 8, min(j, i + 16)):
                            word1 = word1 << np.uint64(8) | np.uint64(data[k])
                        for k in range(i + 16, min(j, i + 24)):
                            word2 = word2 << np.uint64(8) | np.uint64(data[k])
                        for k in range(i + 24, j):
                            word3 = word3 << np.uint64(8) | np.uint64(data[k])
                    key = _key(word0, word1, word2, word3)
                    slot = np.int64(key & slot_mask)
                    if not _is_on(lines, slot, size, word0, word1, word2, word3):
                        slot ^= 1
                        if not _is_on(lines, slot, size, word0, word1, word2, word3):
                            slot = np.int64(-1)
                if slot >= 0:
                    n = _recall(lines, slot, ids, n)
                else:
                    begin = n
                    count = _merge_short(data, i, j, page_of, pages, rank, merges, symbols, starts, pairs, ranks)
                    for k in range(count):
                        n = _emit(symbols[k], data, starts[k], starts[k + 1], rank, byte_ids, ids, n)
                    if size <= LONGEST_PART and n - begin <= MOST_IDS:
                        _remember(lines, size, key, word0, word1, word2, word3, ids, begin, n)
            i = j
        if last >= 0:
            ids[n] = last
            n += 1
        bounds[row + 1] = n


# --- remembered parts -------------------------------------------------------------------------------------------------


@part
def _key(word0, word1, word2, word3):
    """A hash of a part of at most LONGEST_PART bytes."""
    key = (word0 ^ word1 * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xD6E8FEB86659FD93)
    key = (key ^ key >> np.uint64(32) ^ word2 ^ word3 * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xC2B2AE3D27D4EB4F)
    return key ^ key >> np.uint64(32)


@part
def _is_on(lines, slot, size, word0, word1, word2, word3):
    """Whether a line holds the part of these bytes."""
    if lines[slot, 0] != word0 or np.int64(lines[slot, 4] & np.uint64(0xFF)) != size:
        return False
    return size <= 8 or (lines[slot, 1] == word1 and lines[slot, 2] == word2 and lines[slot, 3] == word3)


@part
def _recall(lines, slot, ids, n):
    """Write the ids on a line; returns the end of what is written."""
    for k in range(np.int64(lines[slot, 4] >> np.uint64(8))):
        ids[n] = np.int32(lines[slot, 5 + (k >> 1)] >> np.uint64(32 * (k & 1)) & np.uint64(0xFFFFFFFF))
        n += 1
    return n


@part
def _remember(lines, size, key, word0, word1, word2, word3, ids, begin, end):
    """Put a part and its ids, ``ids[begin:end]``, on its line or the one beside it: a free one, else either."""
    slot = np.int64(key & np.uint64(lines.shape[0] - 1))
    if lines[slot, 4] and (not lines[slot ^ 1, 4] or key >> np.uint64(63)):
        slot ^= 1
    lines[slot, 0], lines[slot, 1], lines[slot, 2], lines[slot, 3] = word0, word1, word2, word3
    lines[slot, 4] = np.uint64(size) | np.uint64(end - begin) << np.uint64(8)
    lines[slot, 5] = lines[slot, 6] = lines[slot, 7] = np.uint64(0)
    for k in range(end - begin):
        lines[slot, 5 + (k >> 1)] |= np.uint64(ids[begin + k]) << np.uint64(32 * (k & 1))


# --- merging ----------------------------------------------------------------------------------------------------------


@part
def _emit(symbol, data, i, j, rank, byte_ids, ids, n):
    """Write the id of a symbol, or those of its bytes ``data[i:j]``; returns the end of what is written."""
    if 0 <= symbol < rank.size:
        ids[n] = symbol
        return n + 1
    if j - i == 1 and data[i] == SPACE:
        for byte in MARK_BYTES:
            ids[n] = byte_ids[byte]
            n += 1
        return n
    for k in range(i, j):
        ids[n] = byte_ids[data[k]]
        n += 1
    return n


@part
def _rank_of(pair, rank):
    return rank[pair] if pair >= 0 else WORST


@part
def _merge_short(data, i, j, page_of, pages, rank, merges, symbols, starts, pairs, ranks):
    """Merge a part of at most SHORT characters: fills `symbols` and where each of them starts; returns how many.

    ``pairs[k]`` is what symbols k and k + 1 make, ``ranks[k]`` its rank.
    """
    count = 0
    at = i
    while at < j:
        code, step = character(data, at, j)
        starts[count] = at
        symbols[count] = symbol_of(code, page_of, pages)
        at += step
        count += 1
    starts[count] = j
    for k in range(count - 1):
        pairs[k] = merge_of(symbols[k], symbols[k + 1], merges)
        ranks[k] = _rank_of(pairs[k], rank)
    while count > 1:
        best, lowest = 0, ranks[0]
        for k in range(1, count - 1):
            if ranks[k] < lowest:
                best, lowest = k, ranks[k]
        if lowest == WORST:
            break
        symbols[best] = pairs[best]
        count -= 1
        for k in range(best + 1, count):
            symbols[k] = symbols[k + 1]
            starts[k] = starts[k + 1]
        for k in range(best + 1, count - 1):
            pairs[k] = pairs[k + 1]
            ranks[k] = ranks[k + 1]
        starts[count] = j
        if best > 0:
            pairs[best - 1] = merge_of(symbols[best - 1], symbols[best], merges)
            ranks[best - 1] = _rank_of(pairs[best - 1], rank)
        if best < count - 1:
            pairs[best] = merge_of(symbols[best], symbols[best + 1], merges)
            ranks[best] = _rank_of(pairs[best], rank)
    return count


@part
def _merge_long(data, i, j, count, page_of, pages, rank, merges, byte_ids, ids, n):
    """Write the ids of a part of any length. A heap of ``rank << 32 | place`` says which pair is next.

    32 bytes a character while it works. An entry whose pair is no longer what it was is passed over.
    """
    symbols, pairs = np.empty(count, np.int32), np.full(count, NONE, np.int32)
    before, after = np.empty(count, np.int32), np.empty(count, np.int32)
    heap = np.empty(2 * count, np.int64)
    at = i
    for k in range(count):
        code, step = character(data, at, j)
        symbols[k] = symbol_of(code, page_of, pages)
        before[k], after[k] = k - 1, k + 1
        at += step
    filled = 0
    for k in range(count - 1):
        pairs[k] = merge_of(symbols[k], symbols[k + 1], merges)
        if pairs[k] >= 0:
            heap[filled] = np.int64(rank[pairs[k]]) << 32 | k
            filled += 1
    for place in range(filled // 2 - 1, -1, -1):
        _sink(heap, filled, place, heap[place])
    while filled:
        top = heap[0]
        filled -= 1
        _sink(heap, filled, 0, heap[filled])
        k = top & 0xFFFFFFFF
        if pairs[k] < 0 or rank[pairs[k]] != top >> 32:
            continue
        symbols[k] = pairs[k]
        gone, left, right = after[k], before[k], after[after[k]]
        pairs[gone] = pairs[k] = NONE
        after[k] = right
        if right < count:
            before[right] = k
            pairs[k] = merge_of(symbols[k], symbols[right], merges)
            filled = _push(heap, filled, k, pairs[k], rank)
        if left >= 0:
            pairs[left] = merge_of(symbols[left], symbols[k], merges)
            filled = _push(heap, filled, left, pairs[left], rank)
    k, at = 0, i
    while k < count:
        start = at
        for _ in range(after[k] - k):
            _, step = character(data, at, j)
            at += step
        n = _emit(symbols[k], data, start, at, rank, byte_ids, ids, n)
        k = after[k]
    return n


@part
def _push(heap, filled, place, pair, rank):
    """Put a pair on the heap, if it is one; returns how many are on it."""
    if pair < 0:
        return filled
    value = np.int64(rank[pair]) << 32 | np.int64(place)
    at = filled
    while at and heap[(at - 1) // 2] > value:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = value
    return filled + 1


@part
def _sink(heap, filled, at, value):
    """Put `value` at a place of a heap of `filled` values, from where it sinks below what is less."""
    while 2 * at + 1 < filled:
        child = 2 * at + 1
        if child + 1 < filled and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value
