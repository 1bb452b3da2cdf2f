"""Files that are one document each."""

from __future__ import annotations

from collections.abc import Iterable

from dataengine.stage import Piece
from dataengine.stages.read._files import CODEC_ENDINGS
from dataengine.stages.read._open import Damage, Stream, opened, read_some

MOST_REPLACED = 0.05
"""A text more than 5 % of whose characters did not decode is not text in that encoding."""


def content(piece: Piece, limit: int) -> bytes:
    """All bytes of a file, unpacked where its name says it is packed.

    Raises Damage, with ``too_large`` among its reasons: of a longer file `limit` bytes and two blocks are held.
    """
    with opened(piece) as file:
        if not piece.path.lower().endswith(CODEC_ENDINGS):
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
