"""A corpus whose similar pairs are known: families of edited texts, and the exact Jaccard similarity of every pair.

Pseudo-words are drawn by Zipf's law, so that strangers share almost no 5-grams; words are ``[a-z]+`` with single blanks
between them, so that every tool's splitting sees the same 5-grams.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

NGRAM = 5


@dataclass(frozen=True)
class Corpus:
    texts: list[str]
    pairs: np.ndarray
    """int64 (p, 2): positions of the two texts of every pair within a family."""
    jaccard: np.ndarray
    """float64 (p,): exact, over word 5-grams."""

    @property
    def megabytes(self) -> float:
        return sum(len(text) for text in self.texts) / 1e6


def grams(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + NGRAM]) for i in range(max(1, len(words) - NGRAM + 1))}


def vocabulary(size: int, draw: random.Random) -> list[str]:
    """Different pseudo-words, 1 to 12 letters long like those of English."""
    found: dict[str, None] = {}
    while len(found) < size:
        length = min(12, max(1, round(draw.gauss(4.7 + len(found) / size * 2, 2))))
        found["".join(draw.choices("etaoinshrdlucmfwypgbvk", k=length))] = None
    return list(found)


def edited(words: list[str], target: float, other: Callable[[int], list[str]], draw: random.Random) -> list[str]:
    """A copy of about this similarity: scattered words replaced, or a block, or a block cut and another appended."""
    words, n = list(words), len(words)
    lost = (1 - 2 * target / (1 + target)) * (n - NGRAM + 1)
    way = draw.random()
    if way < 0.5:
        for i in draw.sample(range(n), max(1, round(lost / NGRAM))):
            words[i] = other(1)[0]
        return words
    size = max(1, round(lost - NGRAM + 1)) if way < 0.8 else max(1, round(n * (1 - target) * 0.5))
    start = draw.randrange(max(1, n - size))
    if way < 0.8:
        words[start : start + size] = other(size)
        return words
    del words[start : start + size]
    return words + other(size)


def corpus(documents: int, seed: int = 7) -> Corpus:
    """At least `documents` texts of 90 to 290 words, in random order; two thirds have relatives."""
    draw = random.Random(seed)
    pool = vocabulary(40_000, draw)
    weights = list(accumulate(1 / (rank + 10) for rank in range(len(pool))))

    def other(count: int) -> list[str]:
        return draw.choices(pool, cum_weights=weights, k=count)

    texts: list[str] = []
    pairs: list[tuple[int, int]] = []
    jaccard: list[float] = []
    while len(texts) < documents:
        family = [other(draw.randint(90, 290))]
        if draw.random() < 0.6:
            for _ in range(draw.choice([1, 1, 1, 2, 2, 3, 5])):
                family.append(edited(family[0], draw.uniform(0.5, 0.97), other, draw))
        sets, first = [grams(words) for words in family], len(texts)
        for a in range(len(family)):
            for b in range(a + 1, len(family)):
                pairs.append((first + a, first + b))
                jaccard.append(len(sets[a] & sets[b]) / len(sets[a] | sets[b]))
        texts += [" ".join(words) for words in family]
    order = list(range(len(texts)))
    draw.shuffle(order)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return Corpus([texts[i] for i in order], place[np.array(pairs)], np.array(jaccard))
