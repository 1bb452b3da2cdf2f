"""A SentencePiece model as its file has it, read without the library: pieces, scores, and how text is prepared.

The file is a protocol buffer, ``ModelProto`` of google/sentencepiece's ``sentencepiece_model.proto``. What is not read
here (how the model was learnt, its self-tests) is passed over. 32,768 pieces take about 30 ms.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""What a piece may be."""
UNIGRAM, BPE, WORD, CHAR = range(1, 5)
KINDS = {UNIGRAM: "unigram", BPE: "bpe", WORD: "word", CHAR: "char"}

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FLOAT = struct.Struct("<f")


@dataclass
class Model:
    """What decides how a text becomes ids."""

    pieces: list[bytes] = field(default_factory=list)
    """UTF-8 of each id, a space as U+2581."""
    scores: list[float] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    kind: int = UNIGRAM
    byte_fallback: bool = False
    suffix: bool = False
    """Whether a space belongs to the word before it."""
    marks: dict[str, bytes] = field(
        default_factory=lambda: {"unk": b"<unk>", "bos": b"<s>", "eos": b"</s>", "pad": b"<pad>"}
    )
    normalizes: bool = False
    """Whether characters are replaced (NFKC, case)."""
    dummy_prefix: bool = True
    """Whether a space is put before every text."""
    removes_spaces: bool = True
    """Whether spaces are removed at both ends and folded between."""
    escapes_spaces: bool = True

    def control(self, piece: bytes) -> int | None:
        """The id of a control symbol, which no text becomes; None where the model has none of this name."""
        found = self.pieces.index(piece) if piece in self.pieces else None
        return found if found is not None and self.types[found] == CONTROL else None

    @property
    def eos(self) -> int | None:
        """The id that ends a document."""
        return self.control(self.marks["eos"])

    @property
    def reversible(self) -> bool:
        """Whether a text comes back exactly from its ids, whatever it holds."""
        altered = self.normalizes or self.dummy_prefix or self.removes_spaces or not self.escapes_spaces
        return self.byte_fallback and not altered


@lru_cache(maxsize=2)
def parse(data: bytes) -> Model:
    """The model in these bytes, not to be changed: who asks again gets the same.

    Raises ValueError where they are no SentencePiece model.
    """
    model = Model()
    try:
        for number, value in _fields(data, 0, len(data)):
            if number == 1:
                _add_piece(model, data, *value)
            elif number == 2:
                _trainer(model, data, *value)
            elif number == 3:
                _normalizer(model, data, *value)
        if model.kind not in KINDS or not _is_whole(model):
            raise ValueError("SentencePiece refuses such pieces")
    except (IndexError, KeyError, TypeError, struct.error, ValueError) as error:
        raise ValueError("this is not a SentencePiece model") from error
    return model


def _is_whole(model: Model) -> bool:
    """Whether SentencePiece would take these pieces: none empty or twice, one unknown, all bytes or none."""
    kinds = {NORMAL: [], UNKNOWN: [], CONTROL: [], USER_DEFINED: [], UNUSED: [], BYTE: []}
    for piece, kind in zip(model.pieces, model.types, strict=True):
        kinds[kind].append(piece)
    text = kinds[NORMAL] + kinds[USER_DEFINED] + kinds[UNUSED]
    special = kinds[UNKNOWN] + kinds[CONTROL] + kinds[BYTE]
    raw = {b"<0x%02X>" % byte for byte in range(256)} if model.byte_fallback else set()
    return (
        len(kinds[UNKNOWN]) == 1
        and set(kinds[BYTE]) == raw
        and len(set(text)) == len(text)
        and len(set(special)) == len(special)
        and all(piece and b"\0" not in piece for piece in text + special)
    )


def _add_piece(model: Model, data: bytes, at: int, end: int) -> None:
    piece, score, kind = b"", 0.0, NORMAL
    size = data[at + 1]
    if data[at] == 0x0A and size < 0x80 and data[at + 2 + size] == 0x15:  # as all writers do: the piece, then its score
        piece = data[at + 2 : at + 2 + size]
        (score,) = _FLOAT.unpack_from(data, at + 3 + size)
        at += 7 + size
    if at < end:
        for number, value in _fields(data, at, end):
            if number == 1:
                piece = data[slice(*value)]
            elif number == 2:
                (score,) = _FLOAT.unpack(value)
            elif number == 3:
                kind = value
    if at > end:
        raise ValueError("a piece is cut short")
    model.pieces.append(piece)
    model.scores.append(score)
    model.types.append(kind)


def _trainer(model: Model, data: bytes, at: int, end: int) -> None:
    names = {45: "unk", 46: "bos", 47: "eos", 48: "pad"}
    for number, value in _fields(data, at, end):
        if number == 3:
            model.kind = value
        elif number == 24:
            model.suffix = bool(value)
        elif number == 35:
            model.byte_fallback = bool(value)
        elif number in names:
            model.marks[names[number]] = data[slice(*value)]


def _normalizer(model: Model, data: bytes, at: int, end: int) -> None:
    for number, value in _fields(data, at, end):
        if number == 2:
            model.normalizes = value[1] > value[0]
        elif number == 3:
            model.dummy_prefix = bool(value)
        elif number == 4:
            model.removes_spaces = bool(value)
        elif number == 5:
            model.escapes_spaces = bool(value)


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int | bytes | tuple[int, int]]]:
    """(field number, value) of a message; of what has a length, where it begins and ends."""
    while at < end:
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
        elif wire == _BYTES:
            size, at = _varint(data, at)
            if size > end - at:
                raise ValueError("a field is cut short")
            yield tag >> 3, (at, at + size)
            at += size
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
            if size > end - at:
                raise ValueError("a field is cut short")
            yield tag >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError("this is no protocol buffer")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value, shift = byte & 0x7F, 7
    while byte >= 0x80:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if shift > 70:  # ten bytes: a negative number
            raise ValueError("a number is too long")
    return value, at
