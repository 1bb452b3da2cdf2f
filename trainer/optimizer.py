"""AdamW (arXiv:1711.05101), fused, with decay on matrices alone, and its state as named tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.95)


def adamw(model: nn.Module, *, weight_decay: float) -> torch.optim.AdamW:
    """Norm weights are not decayed. The learning rate is set at every step by `step`."""
    weights = list(model.parameters())
    groups = [
        {"params": [weight for weight in weights if weight.dim() >= 2], "weight_decay": weight_decay},
        {"params": [weight for weight in weights if weight.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=1e-8, fused=True)


def step(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """One update at this learning rate; gradients are gone after it."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def state_of(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """``{"exp_avg.NAME": ..., "exp_avg_sq.NAME": ..., "step.NAME": ...}``."""
    return {
        f"{key}.{name}": value.reshape(1) if value.dim() == 0 else value
        for name, weight in model.named_parameters() for key, value in optimizer.state[weight].items()
    }


def restore(optimizer: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put back what `state_of` gave."""
    weights = dict(model.named_parameters())
    for full, tensor in tensors.items():
        key, name = full.split(".", 1)
        optimizer.state[weights[name]][key] = tensor.reshape(()) if key == "step" else tensor
