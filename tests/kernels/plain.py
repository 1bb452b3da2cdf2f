"""Words, lines and repetition written the slow and obvious way: the other road to what the kernels count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

from dataengine.kernels.words import character_classes

LETTER_OF = {0: "s", 1: "m", 2: "w", 3: "a", 4: "u", 5: "c", 6: "l", 7: "j", 8: "x"}


def kind(letter: str) -> str:
    """The class of a character, as a letter."""
    code = ord(letter)
    if code < 0x20000:
        return LETTER_OF[int(character_classes()[code])]
    return "u" if code < 0x40000 else "m"


@dataclass(frozen=True)
class Token:
    text: str
    is_word: bool
    is_alphabetic: bool
    is_unspaced: bool = False


WORD = re.compile(r"(?P<unit>[ul](?:[cjx]|(?<=[lj])u)*)|[wacjx](?:[wacjxm]*[wacjx])?")


def tokens(text: str) -> list[Token]:
    """The words of a text by the rule of `dataengine.kernels.words`, and marks that stand alone."""
    found: list[Token] = []
    kinds = "".join(map(kind, text))
    for chunk in re.finditer(r"[^s]+", kinds):
        base = chunk.start()
        words: list[tuple[int, int, bool]] = []
        for match in WORD.finditer(chunk.group()):
            unit = match["unit"] is not None
            words.append((match.start(), match.end(), unit))
            for _ in range(match.group().count("x") if unit else 0):
                if len(words) > 1 and words[-2][2] and words[-2][1] == words[-1][0]:
                    words[-2:] = [(words[-2][0], words[-1][1], True)]
        for start, end, unit in words:
            part = kinds[base + start : base + end]
            found.append(Token(text[base + start : base + end], True, unit or "a" in part, unit))
        if not words:
            found.append(Token(text[base : chunk.end()], False, False))
    return found


def chunks(text: str) -> list[Token]:
    """What ``str.split`` gives."""
    return [Token(each, True, any(letter.isalpha() for letter in each)) for each in text.split()]


def lines(text: str) -> list[str]:
    """Lines without the white space around them."""
    return [line.strip() for line in text.splitlines()]


def paragraphs(text: str) -> list[tuple[Hashable, int]]:
    """(lines, characters of them and of the breaks between) of each run of lines that are not blank."""
    found: list[list[str]] = [[]]
    for line in lines(text):
        if line:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [(tuple(run), len("\n".join(run))) for run in found if run]


def duplicates(items: list[tuple[Hashable, int]]) -> tuple[int, int]:
    seen, count, size = set(), 0, 0
    for item, length in items:
        if item in seen:
            count, size = count + 1, size + length
        seen.add(item)
    return count, size


def all_copies(items: list[tuple[Hashable, int]]) -> tuple[int, int]:
    """As `duplicates`, but the first of its kind counts too."""
    times = Counter(item for item, _ in items)
    twice = [length for item, length in items if times[item] > 1]
    return len(twice), sum(twice)


def ngrams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def top_ngram(words: list[str], n: int, least: int = 2, joined: str = " ") -> int:
    best, times = next(iter(Counter(ngrams(words, n)).most_common(1)), ((), 0))
    return times * len(joined.join(best)) if times >= least else 0


def duplicate_ngrams(words: list[str], n: int) -> int:
    seen, size, i = set(), 0, 0
    while i + n <= len(words):
        gram = tuple(words[i : i + n])
        if gram in seen:
            size += len("".join(gram))
            i += n
        else:
            seen.add(gram)
            i += 1
    return size
