"""Words as spaCy's English tokenizer cuts them, with which datatrove counts: ``do|n't``, ``10|km``, ``(|U.S.|)``.

White space cuts a text into chunks. From both ends of a chunk marks, quotes, pictures, currencies and units are taken
off, until what is left is an exception (`english_exceptions`) or has nothing more to lose; what is left is cut inside,
at hyphens and slashes between letters and the like, unless it is the address of a web page. At last, tokens in a row
that together read as an exception become it (``:`` and ``)`` a face).

The rules are spaCy's (3.8), the road is not: places instead of strings, a table of flags instead of regular
expressions, and no rule looks at a character more often than a fixed number of times, so that time is linear in the
text. Most chunks are letters only, and cost one look a byte.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from dataengine.kernels.english_address import is_address
from dataengine.kernels.english_characters import (
    DIGIT,
    ENDS_SENTENCE,
    INNER,
    LETTER,
    LOWER,
    NOT_PUNCTUATION,
    ROLE,
    SPACE,
    SUFFIX,
    VISIBLE,
    character_flags,
)
from dataengine.kernels.english_cuts import cut_here, flags_of, prefix_of, suffix_of
from dataengine.kernels.english_exceptions import UNITS, exceptions
from dataengine.kernels.english_phrases import FOLD, choose_phrases, find_phrases
from dataengine.kernels.english_tables import (
    IN_SIEVE,
    IS_HASH,
    OPENS,
    SLOTS,
    Tables,
    exception_at,
    exception_of,
    sieve_place,
)
from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import (
    AFTER_GAP,
    BEFORE,
    CHARACTERS,
    ELLIPSES,
    END,
    HASHES,
    KIND,
    LETTERS,
    PLACE,
    PRIME,
    PUNCTUATION,
    SEED,
    SORT,
    START,
    STOP,
    TOKEN,
    TokenArrays,
    break_kind,
    character,
    empty_arrays,
    word_hash,
)
from dataengine.kernels.token_arrays import SIZE as CHARACTERS_OF
from dataengine.kernels.token_arrays import VISIBLE as IS_VISIBLE

COUNTED = 1 << 20
"""A flag of this module's own: ``#``, ``.``, ``…``."""


# --- tokens -----------------------------------------------------------------------------------------------------------


@part
def add(hashes, tokens, n, start, end, value, size, flags):
    """Token `n`, whose kind follows from the union of its characters' flags; returns n + 1."""
    kind = 0
    if flags & VISIBLE:
        kind |= IS_VISIBLE
    if flags & LETTER:
        kind |= LETTERS
    if not flags & NOT_PUNCTUATION:
        kind |= PUNCTUATION
    if size == 1 and flags & ENDS_SENTENCE:
        kind |= STOP
    hashes[n] = value
    tokens[n, START] = start
    tokens[n, END] = end
    tokens[n, CHARACTERS_OF] = size
    tokens[n, KIND] = kind
    return n + 1


@part
def look_over(data, lo, hi, classes):
    """(hash, characters, union of flags) of ``data[lo:hi]``."""
    value, size, flags = SEED, 0, np.uint32(0)
    i = lo
    while i < hi:
        byte = data[i]
        size += 1
        if byte < 0x80:
            flags |= classes[byte]
            value = (value ^ np.uint64(byte)) * PRIME
            i += 1
            continue
        code, step = character(data, i, hi)
        flags |= flags_of(code, classes)
        for k in range(i, i + step):
            value = (value ^ np.uint64(data[k])) * PRIME
        i += step
    return value, size, flags


@part
def add_token(data, lo, hi, base, n, classes, hashes, tokens):
    """``data[lo:hi]`` as one token."""
    value, size, flags = look_over(data, lo, hi, classes)
    return add(hashes, tokens, n, lo - base, hi - base, value, size, flags)


@part
def add_exception(data, lo, hi, base, n, cuts, classes, hashes, tokens):
    """The tokens of the exception ``data[lo:hi]``, cut as `Tables.known` says."""
    first, second = np.int64(cuts & np.uint64(255)), np.int64(cuts >> np.uint64(8))
    begin = lo
    if first:
        n = add_token(data, begin, lo + first, base, n, classes, hashes, tokens)
        begin = lo + first
    if second:
        n = add_token(data, begin, lo + second, base, n, classes, hashes, tokens)
        begin = lo + second
    return add_token(data, begin, hi, base, n, classes, hashes, tokens)


@part
def add_pieces(data, lo, hi, base, n, classes, hashes, tokens):
    """``data[lo:hi]``, cut inside."""
    begin = lo
    before = np.uint32(0)
    i = lo
    while i < hi:
        code, step = character(data, i, hi)
        flags = flags_of(code, classes)
        cut = cut_here(data, i, hi, code, flags, step, before, classes) if flags & INNER else 0
        before = flags
        if cut == 0:
            i += step
            continue
        if i > lo:  # what stands at the very beginning is not cut out
            if begin < i:
                n = add_token(data, begin, i, base, n, classes, hashes, tokens)
            n = add_token(data, i, i + cut, base, n, classes, hashes, tokens)
            begin = i + cut
        i += cut
    return add_token(data, begin, hi, base, n, classes, hashes, tokens) if begin < hi else n


@part
def add_chunk(data, lo, hi, base, n, tables, hashes, tokens, stack):
    """The tokens of the chunk ``data[lo:hi]``. `stack`: int64, room for as many suffixes as it has bytes."""
    classes, hints, known = tables.flags, tables.hints, tables.known
    pushed = 0
    place = -1
    end = hi
    while lo < hi:
        place = exception_at(data, lo, hi, hints, known)
        if place >= 0:
            break
        prefix = prefix_of(data, lo, hi, classes)
        if prefix and lo + prefix < hi:
            place = exception_at(data, lo + prefix, hi, hints, known)
            if place >= 0:
                n = add_token(data, lo, lo + prefix, base, n, classes, hashes, tokens)
                lo += prefix
                break
        suffix = suffix_of(data, lo + prefix, hi, classes, tables.units)
        if suffix and hi - suffix > lo:
            place = exception_at(data, lo, hi - suffix, hints, known)
        if prefix == 0 and suffix == 0:
            break
        if prefix and place < 0:
            n = add_token(data, lo, lo + prefix, base, n, classes, hashes, tokens)
            lo += prefix
        if suffix:
            hi -= suffix
            stack[pushed] = hi
            pushed += 1
        if place >= 0:
            break
    if place >= 0:
        n = add_exception(data, lo, hi, base, n, known[place, 1], classes, hashes, tokens)
    elif lo < hi:
        value, size, flags = look_over(data, lo, hi, classes)
        if not flags & INNER or is_address(data, lo, hi, classes):
            n = add(hashes, tokens, n, lo - base, hi - base, value, size, flags)
        else:
            n = add_pieces(data, lo, hi, base, n, classes, hashes, tokens)
    while pushed:
        pushed -= 1
        n = add_token(data, stack[pushed], stack[pushed - 1] if pushed else end, base, n, classes, hashes, tokens)
    return n


# --- a text -----------------------------------------------------------------------------------------------------------


@part
def count_signs(data, lo, hi, counts):
    """Count ``#``, and ``...`` and ``…`` in a chunk."""
    dots = 0
    for i in range(lo, hi):
        byte = data[i]
        dots = dots + 1 if byte == 46 else 0
        if dots == 3:
            counts[ELLIPSES] += 1
            dots = 0
        if byte == 35:
            counts[HASHES] += 1
        if byte == 0xA6 and i - lo >= 2 and data[i - 1] == 0x80 and data[i - 2] == 0xE2:
            counts[ELLIPSES] += 1


@part
def add_text(data, start, end, n, many_breaks, tables, hashes, tokens, breaks, counts, stack):
    """The tokens and line breaks of the text ``data[start:end]``; returns their new numbers."""
    classes = tables.flags
    first = n
    characters = 0
    gap = 0  # characters of white space just passed
    blank = False  # whether that was one blank
    i = start
    while i < end:
        # White space.
        code, step = np.uint32(data[i]), 1
        if code == 32:
            blank = gap == 0 and n > first
            gap += 1
            characters += 1
            i += 1
            continue
        if code >= 0x80:
            code, step = character(data, i, end)
        if flags_of(code, classes) & SPACE:
            kind = break_kind(code)
            if kind:
                breaks[many_breaks, PLACE] = i - start
                breaks[many_breaks, BEFORE] = characters
                breaks[many_breaks, TOKEN] = n - first
                breaks[many_breaks, SORT] = kind | step << 4
                many_breaks += 1
            blank = False
            gap += 1
            characters += 1
            i += step
            continue
        # A chunk: one look a byte, until the next white space.
        lo = i
        value, size, flags = SEED, 0, np.uint32(0)
        core_value, core_flags = value, flags  # of all but the last character
        while i < end:
            byte = data[i]
            if byte < 0x80:
                here = classes[byte]
                if here & SPACE:
                    break
                core_value, core_flags = value, flags
                value = (value ^ np.uint64(byte)) * PRIME
                i += 1
            else:
                code, step = character(data, i, end)
                here = flags_of(code, classes)
                if here & SPACE:
                    break
                for k in range(i, i + step):
                    value = (value ^ np.uint64(data[k])) * PRIME
                i += step
            flags |= here
            size += 1
        characters += size
        begin = n
        if flags & ROLE or (flags & DIGIT and not (data[i - 1] < 0x80 and classes[data[i - 1]] & DIGIT)):
            if flags & COUNTED:
                count_signs(data, lo, i, counts)
            # Most are a word and a mark behind it.
            last = data[i - 1]
            if (
                last < 0x80
                and size > 1
                and (classes[last] & SUFFIX or (last == 46 and data[i - 2] < 0x80 and classes[data[i - 2]] & LOWER))
                and not core_flags & (ROLE | DIGIT)
                and exception_of(core_value, data[lo], data[i - 2], i - 1 - lo, tables.hints, tables.known) < 0
                and exception_of(value, data[lo], last, i - lo, tables.hints, tables.known) < 0
            ):
                n = add(hashes, tokens, n, lo - start, i - 1 - start, core_value, size - 1, core_flags)
                value = (SEED ^ np.uint64(last)) * PRIME
                n = add(hashes, tokens, n, i - 1 - start, i - start, value, 1, classes[last])
            else:
                n = add_chunk(data, lo, i, start, n, tables, hashes, tokens, stack)
        else:
            place = exception_of(value, data[lo], data[i - 1], i - lo, tables.hints, tables.known)
            if place >= 0:
                n = add_exception(data, lo, i, start, n, tables.known[place, 1], classes, hashes, tokens)
            else:
                n = add(hashes, tokens, n, lo - start, i - start, value, size, flags)
        if gap and not blank:
            tokens[begin, KIND] |= AFTER_GAP
        gap = 0
    counts[CHARACTERS] = characters
    return n, many_breaks


# --- exceptions that were cut -----------------------------------------------------------------------------------------


@part
def copy_token(hashes, tokens, t, new_hashes, new_tokens, new):
    """Token `t` of one pair of arrays as `new` of another."""
    new_hashes[new] = hashes[t]
    for column in range(4):
        new_tokens[new, column] = tokens[t, column]


@part
def merge_phrases(data, base, first, n, breaks, first_break, last_break, tables, hashes, tokens, scratch):
    """Make exceptions of neighbouring tokens that together are one; returns the new number of tokens."""
    many = find_phrases(hashes, tokens, first, n, tables.hints, tables.phrases, scratch.masks, scratch.found)
    if many == 0:
        return n
    chosen, old_hashes, old = scratch.chosen, scratch.hashes, scratch.tokens
    for t in range(n - first):
        chosen[t], scratch.taken[t] = 0, False
        copy_token(hashes, tokens, first + t, old_hashes, old, t)
    choose_phrases(first, many, scratch.masks, scratch.found, scratch.taken, chosen)
    new, t, k = first, 0, first_break
    while t < n - first:
        while k < last_break and breaks[k, TOKEN] == t:
            breaks[k, TOKEN] = new - first
            k += 1
        size = np.int64(chosen[t])
        place = -1
        if size:
            touching = True  # with a blank between them they are no exception
            for j in range(t + 1, t + size):
                touching = touching and old[j, START] == old[j - 1, END]
            if touching:
                lo, hi = base + np.int64(old[t, START]), base + np.int64(old[t + size - 1, END])
                place = exception_at(data, lo, hi, tables.hints, tables.known)
        if place >= 0:
            begin = new
            new = add_exception(data, lo, hi, base, new, tables.known[place, 1], tables.flags, hashes, tokens)
            tokens[begin, KIND] |= old[t, KIND] & AFTER_GAP
            t += size
        else:
            copy_token(old_hashes, old, t, hashes, tokens, new)
            new += 1
            t += 1
    while k < last_break:
        breaks[k, TOKEN] = new - first
        k += 1
    return new


class Scratch(NamedTuple):
    """Room for the longest text of a batch."""

    stack: np.ndarray
    found: np.ndarray
    masks: np.ndarray
    chosen: np.ndarray
    taken: np.ndarray
    hashes: np.ndarray
    tokens: np.ndarray


@njit(cache=True, nogil=True)
def split_rows(data, offsets, tables, rows, hashes, tokens, breaks, counts, scratch):
    """Fill `rows`, `hashes`, `tokens`, `breaks` and `counts`, see `TokenArrays`."""
    n = many_breaks = 0
    for row in range(offsets.size - 1):
        first, first_break = n, many_breaks
        start, end = offsets[row], offsets[row + 1]
        n, many_breaks = add_text(
            data, start, end, n, many_breaks, tables, hashes, tokens, breaks, counts[row], scratch.stack
        )
        n = merge_phrases(data, start, first, n, breaks, first_break, many_breaks, tables, hashes, tokens, scratch)
        rows[row + 1, 0] = n
        rows[row + 1, 1] = many_breaks


def split_english(data: np.ndarray, offsets: np.ndarray) -> TokenArrays:
    """The words and marks of each row of UTF-8 text as spaCy's English tokenizer has them. See `buffers.utf8`."""
    return _split(data, offsets, tables())


def _split(data: np.ndarray, offsets: np.ndarray, known: Tables) -> TokenArrays:
    found = empty_arrays(offsets)
    size = int(np.diff(offsets).max(initial=0)) + 1
    scratch = Scratch(
        np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int32), np.empty(size, np.uint8),
        np.empty(size, np.bool_), np.empty(size, np.uint64), np.empty((size, 4), np.int32),
    )  # fmt: skip
    split_rows(data, offsets, known, *found, scratch)
    return found


# --- the tables -------------------------------------------------------------------------------------------------------


@cache
def tables() -> Tables:
    """Made at first use, in 80 ms once the kernels are compiled."""
    flags = character_flags().copy()
    flags[[ord(sign) for sign in "#.…"]] |= np.uint32(COUNTED)
    units = np.array([word_hash(unit) for unit in UNITS.split()], np.uint64)
    found = Tables(
        flags, np.zeros(SLOTS, np.uint8), np.zeros((SLOTS, 2), np.uint64), np.zeros((SLOTS, 2), np.uint64), units
    )
    for tokens in _cut_by_rule(found):  # while the tables know no exceptions
        found.hints[_slot(tokens[0])] |= OPENS
        value = tokens[0]
        for token in tokens[1:]:
            value = (value * int(FOLD) + token) % 2**64
            place = _insert(found.phrases, value)
        found.phrases[place, 1] = 1
    for chunk, parts in exceptions().items():
        content = chunk.encode()
        cuts = np.cumsum([len(part.encode()) for part in parts]).tolist()[:-1]
        found.hints[sieve_place.py_func(content[0], content[-1], len(content))] |= IN_SIEVE
        found.hints[_slot(word_hash(chunk))] |= IS_HASH
        found.known[_insert(found.known, word_hash(chunk)), 1] = sum(cut << 8 * k for k, cut in enumerate(cuts))
    return found


def _cut_by_rule(nothing: Tables) -> list[list[int]]:
    """The hashes of the tokens of each exception that tables which do not know it cut in two or more."""
    chunks = [chunk.encode() for chunk in exceptions()]
    offsets = np.cumsum([0, *map(len, chunks)])
    found = _split(np.frombuffer(b"".join(chunks), np.uint8), offsets, nothing)
    parts = np.split(found.hashes[: found.rows[-1, 0]], found.rows[1:-1, 0])
    return [part.tolist() for part in parts if len(part) > 1]


def _insert(table: np.ndarray, key: int) -> int:
    """The place of `key` in an open-addressing table, new or old."""
    place = _slot(key)
    while table[place, 0] and int(table[place, 0]) != key:
        place = (place + 1) % SLOTS
    table[place, 0] = key
    return place


def _slot(key: int) -> int:
    """`slot_of`, for Python's whole numbers."""
    return (key ^ key >> 29) & (SLOTS - 1)
