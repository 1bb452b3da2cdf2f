"""One group of a lane's rows, and all buckets that they are in: who goes, and for whom.

Rows become documents 0..n-1 in the order of who is to stay first: rows of indexes, then by rank, then in the order of
the lane. Copies are put aside, each behind its first; the others are compared by `kernels.choose`. The arrays are those
of a `Scratch`: where a group is more than memory holds they are mapped files, and the answer is the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataengine import stage as stages
from dataengine.kernels.choose import Candidates, Choice, choose, nothing_chosen, settle
from dataengine.kernels.enlist import copies, enlist, fill, number, sort_by, survey
from dataengine.tasks.index import copy_sets
from dataengine.tasks.lane import Lane
from dataengine.tasks.scratch import Scratch

DOCUMENT_BYTES, ENTRY_BYTES, ELEMENT_BYTES = 80, 32, 4
"""Of memory that a document takes, each bucket it is in, and each element of its set."""


class Met(NamedTuple):
    """Buckets of the lane, one after the other."""

    rows: np.ndarray
    """Numbers of the lane."""
    sizes: np.ndarray
    """int64."""
    bands: np.ndarray
    """int16."""


class Documents(NamedTuple):
    """The rows that take part."""

    rows: np.ndarray
    """Numbers in the lane, ascending."""
    numbers: np.ndarray
    """The same in the order of the documents."""
    place: np.ndarray
    """int32, for every row of the lane: which document it is."""
    fixed: int
    """So many of the documents are of indexes, and stay."""


def contest(
    lane: Lane, same: Met, near: Met, how: stages.Choice, place: np.ndarray, scratch: Scratch
) -> tuple[Documents, Choice]:
    """Decide about the rows in these buckets of copies and of bands. In `place` they are nobody before and after."""
    documents = in_order(lane, (same, near), place, scratch)
    candidates = candidates_of(documents, same, near, scratch)
    sets = np.empty(0, np.uint32), np.zeros(len(documents.rows) + 1, np.int64)
    if how.threshold is not None:
        sets = sets_of(lane, documents, candidates, scratch)
    return documents, decide(candidates, *sets, how, documents.fixed, scratch)


def in_order(lane: Lane, met: tuple[Met, ...], place: np.ndarray, scratch: Scratch) -> Documents:
    """The documents, in the order of who is to stay first."""
    most = min(sum(len(buckets.rows) for buckets in met), lane.rows)
    found, count = scratch.array(most, lane.kind), 0
    for buckets in met:
        count = enlist(buckets.rows, place, found, count)
    rows = found[:count]
    rows.sort()
    fixed = int(np.searchsorted(rows, lane.kind(lane.begins)))
    numbers = ranked(lane, rows, fixed, scratch)
    number(numbers, place)
    return Documents(rows, numbers, place, fixed)


def ranked(lane: Lane, rows: np.ndarray, fixed: int, scratch: Scratch) -> np.ndarray:
    """The rows behind the first `fixed` by rank, those of the same rank as they come."""
    if not any((folder / "rank.npy").exists() for folder in lane.sketches[lane.indexes :]):
        return rows
    count = len(rows) - fixed
    rank, other_rank = scratch.array(count, np.uint64), scratch.array(count, np.uint64)
    numbers, other = scratch.array(len(rows), rows.dtype), scratch.array(count, rows.dtype)
    numbers[:] = rows
    for shard, part in lane.stretches(rows[fixed:]):
        rank[part] = lane.load(shard, "rank")[lane.inside(shard, rows[fixed:][part])]
    sort_by(rank, numbers[fixed:], other_rank, other)
    return numbers


def candidates_of(documents: Documents, same: Met, near: Met, scratch: Scratch) -> Candidates:
    """Copies put behind their first, and the buckets of all others."""
    count, place = len(documents.rows), documents.place
    copy_of, starts = scratch.array(count, np.int32), scratch.array(count + 1, np.int64)
    copies(same.rows, same.sizes, place, copy_of)
    left = scratch.array(len(near.sizes), np.int64)
    buckets, entries = survey(near.rows, near.sizes, place, copy_of, starts, left)
    owned, bands = scratch.array(entries, np.int32), scratch.array(buckets, np.int16)
    room = scratch.array(buckets + 1, np.int64)
    fill(near.rows, near.sizes, near.bands, place, copy_of, left, starts, owned, bands, room)
    return Candidates(copy_of, starts, owned, bands, room)


def sets_of(
    lane: Lane, documents: Documents, candidates: Candidates, scratch: Scratch
) -> tuple[np.ndarray, np.ndarray]:
    """The sets of documents that share a bucket, one after the other, and where each begins; from their sketches."""
    starts, place = scratch.array(len(documents.rows) + 1, np.int64), documents.place
    for shard, part in lane.stretches(documents.rows):
        mine = place[documents.rows[part]]
        bounds, inside = lane.load(shard, "sets"), lane.inside(shard, documents.rows[part])
        compared = candidates.starts[mine + 1] > candidates.starts[mine]
        starts[mine + 1] = np.where(compared, bounds[inside + 1] - bounds[inside], 0)
    np.cumsum(starts, out=starts)
    elements = scratch.array(int(starts[-1]), np.uint32)
    for shard, part in lane.stretches(documents.rows):
        path = lane.sketches[shard] / "elements.bin"
        if path.stat().st_size:
            bounds, inside = np.array(lane.load(shard, "sets")), lane.inside(shard, documents.rows[part])
            mine = place[documents.rows[part]]
            copy_sets(np.memmap(path, np.uint32, "r"), bounds, inside, elements, starts, mine)
    return elements, starts


def decide(
    candidates: Candidates, elements: np.ndarray, starts: np.ndarray, how: stages.Choice, fixed: int, scratch: Scratch
) -> Choice:
    """Run the choice over all documents, of which the first `fixed` stay."""
    choice = nothing_chosen(candidates, scratch.array)
    threshold = -1.0 if how.threshold is None else float(how.threshold)
    choose(0, len(candidates.copy_of), fixed, candidates, choice, elements, starts, threshold, how.chains, how.vectors)
    if how.chains:
        settle(candidates, choice, elements, starts, how.threshold is not None, how.vectors)
    return choice
