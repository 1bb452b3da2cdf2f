"""Bits per byte against counting by hand."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_languages import stories, sums

from dataengine import mixture
from trainer.evaluate import evaluate
from trainer.model import Decoder, Shape, initialise


@pytest.fixture
def model(tokenizer) -> Decoder:
    return initialise(Decoder(Shape(tokenizer.vocabulary, 32, 2, 2, 2, 64, 64)), 0).eval()


def test_a_model_that_knows_nothing_needs_log_v_bits_per_token(tmp_path, write_mixture, tokenizer, model) -> None:
    texts = stories(40, 1)
    data = mixture.load(write_mixture(tmp_path, {"a": [texts]}, heldout={"a": texts}))
    with torch.no_grad():
        model.norm.zero_()  # all logits are 0
    score = evaluate(model, tokenizer, data, tmp_path, 16)["a"]
    tokens = sum(len(ids) + 1 for ids in tokenizer.encode(texts))
    size = sum(len(text.encode()) for text in texts)
    assert (score.tokens, score.bytes, score.documents) == (tokens, size, 40)
    assert score.bytes == data["sources"][0]["shards"][0]["heldout_bytes"]
    assert score.bits_per_byte == pytest.approx(tokens * math.log2(tokenizer.vocabulary) / size, rel=1e-6)


def test_batches_and_padding_do_not_matter(tmp_path, write_mixture, tokenizer, model) -> None:
    texts = [*stories(30, 1), "", "a", "the red cat " * 60]
    data = mixture.load(write_mixture(tmp_path, {"a": [texts]}, heldout={"a": texts}))
    total = 0.0
    for ids in tokenizer.encode(texts, eos=True):
        stream = torch.tensor([tokenizer.eos, *ids])
        for start in range(0, len(stream) - 1, 16):
            window = stream[start:start + 17]
            with torch.no_grad():
                logp = torch.log_softmax(model.logits(model(window[None, :-1]))[0], -1)
            total -= logp.gather(1, window[1:, None]).sum().item()
    score = evaluate(model, tokenizer, data, tmp_path, 16)["a"]
    assert score.nats == pytest.approx(total, rel=1e-5)


def test_only_what_the_assistant_says_counts(tmp_path, write_mixture, tokenizer, model) -> None:
    chats = sums(20, 1)
    data = mixture.load(write_mixture(tmp_path, {"a": [chats], "b": [chats]}, heldout={"a": chats}, kind="messages"))
    scores = evaluate(model, tokenizer, data, tmp_path, 64)
    assert set(scores) == {"a"}, "b has nothing held out"
    assert scores["a"].bytes == sum(len(chat[1]["content"].encode()) for chat in chats)
    assert scores["a"].tokens == sum(int(tokenizer.encode_chat(chat)[1].sum()) for chat in chats)
