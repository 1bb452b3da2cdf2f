"""Checkpoints: folders of safetensors and JSON that either are whole or do not count.

A checkpoint is written into a temporary folder, synced, given a manifest with the sha256 of its files, and renamed into
place; the pointer file ``latest`` follows, then all but the newest two are removed. Reading verifies every hash: a
damaged one is passed over, with a warning, for the one before. The model is stored as Hugging Face's Llama is, with
config.json and tokenizer, so every checkpoint is also a model to generate from, to start from, or to hand to
transformers. No pickle anywhere.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from dataengine.errors import InputError, RunFailed
from dataengine.tokens import MODEL_FILE, Tokenizer
from trainer.files import sha256, sync, write_json
from trainer.model import Decoder, from_huggingface, huggingface_config, shape_of, to_huggingface

KEPT = 2
WEIGHTS, CONFIG, TRAINING, MANIFEST = "model.safetensors", "config.json", "training.json", "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on as if it had never stopped."""

    step: int
    state: dict[str, Any]
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    random: Tensor
    """PyTorch's generator, uint8."""


def write_model(folder: Path, model: Decoder, tokenizer: Tokenizer, training: dict[str, Any]) -> None:
    """model.safetensors, config.json, tokenizer.model and training.json into `folder`."""
    save_file(to_huggingface(model), folder / WEIGHTS, metadata={"format": "pt"})
    config = huggingface_config(model.shape, bos=tokenizer.bos, eos=tokenizer.eos, pad=tokenizer.pad)
    write_json(folder / CONFIG, config)
    (folder / MODEL_FILE).write_bytes(tokenizer.model)
    write_json(folder / TRAINING, training)


def read_model(folder: Path, compute: torch.dtype | None = None) -> tuple[Decoder, Tokenizer, dict[str, Any]]:
    """A model, its tokenizer and its ``training.json``. Raises InputError where a part is missing or damaged.

    It computes in the type it was trained with, unless `compute` says otherwise.
    """
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        training = json.loads((folder / TRAINING).read_bytes()) if (folder / TRAINING).exists() else {}
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"this is no checkpoint: {error}", where=str(folder),
                         expected=f"a folder with {WEIGHTS}, {CONFIG} and {MODEL_FILE}") from error
    compute = compute or getattr(torch, training.get("precision", "float32"))
    return from_huggingface(Decoder(shape_of(config), compute), tensors), Tokenizer.load(folder / MODEL_FILE), training


def save(folder: Path, step: int, *, write_model: Callable[[Path], None], optimizer: dict[str, Tensor], random: Tensor,
         state: dict[str, Any]) -> Path:
    """Commit a checkpoint as ``folder/step-00000200`` and return that path. `write_model` writes the model's files.

    Raises RunFailed where the disk refuses; the checkpoints before it are as they were.
    """
    final = folder / f"step-{step:08d}"
    temporary = folder / f"tmp-{final.name}-{os.getpid()}"
    try:
        temporary.mkdir(parents=True)
        write_model(temporary)
        save_file(optimizer, temporary / "optimizer.safetensors")
        save_file({"random": random}, temporary / "random.safetensors")
        write_json(temporary / "state.json", state)
        _seal(temporary, step)
        if final.exists():  # damaged: a whole one would have been resumed from
            shutil.rmtree(final)
        temporary.rename(final)
        sync(folder)
        write_json(folder / "latest", final.name)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise RunFailed(f"cannot write the checkpoint of step {step}: {error}", where=str(folder),
                        expected="room on the disk; the run goes on from the checkpoint before") from error
    for old in _steps(folder)[KEPT:]:
        shutil.rmtree(old)
    return final


def _seal(folder: Path, step: int) -> None:
    """The manifest, last, over files that are safe on the disk."""
    files = sorted(folder.iterdir())
    for file in files:
        sync(file)
    write_json(folder / MANIFEST, {"step": step, "files": {file.name: sha256(file) for file in files}})


def newest(folder: Path, warn: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint, or None. Leftovers of a killed run are removed."""
    for rubbish in folder.glob("tmp-*"):
        shutil.rmtree(rubbish)
    for step in _steps(folder):
        fault = _fault(step)
        if fault is None:
            return Checkpoint(
                step=int(step.name.split("-")[1]), state=json.loads((step / "state.json").read_bytes()),
                model=load_file(step / WEIGHTS), optimizer=load_file(step / "optimizer.safetensors"),
                random=load_file(step / "random.safetensors")["random"],
            )
        warn(f"{step}: {fault}; going back to the checkpoint before it")
    return None


def _steps(folder: Path) -> list[Path]:
    """Checkpoints, newest first."""
    return sorted(folder.glob("step-*"), reverse=True)


def _fault(step: Path) -> str | None:
    """What is wrong with a checkpoint, in words; None where every file is as its manifest says."""
    try:
        files = json.loads((step / MANIFEST).read_bytes())["files"]
        wrong = [name for name, digest in files.items() if sha256(step / name) != digest]
    except (OSError, ValueError, KeyError) as error:
        return f"the checkpoint is incomplete ({error})"
    return f"{', '.join(wrong)} changed after it was written" if wrong else None
