"""The choice among a lane's candidates in as little memory as one likes: groups, mapped files, one answer."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine import shards
from dataengine.tasks import Job
from dataengine.tasks.cluster import cluster
from dataengine.tasks.scratch import Scratch
from tests.gathering import gathered
from tests.stages.dedup.test_minhash import edited_families


def chain(length: int, seed: int = 3) -> list[str]:
    """Texts each much like the next, so that all hang together, in any order."""
    draw = random.Random(seed)
    words = [f"w{draw.randrange(10**6)}" for _ in range(100 + 4 * length)]
    texts = [" ".join(words[4 * number : 4 * number + 100]) for number in range(length)]
    draw.shuffle(texts)
    return texts


def corpus() -> list[str]:
    texts = edited_families(500, seed=21) + chain(200) + ["the very same text, word for word, again and again"] * 30
    random.Random(4).shuffle(texts)
    return texts


def figures(folder: Path) -> dict[str, float]:
    (place,) = (folder / "run/steps").glob("*.cluster/*")
    return shards.read_manifest(place).figures


@pytest.mark.parametrize(
    ("stage", "config"),
    [
        ("dedup.minhash", {}),
        ("dedup.minhash", {"clusters": "components"}),
        ("dedup.minhash", {"keep": "longest"}),
        ("dedup.minhash", {"verify": False}),
        ("dedup.exact", {"keep": "longest"}),
    ],
    ids=str,
)
def test_decisions_are_the_same_in_any_memory(tmp_path: Path, stage: str, config: dict[str, Any]) -> None:
    texts = corpus()
    plenty = gathered(tmp_path / "plenty", texts, stage, files=5, **config)
    assert figures(tmp_path / "plenty")["groups"] == 1 and len(plenty) > 25
    for memory in ("100kB", "3kB"):
        assert gathered(tmp_path / memory, texts, stage, files=5, run={"memory_per_worker": memory}, **config) == plenty
    few, many = figures(tmp_path / "100kB"), figures(tmp_path / "3kB")
    assert many["groups"] > 1 and (stage == "dedup.exact" or few["groups"] > 1)
    assert many | {"groups": 1} == figures(tmp_path / "plenty")


def test_a_corpus_against_an_index_is_decided_the_same_in_little_memory(tmp_path: Path) -> None:
    texts = corpus()
    gathered(tmp_path / "early", texts[:400], files=3, index="../index")
    found = [gathered(tmp_path / memory, texts[400:], files=3, against=["../index"], run={"memory_per_worker": memory})
             for memory in ("1GB", "3kB")]
    assert found[0] == found[1] and any(one.stays == -1 for one in found[0].values())
    assert figures(tmp_path / "3kB")["groups"] > 10


def test_what_is_held_is_a_share_of_the_memory_even_where_all_texts_hang_together(tmp_path: Path) -> None:
    gathered(tmp_path, chain(1500), files=10)
    plan = plans.make(recipes.load(tmp_path / "recipe.toml"), tmp_path / "run")
    task = next(task for task in plan.tasks if task.kind == "cluster")
    peaks, answers = {}, {}
    for memory in (1 << 30, 300_000):
        staging = tmp_path / str(memory)
        staging.mkdir()
        job = Job(plan.out, task.ref.segment, task.ref.address, task.kind, [], dict(task.body) | {"memory": memory})
        tracemalloc.start()
        found = cluster(job, staging, lambda batch, row: None)
        peaks[memory] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        answers[memory] = {path.name: path.read_bytes() for path in staging.iterdir()}
        assert found.figures["groups"] == 1 and found.figures["duplicates"] > 500
    assert answers[1 << 30] == answers[300_000] and set(answers[300_000]) == {"decisions.arrow", "ranges.npy"}
    assert peaks[1 << 30] > 1_000_000 > 600_000 > peaks[300_000]


def test_a_scratch_maps_what_does_not_fit_lets_go_of_it_and_leaves_nothing(tmp_path: Path) -> None:
    with Scratch(tmp_path, "s", memory=50_000, ceiling=0) as scratch:
        held, mapped = scratch.array(5_000, np.int64), scratch.array(5_000, np.int64)
        assert len(scratch.maps) == 1 and scratch.held == 40_000
        assert not held.any() and not mapped.any()
        held[:], mapped[:] = np.arange(5_000), np.arange(5_000)
        for _ in range(3):
            scratch.let_go()
            assert (mapped == held).all()
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
