"""One part of an index: what a later corpus needs of the rows of one shard that stayed. See `dataengine.index`.

The sketch of the shard without the rows that went, so that nothing is read or hashed again: ``same.npy`` and
``key.npy`` with their rows, the keys of a band together and sorted, so that any range of keys is one stretch;
``elements.bin`` and ``sets.npy``; ``id.npy``. At 16 bands about 270 bytes a document and 4 for each different n-gram.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

from dataengine import shards
from dataengine.tasks import Job, blank
from dataengine.tasks.decided import rows_of


def index(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """The part of one shard."""
    sketch, shard = job.folder(job.body["sketch"]), job.body["shard"]
    ids = np.load(sketch / "id.npy", mmap_mode="r", allow_pickle=False)
    stays = np.ones(len(ids), bool)
    for cluster in job.body["clusters"]:
        stays[rows_of(job.folder(cluster), shard)["row"].to_numpy()] = False
    renumbered = np.cumsum(stays).astype(np.uint32) - np.uint32(1)
    for kind in ("same", "key"):
        if (sketch / f"{kind}.npy").exists():
            _keys(sketch, staging, kind, job.body["ranges"], stays, renumbered)
    if (sketch / "sets.npy").exists():
        _sets(sketch, staging, stays)
    _save(staging, "id", ids[stays])
    manifest = blank(job)
    manifest.figures = {"rows": float(stays.sum())}
    return manifest


def _keys(
    sketch: Path, staging: Path, kind: str, ranges: int, stays: np.ndarray, renumbered: np.ndarray
) -> None:
    """The keys of rows that stay, by band and sorted; where each band begins in ``_starts``."""
    key, row, starts = (np.load(sketch / f"{kind}{part}.npy", mmap_mode="r", allow_pickle=False)
                        for part in ("", "_row", "_starts"))
    bands = (len(starts) - 1) // ranges
    keys, rows, sizes = [], [], []
    for band in range(bands):
        sections = [slice(starts[place], starts[place + 1]) for place in range(band, ranges * bands, bands)]
        own_rows = np.concatenate([row[section] for section in sections])
        own_keys = np.concatenate([key[section] for section in sections])
        kept = stays[own_rows]
        own_keys, own_rows = own_keys[kept], renumbered[own_rows[kept]]
        order = np.lexsort((own_rows, own_keys if own_keys.ndim == 1 else own_keys[:, 0]))
        keys.append(own_keys[order])
        rows.append(own_rows[order])
        sizes.append(len(order))
    _save(staging, kind, np.concatenate(keys))
    _save(staging, f"{kind}_row", np.concatenate(rows))
    _save(staging, f"{kind}_starts", np.cumsum([0, *sizes], dtype=np.int64))


def _sets(sketch: Path, staging: Path, stays: np.ndarray) -> None:
    bounds = np.load(sketch / "sets.npy", allow_pickle=False)
    sizes = np.diff(bounds)[stays]
    starts = np.concatenate([[0], sizes.cumsum()]).astype(np.int64)
    elements = np.empty(int(starts[-1]), np.uint32)
    if len(elements):
        copy_sets(np.memmap(sketch / "elements.bin", np.uint32, "r"), bounds, np.flatnonzero(stays), elements, starts,
                  np.arange(len(sizes)))
    elements.tofile(staging / "elements.bin")
    _save(staging, "sets", starts)


@njit(cache=True, nogil=True)
def copy_sets(source, bounds, rows, elements, starts, documents):
    """The sets of these rows of a shard to where those of their documents belong; nothing where those are empty."""
    for i in range(rows.size):
        first, to = bounds[rows[i]], starts[documents[i]]
        size = starts[documents[i] + 1] - to
        elements[to : to + size] = source[first : first + size]


def _save(staging: Path, name: str, values: np.ndarray) -> None:
    np.save(staging / f"{name}.npy", values, allow_pickle=False)
