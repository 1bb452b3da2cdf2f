"""Losses against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from tiny_languages import stories, sums

from trainer.loader import Batch, Loader
from trainer.model import Decoder, Shape, initialise
from trainer.objectives.cross_entropy import CHUNK, cross_entropy, nats
from trainer.objectives.next_token import next_token
from trainer.objectives.sft import sft


def model_for(tokenizer, seed: int = 0) -> Decoder:
    return initialise(Decoder(Shape(tokenizer.vocabulary, 32, 2, 2, 2, 64, 64)), seed)


@pytest.mark.parametrize("count", [1, CHUNK, CHUNK + 3])
def test_chunked_cross_entropy_is_pytorchs_in_value_and_gradient(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    hidden, head = (torch.randn(rows, 16, generator=generator).requires_grad_() for rows in (count, 50))
    targets = torch.randint(0, 50, (count,), generator=generator)
    weights = torch.rand(count, generator=generator)
    ours = cross_entropy(hidden, head, targets, weights)
    (3 * ours).backward()
    found = hidden.grad.clone(), head.grad.clone()
    hidden.grad = head.grad = None
    theirs = (F.cross_entropy(hidden @ head.T, targets, reduction="none") * weights).sum()
    (3 * theirs).backward()
    assert torch.allclose(ours, theirs, rtol=1e-5)
    assert torch.allclose(found[0], hidden.grad, atol=1e-5) and torch.allclose(found[1], head.grad, atol=1e-4)
    each = F.cross_entropy(hidden @ head.T, targets, reduction="none")
    assert torch.allclose(nats(hidden, head, targets), each, atol=1e-5)


def test_next_token_is_the_mean_over_all_targets(tmp_path, write_mixture, tokenizer) -> None:
    batch = Loader(write_mixture(tmp_path, {"a": [stories(30, 1)]}), 32).batch(0, 6)
    model = model_for(tokenizer)
    logits = model.logits(model(batch.ids[:, :-1]))
    expected = F.cross_entropy(logits.flatten(0, 1), batch.ids[:, 1:].flatten())
    assert next_token(model, batch).item() == pytest.approx(expected.item(), rel=1e-5)


def test_sft_packed_is_sft_one_by_one(tmp_path, write_mixture, tokenizer) -> None:
    chats = sums(12, 2)
    batch = Loader(write_mixture(tmp_path, {"a": [chats]}, kind="messages"), 60)
    model = model_for(tokenizer)
    sft(model, batch.batch(0, len(batch))).backward()
    packed = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    total, count = torch.zeros(()), 0
    for chat in chats:
        ids, mask = (torch.from_numpy(part).long()[None] for part in tokenizer.encode_chat(chat))
        lost = F.cross_entropy(model.logits(model(ids[:, :-1]))[0], ids[0, 1:], reduction="none")
        total, count = total + (lost * mask[0, 1:]).sum(), count + int(mask[0, 1:].sum())
    (total / count).backward()
    assert sft(model, batch.batch(0, len(batch))).item() == pytest.approx((total / count).item(), rel=1e-5)
    for name, weight in model.named_parameters():
        assert torch.allclose(weight.grad, packed[name], atol=1e-5), name


def test_what_the_user_says_has_no_gradient_as_a_target(tokenizer) -> None:
    chat = [{"role": "user", "content": "larger of 1 and 2?"}, {"role": "assistant", "content": "2"}]
    ids, mask = (torch.from_numpy(part).long()[None] for part in tokenizer.encode_chat(chat))
    model = model_for(tokenizer)
    hidden = torch.zeros(1, ids.shape[1] - 1, 32, requires_grad=True)
    batch = Batch(ids, mask, torch.zeros_like(ids))
    weights = batch.answered.float()
    cross_entropy(hidden, model.head.detach() + torch.randn(1), batch.targets, weights).backward()
    felt = hidden.grad[0].abs().sum(-1) > 0
    assert felt.tolist() == (mask[0, 1:] == 1).tolist()


def test_a_batch_without_answers_has_no_loss_and_no_gradient(tokenizer) -> None:
    ids = torch.randint(0, 300, (2, 9))
    model = model_for(tokenizer)
    loss = sft(model, Batch(ids, torch.zeros_like(ids), torch.zeros_like(ids)))
    loss.backward()
    assert loss.item() == 0 and all(not weight.grad.any() for weight in model.parameters())
