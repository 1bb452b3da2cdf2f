"""Vectors: lengths and cosines against numpy, keys against whole numbers of Python and against theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.token_sets import mixed
from dataengine.kernels.vectors import LARGEST, cosine, hyperplanes, keys_of, units, whole_numbers

FLOATS = st.floats(-1e300, 1e300, allow_nan=False) | st.floats(-2, 2)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of one size, float64 (n, size), at length one."""
    values, out = np.ascontiguousarray(rows, np.float64).ravel(), np.zeros(rows.size, np.float32)
    assert units(values, np.arange(len(rows) + 1) * rows.shape[1], out).all()
    return out.reshape(rows.shape)


def pairs_at(cosines: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random pairs of vectors of these cosines."""
    draw = np.random.default_rng(seed)
    one, other = draw.normal(size=(2, len(cosines), size))
    one /= np.linalg.norm(one, axis=1, keepdims=True)
    other -= (one * other).sum(1, keepdims=True) * one
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    return unit(one), unit(cosines[:, None] * one + np.sqrt(1 - cosines[:, None] ** 2) * other)


@given(st.lists(st.lists(FLOATS, max_size=9), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_vectors_of_any_size_of_numbers_come_to_length_one(rows):
    values = np.array([number for row in rows for number in row], np.float64)
    starts = np.cumsum([0, *map(len, rows)])
    out = np.zeros(len(values), np.float32)
    good = units(values, starts, out)
    plain = np.zeros(len(values), np.float32)
    assert good.tolist() == units.py_func(values, starts, plain).tolist() and out.tolist() == plain.tolist()
    for row, fine, first, last in zip(rows, good, starts, starts[1:], strict=False):
        assert fine == any(row)
        if fine:
            scaled = [number / max(map(abs, row)) for number in row]
            assert np.allclose(out[first:last], [number / math.hypot(*scaled) for number in scaled], atol=1e-6)


@pytest.mark.parametrize("wrong", [[], [0.0, -0.0], [1.0, math.nan], [math.inf, 1.0], [-math.inf]])
def test_what_has_no_direction_is_no_vector(wrong):
    values = np.array([1.0, 2.0, *wrong, 3.0])
    out = np.zeros(len(values), np.float32)
    assert units(values, np.array([0, 2, 2 + len(wrong), 3 + len(wrong)]), out).tolist() == [True, False, True]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 256, 1023])
def test_a_cosine_is_the_scalar_product_in_a_fixed_order(size):
    one, other = unit(np.random.default_rng(size).normal(size=(2, size)))
    found = cosine(one.view(np.uint32), other.view(np.uint32))
    assert abs(found - math.fsum(float(a) * float(b) for a, b in zip(one, other, strict=True))) < 1e-12
    assert found == cosine.py_func(one.view(np.uint32), other.view(np.uint32))
    assert found == cosine(other.view(np.uint32), one.view(np.uint32))
    assert cosine(one.view(np.uint32), one.view(np.uint32)) <= 1
    assert cosine(one.view(np.uint32), np.append(other, np.float32(0)).view(np.uint32)) == -1


def test_keys_are_those_of_whole_numbers_in_python():
    """What the matrix product gives is exact, so it is the same however it is summed."""
    vectors = unit(np.random.default_rng(3).normal(size=(5, 48)))
    planes = hyperplanes(48, 30, 9).astype(int).tolist()
    expected = []
    for vector in whole_numbers(vectors).astype(int).tolist():
        sides = [sum(a * row[side] for a, row in zip(vector, planes, strict=True)) > 0 for side in range(30)]
        bits = [sum(sides[band * 10 + at] << (7 - at % 8 + 8 * (at // 8)) for at in range(10)) for band in range(3)]
        salts = mixed(np.arange(1, 4, dtype=np.uint64))
        expected.append(mixed(np.array(bits, np.uint64) ^ salts).tolist())
    assert keys_of(vectors, bands=3, rows=10, seed=9).tolist() == expected


@pytest.mark.parametrize("size", [2, 300, 4096])
def test_no_sum_of_products_leaves_what_float32_holds_exactly(size):
    """The worst vector there is: all its numbers along the largest hyperplane there could be."""
    worst = whole_numbers(np.full((1, size), 1 / np.sqrt(size), np.float32)).astype(np.float64)
    assert LARGEST * worst.sum() < 2**24
    one = np.zeros((1, size), np.float32)
    one[0, 0] = 1
    assert LARGEST * whole_numbers(one).sum() < 2**24
    assert np.abs(hyperplanes(size, 8, 0)).max() <= LARGEST


def test_keys_do_not_depend_on_how_rows_are_cut():
    vectors = unit(np.random.default_rng(4).normal(size=(300, 96)))
    whole = keys_of(vectors, bands=20, rows=17, seed=1)
    assert whole.tolist() == np.concatenate([keys_of(part, bands=20, rows=17, seed=1)
                                             for part in np.array_split(vectors, 37)]).tolist()
    assert whole.tolist() != keys_of(vectors, bands=20, rows=17, seed=2).tolist()


@pytest.mark.parametrize(("size", "bands", "rows"), [(256, 46, 22), (32, 20, 10), (768, 10, 64)])
def test_pairs_meet_as_often_as_theory_says(size, bands, rows):
    """To within 3.5 standard deviations, at cosines from .3 to .99."""
    for at in (0.3, 0.7, 0.9, 0.95, 0.99):
        one, other = pairs_at(np.full(4000, at), size, seed=int(100 * at))
        keys = [keys_of(part, bands=bands, rows=rows, seed=5) for part in (one, other)]
        met = (keys[0] == keys[1]).any(axis=1).mean()
        theory = 1 - (1 - (1 - math.acos(at) / math.pi) ** rows) ** bands
        # the hyperplanes are the same for all pairs, so that pairs err together a little
        assert abs(met - theory) <= 3.5 * math.sqrt(theory * (1 - theory) / 4000) + 0.02 * (size < 100) + 0.003
