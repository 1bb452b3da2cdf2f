"""The windows of a mixture as batches. The state of the data order is one integer, the next draw.

Batch number b of size B is draws bB to bB + B - 1 of the mixture, whatever was read before and however many ranks read:
rank r of R takes every R-th of them. Text comes straight out of mapped shards, conversations are packed whole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dataengine import mixture
from dataengine.tokens import TokenShard

PAD = 3
"""What fills a packed window; it is no target, so any id would do. Tokenizers of dataengine.tokens have <pad> there."""


class Window(NamedTuple):
    """T + 1 tokens of one source."""

    ids: np.ndarray
    mask: np.ndarray
    """1 on tokens that the assistant says (on all tokens, for text)."""
    documents: np.ndarray
    """The number of each token's document in the window, -1 on padding."""


@dataclass(frozen=True)
class Batch:
    """B windows, as tensors."""

    ids: Tensor
    """int64 (B, T + 1)."""
    mask: Tensor | None
    """uint8 (B, T + 1), or None where every token is a target."""
    documents: Tensor | None
    """int64 (B, T + 1), or None where a window is one stream: text, documents ended by </s>."""

    @property
    def inputs(self) -> Tensor:
        return self.ids[:, :-1]

    @property
    def targets(self) -> Tensor:
        return self.ids[:, 1:]

    @property
    def input_documents(self) -> Tensor | None:
        return None if self.documents is None else self.documents[:, :-1]

    @property
    def real(self) -> Tensor:
        """bool (B, T): targets that are the next token of the same document."""
        if self.documents is None:
            return torch.ones_like(self.targets, dtype=torch.bool)
        return (self.documents[:, 1:] == self.documents[:, :-1]) & (self.documents[:, 1:] >= 0)

    @property
    def answered(self) -> Tensor:
        """bool (B, T): real targets that the assistant says."""
        return self.real if self.mask is None else self.real & self.mask[:, 1:].bool()


class TextWindows:
    """The documents of some shards as one stream, cut into windows that overlap by one token."""

    def __init__(self, shards: Sequence[TokenShard], sequence_length: int) -> None:
        self.streams, self.length = [shard.stream for shard in shards], sequence_length
        self.starts = np.cumsum([0, *map(len, self.streams)]).tolist()

    def __len__(self) -> int:
        return mixture.text_windows(self.starts[-1], self.length)

    def __getitem__(self, j: int) -> np.ndarray:
        """Ids of window j, shape (T + 1,): a view, unless it crosses from one shard to the next."""
        start = j * self.length
        parts, wanted = [], self.length + 1
        shard = bisect_right(self.starts, start) - 1
        while wanted:
            offset = start - self.starts[shard]
            part = self.streams[shard][offset:offset + wanted]
            parts.append(part)
            start, wanted, shard = start + len(part), wanted - len(part), shard + 1
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class PackedWindows:
    """Whole documents in order, as many as fit into T + 1 tokens; the rest of a window is padding."""

    def __init__(self, shards: Sequence[TokenShard], sequence_length: int) -> None:
        self.shards, self.length = shards, sequence_length
        self.firsts = mixture.packed_windows(mixture.lengths_of(shards), sequence_length)
        self.starts = np.cumsum([0, *map(len, shards)]).tolist()

    def __len__(self) -> int:
        return len(self.firsts) - 1

    def __getitem__(self, j: int) -> Window:
        room = self.length + 1
        window = Window(np.full(room, PAD, np.int64), np.zeros(room, np.uint8), np.full(room, -1, np.int64))
        filled = 0
        for document in range(self.firsts[j], self.firsts[j + 1]):
            shard = bisect_right(self.starts, document) - 1
            i = document - self.starts[shard]
            ids, mask = self.shards[shard].document(i)[:room], self.shards[shard].mask(i)[:room]
            place = slice(filled, filled + len(ids))
            window.ids[place], window.mask[place], window.documents[place] = ids, mask, document - self.firsts[j]
            filled += len(ids)
        return window


class Loader:
    """Batches of the mixture that a ``mixture.json`` describes."""

    def __init__(self, path: Path, sequence_length: int) -> None:
        self.data: Mapping[str, Any] = mixture.load(path)
        self.folder = Path(path).parent
        self.mixture = mixture.build(self.data, sequence_length, self.folder)
        make = TextWindows if self.data["kind"] == "text" else PackedWindows
        self.sources = [make(mixture.shards(source, self.folder, "train"), sequence_length)
                        for source in self.data["sources"]]

    def __len__(self) -> int:
        """How many draws there are."""
        return len(self.mixture)

    def batch(self, n: int, size: int, *, rank: int = 0, world: int = 1) -> Batch:
        """Draws n, n + 1 .. n + size - 1, of which this rank takes every `world`-th from `rank` on."""
        draws = [self.mixture.draw(i) for i in range(n + rank, n + size, world)]
        windows = [self.sources[draw.source][draw.window] for draw in draws]
        if self.data["kind"] == "text":
            return Batch(torch.from_numpy(np.stack(windows).astype(np.int64)), None, None)
        ids, mask, documents = (torch.from_numpy(np.stack(parts)) for parts in zip(*windows, strict=True))
        return Batch(ids, mask, documents)
