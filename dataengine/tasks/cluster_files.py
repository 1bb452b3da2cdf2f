"""What a cluster task writes: who goes and for whom, and who stays for how many, by shard and row.

Each group of rows is decided alone and leaves records in a file of its own, in the order of the lane; the files of all
groups are merged a stretch of shards at a time. `tasks.decided` reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine.kernels.choose import NO_BAND, Choice
from dataengine.tasks.contest import Documents
from dataengine.tasks.decided import COUNT_RANGES, COUNTS
from dataengine.tasks.ids import id_texts
from dataengine.tasks.lane import Lane
from dataengine.tasks.scratch import Scratch

STANDS = np.dtype([("row", np.int64), ("count", np.int64)])
"""A row that stays for others, as number of the lane (in the file: of its shard), and for how many."""
GONE = np.dtype([("row", np.int64), ("stays", np.uint8, 16), ("similarity", np.float64), ("band", np.int16)])
"""A row that goes, as number of the lane, and the id of the one that stays."""
BLOCK = 1 << 18
"""About how many rows are decided about, or decisions written, at a time."""
COLUMNS = pa.schema([("row", pa.int64()), ("duplicate_of", pa.string()), ("similarity", pa.float64()),
                     ("band", pa.int64())])


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


def write_stands(path: Path, lane: Lane, documents: Documents, choice: Choice, scratch: Scratch) -> np.ndarray:
    """The rows of a group that stay for others of the lane, in its order, into a file; it, mapped."""
    others = scratch.array(len(documents.rows), np.int32)
    own = documents.rows[int(np.searchsorted(documents.rows, lane.kind(lane.begins))) :]
    for first in range(0, len(own), BLOCK):
        mine = documents.place[own[first : first + BLOCK]]
        stays = choice.stays[mine]
        who, times = np.unique(stays[stays != mine], return_counts=True)
        others[who] += times.astype(np.int32)
    with path.open("wb") as file:
        for first in range(0, len(own), BLOCK):
            rows = own[first : first + BLOCK]
            times = others[documents.place[rows]]
            found = np.empty(int(np.count_nonzero(times)), STANDS)
            found["row"], found["count"] = rows[times > 0], times[times > 0]
            found.tofile(file)
    return np.memmap(path, STANDS, "r") if path.stat().st_size else np.empty(0, STANDS)


def write_counts(staging: Path, lane: Lane, groups: list[np.ndarray]) -> None:
    """The rows of all groups that stay for others, by row, and where those of each shard of the lane begin."""
    ranges = ranges_of(lane, groups)
    np.save(staging / COUNT_RANGES, ranges, allow_pickle=False)
    out = np.lib.format.open_memmap(staging / COUNTS, "w+", STANDS, (int(ranges[-1]),))
    at = 0
    for found, shard in by_row(lane, groups, ranges):
        found["row"] -= lane.bases[lane.indexes :][shard]
        out[at : at + len(found)] = found
        at += len(found)
    out.flush()


def ranges_of(lane: Lane, groups: list[np.ndarray]) -> np.ndarray:
    """Where among the records of all groups, by row, those of each shard of the lane begin: int64 (shards + 1,)."""
    bases = lane.bases[lane.indexes :]
    return sum((np.searchsorted(group["row"], bases) for group in groups), np.zeros(len(bases), np.int64))


def by_row(lane: Lane, groups: list[np.ndarray], ranges: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The records of all groups in the order of their rows, a block at a time, with the shard of each."""
    bases = lane.bases[lane.indexes :]
    for first, last in blocks(ranges):
        parts = []
        for group in groups:
            bounds = np.searchsorted(group["row"], bases[[first, last]])
            parts.append(np.array(group[bounds[0] : bounds[1]]))
        found = np.concatenate(parts)
        found = found[np.argsort(found["row"], kind="stable")]
        yield found, np.searchsorted(bases, found["row"], side="right") - 1


def write_decisions(staging: Path, lane: Lane, groups: list[np.ndarray]) -> None:
    """The decisions of all groups together, by row, and where those of each shard of the lane begin."""
    ranges, bases = ranges_of(lane, groups), lane.bases[lane.indexes :]
    np.save(staging / "ranges.npy", ranges, allow_pickle=False)
    with pa.OSFile(str(staging / "decisions.arrow"), "wb") as sink, pa.ipc.new_file(sink, COLUMNS) as writer:
        for found, shard in by_row(lane, groups, ranges):
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
