"""Sampling: several prompts at once, keys and values kept, temperature and nucleus (arXiv:1904.09751), seeded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainer.model import Cache

if TYPE_CHECKING:
    from dataengine.tokens import Tokenizer
    from trainer.model import Decoder


def prompt_ids(tokenizer: Tokenizer, prompt: str, *, chat: bool) -> np.ndarray:
    """A prompt as the model met it in training: after a ``</s>``, or as the user's turn."""
    if chat:
        return tokenizer.encode_prompt([{"role": "user", "content": prompt}])
    return np.concatenate([[tokenizer.eos], tokenizer.encode([prompt])[0]])


@torch.no_grad()
def generate(
    model: Decoder, prompts: Sequence[np.ndarray], *, tokens: int, temperature: float = 1.0, top_p: float = 1.0,
    seed: int = 0, stop: Collection[int] = (),
) -> list[list[int]]:
    """Up to `tokens` new ids for each prompt, the stopping id left out.

    Temperature 0 takes the likeliest. Row i draws from a generator of its own, seeded by (seed, i). Prompts of several
    lengths are padded on the left and the padding is hidden. Past the length it was trained on a model grows worse.
    """
    if not prompts:
        return []
    longest = max(map(len, prompts))
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    documents = torch.full((len(prompts), longest), -1)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt):] = torch.from_numpy(np.asarray(prompt, dtype=np.int64))
        documents[row, longest - len(prompt):] = 0
    generators = [torch.Generator().manual_seed(seed * 1_000_003 + row) for row in range(len(prompts))]
    cache = Cache.empty(model.shape.layers)
    out: list[list[int]] = [[] for _ in prompts]
    going = set(range(len(prompts)))
    while going and tokens > 0:
        logits = model.logits(model(ids, documents, cache)[:, -1])
        chosen = [sample(row, temperature, top_p, generator) for row, generator in zip(logits, generators, strict=True)]
        for row in sorted(going):
            if chosen[row] in stop:
                going.discard(row)
            else:
                out[row].append(chosen[row])
        ids = torch.tensor(chosen)[:, None]
        documents = torch.nn.functional.pad(documents, (0, 1), value=0)
        tokens -= 1
    return out


def sample(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """One id from float32 logits (vocabulary,)."""
    if temperature == 0:
        return int(logits.argmax())
    shares, order = torch.softmax(logits / temperature, dim=-1).sort(descending=True, stable=True)
    before = shares.cumsum(0) - shares
    shares = shares.masked_fill(before >= top_p, 0.0)
    return int(order[torch.multinomial(shares, 1, generator=generator)])
