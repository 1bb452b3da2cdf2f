"""The files of a prune's phases, read back: what `tasks.units` and `tasks.repeats` have written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

ID_BYTES = 16
"""Of a document's id, 32 hex digits."""
WITHDRAWN = "withdrawn.npy"
"""In the folder of the last ``cuts`` task, where there are such rows."""


def whereabouts(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, first byte, byte behind the last) of every part of a shard, mapped."""
    row, start, end = (np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                       for name in ("row", "start", "end"))
    return row, start, end


def withdrawn(folder: Path) -> np.ndarray:
    """uint8 (n, 16): of the lane, the ids of rows that the last round refused, as its ``cuts`` task has found them."""
    path = folder / WITHDRAWN
    return np.load(path, allow_pickle=False) if path.exists() else np.empty((0, ID_BYTES), np.uint8)


def section(folder: Path, name: str, shard: int, kind: type, width: int = 1) -> np.ndarray:
    """What a ``cuts`` task has written of one shard."""
    ranges = np.load(folder / f"{name}_ranges.npy", allow_pickle=False)
    first, last = int(ranges[shard]), int(ranges[shard + 1])
    size = np.dtype(kind).itemsize * width
    values = np.fromfile(folder / f"{name}.bin", kind, (last - first) * width, offset=first * size)
    return values.reshape(-1, width) if width > 1 else values
