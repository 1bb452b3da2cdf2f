"""Components by union-find and their groups: against the plain rule; and the arrays that a choice is made from."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.choose import WAITING
from dataengine.kernels.components import NOWHERE, assign, groups_of, reorder, unite, weigh
from dataengine.kernels.enlist import NOBODY, copies, enlist, fill, number, sort_by, survey

ROWS = 14
BUCKETS = st.lists(st.lists(st.integers(0, ROWS - 1), min_size=2, max_size=6, unique=True), max_size=8)


def flat(buckets: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array([row for bucket in buckets for row in bucket], np.uint32)
    return rows, np.array([len(bucket) for bucket in buckets], np.int64)


def plain_components(buckets: list[list[int]]) -> dict[int, frozenset[int]]:
    tied: dict[int, frozenset[int]] = {}
    for bucket in buckets:
        whole = frozenset(bucket).union(*(tied.get(row, frozenset()) for row in bucket))
        tied |= dict.fromkeys(whole, whole)
    return tied


@given(BUCKETS, st.lists(st.integers(0, 5), min_size=ROWS, max_size=ROWS), st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_groups_share_no_row_and_hold_no_more_than_the_limit_unless_it_is_one_component(buckets, sizes, limit):
    rows, lengths = flat(buckets)
    parent, weight = np.full(ROWS, NOWHERE, np.int32), np.zeros(ROWS, np.int64)
    middle = len(buckets) // 2
    cut = int(lengths[:middle].sum())
    for part in (slice(0, middle), slice(middle, None)):
        unite(rows[slice(0, cut) if part.start == 0 else slice(cut, None)], lengths[part], parent, weight, 3)
    for first in (0, 5):
        weigh(first, parent, weight, np.array(sizes[first : 5 if first == 0 else None], np.int64), 10, 2)
    tied = plain_components(buckets)
    assert {row: int(top) for row, top in enumerate(parent) if top != NOWHERE} == {row: min(tied[row]) for row in tied}
    heavy = {whole: sum(10 + 2 * sizes[row] + 3 * sum(row in bucket for bucket in buckets) for row in whole)
             for whole in tied.values()}
    assert {min(whole): value for whole, value in heavy.items()} == {min(w): int(weight[min(w)]) for w in heavy}
    count = assign(parent, weight, limit)
    group_of = {whole: int(weight[min(whole)]) for whole in heavy}
    assert set(group_of.values()) == set(range(count))
    for group in range(count):
        members = [whole for whole in heavy if group_of[whole] == group]
        assert len(members) == 1 or sum(heavy[whole] for whole in members) <= limit
    starts, found = np.concatenate([[0], lengths.cumsum()]).astype(np.int64), np.empty(len(buckets), np.int64)
    groups_of(rows, starts, parent, weight, found)
    assert found.tolist() == [group_of[tied[bucket[0]]] for bucket in buckets]
    order, moved = np.argsort(found, kind="stable"), np.empty_like(rows)
    reorder(rows, starts, order, moved)
    assert moved.tolist() == [row for place in order.tolist() for row in buckets[place]]


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=40))
@settings(max_examples=100, deadline=None)
def test_rows_are_sorted_by_rank_and_those_of_one_rank_stay_as_they_are(ranks):
    rank, rows = np.array(ranks, np.uint64), np.arange(100, 100 + len(ranks), dtype=np.uint32)
    expected = rows[np.argsort(rank, kind="stable")]
    sort_by(rank.copy(), rows, np.empty_like(rank), np.empty_like(rows))
    assert rows.tolist() == expected.tolist()


COPIES = st.lists(st.sets(st.integers(0, ROWS - 1), min_size=2, max_size=4), max_size=3)


@given(BUCKETS, COPIES, st.permutations(range(ROWS)))
@settings(max_examples=200, deadline=None)
def test_candidates_are_the_originals_of_each_bucket_that_has_two(buckets, sames, ranks):
    taken: set[int] = set()
    alike = [sorted(same) for same in sames if not (same & taken or taken.update(same))]
    (rows, sizes), (same_rows, same_sizes) = flat(buckets), flat(alike)
    place, found, count = np.full(ROWS, NOBODY, np.int32), np.empty(ROWS, np.uint32), 0
    for part in (same_rows, rows):
        count = enlist(part, place, found, count)
    inside = sorted({row for bucket in [*buckets, *alike] for row in bucket})
    assert sorted(found[:count].tolist()) == inside
    order = sorted(inside, key=lambda row: ranks[row])
    number(np.array(order, np.uint32), place)
    document = {row: place[row] for row in inside}
    assert [document[row] for row in order] == list(range(count))
    copy_of, starts = np.empty(count, np.int32), np.zeros(count + 1, np.int64)
    copies(same_rows, same_sizes, place, copy_of)
    first = {document[row]: min(document[other] for other in same) for same in alike for row in same}
    assert copy_of.tolist() == [first.get(d, d) for d in range(count)]
    left = np.empty(len(buckets), np.int64)
    shared, entries = survey(rows, sizes, place, copy_of, starts, left)
    bands, room = np.arange(len(buckets), dtype=np.int16), np.zeros(shared + 1, np.int64)
    owned, met = np.empty(entries, np.int32), np.empty(shared, np.int16)
    fill(rows, sizes, bands, place, copy_of, left, starts, owned, met, room)
    originals = [[document[row] for row in bucket if copy_of[document[row]] == document[row]] for bucket in buckets]
    kept = [(band, members) for band, members in enumerate(originals) if len(members) > 1]
    assert met.tolist() == [band for band, _ in kept]
    assert np.diff(room).tolist() == [min(len(members), WAITING) for _, members in kept]
    mine = [[bucket for bucket, (_, members) in enumerate(kept) if d in members] for d in range(count)]
    assert [owned[starts[d] : starts[d + 1]].tolist() for d in range(count)] == mine
