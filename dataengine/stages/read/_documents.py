"""Files that are one document each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dataengine.stage import Piece
from dataengine.stages.read._files import CODEC_ENDINGS
from dataengine.stages.read._found import ends
from dataengine.stages.read._open import Damage, Stream, opened, read_some

MOST_UNREADABLE = 0.05
"""Of a text more than 5 % of which did not decode, one speaks as of bytes."""

_CONTROLS = re.compile("[\0-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]")


def readable(data: bytes) -> str:
    """The text of a file. Raises Damage ``bad_encoding`` for what is not text.

    Under a guessed encoding control characters count as undecoded: windows-1252 finds a meaning for almost any byte.
    """
    from dataengine.stages._encoding import decode

    text, encoding, replaced = decode(data)
    guessed = encoding not in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
    unreadable = replaced + (len(_CONTROLS.findall(text)) / len(text) if guessed else 0)
    if unreadable > MOST_UNREADABLE:
        raise Damage("bad_encoding", f"not text: {unreadable:.0%} of it makes no sense as {encoding}")
    return text


def content(piece: Piece, limit: int) -> bytes:
    """All bytes of a file, unpacked where its name says it is packed.

    Raises Damage, with ``too_large`` among its reasons: of a longer file `limit` bytes and two blocks are held.
    """
    with opened(piece) as file:
        if not ends(piece.path, CODEC_ENDINGS):
            return bounded(iter(lambda: read_some(file, 1 << 20), b""), limit)
        return bounded(Stream(file, piece.path).blocks(), limit)


def bounded(blocks: Iterable[bytes], limit: int) -> bytes:
    """The blocks joined. Raises Damage ``too_large`` where they are longer than `limit`."""
    parts: list[bytes] = []
    size = 0
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size > limit:
            raise Damage("too_large", f"longer than max_record_bytes = {limit}")
    return b"".join(parts)
