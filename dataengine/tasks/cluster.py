"""A gather's last phase: who of the rows that share buckets goes, and for whom.

    buckets of all match tasks ─> groups that fit into memory ─ contest ─> decisions of a group, by row
    decisions of all groups, merged by row ─> decisions.arrow, ranges.npy

Memory does not grow with the lane: of it a sixth is for what is held of every row, a third for a group; what is more
lies in mapped files. The answer is the same for any memory, since groups share no row. What there is to hold: 12 bytes
a row of the lane while groups are made, then 4; about 80 a row in a bucket, 32 a bucket it is in and 4 an element of
its set while its group is decided.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine import stage as stages
from dataengine.kernels.choose import NO_BAND, Choice
from dataengine.kernels.enlist import NOBODY
from dataengine.tasks import Job, blank
from dataengine.tasks.components import group_bytes, groups, lane_bytes, met
from dataengine.tasks.contest import Documents, contest
from dataengine.tasks.ids import id_texts
from dataengine.tasks.lane import Lane
from dataengine.tasks.scratch import Scratch

GONE = np.dtype([("row", np.int64), ("stays", np.uint8, 16), ("similarity", np.float64), ("band", np.int16)])
"""A row that goes, as number of the lane, and the id of the one that stays."""
BLOCK = 1 << 18
"""About how many rows are decided about, or decisions written, at a time."""
COLUMNS = pa.schema([("row", pa.int64()), ("duplicate_of", pa.string()), ("similarity", pa.float64()),
                     ("band", pa.int64())])


def cluster(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """The decisions of the whole lane: ``decisions.arrow``, and where each shard's begin in ``ranges.npy``."""
    spec = job.body["step"]
    stage = stages.load(spec["stage"])
    how = stage.choice(stage.config.model_validate(spec["config"]))
    lane, memory = Lane.of(job), job.body["memory"]
    work = staging / "work"
    work.mkdir()
    figures = dict.fromkeys(("candidates", "duplicates", "clusters", "not_all_compared", "groups"), 0.0)
    decided: list[np.ndarray] = []
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
                place[documents.rows] = NOBODY
    write_decisions(staging, lane, decided)
    del decided
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


def write_gone(path: Path, lane: Lane, documents: Documents, choice: Choice) -> np.ndarray:
    """The rows of a group that go, in the order of the lane, into a file; it, mapped. Who stays for any gets a vote."""
    own = int(np.searchsorted(documents.rows, lane.kind(lane.begins)))
    with path.open("wb") as file:
        for first in range(own, len(documents.rows), BLOCK):
            rows = documents.rows[first : first + BLOCK]
            mine = documents.place[rows]
            stays = choice.stays[mine]
            goes = stays != mine
            found = np.empty(int(goes.sum()), GONE)
            mine = mine[goes]
            found["row"], found["similarity"], found["band"] = rows[goes], choice.similarity[mine], choice.band[mine]
            found["stays"] = lane.ids(documents.numbers[stays[goes]])
            choice.votes[stays[goes]] = 1
            found.tofile(file)
    return np.memmap(path, GONE, "r") if path.stat().st_size else np.empty(0, GONE)


def write_decisions(staging: Path, lane: Lane, groups: list[np.ndarray]) -> None:
    """The decisions of all groups together, by row, and where those of each shard of the lane begin."""
    bases = lane.bases[lane.indexes :]
    ranges = sum((np.searchsorted(gone["row"], bases) for gone in groups), np.zeros(len(bases), np.int64))
    np.save(staging / "ranges.npy", ranges.astype(np.int64), allow_pickle=False)
    with pa.OSFile(str(staging / "decisions.arrow"), "wb") as sink, pa.ipc.new_file(sink, COLUMNS) as writer:
        for first, last in blocks(ranges):
            parts = []
            for gone in groups:
                bounds = np.searchsorted(gone["row"], bases[[first, last]])
                parts.append(np.array(gone[bounds[0] : bounds[1]]))
            found = np.concatenate(parts)
            found = found[np.argsort(found["row"], kind="stable")]
            shard = np.searchsorted(bases, found["row"], side="right") - 1
            similarity, band = found["similarity"].copy(), found["band"].astype(np.int64)
            columns = [
                pa.array(found["row"] - bases[shard]),
                id_texts(found["stays"]),
                pa.array(similarity, mask=np.isnan(similarity)),
                pa.array(band, mask=band == NO_BAND),
            ]
            writer.write_batch(pa.record_batch(columns, schema=COLUMNS))


def blocks(ranges: np.ndarray) -> Iterator[tuple[int, int]]:
    """Successive shards with about `BLOCK` decisions together, or one shard with more."""
    first = 0
    while first < len(ranges) - 1:
        last = int(np.searchsorted(ranges, ranges[first] + BLOCK, side="right")) - 1
        last = min(max(last, first + 1), len(ranges) - 1)
        yield first, last
        first = last
