"""Attention over a window, and one for bfloat16 on a CPU, where PyTorch's is slow.

Measured (one core of an AMD EPYC, forward and backward, batch 16, 4 heads of 32, 256 positions): PyTorch's
scaled_dot_product_attention takes 41 ms in bfloat16 and 37 ms in float32; the plain matrix products below, one
sequence at a time so that the scores stay in cache, take 19 ms in bfloat16. They keep the attention weights for the
backward pass, batch x heads x T x T numbers, so longer windows go PyTorch's way.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LONGEST_KEPT = 512
"""Positions up to which keeping the weights is cheap: 128 MiB a layer at 16 sequences of 8 heads, at most."""


def attend(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor | None) -> Tensor:
    """softmax(q k^T / sqrt(D)) v, heads in the second place.

    `q` is (B, H, Tq, D), `k` and `v` (B, G, Tk, D) where G divides H (grouped queries). `allowed` is bool,
    broadcastable to (B, 1, Tq, Tk), True where a query may look; None means causal. Every query must see something.
    """
    if q.dtype == torch.bfloat16 and q.device.type == "cpu" and q.requires_grad and q.shape[2] <= LONGEST_KEPT:
        repeats = q.shape[1] // k.shape[1]
        if repeats > 1:
            k, v = k.repeat_interleave(repeats, dim=1), v.repeat_interleave(repeats, dim=1)
        return SequenceBySequence.apply(q, k, v, _bias(allowed, q))
    grouped = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, is_causal=allowed is None, enable_gqa=grouped)


def _bias(allowed: Tensor | None, q: Tensor) -> Tensor:
    """0 where a query may look, minus infinity elsewhere; shape (B or 1, Tq, Tk)."""
    if allowed is None:
        allowed = torch.ones(1, 1, q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).tril()
    return torch.zeros(allowed.squeeze(1).shape, dtype=q.dtype, device=q.device).masked_fill_(
        ~allowed.squeeze(1), float("-inf"))


class SequenceBySequence(torch.autograd.Function):
    """Attention as matrix products over the heads of one sequence at a time."""

    @staticmethod
    def forward(ctx, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        batch, heads, length, size = q.shape
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        weights = q.new_empty(batch, heads, length, length)
        out = torch.empty_like(q)
        for i in range(batch):
            scores = torch.baddbmm(bias[i if len(bias) > 1 else 0], q[i], k[i].transpose(1, 2), alpha=size**-0.5)
            torch.softmax(scores, -1, out=weights[i])
            torch.bmm(weights[i], v[i], out=out[i])
        ctx.save_for_backward(q, k, v, weights)
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, weights = ctx.saved_tensors
        grad = grad.contiguous()
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        for i in range(len(q)):
            torch.bmm(weights[i].transpose(1, 2), grad[i], out=dv[i])
            dweights = torch.bmm(grad[i], v[i].transpose(1, 2))
            dscores = torch._softmax_backward_data(dweights, weights[i], -1, weights.dtype).mul_(q.shape[-1]**-0.5)
            torch.bmm(dscores, k[i], out=dq[i])
            torch.bmm(dscores.transpose(1, 2), q[i], out=dk[i])
        return dq, dk, dv, None
