"""A Llama-style decoder: RMSNorm, rotary positions, SwiGLU, grouped queries, tied or untied embeddings.

Queries, keys and values come from one matrix, gate and up from another: fewer, larger products. On disk they are apart,
under the names of Hugging Face's ``LlamaForCausalLM``, with its half-split rotation, so export permutes nothing.

Weights are kept in float32; `Decoder.compute` is the type they are cast to for the products (bfloat16 is about twice as
fast on a CPU that has it). Initial weights: embeddings and head normal with deviation 0.02; matrices normal with
deviation 1 / sqrt(fan in), those that write to the residual stream divided by sqrt(2 layers); norms 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dataengine.errors import InputError
from trainer.attention import attend


@dataclass(frozen=True)
class Shape:
    """The sizes that make a model."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    context: int
    """Longest window it was trained on."""
    tied: bool = True
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise InputError(f"a width of {self.width} cannot be cut into {self.heads} heads of an even size",
                             where="model", expected="width divisible by 2 x heads")
        if self.heads % self.kv_heads:
            raise InputError(f"{self.heads} heads cannot share {self.kv_heads} key-value heads", where="model",
                             expected="kv_heads that divides heads")

    @property
    def head_size(self) -> int:
        return self.width // self.heads


def default_ffn(width: int) -> int:
    """8/3 of the width, as Llama has it, rounded up to a multiple of 32."""
    return 32 * math.ceil(width * 8 / 3 / 32)


@dataclass
class Cache:
    """Keys and values of the positions seen so far, per layer, (B, G, T, D)."""

    keys: list[Tensor]
    values: list[Tensor]

    @classmethod
    def empty(cls, layers: int) -> Cache:
        return cls([torch.empty(0)] * layers, [torch.empty(0)] * layers)

    @property
    def length(self) -> int:
        return self.keys[0].shape[2] if self.keys[0].dim() == 4 else 0

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if self.keys[layer].dim() == 4:
            k, v = torch.cat((self.keys[layer], k), dim=2), torch.cat((self.values[layer], v), dim=2)
        self.keys[layer], self.values[layer] = k, v
        return k, v


class Block(nn.Module):
    """Attention, then SwiGLU, each on normed input and added to the residual stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        inner = shape.head_size * (shape.heads + 2 * shape.kv_heads)
        self.norm_attention = nn.Parameter(torch.ones(shape.width))
        self.qkv = nn.Parameter(torch.empty(inner, shape.width))
        self.out = nn.Parameter(torch.empty(shape.width, shape.width))
        self.norm_ffn = nn.Parameter(torch.ones(shape.width))
        self.gate_up = nn.Parameter(torch.empty(2 * shape.ffn, shape.width))
        self.down = nn.Parameter(torch.empty(shape.width, shape.ffn))

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], allowed: Tensor | None, cache: Cache | None,
                layer: int) -> Tensor:
        x = x + self._attention(norm(x, self.norm_attention, self.shape.norm_eps), rotation, allowed, cache, layer)
        gate, up = linear(norm(x, self.norm_ffn, self.shape.norm_eps), self.gate_up).chunk(2, dim=-1)
        return x + linear(F.silu(gate) * up, self.down)

    def _attention(self, x: Tensor, rotation: tuple[Tensor, Tensor], allowed: Tensor | None, cache: Cache | None,
                   layer: int) -> Tensor:
        heads, groups, size = self.shape.heads, self.shape.kv_heads, self.shape.head_size
        qkv = linear(x, self.qkv).unflatten(-1, (heads + 2 * groups, size)).transpose(1, 2)
        qk, v = qkv[:, :heads + groups], qkv[:, heads + groups:]
        q, k = rotate(qk, *rotation).split((heads, groups), dim=1)
        if cache is not None:
            k, v = cache.extend(layer, k, v)
        return linear(attend(q, k, v, allowed).transpose(1, 2).flatten(-2), self.out)


class Decoder(nn.Module):
    """Ids (B, T) to hidden states (B, T, width); logits are `logits` of them, so that a loss can go by chunks."""

    def __init__(self, shape: Shape, compute: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.shape, self.compute = shape, compute
        self.embedding = nn.Parameter(torch.empty(shape.vocabulary, shape.width))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.ones(shape.width))
        self.untied_head = None if shape.tied else nn.Parameter(torch.empty(shape.vocabulary, shape.width))
        self._rotation: tuple[Tensor, Tensor] | None = None

    @property
    def head(self) -> Tensor:
        """The matrix (vocabulary, width) that makes logits."""
        return self.embedding if self.untied_head is None else self.untied_head

    def forward(self, ids: Tensor, documents: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """Hidden states after the last norm, in the compute type.

        `documents` (B, T), or with a cache (B, seen + T), numbers the document of each position: a position sees only
        its own document's past. None: everything before it. Positions count from the window's start; rotary
        positions are relative, so a document inside a window needs no count of its own.
        """
        seen = cache.length if cache is not None else 0
        rotation = self._rotations(seen, ids.shape[1])
        allowed = _allowed(documents, seen, ids.shape[1])
        x = F.embedding(ids, self.embedding).to(self.compute)
        for layer, block in enumerate(self.blocks):
            x = block(x, rotation, allowed, cache, layer)
        return norm(x, self.norm, self.shape.norm_eps)

    def logits(self, hidden: Tensor) -> Tensor:
        """Float32 logits (..., vocabulary)."""
        return linear(hidden, self.head).float()

    def _rotations(self, start: int, count: int) -> tuple[Tensor, Tensor]:
        end = start + count
        if self._rotation is None or len(self._rotation[0]) < end:
            self._rotation = rotations(max(end, self.shape.context), self.shape.head_size, self.shape.rope_theta,
                                       self.compute)
        cos, sin = self._rotation
        return cos[start:end], sin[start:end]


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """x times the matrix, in the type of x."""
    return F.linear(x, weight.to(x.dtype))


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """RMSNorm in the type of x."""
    return F.rms_norm(x, weight.shape, weight.to(x.dtype), eps)


def rotations(count: int, size: int, theta: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines (count, size) of the rotary positions (arXiv:2104.09864), halves alike."""
    frequency = theta ** -(torch.arange(0, size, 2).float() / size)
    angle = torch.outer(torch.arange(count).float(), frequency).repeat(1, 2)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + size / 2) by its position's angle: Hugging Face's layout."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


def _allowed(documents: Tensor | None, seen: int, count: int) -> Tensor | None:
    """bool (B, 1, count, seen + count): same document and not later. None stands for plainly causal."""
    if documents is None:
        if seen == 0:
            return None
        return torch.ones(count, seen + count, dtype=torch.bool).tril(seen)[None, None]
    causal = torch.ones(count, seen + count, dtype=torch.bool, device=documents.device).tril(seen)
    return (causal & (documents[:, seen:, None] == documents[:, None, :]))[:, None]


def initialise(model: Decoder, seed: int) -> Decoder:
    """Draw the weights, see the module's docstring."""
    generator = torch.Generator().manual_seed(seed)
    quiet = (2 * model.shape.layers) ** -0.5
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() < 2:
                continue
            deviation = 0.02 if name in ("embedding", "untied_head") else weight.shape[1] ** -0.5
            weight.normal_(0.0, deviation * (quiet if name.endswith((".out", ".down")) else 1.0), generator=generator)
    return model


def count_parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


# --- Hugging Face's names ---------------------------------------------------------------------------------------------

def _names(shape: Shape) -> dict[str, list[tuple[str, int]]]:
    """Our name -> Hugging Face's names with their rows, in the order in which we stack them."""
    q, kv = shape.width, shape.kv_heads * shape.head_size
    names = {"embedding": [("model.embed_tokens.weight", shape.vocabulary)],
             "norm": [("model.norm.weight", shape.width)]}
    if not shape.tied:
        names["untied_head"] = [("lm_head.weight", shape.vocabulary)]
    for i in range(shape.layers):
        ours, theirs = f"blocks.{i}", f"model.layers.{i}"
        names |= {
            f"{ours}.norm_attention": [(f"{theirs}.input_layernorm.weight", shape.width)],
            f"{ours}.qkv": [(f"{theirs}.self_attn.{part}_proj.weight", rows)
                            for part, rows in (("q", q), ("k", kv), ("v", kv))],
            f"{ours}.out": [(f"{theirs}.self_attn.o_proj.weight", shape.width)],
            f"{ours}.norm_ffn": [(f"{theirs}.post_attention_layernorm.weight", shape.width)],
            f"{ours}.gate_up": [(f"{theirs}.mlp.{part}_proj.weight", shape.ffn) for part in ("gate", "up")],
            f"{ours}.down": [(f"{theirs}.mlp.down_proj.weight", shape.width)],
        }
    return names


def to_huggingface(model: Decoder) -> dict[str, Tensor]:
    """The weights under the names of ``LlamaForCausalLM``, float32."""
    weights = dict(model.named_parameters())
    tensors = {}
    for ours, parts in _names(model.shape).items():
        pieces = weights[ours].detach().split([rows for _, rows in parts])
        tensors |= {name: piece.contiguous() for (name, _), piece in zip(parts, pieces, strict=True)}
    return tensors


def from_huggingface(model: Decoder, tensors: dict[str, Tensor]) -> Decoder:
    """Fill `model`. Raises InputError where a tensor is missing or has another shape."""
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for ours, parts in _names(model.shape).items():
            missing = [name for name, _ in parts if name not in tensors]
            if missing:
                raise InputError(f"the checkpoint lacks {', '.join(missing)}", expected="a Llama model of this shape")
            stacked = torch.cat([tensors[name].float() for name, _ in parts])
            if stacked.shape != weights[ours].shape:
                raise InputError(f"{parts[0][0]} has the shape {tuple(stacked.shape)}",
                                 expected=str(tuple(weights[ours].shape)))
            weights[ours].copy_(stacked)
    return model


def huggingface_config(shape: Shape, *, bos: int, eos: int, pad: int) -> dict[str, Any]:
    """``config.json`` of the exported model."""
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32", "dtype": "float32",
        "vocab_size": shape.vocabulary, "hidden_size": shape.width, "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size, "max_position_embeddings": shape.context, "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta, "rope_scaling": None, "tie_word_embeddings": shape.tied, "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0, "initializer_range": 0.02,
        "bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad, "use_cache": True,
    }


def shape_of(config: dict[str, Any]) -> Shape:
    """The shape that a ``config.json`` of Hugging Face's Llama describes. Raises InputError on another model."""
    try:
        return Shape(
            vocabulary=config["vocab_size"], width=config["hidden_size"], layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"], kv_heads=config["num_key_value_heads"],
            ffn=config["intermediate_size"], context=config["max_position_embeddings"],
            tied=config["tie_word_embeddings"], rope_theta=config["rope_theta"], norm_eps=config["rms_norm_eps"],
        )
    except KeyError as error:
        raise InputError(f"config.json lacks {error}", expected="the config of a LlamaForCausalLM") from error
