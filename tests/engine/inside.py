"""Runs in this process, so that a test sees which stages were called: tiny stages, a recipe of one lane, a driver."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataengine import going_on, shards, stage
from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine.plan import Plan
from dataengine.stage import Rule, StageConfig
from dataengine.tasks import Job, execute
from tests.engine.projects import documents

CALLS: list[str] = []
"""Which stage was called, by the name in its config."""


class Config(StageConfig):
    name: str = ""
    """What it is called in `CALLS`."""
    least: int = 0
    """A threshold."""


def called(batch: pa.RecordBatch, config: Config) -> None:
    assert not [name for name in batch.schema.names if shards.hidden(name)], "stages see no columns of the engine"
    if batch["text"][0].as_py() != "One row to begin with.\n":
        CALLS.append(config.name)


@stage.filter(reads=["text"], measures={"size": "int64"}, rules=[Rule("too_short", "size", "<", "least")], version=1)
def sized(batch: pa.RecordBatch, config: Config) -> dict:
    called(batch, config)
    return {"size": pc.utf8_length(batch["text"]).cast("int64")}


@stage.filter(reads=["text"], measures={"size": "int64"}, rules=[Rule("few_e", "size", "<", "least")], version=1)
def vowels(batch: pa.RecordBatch, config: Config) -> dict:
    """Measures under the same name as `sized`."""
    called(batch, config)
    return {"size": pc.count_substring(batch["text"], "e").cast("int64")}


@stage.map(reads=["text"], adds={"first": "string"}, refuses=("odd",), version=1)
def fussy(batch: pa.RecordBatch, config: Config) -> dict:
    """Refuses every text with `glass` at its beginning, raises on those with `river`."""
    called(batch, config)
    words = [text.split()[0] for text in batch["text"].to_pylist()]
    if "river" in words and config.least == 0:
        raise ValueError("a river")
    return {"first": words, "refused": ["odd" if word == "glass" else None for word in words]}


@stage.map(reads=["text"], adds={"text": "string"}, version=1)
def shout(batch: pa.RecordBatch, config: Config) -> dict:
    called(batch, config)
    return {"text": pc.utf8_upper(batch["text"])}


@stage.expand(reads=["text"], adds={"text": "string", "number": "int64"}, version=1)
def pieces(batch: pa.RecordBatch, config: Config) -> tuple[dict, np.ndarray]:
    """Pieces of 40 words; a text of fewer has none."""
    called(batch, config)
    texts, parents, numbers = [], [], []
    for row, text in enumerate(batch["text"].to_pylist()):
        words = text.split()
        for number in range(len(words) // 40):
            texts.append(" ".join(words[number * 40 : number * 40 + 40]))
            parents.append(row)
            numbers.append(number)
    return {"text": texts, "number": numbers}, np.array(parents, np.int64)


class Point:
    """What an entry point is to the registry."""

    def __init__(self, target: stage.Stage) -> None:
        self.target = target

    def load(self) -> stage.Stage:
        return self.target


@contextmanager
def installed() -> Iterator[None]:
    """The stages above, under the names ``map.sized`` and so on, beside those of the package."""
    ours = {f"map.{made.function.__name__}": Point(made) for made in (sized, vowels, fussy, shout, pieces)}
    stage.load.cache_clear()
    with mock.patch.object(stage, "plugin_targets", lambda: ours):
        yield
    stage.load.cache_clear()


READ = ("read.jsonl", {"paths": "docs.jsonl"})


def recipe(folder: Path, blocks: list[tuple[str, dict]], run: str = "") -> Path:
    """A recipe of one lane. A block's name in `CALLS` is its number."""
    folder.mkdir(exist_ok=True)
    if not (folder / "docs.jsonl").exists():
        rows = [json.dumps(row) for row in documents(2500, seed=3)]
        rng = random.Random(5)
        for _ in range(40):
            rows.insert(rng.randrange(len(rows)), "{broken")
        (folder / "docs.jsonl").write_text("\n".join(rows) + "\n")
    lines = ['name = "going"', "[run]", 'split_bytes = "800kB"', run]
    for number, (name, config) in enumerate(blocks):
        own = {"name": f"{name} {number}"} if name.startswith("map.") else {}
        lines += ["[[data.web]]", f'stage = "{name}"']
        lines += [f"{key} = {json.dumps(value)}" for key, value in (own | config).items()]
    (folder / "recipe.toml").write_text("\n".join(lines) + "\n")
    return folder / "recipe.toml"


def do(path: Path, out: Path) -> Plan:
    """Run what is to do, in this process; `CALLS` then says which stages that took."""
    CALLS.clear()
    plan = plans.make(recipes.load(path), out)
    starts = going_on.starts(plan)
    (out / "tmp").mkdir(parents=True, exist_ok=True)
    going_on.remember(plan)
    shards.replace_atomically(out / "run.json", json.dumps(plan.record("complete")))
    for task in plan.to_do:
        start = starts.get(task.ref.address)
        stored = (start.segment, start.address, start.step) if start else None
        inputs = [ref.address for ref in task.inputs]
        execute(Job(out, task.ref.segment, task.ref.address, task.kind, inputs, task.body, stored=stored),
                lambda batch, row: None)
    return plan


def result(plan: Plan) -> dict[str, object]:
    """Everything that the plan's tasks committed, but times."""
    found = {}
    for task in plan.tasks:
        manifest = shards.read_manifest(task.ref.folder(plan.out))
        for account in manifest.accounts:
            account.seconds = 0.0
        found[f"{task.ref.segment}/{task.ref.address}"] = (manifest.files, manifest.accounts, manifest.inputs)
    return found
