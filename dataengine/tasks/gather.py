"""The files of a gather's first phase, `tasks.sketch`, and its second: match each range of the key space. The third is
in `tasks.cluster`.

    rows of a shard ─ sketch ─> keys, range by range and band by band; sets of elements   one task a shard
    keys of one range ─ match ─> buckets: rows that share a key                        one task a range
    buckets, sets ─ cluster ─> decisions: row, the row that stays, similarity, band    one task

A row of the lane is one number: shard index << 32 | row in the shard. All files are plain arrays, so that a later task
maps just the part it needs. Memory: a sketch task holds the keys of one shard; a match task one band of one range, cut
smaller where that is too much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine.kernels.meet import Buckets, buckets
from dataengine.stage import Sketch
from dataengine.tasks import Job, blank
from dataengine.tasks.ids import raw_ids

SHARD_BITS = np.int64(32)
LAST = 0xFFFFFFFFFFFFFFFF
"""The rank of a row that was not sketched."""
SAME = -1
"""The band of rows that are the same throughout."""
ENTRY_BYTES = 80
"""Of memory that matching takes an entry: its key, check and row, and the work of `kernels.meet`."""


class SketchFiles:
    """Writes the sketches of one shard, batch after batch. Rows that are not sketched have no keys and an empty set.

    ``id.npy`` holds the ids, uint8 (rows, 16); ``elements.bin`` and ``sets.npy`` the sets; ``rank.npy`` ranks;
    ``same.npy`` and ``key.npy`` the keys with ``same_row.npy`` and ``key_row.npy``, cut by ``same_starts.npy`` (ranges
    + 1) and ``key_starts.npy`` (ranges * bands + 1). What a stage does not give is not there.
    """

    def __init__(self, staging: Path) -> None:
        self.staging, self.rows, self.elements, self.alone = staging, 0, 0, 0
        self._same: list[np.ndarray] = []
        self._same_rows: list[np.ndarray] = []
        self._keys: list[np.ndarray] = []
        self._key_rows: list[np.ndarray] = []
        self._sizes: list[tuple[np.ndarray, np.ndarray]] = []
        self._ranks: list[tuple[np.ndarray, np.ndarray]] = []
        self._ids = [np.empty((0, 16), np.uint8)]
        self._file = (staging / "elements.bin").open("wb")

    def __enter__(self) -> SketchFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, found: Sketch, numbers: np.ndarray) -> None:
        """The sketch of the rows with these numbers, int64 ascending, after those of all rows added before."""
        self.alone += int(np.count_nonzero(found.alone))
        if found.same is not None:
            rows = np.flatnonzero(~found.alone)
            self._same.append(found.same[rows])
            self._same_rows.append(numbers[rows])
        if found.keys is not None:
            silent = found.alone if found.copies_only is None else found.alone | found.copies_only
            rows = np.flatnonzero(~silent)
            self._keys.append(found.keys[rows])
            self._key_rows.append(numbers[rows])
        if found.elements is not None and found.sets is not None:
            self._file.write(np.ascontiguousarray(found.elements).data)
            self._sizes.append((numbers, np.diff(found.sets)))
            self.elements += len(found.elements)
        if found.rank is not None:
            self._ranks.append((numbers, found.rank))

    def advance(self, ids: pa.Array) -> None:
        """The next rows, sketched or not, have these ids."""
        self._ids.append(raw_ids(ids))
        self.rows += len(ids)

    def finish(self, ranges: int) -> None:
        """Write what is held, keys put together by range and band."""
        self._file.close()
        self._save("id", np.concatenate(self._ids))
        if self._sizes:
            self._save("sets", np.concatenate([[0], self._dense(self._sizes, 0)]).cumsum())
        else:
            (self.staging / "elements.bin").unlink()
        if self._ranks:
            self._save("rank", self._dense(self._ranks, np.uint64(LAST)))
        if self._same:
            same, rows = np.concatenate(self._same), np.concatenate(self._same_rows).astype(np.uint32)
            order, starts = by_range(same[:, 0], ranges)
            self._save("same", same[order])
            self._save("same_row", rows[order])
            self._save("same_starts", starts)
        if self._keys:
            self._entries(np.concatenate(self._keys), np.concatenate(self._key_rows).astype(np.uint32), ranges)

    def _entries(self, keys: np.ndarray, rows: np.ndarray, ranges: int) -> None:
        count, bands = keys.shape
        sorted_by_range = [by_range(keys[:, band], ranges) for band in range(bands)]
        sizes = np.stack([np.diff(starts) for _, starts in sorted_by_range], axis=1)  # (ranges, bands)
        ends = np.concatenate([[0], sizes.ravel().cumsum()]).astype(np.int64)
        key, row = np.empty(count * bands, np.uint64), np.empty(count * bands, np.uint32)
        for band, (order, starts) in enumerate(sorted_by_range):
            own_keys, own_rows = keys[:, band][order], rows[order]
            for number in range(ranges):
                place = slice(ends[number * bands + band], ends[number * bands + band + 1])
                part = slice(starts[number], starts[number + 1])
                key[place], row[place] = own_keys[part], own_rows[part]
        self._save("key", key)
        self._save("key_row", row)
        self._save("key_starts", ends)

    def _dense(self, parts: list[tuple[np.ndarray, np.ndarray]], nothing: int | np.uint64) -> np.ndarray:
        """A value for each row: those of the parts, and `nothing` for rows that are in none."""
        values = np.full(self.rows, nothing, parts[0][1].dtype)
        for rows, own in parts:
            values[rows] = own
        return values

    def _save(self, name: str, values: np.ndarray) -> None:
        np.save(self.staging / f"{name}.npy", values, allow_pickle=False)


def range_of(key: np.ndarray, ranges: int) -> np.ndarray:
    """Which of `ranges` equal parts of the 64-bit key space each key is in; below 2^32 parts."""
    return (key >> np.uint64(32)) * np.uint64(ranges) >> np.uint64(32)


def by_range(key: np.ndarray, ranges: int) -> tuple[np.ndarray | slice, np.ndarray]:
    """An order that puts the keys of a range together, and where each range begins, int64 (ranges + 1,)."""
    if ranges == 1:
        return slice(None), np.array([0, len(key)], np.int64)
    place = range_of(key, ranges).astype(np.uint16 if ranges < 1 << 16 else np.uint32)
    order = np.argsort(place, kind="stable")
    return order, np.searchsorted(place[order], np.arange(ranges + 1)).astype(np.int64)


def match(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """Rows that share a key in a band, for one range of the key space: ``rows``, ``starts`` and ``band`` of buckets."""
    indexes = [Path(place) for place in job.body["against"]]
    folders = indexes + [job.folder(place) for place in job.body["sketches"]]
    begins = np.int64(len(indexes)) << SHARD_BITS
    rows, sizes, bands = [], [], []
    for band, section in sections(folders, len(indexes), job.body["range"], job.body["ranges"],
                                  job.body["memory"] // 3):
        found = of_the_lane(buckets(*section), begins)
        rows.append(found.rows)
        sizes.append(np.diff(found.starts))
        bands.append(np.full(len(sizes[-1]), band, np.int16))
    empty = np.empty(0, np.int64)
    arrays = {
        "rows": np.concatenate([empty, *rows]),
        "starts": np.concatenate([[0], *sizes]).cumsum().astype(np.int64),
        "band": np.concatenate([empty.astype(np.int16), *bands]),
    }
    for name, values in arrays.items():
        np.save(staging / f"{name}.npy", values, allow_pickle=False)
    manifest = blank(job)
    manifest.figures = {"buckets": float(len(arrays["band"])), "rows_in_buckets": float(len(arrays["rows"]))}
    return manifest


def of_the_lane(found: Buckets, begins: np.int64) -> Buckets:
    """The buckets without those that hold rows of indexes only, which are below `begins`."""
    if not begins or not len(found.rows):
        return found
    sizes = np.diff(found.starts)
    own = np.maximum.reduceat(found.rows, found.starts[:-1]) >= begins
    return Buckets(found.rows[np.repeat(own, sizes)], np.concatenate([[0], sizes[own].cumsum()]))


Section = tuple[np.ndarray, np.ndarray | None, np.ndarray]
"""Keys, checks and rows of entries that can meet."""


def sections(
    folders: list[Path], indexes: int, number: int, ranges: int, memory: int
) -> Iterator[tuple[int, Section]]:
    """The entries of range `number` of all sketches, band by band, no more at a time than `memory` bytes hold.

    The first `indexes` folders are parts of indexes: their keys are sorted within a band, not cut into ranges.
    """
    for kind in ("same", "key"):
        loaded = [
            (shard, *(np.load(folder / f"{kind}{part}.npy", mmap_mode="r", allow_pickle=False) for part in
             ("", "_row", "_starts")))
            for shard, folder in enumerate(folders)
            if (folder / f"{kind}.npy").exists()
        ]
        if not loaded:
            continue
        last, *_, ends = loaded[-1]  # of the lane itself, if any row of the lane has such keys
        bands = (len(ends) - 1) // (1 if last < indexes else ranges)
        for band in range(bands):
            place = number * bands + band
            whole = [
                (np.int64(shard) << SHARD_BITS, key, row,
                 sorted_part(key, starts[band], starts[band + 1], number, ranges) if shard < indexes
                 else slice(starts[place], starts[place + 1]))
                for shard, key, row, starts in loaded
            ]
            parts = -(-sum(part.stop - part.start for *_, part in whole) * ENTRY_BYTES // memory) or 1
            for part in range(parts):
                yield SAME if kind == "same" else band, _section(whole, ranges * parts, number * parts + part)


def sorted_part(key: np.ndarray, start: int, end: int, number: int, ranges: int) -> slice:
    """Where among the sorted keys ``key[start:end]`` those of range `number` are."""
    own = key[start:end] if key.ndim == 1 else key[start:end, 0]
    lows = [-(-(edge << 32) // ranges) << 32 for edge in (number, number + 1)]  # the least key of a range
    first, last = (int(np.searchsorted(own, np.uint64(low))) if low < 1 << 64 else len(own) for low in lows)
    return slice(int(start) + first, int(start) + last)


def _section(whole: list[tuple[np.int64, np.ndarray, np.ndarray, slice]], ranges: int, number: int) -> Section:
    """The entries of one range, of all sketches together."""
    keys, checks, rows = [], [], []
    for base, all_keys, all_rows, part in whole:
        key, row = all_keys[part], all_rows[part]
        first = key if key.ndim == 1 else key[:, 0]
        here = range_of(first, ranges) == number
        if not here.all():
            key, row, first = key[here], row[here], first[here]
        keys.append(np.asarray(first))
        rows.append(base | row.astype(np.int64))
        if key.ndim > 1:
            checks.append(np.asarray(key[:, 1]))
    return np.concatenate(keys), np.concatenate(checks) if checks else None, np.concatenate(rows)
