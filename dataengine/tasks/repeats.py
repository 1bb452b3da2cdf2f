"""A prune's other phases: which parts were there before, range by range of the keys; then put in order by shard.

    keys of one range ─ repeats ─> parts that go, and the document that holds the one that stays     one task a range
    all of these ─ cuts ─> the same, those of a shard together                                       one task

A part of the lane is one number: shard << 32 | its number in the shard, which is the order of the lane. No choice hangs
on another: a part goes if enough equal ones stand before it. Memory: a range at a time, cut smaller where that is too
much, 100 bytes an entry; only the entries of one key must fit, at most one a shard for equal parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dataengine import shards
from dataengine.kernels.meet import Buckets, buckets
from dataengine.tasks import Job, blank, refusals
from dataengine.tasks.gather import SHARD_BITS, range_of
from dataengine.tasks.unit_files import ID_BYTES, WITHDRAWN
from dataengine.tasks.units import stage_of

ENTRY_BYTES = 100


class Section(NamedTuple):
    """Entries that can meet, in the order of the lane."""

    keys: np.ndarray
    """uint64 (n, 2)."""
    units: np.ndarray
    """int64: numbers of the lane."""


def repeats(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """The parts of one range that go: ``unit.npy`` by shard, cut by ``unit_starts.npy`` (shards + 1), and
    ``kept_in.npy``, the id of the document that holds the first. Where the stage has smaller parts, ``again.npy`` and
    ``again_starts.npy``: those that stay though others have the first half of their key.
    """
    stage, config = stage_of(job)
    copies, divides = stage.copies(config), stage.smaller is not None and job.body["divides"]
    folders = [job.folder(place) for place in job.body["units"]]
    goes, firsts, again = ([np.empty(0, np.int64)] for _ in range(3))
    for part in sections(folders, job.body["range"], job.body["ranges"], job.body["memory"] // 3):
        found, first = went(part, copies)
        goes.append(found)
        firsts.append(first)
        if divides:
            again.append(looked_at_again(part, found))
    gone, first = np.concatenate(goes), np.concatenate(firsts)
    order = np.argsort(gone)
    gone, first = gone[order], first[order]
    np.save(staging / "kept_in.npy", documents(job, folders, first), allow_pickle=False)
    save(staging, "unit", gone, len(folders))
    if divides:
        save(staging, "again", np.sort(np.concatenate(again)), len(folders))
    manifest = blank(job)
    manifest.figures = {"repeated": float(len(gone))}
    return manifest


def sections(folders: list[Path], number: int, ranges: int, memory: int) -> Iterator[Section]:
    """The entries of range `number` of all shards, no more at a time than `memory` bytes hold."""
    whole = []
    for shard, folder in enumerate(folders):
        starts, key, unit = (np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                             for name in ("starts", "key", "unit"))
        part = slice(int(starts[number]), int(starts[number + 1]))
        if part.stop > part.start:
            whole.append((np.int64(shard) << SHARD_BITS, key[part], unit[part]))
    parts = -(-sum(len(unit) for *_, unit in whole) * ENTRY_BYTES // memory) or 1
    for part in range(parts):
        keys, units = [np.empty((0, 2), np.uint64)], [np.empty(0, np.int64)]
        for base, key, unit in whole:
            here = range_of(key[:, 0], ranges * parts) == number * parts + part if parts > 1 else slice(None)
            keys.append(key[here])
            units.append(base | unit[here].astype(np.int64))
        yield Section(np.concatenate(keys), np.concatenate(units))


def went(part: Section, copies: int) -> tuple[np.ndarray, np.ndarray]:
    """(parts that go, the first equal one of each). Equal parts of the first one's shard that are here overlap it."""
    met = buckets(part.keys[:, 0], part.keys[:, 1], part.units)
    sizes = np.diff(met.starts)
    first = np.repeat(met.rows[met.starts[:-1]], sizes)
    rank = np.arange(len(met.rows)) - np.repeat(met.starts[:-1], sizes)
    goes = (rank >= copies) & (met.rows >> SHARD_BITS != first >> SHARD_BITS)
    return met.rows[goes], first[goes]


def looked_at_again(part: Section, gone: np.ndarray) -> np.ndarray:
    """The parts that stay and share the first half of their key with another that stays."""
    stays = ~np.isin(part.units, gone)
    met: Buckets = buckets(part.keys[stays, 0], None, part.units[stays])
    return met.rows


def documents(job: Job, folders: list[Path], units: np.ndarray) -> np.ndarray:
    """uint8 (n, 16): the ids of the documents that hold these parts, looking into one shard at a time."""
    found = np.empty((len(units), ID_BYTES), np.uint8)
    shard = units >> SHARD_BITS
    order = np.argsort(shard, kind="stable")
    bounds = np.searchsorted(shard[order], np.arange(len(folders) + 1))
    named = [job.folder(place) for place in job.body["named"]]
    for number in np.flatnonzero(np.diff(bounds)):
        here = order[bounds[number] : bounds[number + 1]]
        row = np.load(folders[number] / "row.npy", mmap_mode="r", allow_pickle=False)
        ids = np.load(named[number] / "id.npy", mmap_mode="r", allow_pickle=False)
        found[here] = ids[row[units[here] & 0xFFFFFFFF]]
    return found


def save(staging: Path, name: str, units: np.ndarray, shards_there: int) -> None:
    """Parts in order, as their numbers in the shard, and where each shard begins."""
    bounds = np.searchsorted(units >> SHARD_BITS, np.arange(shards_there + 1)).astype(np.int64)
    np.save(staging / f"{name}.npy", (units & 0xFFFFFFFF).astype(np.uint32), allow_pickle=False)
    np.save(staging / f"{name}_starts.npy", bounds, allow_pickle=False)


def cuts(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """What all ranges have found, by shard: ``unit.bin`` (uint32) and ``kept_in.bin`` (16 bytes each) with
    ``unit_ranges.npy`` and ``kept_in_ranges.npy`` (shards + 1); ``again.bin`` and its ranges where there are any;
    of the second round also the ids of rows that it refused, for which others may have lost parts in the first.
    """
    folders = [job.folder(place) for place in job.body["repeats"]]
    names = {"unit": "unit", "kept_in": "unit"} | ({"again": "again"} if job.body["divides"] else {})
    manifest = blank(job)
    for name, cut in names.items():
        arrays = [(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False),
                   np.load(folder / f"{cut}_starts.npy", allow_pickle=False)) for folder in folders]
        sizes = np.sum([np.diff(starts) for _, starts in arrays], axis=0, dtype=np.int64)
        with (staging / f"{name}.bin").open("wb") as file:
            for shard in range(len(sizes)):
                for values, starts in arrays:
                    file.write(values[starts[shard] : starts[shard + 1]].tobytes())
        np.save(staging / f"{name}_ranges.npy", np.concatenate([[0], sizes.cumsum()]).astype(np.int64),
                allow_pickle=False)
        manifest.figures[{"unit": "repeated", "kept_in": "repeated", "again": "looked_at_again"}[name]] = float(
            sizes.sum())
    if len(gone := withdrawn(job)):
        np.save(staging / WITHDRAWN, gone, allow_pickle=False)
    return manifest


def withdrawn(job: Job) -> np.ndarray:
    """uint8 (n, 16): the ids of the rows that were refused in the second round. One refused in the first has no parts,
    so that nothing went for it.
    """
    found = [np.empty((0, ID_BYTES), np.uint8)]
    for asked, named in zip(job.body["units"], job.body["named"], strict=True):
        if asked != named and (rows := refusals.rows_of(job.folder(asked))):
            ids = np.load(job.folder(named) / "id.npy", mmap_mode="r", allow_pickle=False)
            found.append(ids[sorted(rows)])
    return np.concatenate(found)
