"""A lane's buckets in groups that fit into memory, none of which shares a row with another.

Rows that buckets tie together, directly or over others, are a component; what is decided about a row depends on its
component alone. Components are found by union-find over all rows of the lane (12 bytes a row), weighed by what
deciding them takes, and put into groups of at most so many bytes. The buckets of every match task are sorted by group
into files, from which one group after the other is read. A component that is heavier has a group of its own, in mapped
files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from dataengine import shards
from dataengine.kernels.components import NOWHERE, assign, groups_of, reorder, unite, weigh
from dataengine.tasks import Job
from dataengine.tasks.contest import DOCUMENT_BYTES, ELEMENT_BYTES, ENTRY_BYTES, Met
from dataengine.tasks.gather import SAME
from dataengine.tasks.lane import Lane
from dataengine.tasks.scratch import Scratch

ENOUGH, MOST_GROUPS = 256 << 20, 64
"""Larger groups are no faster: a million documents in four of them took 3.0 s, in one 4.0. But each group looks into
the sketches of all shards, so that there are to be no more of them than memory asks for."""


@dataclass(frozen=True)
class Part:
    """Buckets in files: those of a match task, or those of them that one group has."""

    folder: Path
    buckets: slice
    rows: slice
    routed: bool = False
    """Rows are numbers of the lane; else shard << 32 | row."""

    def load(self, lane: Lane) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(rows as numbers of the lane, sizes of the buckets, their bands)."""
        rows, starts, bands = (np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                               for name in ("rows", "starts", "band"))
        own = rows[self.rows]
        sizes = np.diff(starts[self.buckets.start : self.buckets.stop + 1])
        return np.array(own) if self.routed else lane.numbers(own), sizes, np.array(bands[self.buckets])


def groups(job: Job, lane: Lane, compared: bool, folder: Path) -> Iterator[list[Part]]:
    """The buckets of one group after the other. Where all fit into memory they are one group, as they are."""
    whole = [_whole(job.folder(place)) for place in job.body["matches"]]
    entries = sum(part.rows.stop for part in whole)
    elements = lane.elements if compared else 0
    most = min(entries, lane.rows) * DOCUMENT_BYTES + entries * ENTRY_BYTES + elements * ELEMENT_BYTES
    memory = job.body["memory"]
    if most <= min(group_bytes(memory), ENOUGH):
        yield whole
        return
    limit = min(group_bytes(memory), max(ENOUGH, most // MOST_GROUPS))
    yield from _routes(lane, whole, compared, folder, memory, limit)


def group_bytes(memory: int) -> int:
    """How much of a worker's memory the arrays of a group may take."""
    return memory // 3


def lane_bytes(memory: int) -> int:
    """How much of a worker's memory what is held of every row of the lane may take; beyond it lies in mapped files."""
    return memory // 6


def _whole(match: Path) -> Part:
    figures = shards.read_manifest(match).figures
    return Part(match, slice(0, int(figures["buckets"])), slice(0, int(figures["rows_in_buckets"])))


def _routes(
    lane: Lane, whole: list[Part], compared: bool, folder: Path, memory: int, limit: int
) -> list[list[Part]]:
    """For each group of at most `limit` bytes its parts."""
    with Scratch(folder, "lane", lane_bytes(memory), memory * 3 // 4) as scratch:
        parent = scratch.array(lane.rows, np.int32 if lane.rows < 1 << 31 else np.int64)
        weight = scratch.array(lane.rows, np.int64)
        parent[:] = NOWHERE
        for part in whole:
            rows, sizes, _ = part.load(lane)
            unite(rows, sizes, parent, weight, ENTRY_BYTES)
        for shard in range(len(lane.sketches)):
            sets = compared and (lane.sketches[shard] / "sets.npy").exists()
            count = int(lane.bases[shard + 1] - lane.bases[shard])
            sizes = np.diff(lane.load(shard, "sets")) if sets else np.zeros(count, np.int64)
            weigh(int(lane.bases[shard]), parent, weight, sizes, DOCUMENT_BYTES, ELEMENT_BYTES)
        count = assign(parent, weight, limit)
        routed = [_routed(lane, part, parent, weight, count, folder / f"routed.{number}")
                  for number, part in enumerate(whole)]
    return [[parts[group] for parts in routed] for group in range(count)]


def _routed(lane: Lane, part: Part, parent: np.ndarray, weight: np.ndarray, count: int, folder: Path) -> list[Part]:
    """The buckets of a match task sorted by group, in a folder: the part of each group."""
    rows, sizes, bands = part.load(lane)
    starts, group = np.concatenate([[0], sizes.cumsum()]).astype(np.int64), np.empty(len(sizes), np.int64)
    groups_of(rows, starts, parent, weight, group)
    order = np.argsort(group, kind="stable")
    ends = np.concatenate([[0], sizes[order].cumsum()]).astype(np.int64)
    moved = np.empty_like(rows)
    reorder(rows, starts, order, moved)
    folder.mkdir()
    for name, values in (("rows", moved), ("starts", ends), ("band", bands[order])):
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    bounds = np.searchsorted(group[order], np.arange(count + 1)).tolist()
    return [Part(folder, slice(first, last), slice(int(ends[first]), int(ends[last])), routed=True)
            for first, last in pairwise(bounds)]


def met(lane: Lane, parts: list[Part], scratch: Scratch) -> tuple[Met, Met]:
    """The buckets of copies, and those of bands, of all parts together."""
    rows_of, buckets_of = [0, 0], [0, 0]
    for part in parts:
        _, sizes, bands = part.load(lane)
        for kind, which in enumerate((bands == SAME, bands != SAME)):
            rows_of[kind] += int(sizes[which].sum())
            buckets_of[kind] += int(which.sum())
    found = [Met(scratch.array(rows, lane.kind), scratch.array(buckets, np.int64), scratch.array(buckets, np.int16))
             for rows, buckets in zip(rows_of, buckets_of, strict=True)]
    for part in reversed(parts):  # from the end, so that what is left of the counts says where to write
        rows, sizes, bands = part.load(lane)
        for kind, which in enumerate((bands == SAME, bands != SAME)):
            own = rows[np.repeat(which, sizes)]
            rows_of[kind] -= len(own)
            buckets_of[kind] -= int(which.sum())
            found[kind].rows[rows_of[kind] : rows_of[kind] + len(own)] = own
            place = slice(buckets_of[kind], buckets_of[kind] + int(which.sum()))
            found[kind].sizes[place], found[kind].bands[place] = sizes[which], bands[which]
    return found[0], found[1]
