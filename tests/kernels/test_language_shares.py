"""Shares of languages in texts of several pieces: the kernel against counting by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.language_shares import language_shares

LABELS = 4
PIECES = st.lists(st.tuples(st.integers(0, 500), st.integers(0, LABELS - 1)), max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(PIECES, st.integers(0, LABELS - 1)), max_size=5), st.sets(st.integers(0, LABELS - 1)))
def test_shares_are_those_of_a_count(texts: list[tuple[list[tuple[int, int]], int]], keep: set[int]) -> None:
    flat = [(row, size, label) for row, (pieces, _) in enumerate(texts) for size, label in pieces]
    rows, sizes, labels = (np.array([piece[k] for piece in flat], np.int64) for k in range(3))
    wanted = np.array([label in keep for label in range(LABELS)])
    main = np.array([label for _, label in texts], np.int64)
    share, second, second_share = language_shares(rows, sizes, labels, main, wanted)
    for row, (pieces, mine) in enumerate(texts):
        letters: Counter[int] = Counter()
        for size, label in pieces:
            letters[label] += max(size, 1)  # a piece of digits alone weighs something
        total, others = letters.total(), {label: count for label, count in letters.items() if label != mine}
        assert share[row] == pytest.approx(sum(letters[label] for label in keep) / total if total else 0)
        assert second_share[row] == pytest.approx(max(others.values(), default=0) / total if total else 0)
        assert (second[row] in others and others[second[row]] == max(others.values())) if others else second[row] == -1
