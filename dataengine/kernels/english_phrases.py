"""Tokens in a row that together read as an exception of the English splitter, such as ``:`` and ``)``."""

from __future__ import annotations

import numpy as np

from dataengine.kernels.english_tables import OPENS, find, slot_of
from dataengine.kernels.part import part
from dataengine.kernels.token_arrays import AFTER_GAP, KIND

LONGEST_PHRASE = 11
"""Tokens that may become one exception."""
FOLD = np.uint64(0x9E3779B97F4A7C15)


@part
def find_phrases(hashes, tokens, first, n, hints, phrases, masks, found):
    """How many tokens begin a phrase: their places in `found`; in `masks` a bit for each length it may have."""
    many = 0
    for t in range(first, n - 1):
        value = hashes[t]
        if not hints[slot_of(value)] & OPENS:
            continue
        mask = 0
        for size in range(2, LONGEST_PHRASE + 1):
            if t + size > n or tokens[t + size - 1, KIND] & AFTER_GAP:
                break
            value = value * FOLD + hashes[t + size - 1]
            place = find(phrases, value)
            if place < 0:
                break
            if phrases[place, 1]:
                mask |= 1 << size
        if mask:
            masks[many] = mask
            found[many] = t
            many += 1
    return many


@part
def choose_phrases(first, many, masks, found, taken, chosen):
    """Mark in `chosen` the lengths of the phrases that count: the longest first, then the leftmost, none over another.

    One that is not chosen blocks others all the same, as in spaCy.
    """
    for size in range(LONGEST_PHRASE, 1, -1):
        for k in range(many):
            if masks[k] >> size & 1:
                t = found[k] - first
                if not taken[t] and not taken[t + size - 1]:
                    chosen[t] = size
                for j in range(t, t + size):
                    taken[j] = True
