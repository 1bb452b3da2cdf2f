"""A few fixed phrases looked for in a line at once, whatever the case of their ASCII letters.

Every phrase is looked for at its rarest letter, so that most of a line costs one look-up a byte and nothing more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataengine.kernels.part import part

CASE = 0x20


class Phrases(NamedTuple):
    """Phrases laid end to end."""

    rare: np.ndarray
    """bool, shape (256,): bytes at which a phrase is looked for, in both cases."""
    letters: np.ndarray
    """uint8: the phrases, in lower case."""
    bounds: np.ndarray
    """int64, shape (phrases + 1,)."""
    places: np.ndarray
    """int64, shape (phrases,): where in each phrase its rare letter is."""
    bits: np.ndarray
    """int64, shape (phrases,): what finding it means."""


def make_phrases(found: dict[str, int], rarest: str = "jkvqxzwmfygpbudclhrsinotae ") -> Phrases:
    """Phrases of ASCII letters and blanks, each with the bit that it sets. `rarest`: letters, the rarest first."""
    rare = np.zeros(256, np.bool_)
    places = []
    for phrase in found:
        letter = min(phrase, key=rarest.index)
        rare[[ord(letter), ord(letter.upper())]] = True
        places.append(phrase.index(letter))
    return Phrases(
        rare,
        np.frombuffer("".join(found).encode(), np.uint8),
        np.cumsum([0, *map(len, found)]),
        np.array(places, np.int64),
        np.array(list(found.values()), np.int64),
    )


@part
def phrases_at(data, i, start, end, letters, bounds, places, bits):
    """The bits of the phrases in ``data[start:end]`` whose rare letter is the byte at `i`."""
    found = 0
    for phrase in range(places.size):
        first, last = bounds[phrase], bounds[phrase + 1]
        begin = i - places[phrase]
        if begin < start or begin + last - first > end:
            continue
        same = True
        for k in range(last - first):
            byte = data[begin + k]
            if byte >= 65 and byte <= 90:
                byte |= CASE
            if byte != letters[first + k]:
                same = False
                break
        if same:
            found |= bits[phrase]
    return found
