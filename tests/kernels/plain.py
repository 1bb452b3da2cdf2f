"""Words, lines and repetition written the slow and obvious way: the other road to what the kernels count."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

LINE = re.compile(r"\r\n|\r|\n")


def kind(letter: str) -> str:
    """One letter for the class of a character: space, mark, other part of a word, letter."""
    code, category = ord(letter), unicodedata.category(letter)
    if code >= 0x10000:
        return "m" if 0x1F000 <= code < 0x1FC00 else "l"
    if letter.isspace() or letter in "\u200b\ufeff":
        return "s"
    return "l" if category[0] == "L" else "w" if category[0] in "NM" or category == "Cf" else "m"


@dataclass(frozen=True)
class Token:
    text: str

    @property
    def is_word(self) -> bool:
        return any(kind(letter) in "wl" for letter in self.text)

    @property
    def is_alphabetic(self) -> bool:
        return any(kind(letter) == "l" for letter in self.text)


def tokens(text: str) -> list[Token]:
    found = []
    kinds = "".join(map(kind, text))
    for chunk in re.finditer(r"[^s]+", kinds):
        piece = text[chunk.start() : chunk.end()]
        inner = re.search(r"[wl](?:.*[wl])?", chunk.group(), re.DOTALL)
        cut = inner.span() if inner else (len(piece), len(piece))
        marks = [re.findall(r"\.+|-+|.", part, re.DOTALL) for part in (piece[: cut[0]], piece[cut[1] :])]
        found += [*marks[0], *([piece[cut[0] : cut[1]]] if inner else []), *marks[1]]
    return [Token(each) for each in found]


def trimmed(line: str) -> str:
    """The line without the spaces (of our own table) around it."""
    visible = [place for place, letter in enumerate(line) if kind(letter) != "s"]
    return line[visible[0] : visible[-1] + 1] if visible else ""


def lines(text: str) -> list[str]:
    """Lines without the spaces around them; what stands behind the last line break is a line only if it is visible."""
    found = [trimmed(line) for line in LINE.split(text)]
    return found if found[-1] else found[:-1]


def paragraphs(text: str) -> list[tuple[tuple[object, ...], int]]:
    """(the tokens of each line, length in characters) of each run of lines that are not blank."""
    found: list[tuple[tuple[object, ...], int]] = []
    run: list[tuple[str, int, int]] = []
    start = 0
    for end, after in [*(match.span() for match in LINE.finditer(text)), (len(text), len(text))]:
        line = trimmed(text[start:end])
        if line:
            first = start + text[start:end].index(line)
            run.append((line, first, first + len(line)))
        elif run:
            found.append((tuple(key(each) for each, _, _ in run), run[-1][2] - run[0][1]))
            run = []
        start = after
    if run:
        found.append((tuple(key(each) for each, _, _ in run), run[-1][2] - run[0][1]))
    return found


def key(line: str) -> tuple[str, ...]:
    return tuple(token.text for token in tokens(line))


def duplicates(items: list[tuple[object, int]]) -> tuple[int, int]:
    seen, count, size = set(), 0, 0
    for item, length in items:
        if item in seen:
            count, size = count + 1, size + length
        seen.add(item)
    return count, size


def top_ngram(words: list[str], n: int) -> int:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    best, times = next(iter(Counter(grams).most_common(1)), ((), 0))
    return times * len(" ".join(best)) if times > 1 else 0


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
