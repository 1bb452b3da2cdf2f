"""A static embedding model of eight words, in the form of Model2Vec."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = ["[UNK]", "river", "stream", "stone", "rock", "sings", "runs", "the"]


def static_model(folder: Path, *, name: str = "embeddings", kind: str = "float32", quantized: bool = False) -> Path:
    """A model of eight words in which rivers are near streams and stones near rocks."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WordLevel({word: row for row, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer, tokenizer.normalizer = Whitespace(), Lowercase()
    tokenizer.save(str(folder / "tokenizer.json"))
    table = np.random.default_rng(0).normal(size=(8, 16)) * 20
    table[2], table[4], table[7] = table[1] * 1.01 + 0.5, table[3] * 0.99 - 0.5, table[7] / 20
    tensors = {name: np.clip(np.round(table), -127, 127).astype(kind)}
    if quantized:
        tensors["mapping"] = np.array([0, 1, 1, 3, 3, 5, 6, 7])
        tensors["weights"] = np.array([1, 1, 1, 1, 1, 0.5, 2, 0], "float32")
    save_file(tensors, folder / "model.safetensors")
    return folder / "model.safetensors"
