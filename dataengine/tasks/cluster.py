"""A gather's last phase: who of the rows that share buckets goes, and for whom.

Rows become documents 0..n-1 in the order of who is to stay first: by rank, then in the order of the lane. Copies are
put aside, each behind its first; the others are compared by `kernels.choose`. Only rows that share a bucket are held:
about 40 bytes and 18 a bucket each, and 5 for every row of the lane. Their sets, of 4 bytes an element, lie in memory
while they fit, else in a file that is mapped and let go of again.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine import stage as stages
from dataengine.kernels.choose import (
    NO_BAND,
    WAITING,
    Candidates,
    Choice,
    by_document,
    choose,
    nothing_chosen,
    settle,
)
from dataengine.tasks import Job, blank
from dataengine.tasks.gather import SAME, SHARD_BITS
from dataengine.tasks.ids import id_texts
from dataengine.tasks.index import copy_sets

STRIDE = 1 << 16
"""Documents that are decided between two looks at how much of a mapped file is held."""


def cluster(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """The decisions of the whole lane: ``decisions.arrow``, and where each shard's begin in ``ranges.npy``."""
    spec = job.body["step"]
    stage = stages.load(spec["stage"])
    how = stage.choice(stage.config.model_validate(spec["config"]))
    lane = Lane.of(job)
    same, near = buckets_of(job, lane)
    documents = in_order(lane, same, near)
    candidates = candidates_of(documents, same, near)
    del same, near
    with SetFile(staging / "sets.tmp", job.body["memory"] // 4) as sets:
        if how.threshold is not None:
            sets.load(lane, documents.rows, candidates)
        choice = decide(candidates, sets, how, int(np.count_nonzero(documents.rows < lane.begins)))
    goes = np.flatnonzero(choice.stays != np.arange(len(choice.stays)))
    goes = goes[np.argsort(documents.rows[goes])]
    goes = goes[documents.rows[goes] >= lane.begins]
    write_decisions(staging, lane, documents.rows, choice, goes)
    manifest = blank(job)
    manifest.figures = {
        "candidates": float(len(documents.rows)),
        "duplicates": float(len(goes)),
        "clusters": float(len(np.unique(choice.stays[goes]))),
        "not_all_compared": float(choice.crowded[0]),
    }
    return manifest


@dataclass(frozen=True)
class Lane:
    """The shards of the lane and their sketches, behind the parts of indexes that the lane is held against; row r of
    shard s is number ``bases[s] + r``.
    """

    sketches: list[Path]
    bases: np.ndarray
    """int64, shape (shards + 1,)."""
    indexes: int
    """So many of the shards are parts of indexes."""

    @classmethod
    def of(cls, job: Job) -> Lane:
        parts = [Path(place) for place in job.body["against"]]
        folders = [job.folder(place) for place in job.body["sketches"]]
        rows = [len(np.load(part / "id.npy", mmap_mode="r", allow_pickle=False)) for part in parts]
        rows += [int(shards.read_manifest(folder).figures["rows"]) for folder in folders]
        return cls(parts + folders, np.concatenate([[0], rows]).cumsum().astype(np.int64), len(parts))

    @property
    def begins(self) -> int:
        """The number of the lane's own first row."""
        return int(self.bases[self.indexes])

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """shard << 32 | row as numbers of the lane."""
        return self.bases[rows >> SHARD_BITS] + (rows & 0xFFFFFFFF)

    def parts(self, numbers: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """(shard, which of the numbers lie in it, their rows there), for every shard that has any."""
        order = np.argsort(numbers, kind="stable")
        bounds = np.searchsorted(numbers[order], self.bases)
        found = []
        for shard in range(len(self.sketches)):
            here = order[bounds[shard] : bounds[shard + 1]]
            if len(here):
                found.append((shard, here, numbers[here] - self.bases[shard]))
        return found


class Met(NamedTuple):
    """Buckets of the lane, one after the other."""

    rows: np.ndarray
    """Numbers of the lane."""
    sizes: np.ndarray
    bands: np.ndarray


def buckets_of(job: Job, lane: Lane) -> tuple[Met, Met]:
    """What all match tasks have found: buckets of copies, and those of bands."""
    kind = np.uint32 if lane.bases[-1] < 1 << 32 else np.int64
    found: list[list[Met]] = [[Met(np.empty(0, kind), np.empty(0, np.int64), np.empty(0, np.int16))] for _ in range(2)]
    for place in job.body["matches"]:
        folder = job.folder(place)
        rows = lane.numbers(np.load(folder / "rows.npy", allow_pickle=False)).astype(kind)
        sizes = np.diff(np.load(folder / "starts.npy", allow_pickle=False))
        bands = np.load(folder / "band.npy", allow_pickle=False)
        for parts, which in zip(found, (bands == SAME, bands != SAME), strict=True):
            parts.append(Met(rows[np.repeat(which, sizes)], sizes[which], bands[which]))
    same, near = (Met(*map(np.concatenate, zip(*parts, strict=True))) for parts in found)
    return same, near


class Documents(NamedTuple):
    """The rows that share any bucket, in the order of who is to stay first."""

    rows: np.ndarray
    """int64: their numbers in the lane."""
    place: np.ndarray
    """int32, for every row of the lane: which document it is."""


def in_order(lane: Lane, *met: Met) -> Documents:
    """Rows of indexes first, then those in buckets by rank, those of the same rank as they come."""
    shares = np.zeros(int(lane.bases[-1]), bool)
    for buckets in met:
        shares[buckets.rows] = True
    rows = np.flatnonzero(shares)
    fixed = int(np.searchsorted(rows, lane.begins))
    ranked = any((folder / "rank.npy").exists() for folder in lane.sketches[lane.indexes :])
    if len(rows) > fixed and ranked:
        rank = np.empty(len(rows), np.uint64)
        for shard, here, inside in lane.parts(rows):
            if shard >= lane.indexes:
                rank[here] = np.load(lane.sketches[shard] / "rank.npy", mmap_mode="r", allow_pickle=False)[inside]
        rows[fixed:] = rows[fixed:][np.argsort(rank[fixed:], kind="stable")]
    place = np.zeros(len(shares), np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    return Documents(rows, place)


def candidates_of(documents: Documents, same: Met, near: Met) -> Candidates:
    """Copies put behind their first, and the buckets of all others."""
    count = len(documents.rows)
    copy_of = np.arange(count, dtype=np.int32)
    if len(same.sizes):
        members = documents.place[same.rows]
        firsts = np.minimum.reduceat(members, np.concatenate([[0], same.sizes[:-1].cumsum()]))
        copy_of[members] = np.repeat(firsts, same.sizes)
    members = documents.place[near.rows]
    original = copy_of[members] == members
    left = np.add.reduceat(original, np.concatenate([[0], near.sizes[:-1].cumsum()])) if len(near.sizes) else near.sizes
    shared = left > 1
    members = members[original & np.repeat(shared, near.sizes)]
    sizes = left[shared].astype(np.int64)
    starts, owned = np.zeros(count + 1, np.int64), np.empty(len(members), np.int32)
    by_document(members, np.repeat(np.arange(len(sizes), dtype=np.int32), sizes), starts, owned)
    room = np.concatenate([[0], np.minimum(sizes, WAITING).cumsum()]).astype(np.int64)
    return Candidates(copy_of, starts, owned, near.bands[shared], room)


class SetFile:
    """The sets of all documents that are to be compared, one after the other in the order of the documents."""

    def __init__(self, path: Path, memory: int) -> None:
        self.path, self.memory = path, memory
        self.elements = np.empty(0, np.uint32)
        self.starts = np.zeros(1, np.int64)

    def load(self, lane: Lane, rows: np.ndarray, candidates: Candidates) -> None:
        """Copy the sets of documents that share a bucket from the sketches of their shards."""
        sizes, parts = np.zeros(len(rows), np.int64), lane.parts(rows)
        compared = np.diff(candidates.starts) > 0
        for shard, here, inside in parts:
            bounds = np.load(lane.sketches[shard] / "sets.npy", mmap_mode="r", allow_pickle=False)
            sizes[here] = np.where(compared[here], bounds[inside + 1] - bounds[inside], 0)
        self.starts = np.concatenate([[0], sizes.cumsum()])
        total = int(self.starts[-1])
        if 4 * total > self.memory:
            self.elements = np.memmap(self.path, np.uint32, "w+", shape=(total,))
        else:
            self.elements = np.empty(total, np.uint32)
        for shard, here, inside in parts:
            path = lane.sketches[shard] / "elements.bin"
            if path.stat().st_size:
                bounds = np.load(lane.sketches[shard] / "sets.npy", allow_pickle=False)
                copy_sets(np.memmap(path, np.uint32, "r"), bounds, inside, self.elements, self.starts, here)
                self.let_go()

    def let_go(self) -> None:
        """Hold no page of the mapped file: what is needed again comes back from the system's cache or the disk.

        A page that was written stays in the cache until the system has put it on the disk: nothing is lost by it.
        """
        if isinstance(self.elements, np.memmap):
            self.elements._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]

    def __enter__(self) -> SetFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.elements = np.empty(0, np.uint32)
        self.path.unlink(missing_ok=True)


def decide(candidates: Candidates, sets: SetFile, how: stages.Choice, fixed: int) -> Choice:
    """Run the choice over all documents, of which the first `fixed` are of indexes and stay."""
    choice = nothing_chosen(candidates)
    threshold = -1.0 if how.threshold is None else float(how.threshold)
    count = len(candidates.copy_of)
    starts = sets.starts if how.threshold is not None else np.zeros(count + 1, np.int64)
    elements = np.asarray(sets.elements)
    for first in range(0, count, STRIDE):
        last = min(first + STRIDE, count)
        choose(first, last, fixed, candidates, choice, elements, starts, threshold, how.chains)
        sets.let_go()
    if how.chains:
        settle(candidates, choice, elements, starts, how.threshold is not None)
    return choice


def write_decisions(staging: Path, lane: Lane, numbers: np.ndarray, choice: Choice, goes: np.ndarray) -> None:
    """The rows that go, in the order of the lane, each with the id of the one that stays."""
    rows = numbers[goes]
    shard = np.searchsorted(lane.bases, rows, side="right") - 1
    similarity, band = choice.similarity[goes], choice.band[goes].astype(np.int64)
    table = pa.table(
        {
            "row": rows - lane.bases[shard],
            "duplicate_of": ids_of(lane, numbers[choice.stays[goes]]),
            "similarity": pa.array(similarity, pa.float64(), mask=np.isnan(similarity)),
            "band": pa.array(band, pa.int64(), mask=band == NO_BAND),
        }
    )
    with pa.OSFile(str(staging / "decisions.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    ranges = np.searchsorted(rows, lane.bases[lane.indexes :]).astype(np.int64)
    np.save(staging / "ranges.npy", ranges, allow_pickle=False)


def ids_of(lane: Lane, numbers: np.ndarray) -> pa.Array:
    """The ids of these rows of the lane."""
    ids = np.empty((len(numbers), 16), np.uint8)
    for shard, here, inside in lane.parts(numbers):
        ids[here] = np.load(lane.sketches[shard] / "id.npy", mmap_mode="r", allow_pickle=False)[inside]
    return id_texts(ids)
