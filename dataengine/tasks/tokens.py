"""Text -> token shards, and token shards -> a mixture that a trainer can draw from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataengine import shards
from dataengine.errors import RunFailed
from dataengine.tasks import Job, blank
from dataengine.tokens import Tokenizer, TokenWriter

PROVENANCE = {"id": "string", "part": "string", "document": "int64", "tokens": "int64", "bytes": "int64"}
"""``docs.parquet``: where in the token shards a document is; `document` is its index in ``train`` or ``heldout``."""


def share_of(identity: str) -> float:
    """A number in [0, 1) that depends on the document's id alone: its first 32 bits."""
    return int(identity[:8], 16) / 2**32


def tokens(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """Token shards ``train`` and ``heldout`` of one shard of rows; ``docs.parquet`` to find the documents again."""
    body = job.body
    chat = body["format"] == "messages"
    tokenizer = Tokenizer.load(job.folder(body["tokenizer"]) / "tokenizer.model")
    manifest = blank(job)
    account = shards.Account(f"tokens.{job.segment.split('.')[1]}", job.segment.split(".")[1], "tokens")
    figures = dict.fromkeys(
        ("train_tokens", "heldout_tokens", "heldout_bytes", "train_documents", "heldout_documents"), 0.0
    )
    schema = shards.arrow_schema(PROVENANCE)
    column = "messages" if chat else "text"
    with (
        TokenWriter(staging / "train", vocabulary=tokenizer.vocabulary, masks=chat) as train,
        TokenWriter(staging / "heldout", vocabulary=tokenizer.vocabulary, masks=chat) as heldout,
        pq.ParquetWriter(staging / "docs.parquet", schema, compression="zstd", write_page_checksum=True) as provenance,
    ):
        parts = {"train": train, "heldout": heldout}
        for batch in shards.read_batches(job.folder(body["parent"]) / shards.KEPT, columns=["id", column]):
            rows: dict[str, list[Any]] = {name: [] for name in PROVENANCE}
            values = [value or ([] if chat else "") for value in batch[column].to_pylist()]
            encoded = (
                [tokenizer.encode_chat(value) for value in values]
                if chat
                else [(ids, None) for ids in tokenizer.encode(values, eos=True)]
            )
            for identity, value, (ids, mask) in zip(batch["id"].to_pylist(), values, encoded, strict=True):
                part = "heldout" if share_of(identity) < body["heldout"] else "train"
                size = answer_bytes(value) if chat else len(value.encode())
                for name, cell in zip(
                    PROVENANCE, (identity, part, len(parts[part].lengths), len(ids), size), strict=True
                ):
                    rows[name].append(cell)
                parts[part].append(ids, mask)
                figures[f"{part}_tokens"] += len(ids)
                figures[f"{part}_documents"] += 1
                figures["heldout_bytes"] += size if part == "heldout" else 0
                account.bytes_in += size
            account.rows_in += batch.num_rows
            provenance.write_batch(pa.RecordBatch.from_pydict(rows, schema=schema))
    account.rows_kept, account.bytes_out = account.rows_in, account.bytes_in
    manifest.accounts, manifest.figures = [account], figures
    return manifest


def answer_bytes(messages: list[Mapping[str, str]]) -> int:
    """Bytes of what the assistant says: what a loss over a conversation is measured against."""
    return sum(len(message["content"].encode()) for message in messages if message["role"] == "assistant")


def mix(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """``mixture.json``: weights and shards by source, all paths relative to it, so that a run can be moved."""
    body, config = job.body, job.body["config"]
    tokenizer = job.folder(body["tokenizer"]) / "tokenizer.model"
    sources: dict[str, list[dict[str, Any]]] = {}
    for segment, address, source in body["shards"]:
        figures = shards.read_manifest(job.folder([segment, address])).figures
        base = f"../../{segment}/{address}"
        sources.setdefault(source, []).append(
            {"train": f"{base}/train", "heldout": f"{base}/heldout"}
            | {name: int(figures[name]) for name in ("train_tokens", "heldout_tokens", "heldout_bytes")}
        )
    weights, epochs = config["weights"], config["max_epochs"]
    for source, found in sources.items():
        if weights.get(source) and not sum(shard["train_tokens"] for shard in found):
            raise RunFailed(
                f'source "{source}" has a weight, but nothing of it was left to train on',
                where=body["name"],
                expected="documents that pass the steps before",
                write=f'look at `dataengine status`, or take "{source}" out of weights',
            )
    data = {
        "format": 1,
        "name": body["name"].removeprefix("mix."),
        "seed": body["seed"],
        "kind": config["format"],
        "tokens": config["tokens"],
        "tokenizer": f"../../{body['tokenizer'][0]}/{body['tokenizer'][1]}/tokenizer.model",
        "vocabulary": Tokenizer.load(tokenizer).vocabulary,
        "sources": [
            {
                "name": source,
                "weight": weights.get(source, 0.0) if weights else None,
                "max_epochs": epochs.get(source, 1.0),
                "shards": found,
            }
            for source, found in sources.items()
        ],
    }
    (staging / "mixture.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    manifest = blank(job)
    manifest.figures = {
        f"{name}.{figure}": float(value)
        for name, figures in _totals(data["sources"]).items()
        for figure, value in figures.items()
    }
    return manifest


def _totals(sources: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Tokens and held-out bytes by source."""
    return {
        source["name"]: {
            name: sum(shard[name] for shard in source["shards"])
            for name in ("train_tokens", "heldout_tokens", "heldout_bytes")
        }
        for source in sources
    }
