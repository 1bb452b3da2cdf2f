"""Tokenizers learnt from text, and token shards on disk in Megatron-LM's indexed-dataset format.

A tokenizer is one SentencePiece file, ``tokenizer.model``, with byte fallback and no normalisation: text -> ids -> text
is exact for every string that UTF-8 can hold, control characters and NUL too. (A lone surrogate, which is not text,
is refused.) Marks such as ``</s>`` and ``<|end|>`` are control symbols: no text ever becomes their id, so that a
document cannot end itself or speak as another role.

A token shard is ``NAME.bin`` (ids back to back), ``NAME.idx`` (where each document starts) and, for conversations,
``NAME.mask`` (one byte per token: 1 where a loss is taken). The format is that of ``megatron/core/datasets/
indexed_dataset.py``. The index is written last: a shard without it does not exist.
"""

from __future__ import annotations

import io
import os
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dataengine.errors import CorruptShard, InputError, RunFailed

if TYPE_CHECKING:
    from types import TracebackType

    import numpy as np

MODEL_FILE = "tokenizer.model"

ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>", "tool": "<|tool|>"}
"""The mark that opens a turn, by the role that speaks."""
END = "<|end|>"
"""The mark that closes a turn."""
SPACE = "\u2581"
"""SentencePiece writes a space as this character, so the character itself is carried as its three bytes."""
LONGEST_SENTENCE = 4_096
"""Characters of one training sentence; longer lines are cut, so that a line of 10 MB costs linear time."""


# --- learning a tokenizer ---------------------------------------------------------------------------------------------

def learn(
    texts: Iterable[str], folder: Path, *, vocabulary: int, kind: Literal["bpe", "unigram"], sample_bytes: int,
    threads: int = 1,
) -> dict[str, float]:
    """Learn a tokenizer from the first `sample_bytes` of `texts` and write ``folder/tokenizer.model``.

    Returns figures: vocabulary, and bytes and tokens of the sample (bytes of UTF-8). The same texts, vocabulary, kind
    and threads give the same file, byte for byte. Raises RunFailed where the text is too little (the message says how
    large the vocabulary can be) or has too many different characters for the vocabulary.
    """
    import sentencepiece

    sample = list(_until(texts, sample_bytes))
    if not any(map(str.strip, sample)):
        raise RunFailed("there is no text to learn a tokenizer from", expected="at least a few kilobytes of text")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sentences(sample), model_writer=model, model_type=kind, vocab_size=vocabulary,
            byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=False,
            remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, split_digits=True,
            max_sentence_length=8 * LONGEST_SENTENCE, unk_id=0, bos_id=1, eos_id=2, pad_id=3,
            control_symbols=[*ROLES.values(), END], num_threads=threads, minloglevel=3,
        )
    except RuntimeError as error:
        raise _said_plainly(str(error), vocabulary) from error
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model.getvalue())
    tokens = sum(map(len, Tokenizer(model.getvalue()).encode(sample)))
    size = sum(len(text.encode()) for text in sample)
    return {"vocabulary": vocabulary, "sample_bytes": size, "sample_tokens": tokens, "bytes_per_token": size / tokens}


def _until(texts: Iterable[str], limit: int) -> Iterator[str]:
    """Texts from the first on, until `limit` bytes have passed; the last is cut."""
    for text in texts:
        size = len(text.encode())
        yield text if size <= limit else text.encode()[:limit].decode(errors="ignore")
        limit -= size
        if limit <= 0:
            return


def _sentences(texts: Iterable[str]) -> Iterator[str]:
    """Lines without their ends, so that no piece crosses a line; NUL and the space mark would be misread."""
    for text in texts:
        for line in re.split(f"[\n\0{SPACE}]", text):
            for start in range(0, len(line), LONGEST_SENTENCE):
                yield line[start:start + LONGEST_SENTENCE]


def _said_plainly(message: str, vocabulary: int) -> RunFailed:
    """SentencePiece's complaint about the vocabulary's size as an error with a number to write."""
    where = "tokenizer"
    if largest := re.search(r"value <= (\d+)", message):
        return RunFailed(
            f"the text is too little for a vocabulary of {vocabulary}", where=where,
            expected=f"at most {largest[1]}, or more text", write=f"vocabulary = {largest[1]}",
        )
    if needed := re.search(r"(\d+) vs (\d+)", message):
        smallest = max(int(needed[1]), int(needed[2]))
        return RunFailed(
            f"a vocabulary of {vocabulary} cannot hold the characters of the text and the 256 bytes", where=where,
            expected=f"more than {smallest}", write=f"vocabulary = {smallest + smallest // 4}",
        )
    return RunFailed(f"SentencePiece could not learn from this text: {message}", where=where)


# --- text and ids -----------------------------------------------------------------------------------------------------

class Tokenizer:
    """Text to ids and back. About 5 MB/s per thread for bpe, 25 MB/s for unigram."""

    def __init__(self, model: bytes) -> None:
        import sentencepiece

        self.model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read ``tokenizer.model``. Raises InputError where it is missing or no SentencePiece model of ours."""
        try:
            tokenizer = cls(Path(path).read_bytes())
        except OSError as error:
            raise InputError(f"cannot read the tokenizer: {error.strerror}", where=str(path)) from error
        except RuntimeError as error:
            raise InputError("this is not a SentencePiece model", where=str(path)) from error
        if tokenizer.eos != 2 or tokenizer._id(END) == tokenizer._processor.unk_id():
            raise InputError(f"this tokenizer lacks the marks {END} and </s>", where=str(path),
                             expected="a tokenizer learnt by dataengine")
        return tokenizer

    @property
    def vocabulary(self) -> int:
        """How many ids there are: 0 to vocabulary - 1."""
        return len(self._processor)

    @property
    def eos(self) -> int:
        """Ends a document."""
        return self._processor.eos_id()

    @property
    def bos(self) -> int:
        return self._processor.bos_id()

    @property
    def pad(self) -> int:
        """Fills a batch; never a target."""
        return self._processor.pad_id()

    @property
    def end(self) -> int:
        """Ends a turn of a conversation."""
        return self._id(END)

    def _id(self, mark: str) -> int:
        return self._processor.piece_to_id(mark)

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
            if SPACE in text:
                ids[i] = self._encode_with_space_mark(text)
        return [np.append(document, np.int32(self.eos)) for document in ids] if eos else ids

    def _encode_with_space_mark(self, text: str) -> np.ndarray:
        import numpy as np

        mark = np.array([self._id(f"<0x{byte:02X}>") for byte in SPACE.encode()], dtype=np.int32)
        parts = self._processor.encode(text.split(SPACE), return_type="numpy", num_threads=1)
        return np.concatenate([parts[0], *chain.from_iterable((mark, part) for part in parts[1:])])

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of text behind each id; none for marks."""
        model = self._processor

        def surface(piece: int) -> bytes:
            if model.is_control(piece) or model.is_unknown(piece):
                return b""
            name = model.id_to_piece(piece)
            return bytes([int(name[3:5], 16)]) if model.is_byte(piece) else name.replace(SPACE, " ").encode()

        return [surface(piece) for piece in range(self.vocabulary)]

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
            ids += [[self._opening(message["role"])], content, [self.end]]
            mask += [[0], np.full(len(content) + 1, spoken)]
        return (np.concatenate([*ids, [self.eos]]).astype(np.int32), np.concatenate([*mask, [0]]).astype(np.uint8))

    def encode_prompt(self, messages: Sequence[Mapping[str, str]]) -> np.ndarray:
        """A conversation that waits for the assistant's turn: int32 ids that end in ``<|assistant|>``."""
        import numpy as np

        ids, _ = self.encode_chat(messages)
        return np.append(ids[:-1], np.int32(self._opening("assistant")))

    def _opening(self, role: str) -> int:
        if role not in ROLES:
            raise InputError(f"a message has the role {role!r}", expected=f"one of {', '.join(ROLES)}")
        return self._id(ROLES[role])


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

        ids = np.asarray(ids)
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self.vocabulary:
            raise RunFailed(f"document {len(self.lengths)} has a token id from {ids.min()} to {ids.max()}",
                            where=str(self.path), expected=f"0 to {self.vocabulary - 1}")
        if (mask is None) != (self._mask is None) or (mask is not None and len(mask) != len(ids)):
            raise ValueError("masks are given for all documents, one per token, or for none")
        self._bin.write(ids.astype(self.dtype).tobytes())
        if self._mask is not None:
            self._mask.write(np.asarray(mask).astype(np.uint8).tobytes())
        self.lengths.append(len(ids))
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
