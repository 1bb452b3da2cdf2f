"""Sets of n-grams of ids: against sets in plain Python, on any documents."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.shingles import mix
from dataengine.kernels.token_sets import mixed, sets_of_ids

DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=6)


def made(documents: list[list[int]], ngram: int, least: int = 1):
    ids = np.array([one for document in documents for one in document], np.int32)
    return sets_of_ids(ids, np.cumsum([0, *map(len, documents)]), ngram=ngram, least=least)


@given(DOCUMENTS, st.integers(1, 4), st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_sets_are_as_large_and_share_as_much_as_sets_of_tuples(documents, ngram, least):
    found = made(documents, ngram, least)
    parts = [found.elements[a:b].tolist() for a, b in zip(found.starts, found.starts[1:], strict=False)]
    plain = [
        {tuple(one[at : at + ngram]) for at in range(len(one) - ngram + 1)} if len(one) >= least else set()
        for one in documents
    ]
    assert found.counts.tolist() == list(map(len, documents))
    for part, grams in zip(parts, plain, strict=True):
        assert len(part) == len(set(part)) == len(grams) and part == sorted(part)
        for other, others in zip(parts, plain, strict=True):
            assert len(set(part) & set(other)) == len(grams & others)


@given(DOCUMENTS)
@settings(max_examples=50, deadline=None)
def test_documents_are_the_same_if_all_their_ids_are(documents):
    found = made(documents, 2)
    for one, same in zip(documents, found.same.tolist(), strict=True):
        for other, others in zip(documents, found.same.tolist(), strict=True):
            assert (same == others) == (one == other)


def test_the_hash_of_whole_arrays_is_that_of_the_kernels():
    values = np.random.default_rng(1).integers(0, 1 << 63, 100, np.uint64)
    with np.errstate(over="ignore"):
        assert mixed(values).tolist() == [int(mix.py_func(value)) for value in values]
