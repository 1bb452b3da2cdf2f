"""fastText's model files, read by their bytes (format versions 11 and 12, fastText 0.1.0 to 0.9.x).

A file is a header of settings, a dictionary of words and labels, and two matrices, each plain float32 or
product-quantised (arXiv:1612.03651). fastText itself does not look: given a cut file it reads on past the end, and has
been seen to run for ever. Here every count is held against the bytes that are there before anything is believed.

This module needs the standard library only, so that `plan` can check a model and read its labels at once.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MAGIC = 793712314
VERSION = 12

HIERARCHICAL, SAMPLED, SOFTMAX, ONE_AGAINST_ALL = 1, 2, 3, 4
"""Losses, which say how the last layer's numbers become probabilities."""

SUPERVISED = 3
"""The kind of model that has labels; the others make word vectors only."""

CENTROIDS = 256
"""Entries of a product quantiser's table: a code is a byte."""


class Fault(Exception):
    """What is wrong with a model file, in a sentence without the file's name."""


@dataclass(frozen=True)
class Settings:
    """The settings that prediction needs."""

    dimension: int
    word_ngrams: int
    loss: int
    model: int
    buckets: int
    shortest: int
    """Fewest characters of a character n-gram; `longest` 0 means that there are none."""
    longest: int


Entry = tuple[int, int, int]
"""A word or label: where its bytes begin and end in the file, and how often it was seen in training."""

ENTRY_END = struct.Struct("<qb")  # behind a word and its NUL: count, and 1 for a label


@dataclass(frozen=True)
class Matrix:
    """Where a matrix lies: `at` is its first float32, or its first code if it is quantised."""

    rows: int
    columns: int
    at: int
    quantised: bool = False
    part: int = 0
    """Columns that one code stands for; the last code of a row may stand for fewer."""
    centroids: int = 0
    norms: int = -1
    """Where the codes of the rows' norms lie, a byte each; -1 without."""
    norm_centroids: int = 0

    @property
    def parts(self) -> int:
        return -(-self.columns // self.part) if self.quantised else 0


@dataclass(frozen=True)
class Layout:
    """What a model file says, and where."""

    settings: Settings
    entries: list[Entry]
    """Words, then labels."""
    words: int
    """How many of the entries are words."""
    pruned: int
    """Pairs (bucket, row) of a pruned model; -1 where every bucket has its row."""
    pruned_at: int
    inputs: Matrix
    outputs: Matrix

    @property
    def labels(self) -> list[Entry]:
        return self.entries[self.words :]


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[mmap.mmap, Layout]]:
    """The bytes of a model file and what lies where. Raises OSError, and Fault for what is no whole model."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        if size < 8:
            raise Fault(f"is not a fastText model: it has {size} bytes")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data, layout(data)


def fault_of(path: str | Path) -> str | None:
    """What keeps the file from being a whole fastText model, in a sentence; None if nothing does.

    Costs about 1 µs per word of the model's dictionary, and reads none of its numbers.
    """
    try:
        with opened(path):
            return None
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    except Fault as fault:
        return f"{path} {fault}"


def labels_of(path: str | Path) -> list[str]:
    """The labels of a model file, as they are written there. Raises OSError and Fault."""
    with opened(path) as (data, found):
        return [data[start:end].decode("utf-8", "replace") for start, end, _ in found.labels]


def layout(data: mmap.mmap | bytes) -> Layout:
    """What lies where in the bytes of a model. Raises Fault where they are not those of a whole model."""
    magic, version = _unpack(data, "<ii", 0)
    if magic != MAGIC:
        raise Fault("is not a fastText model: it does not begin with fastText's mark")
    if not 11 <= version <= VERSION:
        raise Fault(f"is of fastText format {version}; known are 11 and {VERSION}")
    dimension, *_, ngrams, loss, model, buckets, shortest, longest, _, _ = _unpack(data, "<12id", 8)
    if version == 11 and model == SUPERVISED:
        longest = 0  # such models were trained before supervised ones had character n-grams
    settings = Settings(dimension, ngrams, loss, model, buckets, shortest, longest)
    entries, words, pruned, pruned_at, at = _dictionary(data)
    inputs, at = _matrix(data, at)
    outputs, end = _matrix(data, at)
    if end != len(data):
        raise Fault(f"is cut or damaged: {len(data):,} bytes where its header says {end:,}")
    return Layout(settings, entries, words, pruned, pruned_at, inputs, outputs)


def _dictionary(data: mmap.mmap | bytes) -> tuple[list[Entry], int, int, int, int]:
    """(entries, how many are words, pruned pairs, where those begin, where they end)."""
    at = 64
    size, words, labels, _, pruned = _unpack(data, "<iiiqq", at)
    at += 28
    if not 0 <= words <= size or labels != size - words:
        raise Fault(f"is cut or damaged: {size} entries cannot be {words} words and {labels} labels")
    entries: list[Entry] = []
    for number in range(size):
        end = data.find(b"\0", at)
        if end < 0 or end + 10 > len(data):
            raise _cut(data)
        count, kind = ENTRY_END.unpack_from(data, end + 1)
        if kind != (number >= words):
            raise Fault("is cut or damaged: its words and labels are out of order")
        entries.append((at, end, count))
        at = end + 10
    return entries, words, max(pruned, -1), at, _forward(data, at, 8 * max(pruned, 0))


def _matrix(data: mmap.mmap | bytes, at: int) -> tuple[Matrix, int]:
    """A matrix and where it ends: a flag, then either plain float32 or product-quantised codes."""
    (quantised,) = _unpack(data, "<?", at)
    at += 1
    if not quantised:
        rows, columns = _unpack(data, "<qq", at)
        at += 16
        return Matrix(rows, columns, at), _forward(data, at, 4 * _size(rows) * _size(columns))
    normalised, rows, columns, size = _unpack(data, "<?qqi", at)
    codes = at + 21
    at = _forward(data, codes, size)
    part, centroids, at = _quantiser(data, at, columns)
    found = Matrix(rows, columns, codes, True, part, centroids)
    if _size(rows) * found.parts != size:
        raise Fault(f"is cut or damaged: {size} codes where {rows} rows of {found.parts} were expected")
    if not normalised:
        return found, at
    norms = at
    _, norm_centroids, at = _quantiser(data, _forward(data, at, rows), 1)
    return Matrix(rows, columns, codes, True, part, centroids, norms, norm_centroids), at


def _quantiser(data: mmap.mmap | bytes, at: int, columns: int) -> tuple[int, int, int]:
    """(columns a code stands for, where the centroids begin, where they end)."""
    dimension, parts, part, last = _unpack(data, "<iiii", at)
    whole = dimension == columns and 0 < part <= dimension
    if not whole or parts != -(-dimension // part) or last != dimension - (parts - 1) * part:
        raise Fault("is cut or damaged: its product quantiser does not fit its matrix")
    return part, at + 16, _forward(data, at + 16, 4 * CENTROIDS * dimension)


def _unpack(data: mmap.mmap | bytes, form: str, at: int) -> tuple:
    try:
        return struct.unpack_from(form, data, at)
    except struct.error:
        raise _cut(data) from None


def _size(count: int) -> int:
    """A count of rows or columns, if it can be one."""
    if not 0 <= count < 2**40:
        raise Fault(f"is cut or damaged: a matrix cannot have {count:,} rows or columns")
    return count


def _forward(data: mmap.mmap | bytes, at: int, count: int) -> int:
    if count < 0 or at + count > len(data):
        raise _cut(data)
    return at + count


def _cut(data: mmap.mmap | bytes) -> Fault:
    return Fault(f"is cut or damaged: {len(data):,} bytes do not hold what its header says")
