"""Tokenizers, and token shards on disk in Megatron-LM's indexed-dataset format.

A tokenizer is one SentencePiece file, ``tokenizer.model``. Those learnt here (`learn_tokenizer`) have byte fallback and
no normalisation: text -> ids -> text is exact for every string that UTF-8 can hold, control characters and NUL too. (A
lone surrogate, which is not text, is refused.) Marks such as ``</s>`` and ``<|end|>`` are control symbols: no text ever
becomes their id, so that a document cannot end itself or speak as another role.

A token shard is ``NAME.bin`` (ids back to back), ``NAME.idx`` (where each document starts) and, for conversations,
``NAME.mask`` (one byte per token: 1 where a loss is taken). The format is that of ``megatron/core/datasets/
indexed_dataset.py``. The index is written last: a shard without it does not exist.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine import sentencepiece_file
from dataengine.errors import CorruptShard, InputError, RunFailed

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np

MODEL_FILE = "tokenizer.model"

ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>", "tool": "<|tool|>"}
"""The mark that opens a turn, by the role that speaks."""
END = "<|end|>"
"""The mark that closes a turn."""
CHAT_MARKS = (*ROLES.values(), END)
FIT = "a SentencePiece model of type bpe or unigram with a control symbol that ends a document"
SPACE = "\u2581"
"""SentencePiece writes a space as this character, so the character itself is carried as its three bytes."""


# --- text and ids -----------------------------------------------------------------------------------------------------

class Tokenizer:
    """Text to ids and back, by a SentencePiece model of type bpe or unigram.

    A model learnt here has byte fallback and alters nothing, so that text comes back exactly. Of other models this
    holds where `sentencepiece_file.Model.reversible` does; where it does not, ids are what SentencePiece makes of the
    text: with a space put before it, its characters normalised, its spaces folded, or unknown ones lost.
    """

    def __init__(self, model: bytes) -> None:
        """Raises ValueError where these bytes are no SentencePiece model."""
        self.model = model
        self._file = sentencepiece_file.parse(model)

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read ``tokenizer.model``. Raises InputError where it is missing, no model, or unfit."""
        try:
            tokenizer = cls(Path(path).read_bytes())
        except OSError as error:
            raise InputError(f"cannot read the tokenizer: {error.strerror}", where=str(path)) from error
        except ValueError as error:
            raise InputError(str(error), where=str(path)) from error
        if wrong := unfit(tokenizer._file):
            raise InputError(wrong, where=str(path), expected=FIT)
        return tokenizer

    @cached_property
    def _processor(self) -> Any:
        import sentencepiece

        try:
            return sentencepiece.SentencePieceProcessor(model_proto=self.model)
        except RuntimeError as error:
            raise InputError(f"SentencePiece refuses this model: {error}") from error

    @property
    def vocabulary(self) -> int:
        """How many ids there are: 0 to vocabulary - 1."""
        return len(self._file.pieces)

    @cached_property
    def eos(self) -> int:
        """Ends a document."""
        eos = self._file.eos
        assert eos is not None, "load has looked for it"
        return eos

    @cached_property
    def bos(self) -> int:
        """Begins a text for those who ask for such a mark. A model without one begins behind the end of another."""
        bos = self._file.control(self._file.marks["bos"])
        return self.eos if bos is None else bos

    @cached_property
    def pad(self) -> int:
        """Fills a batch; never a target, so that ``</s>`` does as well where a model has no ``<pad>``."""
        pad = self._file.control(self._file.marks["pad"])
        return self.eos if pad is None else pad

    @property
    def end(self) -> int:
        """Ends a turn of a conversation. Raises InputError where the model has no such mark."""
        return self._mark(END)

    @property
    def chats(self) -> bool:
        """Whether the model has the marks of a conversation."""
        return not missing_marks(self._file)

    @property
    def stops(self) -> tuple[int, ...]:
        """What a model of text or conversations says last."""
        return (self.eos, self.end) if self.chats else (self.eos,)

    def _mark(self, mark: str) -> int:
        found = self._marks.get(mark)
        if found is None:
            raise InputError(f"this tokenizer lacks the mark {mark}, so it cannot write conversations",
                             expected="a tokenizer learnt by dataengine, which has the marks of all roles")
        return found

    @cached_property
    def _marks(self) -> dict[str, int | None]:
        return {mark: self._file.control(mark.encode()) for mark in CHAT_MARKS}

    def encode(self, texts: Sequence[str], *, eos: bool = False) -> list[np.ndarray]:
        """One int32 array of ids per text, ending in ``</s>`` with `eos`. Raises InputError on lone surrogates."""
        import numpy as np

        try:
            ids = self._processor.encode(list(texts), return_type="numpy", num_threads=1)
        except TypeError:
            for i, text in enumerate(texts):
                _refuse_surrogates(i, text)
            raise
        for i, text in enumerate(texts):
            if SPACE in text and self._file.reversible:
                ids[i] = self._encode_with_space_mark(text)
        return [np.append(document, np.int32(self.eos)) for document in ids] if eos else ids

    def _encode_with_space_mark(self, text: str) -> np.ndarray:
        import numpy as np

        mark = np.array([self._file.pieces.index(b"<0x%02X>" % byte) for byte in SPACE.encode()], dtype=np.int32)
        parts = self._processor.encode(text.split(SPACE), return_type="numpy", num_threads=1)
        return np.concatenate([parts[0], *chain.from_iterable((mark, part) for part in parts[1:])])

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of text behind each id; none for marks."""
        space = SPACE.encode()

        def surface(piece: bytes, kind: int) -> bytes:
            if kind in (sentencepiece_file.CONTROL, sentencepiece_file.UNKNOWN):
                return b""
            return bytes([int(piece[3:5], 16)]) if kind == sentencepiece_file.BYTE else piece.replace(space, b" ")

        return [surface(piece, kind) for piece, kind in zip(self._file.pieces, self._file.types, strict=True)]

    @cached_property
    def piece_bytes(self) -> np.ndarray:
        """int64, shape (vocabulary,): bytes of text behind each id, so that bytes of text are a sum over ids."""
        import numpy as np

        return np.array([len(piece) for piece in self.pieces], dtype=np.int64)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, marks left out. Bytes that are no UTF-8 (a sampled model may give such) become U+FFFD."""
        pieces = self.pieces
        return b"".join([pieces[piece] for piece in ids]).decode(errors="replace")

    def encode_chat(self, messages: Sequence[Mapping[str, str]]) -> tuple[np.ndarray, np.ndarray]:
        """A conversation as (ids int32, loss mask uint8), each turn ``<|role|> content <|end|>``, then ``</s>``.

        The mask is 1 on what the assistant says, its ``<|end|>`` included. Raises InputError on an unknown role.
        """
        import numpy as np

        contents = self.encode([message["content"] for message in messages])
        ids, mask = [], []
        for message, content in zip(messages, contents, strict=True):
            spoken = message["role"] == "assistant"
            ids += [[self.opening(message["role"])], content, [self.end]]
            mask += [[0], np.full(len(content) + 1, spoken)]
        return (np.concatenate([*ids, [self.eos]]).astype(np.int32), np.concatenate([*mask, [0]]).astype(np.uint8))

    def encode_prompt(self, messages: Sequence[Mapping[str, str]]) -> np.ndarray:
        """A conversation that waits for the assistant's turn: int32 ids that end in ``<|assistant|>``."""
        import numpy as np

        ids, _ = self.encode_chat(messages)
        return np.append(ids[:-1], np.int32(self.opening("assistant")))

    def opening(self, role: str) -> int:
        if role not in ROLES:
            raise InputError(f"a message has the role {role!r}", expected=f"one of {', '.join(ROLES)}")
        return self._mark(ROLES[role])


def unfit(model: sentencepiece_file.Model) -> str:
    """Why a SentencePiece model cannot be a tokenizer here, or nothing."""
    if model.kind not in (sentencepiece_file.BPE, sentencepiece_file.UNIGRAM):
        return f"this model is of type {sentencepiece_file.KINDS[model.kind]}"
    if model.eos is None:
        return f"this tokenizer lacks the mark {model.marks['eos'].decode(errors='replace')} that ends a document"
    return ""


def missing_marks(model: sentencepiece_file.Model) -> list[str]:
    """The marks of a conversation that a model lacks."""
    return [mark for mark in CHAT_MARKS if model.control(mark.encode()) is None]


def _refuse_surrogates(i: int, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"text {i} holds what UTF-8 cannot, at character {error.start}",
                         expected="text without lone surrogates") from error


# --- token shards -----------------------------------------------------------------------------------------------------

MAGIC = b"MMIDIDX\x00\x00"
HEADER = struct.Struct("<9sQBQQ")
"""Magic, version, dtype code, number of sequences, number of document indices."""
DTYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 8: "uint16"}


def dtype_of(vocabulary: int) -> str:
    """The narrowest type that holds every id: uint16 for up to 65,536 of them."""
    return "uint16" if vocabulary <= 65_536 else "int32"


class TokenWriter:
    """Appends documents to ``path.bin`` (and ``path.mask``); closing it writes ``path.idx``. Use it in a ``with``.

    An exception inside the ``with`` leaves no index. No documents, and empty documents, are as good as any.
    """

    def __init__(self, path: Path, *, vocabulary: int, masks: bool = False) -> None:
        self.path, self.vocabulary, self.dtype = Path(path), vocabulary, dtype_of(vocabulary)
        self.tokens, self.lengths = 0, []
        self._bin = _beside(self.path, "bin").open("wb")
        self._mask = _beside(self.path, "mask").open("wb") if masks else None

    def append(self, ids: np.ndarray, mask: np.ndarray | None = None) -> None:
        """One document. `mask` (0 or 1, one per id) if and only if the writer was made with ``masks=True``."""
        import numpy as np

        self._write(np.asarray(ids), mask)
        self.lengths.append(len(ids))

    def append_all(self, ids: np.ndarray, lengths: np.ndarray, mask: np.ndarray | None = None) -> None:
        """Many documents, back to back in `ids` (and `mask`); `lengths` are theirs."""
        self._write(ids, mask)
        self.lengths.extend(lengths.tolist())

    def _write(self, ids: np.ndarray, mask: np.ndarray | None) -> None:
        import numpy as np

        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self.vocabulary:
            raise RunFailed(f"document {len(self.lengths)} has a token id from {ids.min()} to {ids.max()}",
                            where=str(self.path), expected=f"0 to {self.vocabulary - 1}")
        if (mask is None) != (self._mask is None) or (mask is not None and len(mask) != len(ids)):
            raise ValueError("masks are given for all documents, one per token, or for none")
        self._bin.write(ids.astype(self.dtype).tobytes())
        if self._mask is not None:
            self._mask.write(np.asarray(mask).astype(np.uint8).tobytes())
        self.tokens += len(ids)

    def close(self) -> None:
        """Sync the data, then write the index."""
        import numpy as np

        lengths = np.array(self.lengths, dtype=np.int64)
        width = np.dtype(self.dtype).itemsize
        pointers = np.zeros(len(lengths), dtype="<i8")
        pointers[1:] = np.cumsum(lengths[:-1]) * width
        code = next(code for code, name in DTYPES.items() if name == self.dtype)
        self._close_data()
        with open(_beside(self.path, "idx"), "wb") as file:
            file.write(HEADER.pack(MAGIC, 1, code, len(lengths), len(lengths) + 1))
            file.write(lengths.astype("<i4").tobytes())
            file.write(pointers.tobytes())
            file.write(np.arange(len(lengths) + 1, dtype="<i8").tobytes())
            _sync(file)

    def _close_data(self) -> None:
        for file in filter(None, (self._bin, self._mask)):
            _sync(file)
            file.close()

    def __enter__(self) -> TokenWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                 ) -> None:
        if kind is None:
            self.close()
        else:
            self._close_data()


class TokenShard:
    """A token shard, mapped into memory: opening costs a header, reading a document costs its pages.

    Raises InputError where there is none at `path` (without suffix), CorruptShard where its parts do not agree.
    """

    def __init__(self, path: Path) -> None:
        import numpy as np

        self.path = Path(path)
        header, index = self._open_index()
        magic, version, code, sequences, documents = header
        if magic != MAGIC or version != 1 or code not in DTYPES:
            raise CorruptShard("this is no index of Megatron-LM's version 1", where=str(_beside(self.path, "idx")))
        if len(index) != HEADER.size + 12 * sequences + 8 * documents:
            raise CorruptShard(f"the index is {len(index)} bytes long, not what its header says",
                               where=str(_beside(self.path, "idx")))
        self.lengths = np.frombuffer(index, "<i4", sequences, HEADER.size)
        """int32, shape (documents,)."""
        self.dtype = np.dtype(DTYPES[code])
        self.starts = np.frombuffer(index, "<i8", sequences, HEADER.size + 4 * sequences) // self.dtype.itemsize
        """int64, shape (documents,): where each begins in `stream`."""
        self.tokens = int(self.lengths.sum(dtype=np.int64))
        self.stream = self._map("bin", self.dtype)
        """All ids back to back, mapped read-only."""
        self.mask_stream = self._map("mask", np.dtype(np.uint8)) if _beside(self.path, "mask").exists() else None
        """uint8 like `stream`: 1 where a loss is taken; None for plain text."""

    def _open_index(self) -> tuple[tuple[Any, ...], bytes]:
        file = _beside(self.path, "idx")
        try:
            index = file.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read the token shard: {error.strerror}", where=str(file)) from error
        if len(index) < HEADER.size:
            raise CorruptShard("the index is cut short", where=str(file))
        return HEADER.unpack_from(index), index

    def _map(self, suffix: str, dtype: np.dtype) -> np.ndarray:
        import numpy as np

        file = _beside(self.path, suffix)
        size = file.stat().st_size if file.exists() else -1
        if size != self.tokens * dtype.itemsize:
            found = f"the file is {size} bytes long" if size >= 0 else "the file is missing"
            raise CorruptShard(found, where=str(file),
                               expected=f"{self.tokens * dtype.itemsize} bytes for the index's {self.tokens} tokens")
        # A mapping of nothing is refused by the system.
        return np.memmap(file, dtype, mode="r") if size else np.zeros(0, dtype)

    def __len__(self) -> int:
        return len(self.lengths)

    def document(self, i: int) -> np.ndarray:
        """The ids of document `i`, not copied."""
        return self.stream[self.starts[i]:self.starts[i] + self.lengths[i]]

    def mask(self, i: int) -> np.ndarray:
        """The loss mask of document `i`: 1 everywhere for plain text."""
        import numpy as np

        if self.mask_stream is None:
            return np.ones(self.lengths[i], np.uint8)
        return self.mask_stream[self.starts[i]:self.starts[i] + self.lengths[i]]


def _beside(path: Path, suffix: str) -> Path:
    """``NAME.suffix``; unlike Path.with_suffix it takes nothing away from a NAME with a dot."""
    return path.with_name(f"{path.name}.{suffix}")


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
