"""The model against plain mathematics, against itself in pieces, and against transformers where it is installed."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import InputError
from trainer.attention import attend
from trainer.checkpoint import write_model
from trainer.model import (
    Cache,
    Decoder,
    Shape,
    count_parameters,
    default_ffn,
    from_huggingface,
    huggingface_config,
    initialise,
    rotate,
    rotations,
    shape_of,
    to_huggingface,
)


def tiny(kv_heads: int = 2, tied: bool = True, compute: torch.dtype = torch.float32, seed: int = 0) -> Decoder:
    shape = Shape(vocabulary=97, width=32, layers=2, heads=4, kv_heads=kv_heads, ffn=64, context=24, tied=tied)
    return initialise(Decoder(shape, compute), seed)


def ids(*size: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, 97, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_the_past_alone_decides_and_the_future_does_not(kv_heads: int) -> None:
    model, tokens = tiny(kv_heads), ids(2, 24)
    changed = tokens.clone()
    changed[:, 10] = (changed[:, 10] + 1) % 97
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :10], after[:, :10])
    assert not torch.allclose(before[:, 10:], after[:, 10:])


@pytest.mark.parametrize("compute", [torch.float32, torch.bfloat16])
def test_a_document_in_a_window_knows_nothing_of_the_one_before(compute: torch.dtype) -> None:
    model, tokens = tiny(compute=compute), ids(2, 24)
    documents = torch.tensor([[0] * 9 + [1] * 10 + [-1] * 5] * 2)
    changed = tokens.clone()
    changed[:, :9] = ids(2, 9, seed=5)
    assert torch.equal(model(tokens, documents)[:, 9:19], model(changed, documents)[:, 9:19])


def test_a_document_in_a_window_reads_as_it_does_alone() -> None:
    model, tokens = tiny(), ids(1, 24)
    documents = torch.tensor([[0] * 9 + [1] * 10 + [-1] * 5])
    packed = model(tokens, documents)
    assert torch.allclose(packed[:, 9:19], model(tokens[:, 9:19]), atol=1e-5)
    assert torch.allclose(packed[:, :9], model(tokens[:, :9]), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 23), st.sampled_from([1, 2, 4]))
def test_reading_in_two_parts_with_a_cache_gives_what_reading_at_once_gives(cut: int, kv_heads: int) -> None:
    model, tokens = tiny(kv_heads), ids(2, 24)
    cache = Cache.empty(2)
    with torch.no_grad():
        parts = torch.cat([model(tokens[:, :cut], cache=cache), model(tokens[:, cut:], cache=cache)], dim=1)
        assert torch.allclose(parts, model(tokens), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 3), heads=st.sampled_from([(1, 1), (4, 4), (4, 2)]), length=st.integers(1, 20),
       packed=st.booleans())
def test_bfloat16_attention_agrees_with_pytorchs_in_value_and_gradient(batch: int, heads: tuple[int, int], length: int,
                                                                      packed: bool) -> None:
    generator = torch.Generator().manual_seed(length)
    q, k, v, grad = (torch.randn(batch, count, length, 8, generator=generator)
                     for count in (heads[0], heads[1], heads[1], heads[0]))
    documents = torch.arange(length) // 5
    allowed = torch.ones(length, length, dtype=torch.bool).tril() & (documents[:, None] == documents[None, :])
    mask = allowed.expand(batch, 1, length, length) if packed else None
    results = []
    for dtype in (torch.float32, torch.bfloat16):  # float32 goes PyTorch's way
        leaves = [x.clone().to(dtype).requires_grad_() for x in (q, k, v)]
        out = attend(*leaves, mask)
        out.backward(grad.to(dtype))
        results.append([out.detach(), *(leaf.grad for leaf in leaves)])
    for exact, rounded in zip(*results, strict=True):
        assert torch.allclose(exact, rounded.float(), atol=0.06, rtol=0.06)


def test_rotation_keeps_lengths_and_sees_only_distances() -> None:
    cos, sin = rotations(30, 8, 10_000.0, torch.float32)
    q, k = torch.randn(8), torch.randn(8)
    turned = [rotate(x.expand(30, 8), cos, sin) for x in (q, k)]
    assert torch.allclose(turned[0].norm(dim=-1), q.norm(), atol=1e-5)
    scores = turned[0] @ turned[1].T
    for distance in range(5):
        assert torch.allclose(scores.diagonal(distance), scores[0, distance], atol=1e-4)


def test_fresh_logits_are_near_uniform_and_weights_are_drawn_as_documented() -> None:
    shape = Shape(vocabulary=500, width=128, layers=8, heads=4, kv_heads=4, ffn=352, context=64)
    model = initialise(Decoder(shape), 3)
    tokens = torch.randint(0, 500, (4, 64))
    loss = torch.nn.functional.cross_entropy(model.logits(model(tokens)).flatten(0, 1), torch.randint(0, 500, (256,)))
    assert abs(loss.item() - math.log(500)) < 0.3
    block = model.blocks[0]
    assert block.qkv.std().item() == pytest.approx(128**-0.5, rel=0.05)
    assert block.down.std().item() == pytest.approx(352**-0.5 / 4, rel=0.05)
    assert torch.equal(model.blocks[1].qkv, initialise(Decoder(shape), 3).blocks[1].qkv)
    assert not torch.equal(block.qkv, initialise(Decoder(shape), 4).blocks[0].qkv)


def test_a_million_parameters_are_counted() -> None:
    shape = Shape(vocabulary=2_048, width=128, layers=4, heads=4, kv_heads=4, ffn=default_ffn(128), context=256)
    by_hand = 2_048 * 128 + 4 * (4 * 128 * 128 + 3 * 128 * 352 + 2 * 128) + 128
    assert count_parameters(Decoder(shape)) == by_hand


@pytest.mark.parametrize("tied", [True, False])
def test_weights_go_out_under_hugging_faces_names_and_come_back(tied: bool) -> None:
    model = tiny(tied=tied)
    config = huggingface_config(model.shape, bos=1, eos=2, pad=3)
    back = from_huggingface(Decoder(shape_of(json.loads(json.dumps(config)))), to_huggingface(model))
    assert back.shape == model.shape
    assert torch.equal(back(ids(2, 24)), model(ids(2, 24)))
    names = to_huggingface(model)
    assert names["model.layers.1.self_attn.k_proj.weight"].shape == (16, 32)
    assert ("lm_head.weight" in names) != tied


def test_a_checkpoint_of_another_model_is_refused() -> None:
    tensors = to_huggingface(tiny())
    with pytest.raises(InputError, match=r"lacks model\.layers\.1"):
        from_huggingface(tiny(), {name: x for name, x in tensors.items() if "layers.1" not in name})
    with pytest.raises(InputError, match="shape"):
        from_huggingface(tiny(kv_heads=4), tensors)


@pytest.mark.parametrize(("heads", "kv_heads"), [(3, 3), (4, 3), (32, 32)])
def test_sizes_that_do_not_fit_are_refused(heads: int, kv_heads: int) -> None:
    with pytest.raises(InputError):
        Shape(vocabulary=97, width=32, layers=2, heads=heads, kv_heads=kv_heads, ffn=64, context=24)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("tied", [True, False])
def test_transformers_opens_a_checkpoint_and_gives_the_same_logits(tmp_path, tokenizer, kv_heads, tied) -> None:
    transformers = pytest.importorskip("transformers")
    model = tiny(kv_heads, tied)
    write_model(tmp_path, model, tokenizer, {})
    theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    tokens = ids(3, 24)
    with torch.no_grad():
        assert torch.allclose(model.logits(model(tokens)), theirs(tokens).logits, atol=1e-5)
