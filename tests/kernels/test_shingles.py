"""N-gram hashes against the polynomial written down, and kernels against their plain twins."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.shingles import mix, shingles
from tests.kernels.interpreted import interpreted


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.integers(1, 20))
@settings(max_examples=100, deadline=None)
def test_shingles_put_together_from_halves_equal_shingles_from_scratch_and_the_plain_twin(values, ngram):
    hashed = np.array(values, np.uint64)
    out, plain, work = np.zeros(40, np.uint32), np.zeros(40, np.uint32), np.zeros((2, 40), np.uint64)
    count = shingles(hashed, len(values), ngram, work, out)
    assert interpreted(shingles)(hashed, len(values), ngram, work, plain) == count == max(0, len(values) - ngram + 1)
    assert out.tolist() == plain.tolist()
    base, expected = 0x9E3779B97F4A7C15, []
    for i in range(len(values) - ngram + 1):
        rolled = sum(h * base ** (ngram - 1 - j) for j, h in enumerate(values[i : i + ngram])) % 2**64
        expected.append(max(1, murmur(rolled) % 2**32))
    assert out[:count].tolist() == expected


def murmur(h: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        h = (h ^ h >> 33) * factor % 2**64
    return h ^ h >> 33


def test_mixing_is_murmurs_finaliser():
    for h in (0, 1, 0xDEADBEEF, 2**64 - 1):
        assert int(mix(np.uint64(h))) == murmur(h)


def test_no_shingle_is_nothing():
    """0 marks a free place in tables: the one n-gram whose hash is 0 has 1."""
    work, out = np.zeros((2, 1), np.uint64), np.zeros(1, np.uint32)
    assert int(mix(np.uint64(0))) == 0
    assert shingles(np.zeros(1, np.uint64), 1, 1, work, out) == 1 and out.tolist() == [1]
