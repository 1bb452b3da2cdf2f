"""Columns of documents to ids, many at once: what writes token shards. `Tokenizer.encode` is for a text or two.

The ids are those of `Tokenizer.encode`, which are SentencePiece's own. For BPE with byte fallback that alters no text
they come from `kernels.bpe`; for other models (unigram, normalising, with symbols of their user) from SentencePiece.

Unigram is not cut into parts, although none of its pieces would cross a cut: SentencePiece adds up the scores from the
beginning of the text in 32-bit floats, so that far into it two nearly equal ways are chosen between by rounding.
"""

from __future__ import annotations

from functools import lru_cache
from math import copysign
from typing import TYPE_CHECKING, NamedTuple

from dataengine import sentencepiece_file as files
from dataengine.errors import InputError
from dataengine.tokens import ROLES, SPACE, Tokenizer

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from dataengine.kernels.bpe_tables import Tables

CHUNK = 8 << 20
"""Bytes of text that are encoded at a time, which bounds the room for ids to four times as much."""


class Column(NamedTuple):
    """The ids of many documents."""

    ids: np.ndarray
    """int32, shape (tokens,): all documents back to back."""
    bounds: np.ndarray
    """int64, shape (documents + 1,): document i is ``ids[bounds[i]:bounds[i + 1]]``."""
    sizes: np.ndarray
    """int64, shape (documents,): bytes of UTF-8 that the document is measured against."""
    mask: np.ndarray | None = None
    """uint8, shape (tokens,): 1 where a loss is taken; None for plain text."""


def texts(tokenizer: Tokenizer, column: pa.Array, *, eos: bool = True, encoder: Encoder | None = None) -> Column:
    """A column of text, each document ending in ``</s>`` with `eos`; a null is an empty text.

    `encoder` is the model's own; if not given, one that the process keeps.
    """
    import numpy as np

    from dataengine.kernels.buffers import utf8

    data, offsets = utf8(column)
    last = tokenizer.eos if eos else -1
    encoder = encoder or _kept(tokenizer.model)
    if encoder is None:
        ids, bounds = _by_sentencepiece(tokenizer, column, last)
    else:
        ids, bounds = encoder.encode(data, offsets, last)
    return Column(ids, bounds, np.diff(offsets))


def conversations(tokenizer: Tokenizer, column: pa.Array) -> Column:
    """A column of lists of messages, each conversation as `Tokenizer.encode_chat` writes it; a null has no messages.

    The mask is 1 on what the assistant says and on the mark that ends it; `sizes` are the bytes of what it says.
    Raises InputError on a role that is not in `ROLES`.
    """
    import numpy as np
    import pyarrow.compute as pc

    messages = column.flatten()
    said = texts(tokenizer, pc.struct_field(messages, "content"), eos=False)
    marks, spoken = _roles(tokenizer, pc.struct_field(messages, "role"))
    turns = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    lengths = np.diff(said.bounds)
    conversation = np.repeat(np.arange(len(turns)), turns)
    # A turn is a mark, what is said, and a mark; one more stands behind the last turn of each conversation before it.
    opens = np.concatenate([[0], np.cumsum(lengths + 2)[:-1]]) + conversation if len(lengths) else lengths
    bounds = np.concatenate([[0], np.cumsum(np.bincount(conversation, lengths + 2, len(turns)).astype(np.int64) + 1)])
    ids = np.full(bounds[-1], tokenizer.eos, np.int32)
    mask = np.zeros(bounds[-1], np.uint8)
    places = np.arange(len(said.ids)) + np.repeat(opens + 1 - said.bounds[:-1], lengths)
    ids[places], mask[places] = said.ids, np.repeat(spoken, lengths)
    if len(lengths):
        closes = opens + 1 + lengths
        ids[opens], ids[closes], mask[closes] = marks, tokenizer.end, spoken
    sizes = np.bincount(conversation, np.where(spoken, said.sizes, 0), len(turns)).astype(np.int64)
    return Column(ids, bounds, sizes, mask)


def _roles(tokenizer: Tokenizer, column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """For each message the mark that opens it (int32), and whether the assistant speaks (bool)."""
    import numpy as np

    roles = column.dictionary_encode()
    names = roles.dictionary.to_pylist()
    for name in names:
        if name not in ROLES:
            raise InputError(f"a message has the role {name!r}", expected=f"one of {', '.join(ROLES)}")
    which = roles.indices.to_numpy(zero_copy_only=False)
    if roles.indices.null_count:
        raise InputError("a message has no role", expected=f"one of {', '.join(ROLES)}")
    marks = np.array([tokenizer.opening(name) for name in names], np.int32)
    spoken = np.array([name == "assistant" for name in names], bool)
    return marks[which], spoken[which]


def _by_sentencepiece(tokenizer: Tokenizer, column: pa.Array, last: int) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    found = tokenizer.encode([text or "" for text in column.to_pylist()], eos=last >= 0)
    bounds = np.concatenate([[0], np.cumsum(np.fromiter(map(len, found), np.int64, len(found)))])
    return np.concatenate([np.empty(0, np.int32), *found]), bounds


# --- BPE by parts -----------------------------------------------------------------------------------------------------


class Encoder:
    """A BPE model's tables, and the parts of text whose ids it remembers."""

    def __init__(self, tables: Tables, prefix: bool) -> None:
        from dataengine.kernels import bpe

        self.tables, self.prefix, self.lines = tables, prefix, bpe.memory()

    def encode(self, data: np.ndarray, offsets: np.ndarray, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids of rows of UTF-8 text, `last` behind each if it is not negative, and their bounds."""
        import numpy as np

        from dataengine.kernels import bpe

        if self.prefix:
            data, offsets = _with_prefix(data, offsets)
        parts, bounds, first = [], [np.zeros(1, np.int64)], 0
        while first < len(offsets) - 1:
            end = max(int(np.searchsorted(offsets, offsets[first] + CHUNK, "right")) - 1, first + 1)
            ids, ends = bpe.encode(data, offsets[first : end + 1], self.tables, self.lines, last)
            parts.append(ids)
            bounds.append(ends[1:] + bounds[-1][-1])
            first = end
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int32), *parts]), np.concatenate(bounds)


def _with_prefix(data: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A space before every text that is not empty."""
    import numpy as np

    from dataengine.kernels.buffers import read_only

    before = np.concatenate([[0], np.cumsum(np.diff(offsets) > 0)])
    moved = offsets - offsets[0] + before
    spaced = np.full(int(moved[-1]), ord(" "), np.uint8)
    inside = np.ones(len(spaced), bool)
    inside[moved[:-1][np.diff(offsets) > 0]] = False
    spaced[inside] = data[offsets[0] : offsets[-1]]
    return read_only(spaced), read_only(moved)


@lru_cache(maxsize=2)
def _kept(model: bytes) -> Encoder | None:
    """What encodes for this model by parts, or None where SentencePiece has to; kept for the next task of a worker."""
    file = files.parse(model)
    return encoder_of(file) if by_parts(file) else None


def encoder_of(file: files.Model) -> Encoder:
    """An encoder that remembers nothing yet, of a model for which `by_parts` holds. 32,768 pieces take 60 ms."""
    import numpy as np

    from dataengine.kernels import bpe_tables

    normal = [i for i, kind in enumerate(file.types) if kind == files.NORMAL]
    pieces = [file.pieces[i].decode().replace(SPACE, " ") for i in normal]
    byte_ids = np.array([file.pieces.index(b"<0x%02X>" % byte) for byte in range(256)], np.int32)
    mark = None if file.reversible else ord(SPACE)
    scores = np.array(file.scores, np.float32)
    tables = bpe_tables.tables(pieces, np.array(normal, np.int32), scores, byte_ids, mark)
    return Encoder(tables, file.dummy_prefix)


def by_parts(model: files.Model) -> bool:
    """Whether the ids of a text are those of its parts, and the tables of `kernels.bpe_tables` say all of the model."""
    plain = {files.NORMAL, files.UNKNOWN, files.CONTROL, files.BYTE}
    zeros = {copysign(1, score) for score, kind in zip(model.scores, model.types, strict=True)
             if kind == files.NORMAL and score == 0}
    return (
        model.kind == files.BPE
        and model.byte_fallback
        and not (model.normalizes or model.removes_spaces or model.suffix)
        and model.escapes_spaces
        and plain >= set(model.types)
        and len(set(model.pieces)) == len(model.pieces)
        and len(zeros) < 2  # some versions of SentencePiece take negative zero for less than zero, and some do not
        and all(map(_fits, model.pieces, model.types, model.scores))
    )


def _fits(piece: bytes, kind: int, score: float) -> bool:
    """Whether a piece is what the tables take it for."""
    if kind == files.NORMAL:  # no text has a space inside any more, for it is U+2581
        return b" " not in piece and score == score
    return kind == files.BYTE or len(piece.decode(errors="replace")) > 1
