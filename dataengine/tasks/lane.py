"""The rows of a lane as a gather's cluster task counts them: shard after shard, behind those of indexes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine.tasks import Job
from dataengine.tasks.gather import SHARD_BITS
from dataengine.tasks.ids import id_texts


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
    elements: int
    """Elements of all sets."""

    @classmethod
    def of(cls, job: Job) -> Lane:
        parts = [Path(place) for place in job.body["against"]]
        folders = [job.folder(place) for place in job.body["sketches"]]
        rows = [len(np.load(part / "id.npy", mmap_mode="r", allow_pickle=False)) for part in parts]
        figures = [shards.read_manifest(folder).figures for folder in folders]
        elements = sum(int(each["elements"]) for each in figures)
        elements += sum((part / "elements.bin").stat().st_size // 4 for part in parts if (part / "sets.npy").exists())
        rows += [int(each["rows"]) for each in figures]
        return cls(parts + folders, np.concatenate([[0], rows]).cumsum().astype(np.int64), len(parts), elements)

    @property
    def rows(self) -> int:
        """How many there are, of indexes too."""
        return int(self.bases[-1])

    @property
    def begins(self) -> int:
        """The number of the lane's own first row."""
        return int(self.bases[self.indexes])

    @property
    def kind(self) -> type:
        """Wide enough for the number of a row."""
        return np.uint32 if self.rows < 1 << 32 else np.int64

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """shard << 32 | row as numbers of the lane."""
        return (self.bases[rows >> SHARD_BITS] + (rows & 0xFFFFFFFF)).astype(self.kind)

    def stretches(self, numbers: np.ndarray) -> Iterator[tuple[int, slice]]:
        """(shard, which of the ascending numbers lie in it), for every shard that has any."""
        bounds = np.searchsorted(numbers, self.bases.astype(numbers.dtype))
        for shard in np.flatnonzero(np.diff(bounds)).tolist():
            yield shard, slice(int(bounds[shard]), int(bounds[shard + 1]))

    def inside(self, shard: int, numbers: np.ndarray) -> np.ndarray:
        """int64: where in their shard rows of it stand."""
        return numbers.astype(np.int64) - self.bases[shard]

    def load(self, shard: int, name: str) -> np.ndarray:
        """A file of a shard's sketch, mapped."""
        return np.load(self.sketches[shard] / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    def ids(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 (n, 16): the ids of these rows."""
        order = np.argsort(numbers, kind="stable")
        ascending, found = numbers[order], np.empty((len(numbers), 16), np.uint8)
        for shard, part in self.stretches(ascending):
            found[order[part]] = self.load(shard, "id")[self.inside(shard, ascending[part])]
        return found

    def id_texts(self, numbers: np.ndarray) -> pa.Array:
        """The ids of these rows as texts."""
        return id_texts(self.ids(numbers))
