"""Predict what the assistant says: cross-entropy on its turns alone, documents of a window apart from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.objectives.cross_entropy import cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

    from trainer.loader import Batch
    from trainer.model import Decoder

KINDS = ("messages",)


def sft(model: Decoder, batch: Batch) -> Tensor:
    """Mean nats per answer token; a batch without answers has the loss 0."""
    hidden = model(batch.inputs, batch.input_documents)
    weights = batch.answered.float()
    return cross_entropy(hidden, model.head, batch.targets, weights / weights.sum().clamp(min=1))
