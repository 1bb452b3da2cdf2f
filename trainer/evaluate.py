"""Bits per byte on held-out documents, by source: how many bits the model needs for a byte of text.

Comparable between tokenizers. A text document is read after a ``</s>``, as in training, and every token counts, its own
``</s>`` too. Of a conversation only what the assistant says counts, its ``<|end|>`` too. A document longer than the
window is read in windows that do not overlap: each token is predicted once, from at most T tokens before it in its
window. (Sliding windows would give longer contexts, and lower figures, at many times the cost.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dataengine import mixture
from dataengine.tokens import Tokenizer, TokenShard
from trainer.objectives.cross_entropy import nats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trainer.model import Decoder

BATCH_TOKENS = 4_096


@dataclass(frozen=True)
class Score:
    """What a model needs for the held-out documents of one source."""

    nats: float
    bytes: int
    tokens: int
    documents: int

    @property
    def bits_per_byte(self) -> float:
        return self.nats / math.log(2) / self.bytes


def evaluate(
    model: Decoder, tokenizer: Tokenizer, data: Mapping[str, Any], folder: Path, sequence_length: int, *,
    pause: Callable[[], None] = lambda: None,
) -> dict[str, Score]:
    """Scores by source of a ``mixture.json``; a source whose held-out documents have no bytes is left out.

    `pause` is called between batches and may raise to stop.
    """
    chat = data["kind"] == "messages"
    scores = {}
    for source in data["sources"]:
        shards = mixture.shards(source, folder, "heldout")
        score = _score(model, tokenizer, shards, sequence_length, chat=chat, pause=pause)
        if score.bytes:
            scores[source["name"]] = score
    return scores


def _score(model: Decoder, tokenizer: Tokenizer, shards: Sequence[TokenShard], length: int, *, chat: bool,
           pause: Callable[[], None]) -> Score:
    # Like lengths together, so that little of a batch is padding.
    windows = sorted(_windows(shards, tokenizer.eos, length, chat), key=lambda window: len(window[0]))
    total, size, tokens = 0.0, 0, 0
    for ids, counted in _batches(windows, tokenizer.pad):
        pause()
        with torch.no_grad():
            lost = nats(model(ids[:, :-1]), model.head, ids[:, 1:])
        total += float(lost.double()[counted].sum())
        size += int(tokenizer.piece_bytes[ids[:, 1:][counted].numpy()].sum())
        tokens += int(counted.sum())
    return Score(total, size, tokens, sum(map(len, shards)))


def _windows(shards: Sequence[TokenShard], eos: int, length: int, chat: bool
             ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids of each window, and for all but the first whether they count."""
    for shard in shards:
        for i in range(len(shard)):
            ids, mask = shard.document(i), shard.mask(i).astype(bool)
            if not chat:
                ids, mask = np.concatenate([[eos], ids]), np.concatenate([[False], mask])
            for start in range(0, len(ids) - 1, length):
                end = start + length + 1
                if mask[start + 1:end].any():
                    yield ids[start:end], mask[start + 1:end]


def _batches(windows: Sequence[tuple[np.ndarray, np.ndarray]], pad: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Windows in order, padded on the right: ids (B, L) and bool (B, L - 1). About BATCH_TOKENS tokens each."""
    start = 0
    while start < len(windows):
        end = start + 1
        while end < len(windows) and len(windows[end][0]) * (end + 1 - start) <= BATCH_TOKENS:
            end += 1
        longest = len(windows[end - 1][0])
        ids = np.full((end - start, longest), pad, np.int64)
        counted = np.zeros((end - start, longest - 1), bool)
        for row, (window, counts) in enumerate(windows[start:end]):
            ids[row, :len(window)], counted[row, :len(counts)] = window, counts
        yield torch.from_numpy(ids), torch.from_numpy(counted)
        start = end
