"""Copies of benchmark items as they turn up in the wild, planted in copies of documents, to see how many are found.

Which item, changed in which way, and at what place follow from a document's id alone. A **decoy** is an item whose
words stand in another order: the same vocabulary, but not the item, so that finding it is an error.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

CHANCE = 2**32


def chosen(identity: str, share: float) -> bool:
    """Whether a document is one of those that get a plant."""
    return int(identity[8:16] or "0", 16) < share * CHANCE


def plant(identity: str, text: str, items: list[str]) -> tuple[str, str]:
    """(kind, the text with a changed item in it)."""
    draw = random.Random(identity)
    kind = draw.choice(sorted(KINDS))
    changed = KINDS[kind](draw.choice(items), draw)
    place = draw.randrange(len(text) + 1)
    return kind, f"{text[:place]}\n{changed}\n{text[place:]}"


def _words(item: str) -> tuple[list[str], str]:
    """Words and what stands between them; the characters of an item that is written without spaces."""
    words = item.split()
    return (words, " ") if len(words) * 12 > len(item) else (list(item), "")


def _new_numbers(item: str, draw: random.Random) -> str:
    return re.sub(r"\d+", lambda number: str(draw.randrange(2, 10 ** len(number[0]) + 2)), item)


def _replaced_words(item: str, draw: random.Random) -> str:
    words, space = _words(item)
    for first in range(0, len(words), 10):
        words[min(first + draw.randrange(10), len(words) - 1)] = draw.choice(words)
    return space.join(words)


def _wrapped(item: str, draw: random.Random) -> str:
    return "".join(draw.choice((" ", "  ", "\n")) if letter == " " else letter for letter in item)


def _shuffled(item: str, draw: random.Random) -> str:
    words, space = _words(item)
    draw.shuffle(words)
    return space.join(words)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "verbatim": lambda item, draw: item,
    "upper_case": lambda item, draw: item.upper(),
    "no_punctuation": lambda item, draw: re.sub(r"[^\w\s]", "", item).lower(),
    "whitespace": _wrapped,
    "new_numbers": _new_numbers,
    "first_two_thirds": lambda item, draw: item[: len(item) * 2 // 3],
    "replaced_words": _replaced_words,
    "decoy": _shuffled,
}
