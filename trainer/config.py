"""What ``trainer train`` reads: one JSON file. Paths in it are relative to the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from dataengine.errors import InputError


class ModelConfig(BaseModel):
    """The model's sizes; not looked at where training starts from a checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: PositiveInt = 128
    layers: PositiveInt = 4
    heads: PositiveInt = 4
    kv_heads: PositiveInt | None = None
    """Key-value heads, shared by groups of heads; null: one for each."""
    ffn: PositiveInt | None = None
    """Inner width of the feed-forward layers; null: 8/3 of the width."""
    tied: bool = True
    """Whether embeddings and head are one matrix."""


class TrainConfig(BaseModel):
    """A training run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    objective: Literal["next_token", "sft"]
    mixture: str
    """Path of a mixture.json."""
    model: ModelConfig = ModelConfig()
    init: str | None = None
    """Path of a checkpoint's folder to start from; null: fresh weights."""
    sequence_length: PositiveInt = 256
    batch_size: PositiveInt = 16
    learning_rate: float = Field(3e-3, gt=0)
    """The highest."""
    warmup: float = Field(0.05, ge=0, le=1)
    """Share of the steps over which the rate rises."""
    decay: Literal["cosine", "linear"] = "cosine"
    floor: float = Field(0.1, ge=0, le=1)
    """What is left of the rate at the end."""
    weight_decay: float = Field(0.1, ge=0)
    clip: float = Field(1.0, gt=0)
    """Largest norm of the gradient."""
    save_every: PositiveInt = 200
    """Steps between checkpoints."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the products; weights and optimizer are float32 always."""
    threads: PositiveInt | None = None
    """null: as many as there are cores. Another number may change the last bits of a result."""
    seed: int = Field(0, ge=0)
    prompts: tuple[str, ...] = ()
    """Continued at the end, into result.json."""
    sample_tokens: int = Field(64, ge=0)
    sample_temperature: float = Field(0.7, ge=0)

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """Raises InputError that names every wrong field."""
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise InputError(f"cannot read the config: {error.strerror}", where=str(path)) from error
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}" for fault in error.errors()]
            raise InputError("; ".join(faults), where=str(path)) from error

    def meaning(self) -> str:
        """The config as text, without what may change while a run is half done."""
        free = {"mixture", "init", "save_every", "threads", "prompts", "sample_tokens", "sample_temperature"}
        return json.dumps(self.model_dump(mode="json", exclude=free), sort_keys=True)
