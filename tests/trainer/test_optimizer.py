"""AdamW against PyTorch's own class."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainer.optimizer import BETAS, EPSILON, AdamW


def models(count: int) -> list[nn.Module]:
    made = []
    for _ in range(count):
        torch.manual_seed(0)
        made.append(nn.Sequential(nn.Linear(6, 8, bias=False), nn.LayerNorm(8), nn.Linear(8, 3)))
    return made


def gradients(model: nn.Module, step: int) -> None:
    inputs = torch.randn(5, 6, generator=torch.Generator().manual_seed(step))
    model(inputs).square().mean().backward()


def test_it_updates_as_pytorchs_does_with_decay_on_matrices_alone() -> None:
    ours, theirs = models(2)
    weights = list(theirs.parameters())
    groups = [{"params": [w for w in weights if w.dim() >= 2], "weight_decay": 0.3},
              {"params": [w for w in weights if w.dim() < 2], "weight_decay": 0.0}]
    reference, optimizer = torch.optim.AdamW(groups, betas=BETAS, eps=EPSILON), AdamW(ours, weight_decay=0.3)
    for step in range(20):
        rate = 0.01 * (step + 1)
        for model in (ours, theirs):
            gradients(model, step)
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
        reference.zero_grad()
        optimizer.step(rate)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6) and a.grad is None


def test_it_goes_on_from_its_saved_state_to_the_last_bit() -> None:
    whole, broken = models(2)
    steady, optimizer = AdamW(whole, weight_decay=0.1), AdamW(broken, weight_decay=0.1)
    for step in range(10):
        if step == 4:
            saved = {name: value.clone() for name, value in optimizer.state().items()}
            optimizer = AdamW(broken, weight_decay=0.1)
            optimizer.restore(saved)
        for model, each in ((whole, steady), (broken, optimizer)):
            gradients(model, step)
            each.step(0.01)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), broken.parameters(), strict=True))


def test_a_state_of_another_model_is_not_taken() -> None:
    with pytest.raises(KeyError):
        AdamW(models(1)[0], weight_decay=0.1).restore({})
