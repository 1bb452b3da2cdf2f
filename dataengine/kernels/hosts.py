"""Hosts out of URLs, and whether they stand on a list of millions: hashes over bytes, no Python object a row.

A list is one sorted array of 64-bit hashes, 8 bytes an entry. The hash of a host is taken from its end, so one pass
over ``a.b.example.com`` meets the hash of every domain above it at the dots. Two hosts of a billion share a hash with
a list of ten million once in about 2,000 runs.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SEED = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
"""FNV-1a, 64 bits, over bytes."""

DOT, COLON, SLASH = 46, 58, 47


@njit(cache=True, nogil=True, inline="always")
def _lower(c):
    return c | 0x20 if 65 <= c <= 90 else c


@njit(cache=True, nogil=True, inline="always")
def _is_word(c):
    """Part of a word of a URL: ASCII letters and digits, and all that is not ASCII."""
    return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c >= 128


@njit(cache=True, nogil=True, inline="always")
def mixed(h):
    """FNV's low bits are weak where a sieve looks; this spreads them (splitmix64's finish)."""
    h ^= h >> np.uint64(30)
    h *= np.uint64(0xBF58476D1CE4E5B9)
    h ^= h >> np.uint64(27)
    h *= np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@njit(cache=True, nogil=True, inline="always")
def _ends_host(c):
    """One of ``/ ? # :``."""
    return c in (SLASH, COLON, 63, 35)


@njit(cache=True, nogil=True)
def find_hosts(data, offsets, out, ends, rest, plain):
    """The hosts of plain ASCII URLs, in lower case, without port and closing dot.

    A plain URL is ``http``, ``https`` or no scheme, then letters, digits, dots, hyphens and underscores up to a port,
    ``/``, ``?``, ``#`` or the end. For the others, and those without a host, ``plain[row]`` is False and a slower,
    fuller parser has to look. `out` uint8 gets the hosts one after the other, ``ends`` int64 shape (n + 1,) where each
    ends, ``rest`` int64 shape (n,) the offset in `data` where what follows host and port begins.
    """
    filled = 0
    ends[0] = 0
    for row in range(offsets.size - 1):
        i, end = offsets[row], offsets[row + 1]
        i = _behind_scheme(data, i, end)
        begin = label = filled
        good = i < end and data[i] != DOT
        labels = 0
        while good and i < end:
            if _ends_host(data[i]):
                break
            c = _lower(data[i])
            empty = c == DOT and (filled == label or filled - label > 63)
            if empty or not (97 <= c <= 122 or 48 <= c <= 57 or c == DOT or c == 45 or c == 95):
                good = False
            else:
                out[filled] = c
                filled += 1
                if c == DOT:
                    labels += 1
                    label = filled
            i += 1
        if good and i < end and data[i] == COLON:
            i += 1
            while i < end and 48 <= data[i] <= 57:
                i += 1
            good = i == end or (_ends_host(data[i]) and data[i] != COLON)
        if good and filled > begin and out[filled - 1] == DOT:
            filled -= 1
            labels -= 1
        if good and (filled == begin or filled - begin > 253 or filled - label > 63 or labels < 1):
            good = False
        if not good:
            filled = begin
        plain[row] = good
        rest[row] = i
        ends[row + 1] = filled


@njit(cache=True, nogil=True)
def _behind_scheme(data, i, end):
    """Where the host begins: behind ``http://`` or ``https://`` in any case, or `i`."""
    k = i
    word = np.uint64(0)
    while k < end and k - i < 6 and data[k] != COLON:
        word = (word << np.uint64(8)) | np.uint64(_lower(data[k]))
        k += 1
    if word != np.uint64(0x68747470) and word != np.uint64(0x6874747073):
        return i
    if k + 3 <= end and data[k] == COLON and data[k + 1] == SLASH and data[k + 2] == SLASH:
        return k + 3
    return i


@njit(cache=True, nogil=True)
def host_hashes(hosts, ends, hashes):
    """The hash of each whole host: `hashes` uint64, shape (n,). 0 for an empty one."""
    for row in range(ends.size - 1):
        h = SEED
        for i in range(ends[row + 1] - 1, ends[row] - 1, -1):
            h = (h ^ np.uint64(hosts[i])) * PRIME
        hashes[row] = mixed(h) if ends[row + 1] > ends[row] else np.uint64(0)


@njit(cache=True, nogil=True)
def page_hashes(hosts, ends, data, rest, stops, hashes):
    """The hash of host and what follows it up to a ``#``, without closing slashes: `hashes` uint64, shape (n,)."""
    for row in range(ends.size - 1):
        h = SEED
        for i in range(ends[row + 1] - 1, ends[row] - 1, -1):
            h = (h ^ np.uint64(hosts[i])) * PRIME
        stop = rest[row]
        while stop < stops[row] and data[stop] != 35:
            stop += 1
        while stop > rest[row] and data[stop - 1] == SLASH:
            stop -= 1
        h = (h ^ np.uint64(SLASH)) * PRIME
        for i in range(rest[row], stop):
            h = (h ^ np.uint64(data[i])) * PRIME
        hashes[row] = mixed(h) if ends[row + 1] > ends[row] else np.uint64(0)


@njit(cache=True, nogil=True, inline="always")
def place_in(table, h):
    """Where `h` stands in a sorted table, or -1."""
    low, high = 0, table.size
    while low < high:
        middle = (low + high) >> 1
        if table[middle] < h:
            low = middle + 1
        else:
            high = middle
    return low if low < table.size and table[low] == h else -1


@njit(cache=True, nogil=True)
def under_domain(hosts, ends, table, found):
    """Whether each host or a domain above it is in `table`, sorted uint64: `found` bool, shape (n,)."""
    for row in range(ends.size - 1):
        begin = ends[row]
        h = SEED
        found[row] = False
        for i in range(ends[row + 1] - 1, begin - 1, -1):
            h = (h ^ np.uint64(hosts[i])) * PRIME
            if (i == begin or hosts[i - 1] == DOT) and place_in(table, mixed(h)) >= 0:
                found[row] = True
                break


@njit(cache=True, nogil=True)
def count_words(data, offsets, table, counts):
    """How many different words of `table`, sorted uint64, each URL holds: `counts` int64, shape (n,)."""
    seen = np.full(table.size, -1, np.int64)
    for row in range(offsets.size - 1):
        found = 0
        i, end = offsets[row], offsets[row + 1]
        while i < end:
            h = SEED
            start = i
            while i < end and _is_word(data[i]):
                h = (h ^ np.uint64(_lower(data[i]))) * PRIME
                i += 1
            if i > start:
                at = place_in(table, mixed(h))
                if at >= 0 and seen[at] != row:
                    seen[at] = row
                    found += 1
            i += 1
        counts[row] = found


@njit(cache=True, nogil=True)
def squeeze(data, offsets, out, ends):
    """The parts of words of the URLs run together, in lower case, so that ``-`` and ``.`` hide no word."""
    filled = 0
    ends[0] = 0
    for row in range(offsets.size - 1):
        for i in range(offsets[row], offsets[row + 1]):
            if _is_word(data[i]):
                out[filled] = _lower(data[i])
                filled += 1
        ends[row + 1] = filled


def word_hashes(words: list[str]) -> np.ndarray:
    """The table of these words for `count_words`: sorted uint64, each once."""
    hashes = np.zeros(len(words), np.uint64)
    with np.errstate(over="ignore"):
        for number, word in enumerate(words):
            h = SEED
            for byte in word.encode():
                h = (h ^ np.uint64(byte)) * PRIME
            hashes[number] = mixed.py_func(h)
    return np.unique(hashes)
