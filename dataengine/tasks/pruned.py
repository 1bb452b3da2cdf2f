"""What a prune's decisions make of the texts of one shard: cut, counted, and every cut written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataengine import shards
from dataengine.kernels.buffers import text_array, utf8
from dataengine.kernels.without import apart, joined, without
from dataengine.prune import BYTES, SPANS, SPANS_TYPE
from dataengine.stage import Stage, StageConfig
from dataengine.tasks import Job, refusals
from dataengine.tasks.ids import id_texts
from dataengine.tasks.unit_files import ID_BYTES, section, whereabouts, withdrawn


@dataclass(frozen=True)
class Cuts:
    """What goes of the texts of one shard, in order, no two overlapping."""

    rows: np.ndarray
    """int64, shape (m,): row of the shard."""
    starts: np.ndarray
    ends: np.ndarray
    """int64: bytes of the row's text."""
    kept_in: np.ndarray
    """uint8, shape (m, 16): id of the document with the copy that stays."""
    counted: np.ndarray
    """int64: the row of every part that goes, in order; parts that touch are one cut, but count each."""
    refused: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """Rows whose parts could not be found -> reason and detail."""

    def of(self, rows: np.ndarray) -> Cuts:
        """Those of some rows, given in ascending order, as rows 0, 1, ... of them."""

        def here(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            place = np.minimum(np.searchsorted(rows, values), len(rows) - 1)
            chosen = np.flatnonzero(rows[place] == values)
            return chosen, place[chosen]

        first, last = np.searchsorted(self.rows, (rows[0], rows[-1] + 1))
        chosen, place = here(self.rows[first:last])
        begin, end = np.searchsorted(self.counted, (rows[0], rows[-1] + 1))
        return Cuts(place, self.starts[first:last][chosen], self.ends[first:last][chosen],
                    self.kept_in[first:last][chosen], here(self.counted[begin:end])[1])


def load_cuts(job: Job) -> Cuts:
    """The decisions for this shard, of all rounds.

    What was to go for a row that a later round refused stays: else it would be gone from the lane.
    """
    shard, named = job.body["shard"], job.folder(job.body["rounds"][0]["units"])
    ids = np.load(named / "id.npy", mmap_mode="r", allow_pickle=False)
    parts, refused = [], {}
    missing = withdrawn(job.folder(job.body["rounds"][-1]["cuts"]))
    for places in job.body["rounds"]:
        folder, found = job.folder(places["units"]), job.folder(places["cuts"])
        refused |= refusals.rows_of(folder)
        row, start, end = whereabouts(folder)
        unit = section(found, "unit", shard, np.uint32)
        kept_in = section(found, "kept_in", shard, np.uint8, ID_BYTES)
        order = np.argsort(unit)
        unit, kept_in = unit[order], kept_in[order]
        local = np.load(folder / "local.npy", allow_pickle=False)
        of_local = ids[row[local[:, 1]]]
        if len(unit):  # the first in the shard may go itself, for one in a shard before
            place = np.minimum(np.searchsorted(unit, local[:, 1]), len(unit) - 1)
            gone = unit[place] == local[:, 1]
            of_local = np.where(gone[:, None], kept_in[place], of_local)
        unit, kept_in = np.concatenate([unit, local[:, 0]]), np.concatenate([kept_in, of_local])
        if len(missing):
            goes = ~np.isin(names(kept_in), names(missing))
            unit, kept_in = unit[goes], kept_in[goes]
        parts.append((row[unit].astype(np.int64), start[unit].astype(np.int64), end[unit].astype(np.int64), kept_in))
    rows, starts, ends, kept_in = (np.concatenate(values) for values in zip(*parts, strict=True))
    order = np.lexsort((ends, starts, rows))
    return Cuts(*apart(rows[order], starts[order], ends[order], np.ascontiguousarray(kept_in[order])),
                np.sort(rows), refused)


def names(ids: np.ndarray) -> np.ndarray:
    """Ids, uint8 (n, 16), as values that can be compared."""
    return np.ascontiguousarray(ids).view(f"S{ID_BYTES}").ravel()


def pruned(
    batch: pa.RecordBatch, rows: np.ndarray, stage: Stage, config: StageConfig, cuts: Cuts
) -> dict[str, Any]:
    """The columns of `dataengine.prune.measures` for these rows of the shard, given by their numbers."""
    here = cuts.of(rows)
    data, offsets = utf8(batch.column("text"))
    if stage.fit is not None:
        here = fitted(here, stage, config, data, offsets)
    count, sizes = batch.num_rows, here.ends - here.starts
    removed = np.bincount(here.rows, sizes, count).astype(np.int64)
    parts = np.bincount(here.counted, minlength=count)
    bounds = np.searchsorted(here.rows, np.arange(count + 1)).astype(np.int32)
    kind = shards.arrow_type(SPANS_TYPE)
    spans = pa.StructArray.from_arrays(
        [pa.array(here.starts), pa.array(here.ends), id_texts(here.kept_in)], fields=list(kind.value_type))
    text, left = batch.column("text"), np.full(count, -1, np.int64)
    if len(here.rows):
        made, ends, left = without(data, offsets, here.rows, here.starts, here.ends)
        text = text_array(made, ends)
        if batch.column("text").null_count:
            text = pc.if_else(batch.column("text").is_valid(), text, None)
    return {
        "text": text,
        stage.counts: parts,
        stage.counts + BYTES: removed,
        stage.counts + SPANS: pa.ListArray.from_arrays(pa.array(bounds), spans, type=kind),
        "left_bytes": pa.array(left, mask=left < 0),
    }


def fitted(cuts: Cuts, stage: Stage, config: StageConfig, data: np.ndarray, offsets: np.ndarray) -> Cuts:
    """The cuts moved to where the stage allows them: stretches that touch are one, and are moved as one."""
    if not len(cuts.rows):
        return cuts
    group = joined(cuts.rows, cuts.starts, cuts.ends)
    first = np.searchsorted(group, np.arange(group[-1] + 1))
    last = np.append(first[1:], len(group)) - 1
    starts, ends = stage.fit(data, offsets, config, cuts.rows[first], cuts.starts[first], cuts.ends[last])
    begin, end = np.maximum(cuts.starts, starts[group]), np.minimum(cuts.ends, ends[group])
    left = begin < end
    return Cuts(cuts.rows[left], begin[left], end[left], cuts.kept_in[left], cuts.rows[first][starts < ends])
