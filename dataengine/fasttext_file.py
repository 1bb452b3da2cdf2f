"""Whether a file is a whole fastText model, told from its bytes (format version 12, fastText 0.1.0 to 0.9.x).

fastText itself does not look: given a cut file it reads on past the end, and has been seen to run for ever.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

MAGIC = 793712314
VERSION = 12


def fault_of(path: str | Path) -> str | None:
    """What keeps the file from being a whole fastText model, in a sentence; None if nothing does.

    Costs about 0.5 µs per word of the model's dictionary, and reads none of its numbers.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            if size < 8:
                return f"{path} is not a fastText model: it has {size} bytes"
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _fault(data, size, path)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"


def _fault(data: mmap.mmap, size: int, path: str | Path) -> str | None:
    magic, version = struct.unpack_from("<ii", data, 0)
    if magic != MAGIC:
        return f"{path} is not a fastText model: it does not begin with fastText's mark"
    if version > VERSION:
        return f"{path} is of fastText format {version}; known is {VERSION}"
    try:
        end = _end_of_matrix(data, _end_of_matrix(data, _end_of_dictionary(data)))
    except (struct.error, EOFError):
        return f"{path} is cut or damaged: {size:,} bytes do not hold what its header says"
    return None if end == size else f"{path} is cut or damaged: {size:,} bytes where its header says {end:,}"


def _end_of_dictionary(data: mmap.mmap) -> int:
    """Behind the settings (12 int32, a double) and the words, each with a NUL, a count and a type."""
    at = 8 + 12 * 4 + 8
    words, _, _, _, pruned = struct.unpack_from("<iiiqq", data, at)
    at += 28
    if words < 0:
        raise EOFError
    for _ in range(words):
        at = data.find(b"\0", at) + 10
        if at < 10:
            raise EOFError
    return _forward(at, 8 * max(pruned, 0))


def _end_of_matrix(data: mmap.mmap, at: int) -> int:
    """Behind a matrix: a flag, then either plain float32 or product-quantised codes."""
    (quantised,) = struct.unpack_from("<?", data, at)
    at += 1
    if not quantised:
        rows, columns = struct.unpack_from("<qq", data, at)
        return _forward(at + 16, 4 * rows * columns)
    normalised, rows, _, codes = struct.unpack_from("<?qqi", data, at)
    at = _quantiser(data, _forward(at + 21, codes))
    return _quantiser(data, _forward(at, rows)) if normalised else at


def _quantiser(data: mmap.mmap, at: int) -> int:
    dimension, *_ = struct.unpack_from("<iiii", data, at)
    return _forward(at + 16, 4 * 256 * dimension)


def _forward(at: int, count: int) -> int:
    if not 0 <= count < 2**62:
        raise EOFError
    return at + count
