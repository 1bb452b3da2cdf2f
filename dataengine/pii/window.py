"""A short stretch of text around a candidate, and the words before and behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dataengine.pii.kinds import Kind

REACH = 96
"""How many bytes before and behind a candidate are looked at."""
BEFORE = 48
"""How near a word must stand before a number to say what it is."""

BEHIND = 32
"""How far behind a number what belongs to it may go on: an extension."""

SPACES = re.compile(rb"\xc2\xa0|\xe2\x80[\x89\xaf]")
HYPHENS = re.compile(rb"\xe2\x80[\x90-\x95]")


class Hit(NamedTuple):
    """Something found: bytes `begin` to `end` of the buffer. Of hits that overlap the heaviest stays."""

    begin: int
    end: int
    kind: Kind
    weight: int = 50


@dataclass(frozen=True, slots=True)
class Window:
    """The candidate is ``text[first:last]``; `base` is where the window begins in the buffer."""

    text: bytes
    first: int
    last: int
    base: int

    @classmethod
    def around(cls, data: memoryview, begin: int, end: int, low: int, high: int) -> Window:
        """The window of a candidate in the row that is bytes `low` to `high`. Rare spaces and hyphens become plain,
        as many bytes as they were."""
        base = max(low, begin - REACH)
        text = bytes(data[base : min(high, end + REACH)])
        if not text.isascii():
            text = SPACES.sub(lambda mark: b" " * len(mark[0]), text)
            text = HYPHENS.sub(b"---", text)
        return cls(text, begin - base, end - base, base)

    @property
    def candidate(self) -> bytes:
        """The candidate itself."""
        return self.text[self.first : self.last]

    def before(self, place: int, reach: int = BEFORE) -> bytes:
        """What stands before `place`, as far as `reach`, in lower case."""
        return self.text[max(0, place - reach) : place].lower()

    def behind(self, place: int, reach: int = 32) -> bytes:
        """What stands from `place` on, in lower case."""
        return self.text[place : place + reach].lower()

    def alone(self, begin: int, end: int) -> bool:
        """Whether a stretch is a line of its own, as a cell of a table or the answer to a question is."""
        return self.text[max(0, begin - 1) : begin] in (b"", b"\n") and self.text[end : end + 1] in (b"", b"\n", b"\r")

    def matches(self, pattern: re.Pattern[bytes], lead: int = 0) -> Iterator[re.Match[bytes]]:
        """Matches of a pattern that begin in the candidate, or `lead` bytes before it, and end not far behind it."""
        for match in pattern.finditer(self.text, max(0, self.first - lead), self.last + BEHIND):
            if match.start() >= self.last:
                return
            yield match

    def hit(self, begin: int, end: int, kind: Kind, weight: int = 50) -> Hit:
        """A hit, from places in the window."""
        return Hit(self.base + begin, self.base + end, kind, weight)


def digits_of(text: bytes) -> str:
    """The digits alone."""
    return bytes(filter(b"0123456789".__contains__, text)).decode()


def words(*choices: str) -> re.Pattern[bytes]:
    """A pattern that finds any of these in lower-case text, as a word of its own (``*`` at the end: with any ending).

    Words of scripts without capital letters are looked for in UTF-8.
    """
    ends = (stem(word) + (b"" if word.endswith("*") else rb"(?![a-z])") for word in choices)
    return re.compile(rb"(?<![a-z])(?:" + b"|".join(ends) + rb")")


def stem(word: str) -> bytes:
    """A word as a pattern, without the star at its end; a blank in it may be a hyphen, or missing."""
    return re.escape(word.rstrip("*")).replace("\\ ", "[ _-]?").encode()
