"""The tables of a recipe beside its lanes: ``[classifier.NAME] [tokenizer] [mix.NAME] [train.NAME] [run]``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from dataengine.stage import StageConfig

_AMOUNT = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)
_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
          "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def _amount(given: Any, units: dict[str, int], noun: str) -> Any:
    """Text with a unit as an exact whole number; everything else as it is, for pydantic to judge."""
    if not isinstance(given, str):
        return given
    match = _AMOUNT.fullmatch(given.strip())
    if not match or match[2].lower() not in units:
        raise ValueError(f"the text {given[:60]!r} is no {noun}")
    amount = Decimal(match[1].replace("_", "")) * units[match[2].lower()]
    if amount != int(amount):
        raise ValueError(f"{given[:60]!r} is not a whole number")
    return int(amount)


def _size(given: Any) -> Any:
    return _amount(given, _SIZES, "size")


def _count(given: Any) -> Any:
    return _amount(given, _COUNTS, "count")


def _as_tuple(given: Any) -> Any:
    return (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else given


def _with_unit(example: str, units: str) -> WithJsonSchema:
    pattern = rf"^\s*[0-9][0-9_]*(\.[0-9]+)?\s*({units})\s*$"
    return WithJsonSchema({"anyOf": [
        {"type": "integer", "minimum": 1}, {"type": "string", "pattern": pattern, "examples": [example]},
    ]})


Size = Annotated[int, BeforeValidator(_size), Field(ge=1), _with_unit("20MB", "([kKmMgGtT][iI]?)?[bB]|")]
"""Bytes: a whole number, or text such as ``"20MB"`` (10^6 bytes) and ``"20MiB"`` (2^20 bytes)."""

Count = Annotated[int, BeforeValidator(_count), Field(ge=1), _with_unit("300M", "[kKmMbBtT]?")]
"""How many: a whole number, or text such as ``"1.5k"``, ``"300M"``, ``"20B"`` (10^9)."""

Lanes = Annotated[
    tuple[str, ...], Field(min_length=1),
    BeforeValidator(_as_tuple, json_schema_input_type=str | Annotated[list[str], Field(min_length=1)]),
]
"""Names of lanes; one name may stand without its brackets."""

Share = Annotated[float, Field(ge=0, le=1)]


class TableConfig(StageConfig):
    """Base of the tables: frozen, nothing beside the fields, no infinities."""

    model_config = ConfigDict(allow_inf_nan=False, defer_build=True)


class ClassifierConfig(TableConfig):
    """A fastText classifier learnt from two sets of lanes: text one wants more of, and text one does not."""

    positive: Lanes
    """Lanes whose text is wanted."""
    negative: Lanes
    """Lanes whose text is not."""
    holdout: float = Field(0.1, gt=0, lt=1)
    """Share of the documents kept from training, on which precision and recall are measured."""
    dimension: int = Field(16, ge=1, le=1000)
    """Width of a word vector."""
    epochs: int = Field(10, ge=1, le=1000)
    """Passes over the training documents."""
    learning_rate: float = Field(0.5, gt=0)
    """Step size at the start."""
    word_ngrams: int = Field(2, ge=1, le=10)
    """Longest run of words that counts as one feature."""
    buckets: int = Field(200_000, ge=1)
    """Hash slots of the n-grams; the model takes 4 x buckets x dimension bytes."""
    max_documents: int = Field(100_000, ge=1)
    """Most documents of each side, chosen by the hash of their ids."""


class TokenizerConfig(TableConfig):
    """A SentencePiece tokenizer: learnt from the recipe's own text, or one that there is."""

    learn_from: Lanes | None = None
    """Lanes whose text it learns from."""
    model: Annotated[str, Field(min_length=1, examples=["tokenizer.model"])] | None = None
    """In place of `learn_from`, a SentencePiece model of type bpe or unigram: ``tokenizer.model`` of an earlier run, or
    that of another language model. Its content, not its path, decides what is made again."""
    vocabulary: int = Field(32_768, ge=300, le=1_000_000)
    """Number of tokens, of which 256 are the bytes and some are special."""
    kind: Literal["bpe", "unigram"] = "bpe"
    """How pieces are chosen: merges of frequent pairs, or a unigram language model."""
    sample_bytes: Size = Field("20MB", validate_default=True)  # type: ignore[assignment]
    """How much text it learns from, chosen by the hash of the documents' ids."""


class MixConfig(TableConfig):
    """A mixture: how many tokens of each source a training run sees, and how often."""

    sources: Lanes = Field(alias="from")
    """Lanes whose documents are mixed."""
    tokens: Count | None = None
    """Budget in tokens; left out, everything is used as often as the weights allow."""
    by: Literal["source", "lane"] = "source"
    """What a source is: the lane that documents were born in, or the lane of `from` that gives them, such as the best
    tenth of another lane. Of lanes that share documents each gives its own."""
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field({})
    """Share of each source; need not add up to 1. Empty means by size."""
    max_epochs: dict[str, Annotated[float, Field(gt=0)]] = Field({})
    """How often a source may be repeated at most; 1 where nothing is said."""
    heldout: float = Field(0.02, ge=0, lt=1)
    """Share of the documents kept from training, on which the model is measured."""
    format: Literal["text", "messages"] = "text"
    """Whether the mixture is of plain text or of conversations."""

    @field_validator("weights")
    @classmethod
    def _some_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if weights and not any(weights.values()):
            raise ValueError("all weights are zero, so that nothing would be drawn")
        return weights


class ModelConfig(TableConfig):
    """The shape of a decoder."""

    width: int = Field(ge=2, le=65_536, examples=[512])
    """Size of the residual stream."""
    layers: int = Field(ge=1, le=1000, examples=[8])
    """Number of blocks."""
    heads: int = Field(ge=1, le=1024, examples=[8])
    """Attention heads; width / heads must be a whole, even number, because positions turn pairs of numbers."""
    kv_heads: int | None = Field(None, ge=1)
    """Heads of keys and values, a divisor of `heads`; as many as `heads` where nothing is said."""
    ffn: int | None = Field(None, ge=1)
    """Inner width of the feed-forward layer; chosen by the trainer where nothing is said."""

    @model_validator(mode="after")
    def _divisible(self) -> ModelConfig:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} does not divide into {self.heads} heads of an even size")
        if self.kv_heads and self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} kv_heads evenly")
        return self


class TrainConfig(TableConfig):
    """A training run of the bundled trainer over one mixture."""

    objective: Literal["next_token", "sft"] = "next_token"
    """The loss: every next token, or only what the assistant says in a conversation."""
    mix: str
    """The ``[mix.NAME]`` it learns from."""
    model: ModelConfig | str | None = None
    """The shape of the model, or a TOML file that holds one; left out, that of `init`. Loaded, it is the shape."""
    init: str | None = None
    """The ``[train.NAME]`` whose final weights it starts from; left out, from random weights."""
    sequence_length: int = Field(256, ge=2)
    """Tokens of one window."""
    batch_size: int = Field(16, ge=1)
    """Windows of one step."""
    learning_rate: float = Field(3e-3, gt=0)
    """Step size after the warmup."""
    warmup: Share = 0.05
    """Share of the steps over which the learning rate rises."""
    weight_decay: float = Field(0.1, ge=0)
    """Decay of the matrices towards zero."""
    clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    save_every: int = Field(200, ge=1)
    """Steps between two checkpoints."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the numbers in the forward pass. `bfloat16` takes two thirds of the time on a processor with instructions
    for it (AVX-512), and ten times as long on others."""
    threads: int | None = Field(None, ge=1)
    """Threads of the trainer; as many as there are cores where nothing is said."""
    prompts: tuple[str, ...] = ()
    """What the finished model is asked to continue, as a sample for the eye."""
    sample_tokens: int = Field(64, ge=1)
    """Length of each sample."""


class RunConfig(TableConfig):
    """How a run behaves on this machine, and how closely it is watched. Nothing here changes what is kept."""

    workers: int | None = Field(None, ge=1)
    """Processes; as many as there are cores where nothing is said."""
    memory_per_worker: Size = Field("2GB", validate_default=True)  # type: ignore[assignment]
    """Most memory of one process."""
    record_deadline: float = Field(20.0, gt=0)
    """Seconds of CPU that one record may take before it is quarantined; compiling what is run for the first time is not
    counted."""
    max_quarantined: Share = 0.05
    """Largest share of quarantined rows; beyond it the run ends with exit code 3."""
    split_bytes: Size = Field("32MB", validate_default=True)  # type: ignore[assignment]
    """About how much input one task reads."""
    audit: Share = 0.0
    """Share of the documents, such as 0.01, that every filter measures, dropped before or not: `dataengine audit` then
    shows whom each rule hits. Copies beside the data, which stays as it is. Turned on or off it has all made again."""
