"""Sampling with a cache, seeds and padding."""

from __future__ import annotations

import pytest
import torch

from trainer.generate import generate, prompt_ids, sample
from trainer.model import Decoder, Shape, initialise


@pytest.fixture(scope="module")
def model() -> Decoder:
    return initialise(Decoder(Shape(97, 32, 2, 4, 2, 64, 24)), 0).eval()


PROMPTS = [[5, 6, 7], [9], [11, 3, 2, 8, 1, 4, 44]]


def test_greedy_with_a_cache_is_greedy_by_reading_all_again(model) -> None:
    made = generate(model, PROMPTS, tokens=12, temperature=0)
    for prompt, ids in zip(PROMPTS, made, strict=True):
        sequence = list(prompt)
        for _ in range(12):
            with torch.no_grad():
                sequence.append(int(model.logits(model(torch.tensor([sequence]))[:, -1]).argmax()))
        assert ids == sequence[len(prompt):]


def test_a_prompt_gives_the_same_alone_and_in_company(model) -> None:
    alone = generate(model, PROMPTS[:1], tokens=10, temperature=1.0, seed=4)
    assert generate(model, PROMPTS, tokens=10, temperature=1.0, seed=4)[0] == alone[0]
    assert generate(model, PROMPTS[:1], tokens=10, temperature=1.0, seed=5) != alone


def test_it_stops_at_the_mark_and_leaves_it_out(model) -> None:
    free = generate(model, PROMPTS, tokens=12, temperature=0)
    stop = free[0][4]
    for before, after in zip(free, generate(model, PROMPTS, tokens=12, temperature=0, stop=[stop]), strict=True):
        assert after == (before[:before.index(stop)] if stop in before else before)


def test_shares_follow_temperature_and_nucleus() -> None:
    logits, generator = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05])), torch.Generator().manual_seed(1)
    drawn = torch.tensor([sample(logits, 1.0, 1.0, generator) for _ in range(4_000)])
    assert torch.allclose(drawn.bincount(minlength=4) / 4_000, torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.03)
    assert {sample(logits, 1.0, 0.75, generator) for _ in range(300)} == {0, 1}
    assert {sample(logits, 1.0, 1e-9, generator) for _ in range(50)} == {0}
    cold = [sample(logits, 0.2, 1.0, generator) for _ in range(500)]
    assert cold.count(0) > 440, "0.5^5 : 0.3^5 is 13 to 1"


def test_nothing_to_do_is_done(model) -> None:
    assert generate(model, [], tokens=5) == []
    assert generate(model, [[1, 2]], tokens=0) == [[]]


def test_a_prompt_is_given_as_in_training(tokenizer) -> None:
    assert prompt_ids(tokenizer, "the cat", chat=False)[0] == tokenizer.eos
    assert tokenizer.decode(prompt_ids(tokenizer, "the cat", chat=False)) == "the cat"
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": ""}]
    whole, _ = tokenizer.encode_chat(chat)
    assert prompt_ids(tokenizer, "hi", chat=True).tolist() == whole[:-2].tolist()
