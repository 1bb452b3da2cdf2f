"""AdamW (arXiv:1711.05101), PyTorch's fused kernel, with decay on matrices alone and its state as named tensors.

The kernel is called directly: ``torch.optim.AdamW`` imports the compiler when it is made, 1.2 s of every run.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

BETAS = (0.9, 0.95)
EPSILON = 1e-8


class AdamW:
    """Updates a model's weights in place from their gradients. Norm weights are not decayed."""

    def __init__(self, model: nn.Module, *, weight_decay: float) -> None:
        self.weights = dict(model.named_parameters())
        self.weight_decay = weight_decay
        self.first = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.second = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.steps = {name: torch.zeros(()) for name in self.weights}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One update at this learning rate; gradients are gone after it. Every weight must have one."""
        for decayed in (True, False):
            names = [name for name, weight in self.weights.items() if (weight.dim() >= 2) == decayed]
            adamw(
                [self.weights[name] for name in names], [self.weights[name].grad for name in names],
                [self.first[name] for name in names], [self.second[name] for name in names], [],
                [self.steps[name] for name in names], weight_decay=self.weight_decay if decayed else 0.0, lr=rate,
                beta1=BETAS[0], beta2=BETAS[1], eps=EPSILON, amsgrad=False, maximize=False, fused=True, foreach=False,
            )
        for weight in self.weights.values():
            weight.grad = None

    def state(self) -> dict[str, Tensor]:
        """``{"first.NAME": ..., "second.NAME": ..., "steps.NAME": ...}``."""
        kinds = {"first": self.first, "second": self.second, "steps": self.steps}
        return {f"{kind}.{name}": value for kind, values in kinds.items() for name, value in values.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        for name, value in self.state().items():
            value.copy_(state[name])
