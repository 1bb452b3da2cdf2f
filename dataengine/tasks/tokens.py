"""Text -> token shards, and token shards -> a mixture that a trainer can draw from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dataengine import shards, token_columns
from dataengine.errors import RunFailed
from dataengine.kernels.buffers import utf8
from dataengine.tasks import Job, blank
from dataengine.tokens import Tokenizer, TokenWriter

PROVENANCE = {"id": "string", "part": "string", "document": "int64", "tokens": "int64", "bytes": "int64"}
"""``docs.parquet``: where in the token shards a document is; `document` is its index in ``train`` or ``heldout``."""


def shares_of(identities: pa.Array) -> np.ndarray:
    """A number in [0, 1) for each document that depends on its id alone: the first 32 bits. float64, shape (n,)."""
    data, offsets = utf8(identities)
    digits = data[offsets[:-1, None] + np.arange(8)]  # "0" to "9" and "a" to "f"
    values = (digits & 15) + 9 * (digits >> 6)
    return values @ 16.0 ** np.arange(-1, -9, -1)


def tokens(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """Token shards ``train`` and ``heldout`` of one shard of rows; ``docs.parquet`` to find the documents again."""
    body = job.body
    chat = body["format"] == "messages"
    tokenizer = Tokenizer.load(job.folder(body["tokenizer"]) / "tokenizer.model")
    manifest = blank(job)
    account = shards.Account(f"tokens.{job.segment.split('.')[1]}", job.segment.split(".")[1], "tokens")
    heldout_bytes = 0
    schema = shards.arrow_schema(PROVENANCE)
    column, encode = ("messages", token_columns.conversations) if chat else ("text", token_columns.texts)
    with (
        TokenWriter(staging / "train", vocabulary=tokenizer.vocabulary, masks=chat) as train,
        TokenWriter(staging / "heldout", vocabulary=tokenizer.vocabulary, masks=chat) as heldout,
        pq.ParquetWriter(staging / "docs.parquet", schema, compression="zstd", write_page_checksum=True) as provenance,
    ):
        for batch in shards.read_batches(job.folder(body["parent"]) / shards.KEPT, columns=["id", column]):
            made = encode(tokenizer, batch[column])
            held = shares_of(batch["id"]) < body["heldout"]
            places = np.where(
                held, np.cumsum(held) + len(heldout.lengths), np.cumsum(~held) + len(train.lengths)
            ) - 1
            _append(train, made, ~held)
            _append(heldout, made, held)
            parts = pa.array(["train", "heldout"]).take(pa.array(held.astype(np.int8)))
            cells = [batch["id"], parts, pa.array(places), pa.array(np.diff(made.bounds)), pa.array(made.sizes)]
            provenance.write_batch(pa.RecordBatch.from_arrays(cells, schema=schema))
            account.rows_in += batch.num_rows
            account.bytes_in += int(made.sizes.sum())
            heldout_bytes += int(made.sizes[held].sum())
    account.rows_kept, account.bytes_out = account.rows_in, account.bytes_in
    figures = {
        "train_tokens": train.tokens, "heldout_tokens": heldout.tokens, "heldout_bytes": heldout_bytes,
        "train_documents": len(train.lengths), "heldout_documents": len(heldout.lengths),
    }
    manifest.accounts, manifest.figures = [account], {name: float(value) for name, value in figures.items()}
    return manifest


def _append(writer: TokenWriter, made: token_columns.Column, which: np.ndarray) -> None:
    """Those of a batch's documents that are chosen by `which`, bool, one per document."""
    lengths = np.diff(made.bounds)
    if not which.all():
        tokens = np.repeat(which, lengths)
        made = made._replace(ids=made.ids[tokens], mask=None if made.mask is None else made.mask[tokens])
    writer.append_all(made.ids, lengths[which], made.mask)


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
