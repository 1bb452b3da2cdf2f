"""A ``train`` task: the bundled trainer, started as a process of its own.

Its checkpoints live in ``work/`` of the run, so that a killed training goes on where it was; what is committed is the
finished model.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dataengine import shards
from dataengine.errors import RunFailed
from dataengine.tasks import Job, blank
from dataengine.threads import THREAD_VARIABLES, die_with_parent


def train(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """Train to the end, or go on from the last checkpoint; commit ``final/``, ``metrics.jsonl`` and ``result.json``."""
    body = job.body
    work = job.run / "work" / job.address
    work.mkdir(parents=True, exist_ok=True)
    config = body["config"] | {
        "name": body["name"].removeprefix("train."),
        "seed": body["seed"],
        "mixture": str(job.folder(body["mix"]) / "mixture.json"),
        "init": str(job.folder(body["init"]) / "final") if body["init"] else None,
    }
    del config["mix"]
    shards.replace_atomically(work / "train.json", json.dumps(config, indent=1))
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    with (work / "log.txt").open("ab") as log:
        code = subprocess.run(
            [sys.executable, "-m", "trainer", "train", str(work / "train.json"), "--out", str(work)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            preexec_fn=die_with_parent,  # else a killed worker would leave a trainer behind, holding its folder
            check=False,
        ).returncode
    if code:
        tail = (work / "log.txt").read_text(encoding="utf-8", errors="replace")[-1500:]
        raise RunFailed(
            f"the trainer ended with exit code {code}:\n{tail}",
            where=body["name"],
            write=f"look at {work / 'log.txt'}; run again to go on from the last checkpoint",
        )
    shutil.copytree(work / "final", staging / "final")
    for name in ("metrics.jsonl", "result.json"):
        shutil.copy(work / name, staging / name)
    result = shards.load_json(staging / "result.json")
    manifest = blank(job)
    manifest.figures = {
        name: float(result[name])
        for name in ("steps", "tokens", "parameters", "loss_first", "loss_last")
        if result.get(name) is not None
    }
    for moment in ("before", "after"):
        manifest.figures |= {
            f"bits_per_byte_{moment}.{source}": float(bits)
            for source, bits in result[f"heldout_{moment}"].items()
            if bits is not None
        }
    return manifest
