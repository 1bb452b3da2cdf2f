"""Predict every next token: cross-entropy, mean over the targets of the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.objectives.cross_entropy import cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

    from trainer.loader import Batch
    from trainer.model import Decoder

KINDS = ("text", "messages")
"""The kinds of mixture it can learn from."""


def next_token(model: Decoder, batch: Batch) -> Tensor:
    """Mean nats per target. Padding is no target."""
    hidden = model(batch.inputs, batch.input_documents)
    weights = batch.real.float()
    return cross_entropy(hidden, model.head, batch.targets, weights / weights.sum().clamp(min=1))
