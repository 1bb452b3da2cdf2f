"""Blocks of bytes -> chunks of whole lines, in bounded memory however long a line is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dataengine.stages.read._open import Damage


class Chunk(NamedTuple):
    """Whole lines; only the very last one may lack its newline."""

    offset: int
    data: bytes


class TooLong(NamedTuple):
    """A line longer than the limit. What follows its beginning was skipped."""

    offset: int
    head: bytes


class CutLine(Exception):
    """Damage, and the unfinished line it leaves behind."""

    def __init__(self, damage: Damage, offset: int, line: bytes) -> None:
        self.damage, self.offset, self.line = damage, offset, line
        super().__init__(damage.detail)


def line_chunks(blocks: Iterable[bytes], limit: int, at: int = 0, end: int = -1) -> Iterator[Chunk | TooLong]:
    """Chunks of the lines in `blocks`, whose first byte is at offset `at`.

    Holds at most `limit` bytes and two blocks. A single line within a chunk may still be longer than `limit`: the
    caller sees its length. Skipping a line that is too long stops at `end`. Damage in `blocks` is raised as CutLine.
    """
    carry: list[bytes] = []
    size = 0
    start = at  # where the carried line begins
    position = at  # behind the blocks seen
    skipping = False
    try:
        for block in blocks:
            cut = block.rfind(b"\n") + 1
            position += len(block)
            if skipping and cut:
                first = block.find(b"\n") + 1
                start, block, cut, skipping = position - len(block) + first, block[first:], cut - first, False
            if skipping:
                if 0 <= end <= position:
                    return
            elif cut:
                carry.append(block[:cut])
                yield Chunk(start, b"".join(carry))
                carry, size, start = [block[cut:]], len(block) - cut, position - len(block) + cut
            else:
                carry.append(block)
                size += len(block)
            if size > limit and not skipping:
                yield TooLong(start, b"".join(carry)[:1000])
                carry, size, skipping = [], 0, True
    except Damage as damage:
        raise CutLine(damage, start, b"" if skipping else b"".join(carry)) from None
    if size:
        yield Chunk(start, b"".join(carry))
