"""Findings replaced in whole columns: bytes around them are copied, everything else is left where it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataengine.kernels.buffers import utf8
from dataengine.pii import datatrove
from dataengine.pii.kinds import Kind
from dataengine.pii.scan import hits
from dataengine.pii.window import Hit

Finder = Callable[[np.ndarray, np.ndarray], list[Hit]]


@dataclass(frozen=True)
class Scrubber:
    """What is looked for, what is let pass, and what is written in its place."""

    kinds: tuple[Kind, ...]
    replacements: Mapping[Kind, tuple[str, ...]]
    """What to write for each kind; of several, one after the other within a document."""
    private_addresses: bool = False
    allow: Collection[str] = field(default_factory=frozenset)
    """In lower case: values that stay, and hosts whose mail addresses stay."""
    like_datatrove: bool = False

    def column(self, values: pa.Array) -> tuple[pa.Array, np.ndarray]:
        """The column without what was found, and how much of each kind: int64, shape (rows, kinds).

        Text and bytes are scrubbed, and what lies in lists and structs; a column of another type is given back.
        """
        counts = np.zeros((len(values), len(self.kinds)), np.int64)
        kind = values.type
        if pa.types.is_dictionary(kind):
            return self.column(values.dictionary_decode())
        if pa.types.is_struct(kind):
            fields = []
            for number in range(kind.num_fields):
                inner, found = self.column(values.field(number))
                fields.append(inner)
                counts += found
            mask = values.is_null() if values.null_count else None
            return pa.StructArray.from_arrays(fields, fields=list(kind), mask=mask), counts
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            return self._list(values, counts)
        if not _is_text(kind):
            return values, counts
        return self._text(values, counts)

    def _list(self, values: pa.Array, counts: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        inner, found = self.column(values.flatten())
        lengths = values.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        ends = np.concatenate(([0], np.cumsum(lengths)))
        sums = np.concatenate((np.zeros((1, found.shape[1]), np.int64), np.cumsum(found, axis=0)))
        counts += sums[ends[1:]] - sums[ends[:-1]]
        offsets = pa.array(ends, pa.int64() if pa.types.is_large_list(values.type) else pa.int32())
        mask = values.is_null() if values.null_count else None
        made = type(values).from_arrays(offsets, inner, type=values.type, mask=mask)
        return made, counts

    def _text(self, values: pa.Array, counts: np.ndarray) -> tuple[pa.Array, np.ndarray]:
        data, offsets = utf8(values)
        found = self._find(data, offsets)
        if not found:
            return values, counts
        rows = np.searchsorted(offsets, [hit.begin for hit in found], side="right") - 1
        numbers = {kind: number for number, kind in enumerate(self.kinds)}
        pieces: list[memoryview | bytes] = []
        grown = np.zeros(len(values), np.int64)
        view, place = memoryview(data), int(offsets[0])
        for hit, row in zip(found, rows.tolist(), strict=True):
            number = numbers[hit.kind]
            choices = self.replacements[hit.kind]
            written = choices[counts[row, number] % len(choices)].encode()
            counts[row, number] += 1
            pieces += (view[place : hit.begin], written)
            place = hit.end
            grown[row] += len(written) - (hit.end - hit.begin)
        pieces.append(view[place : int(offsets[-1])])
        ends = offsets - offsets[0] + np.concatenate(([0], np.cumsum(grown)))
        return _array(b"".join(pieces), ends, values), counts

    def _find(self, data: np.ndarray, offsets: np.ndarray) -> list[Hit]:
        if self.like_datatrove:
            found = datatrove.hits(data, offsets, self.kinds, self.private_addresses)
        else:
            found = hits(data, offsets, self.kinds, self.private_addresses)
        if not self.allow:
            return found
        return [hit for hit in found if not self._allowed(bytes(data[hit.begin : hit.end]).decode("utf-8", "replace"))]

    def _allowed(self, value: str) -> bool:
        value = value.lower()
        return value in self.allow or ("@" in value and value.rpartition("@")[2] in self.allow)


def _is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests) or kind in (pa.string_view(), pa.binary_view())


def _array(data: bytes, offsets: np.ndarray, like: pa.Array) -> pa.Array:
    """Rows of bytes as an array of the type of `like`, null where it is."""
    wide = pa.large_binary()
    made = pa.Array.from_buffers(wide, len(like), [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(data)])
    if like.null_count:
        made = pc.if_else(like.is_valid(), made, pa.scalar(None, wide))
    if not (pa.types.is_binary(like.type) or pa.types.is_large_binary(like.type)):
        made = made.cast(pa.large_string())
    return made if made.type == like.type else made.cast(like.type)
