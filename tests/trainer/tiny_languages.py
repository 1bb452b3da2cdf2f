"""Two languages small enough to be learnt in seconds: stories, and conversations about which number is larger."""

from __future__ import annotations

import random

COLOURS = ("red", "blue", "green", "white")
ANIMALS = ("cat", "dog", "owl", "fox", "hen", "bee", "ant", "cow")
PLACES = ("barn", "lake", "hill", "road")


def sentence(draw: random.Random) -> str:
    """A language in which the second half of a sentence follows from the first."""
    colour, animal = draw.randrange(len(COLOURS)), draw.randrange(len(ANIMALS))
    return f"the {COLOURS[colour]} {ANIMALS[animal]} goes to the {PLACES[(colour + animal) % len(PLACES)]}."


def stories(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(sentence(draw) for _ in range(draw.randrange(2, 7))) for _ in range(count)]


def sums(count: int, seed: int) -> list[list[dict[str, str]]]:
    """Conversations: which of two small numbers is larger."""
    draw = random.Random(seed)
    pairs = [(draw.randrange(5), draw.randrange(5)) for _ in range(count)]
    return [[{"role": "user", "content": f"larger of {a} and {b}?"}, {"role": "assistant", "content": str(max(a, b))}]
            for a, b in pairs]
