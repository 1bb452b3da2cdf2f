"""Tasks that learn something small from whole lanes: a quality classifier, a tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from dataengine import shards
from dataengine.errors import RunFailed
from dataengine.tasks import Job, blank
from dataengine.tasks.tokens import shares_of


def classifier(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """Train ``model.bin`` on documents of two sets of lanes; precision and recall on held-out ones are its figures."""
    from dataengine.classifier import train
    from dataengine.tables import ClassifierConfig

    config = ClassifierConfig.model_validate(job.body["config"])
    manifest = blank(job)
    manifest.figures = train(
        documents(job, job.body["positive"]), documents(job, job.body["negative"]), config, staging
    )
    return manifest


def tokenizer(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """``tokenizer.model``: a copy of the one there is, or learnt from documents of the lanes.

    The documents are chosen by their ids' hash, so that all lanes have a say.
    """
    if "model" in job.body:
        return _given_tokenizer(job, staging)
    from dataengine.learn_tokenizer import learn
    from dataengine.tables import TokenizerConfig

    config = TokenizerConfig.model_validate(job.body["config"])
    places = job.body["parents"]
    total = sum(
        account.bytes_out for place in places for account in shards.read_manifest(job.folder(place)).accounts[-1:]
    )
    share = 1.1 * config.sample_bytes / max(total, 1)
    texts = (text for _, text in documents(job, places, share))
    manifest = blank(job)
    manifest.figures = learn(
        texts, staging, vocabulary=config.vocabulary, kind=config.kind, sample_bytes=config.sample_bytes
    )
    return manifest


def _given_tokenizer(job: Job, staging: Path) -> shards.Manifest:
    """Copy a model that is still what the plan has seen."""
    from dataengine.tokens import MODEL_FILE, Tokenizer

    given = Tokenizer.load(Path(job.body["model"]))
    if hashlib.sha256(given.model).hexdigest() != job.body["sha256"]:
        raise RunFailed("the tokenizer has changed since the run began", where=job.body["model"], write="run it again")
    (staging / MODEL_FILE).write_bytes(given.model)
    manifest = blank(job)
    manifest.figures = {"vocabulary": given.vocabulary}
    return manifest


def documents(job: Job, places: list[list[str]], share: float = 1.0) -> Iterator[tuple[str, str]]:
    """(id, text) of the rows of these tasks, in order: of all, or of a share that is chosen by the ids' hash."""
    for place in places:
        for batch in shards.read_batches(job.folder(place) / shards.KEPT, columns=["id", "text"]):
            if share < 1:
                batch = batch.filter(pa.array(shares_of(batch["id"]) < share))
            yield from zip(batch["id"].to_pylist(), (text or "" for text in batch["text"].to_pylist()), strict=True)
