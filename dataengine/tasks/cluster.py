"""A gather's last phase: who of the rows that share buckets goes, and for whom.

    buckets of all match tasks ─> groups that fit into memory ─ contest ─> decisions of a group, by row
    decisions of all groups, merged by row ─> decisions.arrow, ranges.npy; counts.npy, count_ranges.npy if asked for

Memory does not grow with the lane: of it a sixth is for what is held of every row, a third for a group; what is more
lies in mapped files. The answer is the same for any memory, since groups share no row. What there is to hold: 12 bytes
a row of the lane while groups are made, then 4; about 80 a row in a bucket, 32 a bucket it is in and 4 an element of
its set while its group is decided.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dataengine import shards
from dataengine import stage as stages
from dataengine.kernels.choose import Choice
from dataengine.kernels.enlist import NOBODY
from dataengine.tasks import Job, blank
from dataengine.tasks.cluster_files import write_counts, write_decisions, write_gone, write_stands
from dataengine.tasks.components import group_bytes, groups, lane_bytes, met
from dataengine.tasks.contest import Documents, contest
from dataengine.tasks.lane import Lane
from dataengine.tasks.scratch import Scratch


def cluster(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """The decisions of the whole lane: ``decisions.arrow``, and where each shard's begin in ``ranges.npy``."""
    spec = job.body["step"]
    stage = stages.load(spec["stage"])
    config = stage.config.model_validate(spec["config"])
    how, counted = stage.choice(config), stage.count(config) is not None
    lane, memory = Lane.of(job), job.body["memory"]
    work = staging / "work"
    work.mkdir()
    figures = dict.fromkeys(("candidates", "duplicates", "clusters", "not_all_compared", "groups"), 0.0)
    decided: list[np.ndarray] = []
    stands: list[np.ndarray] = []
    with Scratch(work, "place", lane_bytes(memory), memory * 3 // 4) as whole:
        place = np.empty(0, np.int32)
        for number, parts in enumerate(groups(job, lane, how.threshold is not None, work)):
            if not number:
                place = whole.array(lane.rows, np.int32)
                place[:] = NOBODY
            with Scratch(work, f"group.{number}", group_bytes(memory), memory * 3 // 4) as scratch:
                documents, choice = contest(lane, *met(lane, parts, scratch), how, place, scratch)
                decided.append(write_gone(work / f"gone.{number}", lane, documents, choice))
                count(figures, documents, choice, decided[-1])
                if counted:
                    stands.append(write_stands(work / f"stands.{number}", lane, documents, choice, scratch))
                place[documents.rows] = NOBODY
    write_decisions(staging, lane, decided)
    if counted:
        write_counts(staging, lane, stands)
    del decided, stands
    shutil.rmtree(work)
    manifest = blank(job)
    manifest.figures = figures
    return manifest


def count(figures: dict[str, float], documents: Documents, choice: Choice, gone: np.ndarray) -> None:
    """Add the figures of a group."""
    figures["candidates"] += len(documents.rows)
    figures["duplicates"] += len(gone)
    figures["clusters"] += float(np.count_nonzero(choice.votes))
    figures["not_all_compared"] += int(choice.crowded[0])
    figures["groups"] += 1
