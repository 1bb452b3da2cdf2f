"""The three phases of a gather: sketch each shard, match each range of the key space, cluster the matches.

    kept.parquet ─ sketch ─> entries, range by range              one task a shard
    entries of one range ─ match ─> edges (row, first row, band)  one task a range
    edges ─ cluster ─> decisions: row, the row that stays, band   one task

A row of the lane is one number: shard index << 32 | row in the shard. All files are plain arrays (``.npy`` without
objects, Arrow IPC), so that a later task maps just the part it needs. Memory: a match task holds one range, which
`plan.SHARDS_PER_RANGE` bounds; the cluster task holds the edges of true candidates and one shard's ids at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine import shards
from dataengine import stage as stages
from dataengine.errors import StageError
from dataengine.kernels.meet import components, edges
from dataengine.tasks import PROCESSING, READING, Job, blank
from dataengine.tasks.columns import FusedStep
from dataengine.tasks.head import BATCH_BYTES, BATCH_ROWS
from dataengine.tasks.rows import warm_up

SHARD_BITS = np.int64(32)


def sketch(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """The keys of every row of one shard, as entries (band, key, check, row), those of one range of keys together."""
    spec = job.body["step"]
    stage = stages.load(spec["stage"])
    config = stage.config.model_validate(spec["config"])
    keys, checks, rows, base = [], [], [], 0
    schema = shards.arrow_schema(job.body["reads"])
    warm_up([FusedStep(spec["step"], spec["lane"], stage, config)], job.body["reads"])
    for number, batch in enumerate(
        shards.read_batches(
            job.folder(job.body["parent"]) / shards.KEPT, schema.names, max_rows=BATCH_ROWS, max_bytes=BATCH_BYTES
        )
    ):
        at(number, PROCESSING)
        found = stage.function(shards.conform(batch, schema), config)
        if found.keys.shape[0] != batch.num_rows or found.alone.shape != (batch.num_rows,):
            raise StageError(f"gave keys of shape {found.keys.shape} for {batch.num_rows} rows", where=stage.name)
        meets = np.flatnonzero(~found.alone)
        keys.append(found.keys[meets])
        if found.check is not None:
            checks.append(found.check[meets])
        rows.append(base + meets)
        base += batch.num_rows
        at(number + 1, READING)
    write_entries(staging, keys, checks, rows, job.body["ranges"])
    manifest = blank(job)
    manifest.figures = {"rows_with_keys": float(sum(map(len, rows)))}
    return manifest


def write_entries(
    staging: Path, keys: list[np.ndarray], checks: list[np.ndarray], rows: list[np.ndarray], ranges: int
) -> None:
    """Put the entries of a range together and write them as arrays, with the offset of each range."""
    bands = keys[0].shape[1] if keys else 1
    key = np.concatenate(keys).reshape(-1) if keys else np.empty(0, np.uint64)
    row = np.repeat(np.concatenate(rows) if rows else np.empty(0, np.int64), bands)
    band = np.tile(np.arange(bands, dtype=np.uint16), len(key) // bands)
    place = range_of(key, ranges)
    order = np.argsort(place, kind="stable")
    arrays = {"key": key, "row": row.astype(np.uint32), "band": band}
    if checks:
        arrays["check"] = np.concatenate(checks).reshape(-1)
    for name, values in arrays.items():
        np.save(staging / f"{name}.npy", values[order], allow_pickle=False)
    np.save(
        staging / "ranges.npy",
        np.searchsorted(place[order], np.arange(ranges + 1)).astype(np.int64),
        allow_pickle=False,
    )


def range_of(key: np.ndarray, ranges: int) -> np.ndarray:
    """Which of `ranges` equal parts of the 64-bit key space each key is in."""
    return ((key >> np.uint64(32)) * np.uint64(ranges) >> np.uint64(32)).astype(np.int64)


def match(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """Rows that share a key in a band, as edges to the first of them, for one range of the key space."""
    number = job.body["range"]
    parts: dict[str, list[np.ndarray]] = {  # of a lane without a single task too
        "key": [np.empty(0, np.uint64)],
        "row": [np.empty(0, np.int64)],
        "band": [np.empty(0, np.uint16)],
    }
    for shard, place in enumerate(job.body["sketches"]):
        folder = job.folder(place)
        ranges = np.load(folder / "ranges.npy", allow_pickle=False)
        section = slice(int(ranges[number]), int(ranges[number + 1]))
        for name in ("key", "row", "band", "check"):
            if (path := folder / f"{name}.npy").exists():
                values = np.load(path, mmap_mode="r", allow_pickle=False)[section]
                values = (
                    (np.int64(shard) << SHARD_BITS) | values.astype(np.int64) if name == "row" else np.asarray(values)
                )
                parts.setdefault(name, []).append(values)
    merged = {name: np.concatenate(values) for name, values in parts.items()}
    found = edges(merged["key"], merged.get("check"), merged["row"], merged["band"])
    arrays = {"row": found.right, "first": found.left, "band": merged["band"][found.index]}
    for name, values in arrays.items():
        np.save(staging / f"{name}.npy", values, allow_pickle=False)
    manifest = blank(job)
    manifest.figures = {"entries": float(len(merged["key"])), "edges": float(len(found.right))}
    return manifest


def cluster(job: Job, staging: Path, at: Callable[[int, int], None]) -> shards.Manifest:
    """Connected components of all edges: for every row that goes, the row that stays, the first of its component."""
    folders = [job.folder(place) for place in job.body["matches"]]
    row, first, band = (
        np.concatenate([np.load(folder / f"{name}.npy", allow_pickle=False) for folder in folders])
        for name in ("row", "first", "band")
    )
    goes, stays, joined = components(first, row, band)
    parents = job.body["parents"]
    names = ids_of(job, parents, stays)
    table = pa.table(
        {"row": (goes & 0xFFFFFFFF).astype(np.int64), "band": joined.astype(np.int64), "duplicate_of": names}
    )
    with pa.OSFile(str(staging / "decisions.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    ranges = np.searchsorted(goes >> SHARD_BITS, np.arange(len(parents) + 1)).astype(np.int64)
    np.save(staging / "ranges.npy", ranges, allow_pickle=False)
    manifest = blank(job)
    manifest.figures = {
        "edges": float(len(row)),
        "duplicates": float(len(goes)),
        "clusters": float(len(np.unique(stays))),
    }
    return manifest


def ids_of(job: Job, parents: list[list[str]], rows: np.ndarray) -> pa.Array:
    """The ids of these rows of the lane, reading the id column of one shard at a time."""
    shard = rows >> SHARD_BITS
    order = np.argsort(shard, kind="stable")
    bounds = np.searchsorted(shard[order], np.arange(len(parents) + 1))
    parts: list[pa.Array] = [pa.array([], pa.string())]
    for index, place in enumerate(parents):
        wanted = order[bounds[index] : bounds[index + 1]]
        if len(wanted):
            batches = shards.read_batches(job.folder(place) / shards.KEPT, columns=["id"], max_rows=1 << 20)
            ids = pa.chunked_array([batch.column(0) for batch in batches], pa.string())
            parts.append(ids.take(pa.array(rows[wanted] & 0xFFFFFFFF)).combine_chunks())
    back = np.empty(len(rows), np.int64)
    back[order] = np.arange(len(rows))
    return pa.concat_arrays(
        [part if isinstance(part, pa.Array) else pa.concat_arrays(part.chunks) for part in parts]
    ).take(pa.array(back))
