"""Who stays: against the rule written down in plain Python, on any graph of candidates; and the bounds of search."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import choose as module
from dataengine.kernels.choose import (
    NO_BAND,
    WAITING,
    Candidates,
    Choice,
    choose,
    nothing_chosen,
    settle,
)

SETS = st.lists(st.frozensets(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=12)
BUCKETS = st.lists(st.tuples(st.integers(0, 4), st.sets(st.integers(0, 11), max_size=8)), max_size=8)
"""(band, members) of buckets."""


def candidates(count: int, buckets: list[tuple[int, list[int]]], copy_of: list[int] | None = None) -> Candidates:
    members = np.array([d for _, bucket in buckets for d in bucket], np.int64)
    owners = np.repeat(np.arange(len(buckets), dtype=np.int32), [len(bucket) for _, bucket in buckets])
    owned = owners[np.argsort(members, kind="stable")]
    starts = np.cumsum([0, *np.bincount(members, minlength=count)])
    sizes = [min(len(bucket), WAITING) for _, bucket in buckets]
    return Candidates(
        np.array(range(count) if copy_of is None else copy_of, np.int32), starts, owned,
        np.array([band for band, _ in buckets], np.int16), np.cumsum([0, *sizes]),
    )


def laid_out(sets: list[frozenset[int]]) -> tuple[np.ndarray, np.ndarray]:
    elements = np.array([value for one in sets for value in sorted(one)], np.uint32)
    return elements, np.cumsum([0, *map(len, sets)])


def chosen(
    made: Candidates, sets: list[frozenset[int]], threshold: float, chains: bool = False, fixed: int = 0,
    cuts: tuple[int, ...] = (), function=choose,
) -> Choice:
    choice, (elements, starts) = nothing_chosen(made), laid_out(sets)
    edges = [0, *cuts, len(sets)]
    with np.errstate(over="ignore"):
        for first, last in pairwise(edges):
            function(first, last, fixed, made, choice, elements, starts, threshold, chains, False)
    if chains:
        settle(made, choice, elements, starts, threshold >= 0, False)
    return choice


def jaccard(one: frozenset[int], two: frozenset[int]) -> float:
    return len(one & two) / len(one | two)


def met(buckets: list[tuple[int, list[int]]], one: int, two: int) -> list[int]:
    return [band for band, members in buckets if one in members and two in members]


def greedy(sets, buckets, threshold, fixed=0) -> list[int | None]:
    """The rule: in order, each goes for the kept document that shares most buckets and is similar enough."""
    kept: list[int] = []
    found: list[int | None] = []
    for d in range(len(sets)):
        near = [k for k in kept if met(buckets, k, d) and (threshold < 0 or jaccard(sets[k], sets[d]) >= threshold)]
        near.sort(key=lambda k: (-len(met(buckets, k, d)), k))
        found.append(near[0] if near and d >= fixed else None)
        if found[-1] is None:
            kept.append(d)
    return found


def components(sets, buckets, threshold) -> list[int]:
    """The least document that hangs together with each, by repeated merging."""
    root = list(range(len(sets)))
    for _ in sets:
        for a in range(len(sets)):
            for b in range(len(sets)):
                if met(buckets, a, b) and (threshold < 0 or jaccard(sets[a], sets[b]) >= threshold):
                    root[a] = root[b] = min(root[a], root[b])
    return root


def made_of(sets, buckets) -> list[tuple[int, list[int]]]:
    """The strategy's buckets as the engine makes them: of documents there are, and a document once in a band."""
    taken: set[tuple[int, int]] = set()
    found = []
    for band, members in buckets:
        fresh = sorted(d for d in members if d < len(sets) and (band, d) not in taken)
        taken |= {(band, d) for d in fresh}
        found.append((band, fresh))
    return found


@given(SETS, BUCKETS, st.sampled_from([-1.0, 0.3, 0.5, 0.8]), st.integers(0, 3), st.integers(0, 12))
@settings(max_examples=300, deadline=None)
def test_greedy_choice_is_the_rule_written_down(sets, buckets, threshold, fixed, cut):
    buckets = made_of(sets, buckets)
    made = candidates(len(sets), buckets)
    expected = greedy(sets, buckets, threshold, fixed)
    found = chosen(made, sets, threshold, fixed=fixed, cuts=(min(cut, len(sets)),))
    assert [None if d == s else s for d, s in enumerate(found.stays.tolist())] == expected
    for d, stays in enumerate(expected):
        if stays is not None:
            assert found.band[d] == min(met(buckets, d, stays))
            assert threshold < 0 or found.similarity[d] == jaccard(sets[d], sets[stays])
    assert found.crowded[0] == 0


@given(SETS, BUCKETS, st.sampled_from([-1.0, 0.3, 0.8]))
@settings(max_examples=200, deadline=None)
def test_chains_are_connected_components(sets, buckets, threshold):
    buckets = made_of(sets, buckets)
    found = chosen(candidates(len(sets), buckets), sets, threshold, chains=True)
    assert found.stays.tolist() == components(sets, buckets, threshold)
    for d, stays in enumerate(found.stays.tolist()):
        if stays != d and threshold >= 0:
            assert found.similarity[d] == jaccard(sets[d], sets[stays])


@given(SETS, BUCKETS, st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_kernel_and_its_plain_twin_agree(sets, buckets, chains):
    made = candidates(len(sets), made_of(sets, buckets))
    fast, plain = (chosen(made, sets, 0.5, chains, function=function) for function in (choose, choose.py_func))
    assert [part.tolist() for part in fast[:1] + fast[2:3]] == [part.tolist() for part in plain[:1] + plain[2:3]]


def test_no_two_who_stay_are_similar_and_nobody_goes_without_a_partner_that_stays():
    """A chain: each is like the next, the first is not like the third."""
    sets = [frozenset(range(i, i + 9)) for i in range(20)]
    made = candidates(20, [(0, list(range(20)))])
    found = chosen(made, sets, 0.8)
    assert found.stays.tolist() == [i - i % 2 for i in range(20)]
    assert chosen(made, sets, 0.8, chains=True).stays.tolist() == [0] * 20


@pytest.mark.parametrize("chains", [False, True])
def test_copies_go_with_their_first(chains):
    """1 is a copy of 0 and stays behind it; 3 is a copy of 2, which goes for 0."""
    sets = [frozenset(range(9)), frozenset(range(9)), frozenset(range(10)), frozenset(range(10)), frozenset({50})]
    made = candidates(5, [(2, [0, 2])], copy_of=[0, 0, 2, 2, 4])
    found = chosen(made, sets, 0.8, chains)
    assert found.stays.tolist() == [0, 0, 0, 0, 4]
    assert found.similarity.tolist()[1:4] == [1.0, 0.9, 0.9]
    assert found.band.tolist()[1:4] == [NO_BAND, 2, 2]


def test_documents_of_an_earlier_corpus_stay_and_take_later_ones_with_them():
    sets = [frozenset(range(10)), frozenset(range(10)), frozenset(range(10)), frozenset(range(9))]
    found = chosen(candidates(4, [(0, [0, 1, 2, 3])]), sets, 0.8, fixed=2)
    assert found.stays.tolist() == [0, 1, 0, 0]


def strangers(count: int, shared: int) -> list[frozenset[int]]:
    return [frozenset([*range(shared), *range(100 + 10 * d, 110 + 10 * d)]) for d in range(count)]


def test_a_hundred_thousand_near_copies_are_compared_once_each():
    sets = [frozenset([*range(40), 1000 + d]) for d in range(100_000)]
    made = candidates(len(sets), [(band, list(range(len(sets)))) for band in range(4)])
    chosen(candidates(1, []), sets[:1], 0.8)
    start = time.process_time()
    found = chosen(made, sets, 0.8)
    assert set(found.stays.tolist()) == {0} and found.crowded[0] == 0
    assert time.process_time() - start < 5


def test_a_crowd_of_strangers_in_one_bucket_is_bounded_and_counted(monkeypatch):
    sets = strangers(WAITING + 50, 20)
    found = chosen(candidates(len(sets), [(0, list(range(len(sets))))]), sets, 0.8)
    assert (found.stays == np.arange(len(sets))).all()
    assert found.crowded[0] > 0 and found.waits[0] == WAITING


def test_the_candidate_that_shares_most_buckets_is_found_in_a_crowd():
    """Seven hundred strangers of one template, and one sibling of the last, which shares a second bucket with it."""
    sets = [*strangers(700, 20)]
    sets.append(sets[-1] | {99})
    made = candidates(701, [(0, list(range(701))), (1, [699, 700])])
    found = chosen(made, sets, 0.8)
    assert found.stays[700] == 699 and (found.stays[:700] == np.arange(700)).all()
    assert module.COMPARED < 700
