"""Small corpora as token shards and a mixture.json, the way the engine leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_languages import stories, sums

from dataengine.learn_tokenizer import learn
from dataengine.tokens import MODEL_FILE, Tokenizer, TokenWriter


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    chats = [message["content"] for chat in sums(100, 1) for message in chat]
    learn([*stories(300, 1), *chats], folder, vocabulary=320, kind="bpe", sample_bytes=1 << 20)
    return Tokenizer.load(folder / MODEL_FILE)


Write = Callable[..., Path]


@pytest.fixture
def write_mixture(tokenizer: Tokenizer) -> Write:
    """(folder, {source: shards of documents}, ...) -> path of mixture.json."""

    def shard(path: Path, documents: Sequence[Any], kind: str) -> tuple[int, int]:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TokenWriter(path, vocabulary=tokenizer.vocabulary, masks=kind == "messages") as writer:
            for document in documents:
                if kind == "messages":
                    writer.append(*tokenizer.encode_chat(document))
                else:
                    writer.append(tokenizer.encode([document], eos=True)[0])
        return writer.tokens, sum(len(str(document).encode()) for document in documents)

    def write(
        folder: Path, sources: Mapping[str, Sequence[Sequence[Any]]], *,
        heldout: Mapping[str, Sequence[Any]] | None = None,
        weights: Mapping[str, float] | None = None, kind: str = "text", tokens: int | None = None, seed: int = 7,
        max_epochs: float = 1.0,
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MODEL_FILE).write_bytes(tokenizer.model)
        rows = []
        for name, parts in sources.items():
            shards = []
            for i, documents in enumerate(parts):
                train, _ = shard(folder / "tokens" / f"{name}-{i}", documents, kind)
                held = list((heldout or {}).get(name, ())) if i == 0 else []
                held_tokens, held_bytes = shard(folder / "tokens" / f"{name}-{i}.heldout", held, kind)
                shards.append({"train": f"tokens/{name}-{i}", "heldout": f"tokens/{name}-{i}.heldout",
                               "train_tokens": train, "heldout_tokens": held_tokens, "heldout_bytes": held_bytes})
            rows.append({"name": name, "weight": (weights or {}).get(name), "max_epochs": max_epochs, "shards": shards})
        path = folder / "mixture.json"
        path.write_text(json.dumps({
            "format": 1, "name": "broad", "seed": seed, "tokenizer": MODEL_FILE, "vocabulary": tokenizer.vocabulary,
            "kind": kind, "tokens": tokens, "sources": rows}))
        return path

    return write


@pytest.fixture
def write_config() -> Callable[..., Path]:
    """(folder, mixture path, overrides) -> path of a config for a model of 2 layers of width 32."""

    def write(folder: Path, mixture: Path, **more: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        config = {"name": "tiny", "objective": "next_token", "mixture": str(mixture), "sequence_length": 32,
                  "batch_size": 8, "model": {"width": 32, "layers": 2, "heads": 2}, "learning_rate": 1e-2,
                  "save_every": 5, "threads": 1} | more
        path = folder / "config.json"
        path.write_text(json.dumps(config))
        return path

    return write
