"""What gathers have decided about the rows of one shard, as a task of that shard reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine.tasks import Job, refusals

COUNTS, COUNT_RANGES = "counts.npy", "count_ranges.npy"
"""In a cluster's folder, where counts are asked for: row and count of those that stay for others, shard after shard."""


@dataclass(frozen=True)
class Decided:
    """One gather's decisions. Rows are numbered as the shard's reader, or the task before, gives them."""

    row: np.ndarray
    """int64, ascending: the rows that go."""
    because: Mapping[str, pa.Array]
    """``duplicate_of``, ``similarity`` and ``band`` of each of them."""
    refused: Mapping[int, tuple[str, str]]
    """Rows that could not be sketched -> reason and detail."""
    for_others: tuple[np.ndarray, np.ndarray]
    """int64: rows that stay for others, ascending, and how many go for each; only where that is asked for."""

    @property
    def gone(self) -> np.ndarray:
        """int64, ascending: the rows that a later step does not see."""
        return np.union1d(self.row, np.array(sorted(self.refused), np.int64))


def decisions(job: Job) -> list[Decided]:
    """Of the gathers in the task's body, in their order."""
    pairs = zip(job.body.get("clusters", ()), job.body.get("sketches", ()), strict=True)
    return [_decided(job.folder(cluster), job.folder(sketch), job.body["shard"]) for cluster, sketch in pairs]


def _decided(cluster: Path, sketch: Path, shard: int) -> Decided:
    columns = rows_of(cluster, shard)
    return Decided(columns.pop("row").to_numpy(), columns, refusals.rows_of(sketch), counts_of(cluster, shard))


def rows_of(cluster: Path, shard: int) -> dict[str, pa.Array]:
    """The decisions of one shard, column by column."""
    first, end = _range(cluster / "ranges.npy", shard)
    with pa.memory_map(str(cluster / "decisions.arrow")) as source:
        table = pa.ipc.open_file(source).read_all().slice(first, end - first)
        return {name: pa.concat_arrays(table[name].chunks or [pa.array([], table[name].type)])
                for name in table.column_names}


def counts_of(cluster: Path, shard: int) -> tuple[np.ndarray, np.ndarray]:
    """Of one shard the rows that stay for others, and for how many, where they were counted."""
    if not (cluster / COUNTS).exists():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    first, end = _range(cluster / COUNT_RANGES, shard)
    found = np.load(cluster / COUNTS, mmap_mode="r", allow_pickle=False)[first:end]
    return np.array(found["row"]), np.array(found["count"])


def _range(path: Path, shard: int) -> tuple[int, int]:
    """Where the part of a shard begins and ends."""
    ranges = np.load(path, mmap_mode="r", allow_pickle=False)
    return int(ranges[shard]), int(ranges[shard + 1])


def reader_deaths(job: Job) -> dict[str, str]:
    """Where the reader is known to die: whoever reads the split again refuses the same, or rows had other numbers."""
    sketches = job.body.get("sketches", ())
    return refusals.reads_of(job.folder(sketches[0])) if sketches else {}
