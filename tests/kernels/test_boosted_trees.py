"""Symmetric trees evaluated by the kernel, and by walking them node by node."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from dataengine.kernels.boosted_trees import DEPTH, LANES, MAX_BORDERS, Trees, log_odds, ranked


def grown(rng: random.Random, trees: int, columns: list[int]) -> Trees:
    """Random trees over some of the columns of a table."""
    return Trees(
        np.array(columns, np.int16),
        np.array([rng.randrange(len(columns)) for _ in range(trees * DEPTH)], np.int16).reshape(trees, DEPTH),
        np.array([rng.choice([-0.5, 0, 0.1, 0.5]) for _ in range(trees * DEPTH)], np.float32).reshape(trees, DEPTH),
        np.array([rng.uniform(-1, 1) for _ in range(trees << DEPTH)], np.float32).reshape(trees, 1 << DEPTH))


def walked(row: list[float], trees: Trees) -> float:
    """The sum of the leaves that a row comes to: at each level the half of the leaves that is left is halved again."""
    total = 0.0
    for feature, threshold, value in zip(trees.feature.tolist(), trees.threshold.tolist(), trees.value, strict=True):
        leaves = value
        for column, least in zip(feature, threshold, strict=True):
            leaves = leaves[1::2] if row[trees.columns[column]] > least else leaves[::2]
        total += float(leaves[0])
    return total


def table(rng: random.Random, rows: int) -> np.ndarray:
    values = [-1, -0.5, 0, 0.1, 0.3, 0.5, 2, math.nan, math.inf]  # 0.1 as float32 is its own threshold: not greater
    return np.array([[rng.choice(values) for _ in range(7)] for _ in range(rows)], np.float32).reshape(rows, 7)


def test_the_kernel_says_what_walking_the_trees_says() -> None:
    rng = random.Random(7)
    for count in (0, 1, 20):
        for size in (0, 1, LANES - 1, LANES, LANES + 1, 3 * LANES):
            trees, rows = grown(rng, count, [1, 2, 6]), table(rng, size)
            expected = [walked(row, trees) for row in rows.tolist()]
            assert np.allclose(log_odds(rows, trees), expected, atol=1e-5)


def test_a_row_gets_the_same_alone_and_among_others() -> None:
    rng = random.Random(8)
    trees, rows = grown(rng, 12, [0, 3, 4, 5]), table(rng, 100)
    assert log_odds(rows, trees).tolist() == [log_odds(rows[i:i + 1], trees)[0] for i in range(100)]


def test_a_value_equal_to_the_threshold_and_one_that_is_no_number_set_no_bit() -> None:
    threshold = np.full((1, DEPTH), np.inf, np.float32)
    threshold[0, 1] = 0.5
    trees = Trees(np.zeros(1, np.int16), np.zeros((1, DEPTH), np.int16), threshold,
                  np.arange(1 << DEPTH, dtype=np.float32).reshape(1, -1))
    rows = np.array([[0.5], [np.nextafter(np.float32(0.5), np.float32(1))], [math.nan], [math.inf]], np.float32)
    assert log_odds(rows, trees).tolist() == [0, 2, 0, 2]


def test_a_feature_may_have_as_many_borders_as_a_byte_can_count() -> None:
    def over(count: int) -> Trees:
        trees = -(-count // DEPTH)
        threshold = np.minimum(np.arange(trees * DEPTH), count - 1).astype(np.float32).reshape(trees, DEPTH)
        value = np.random.default_rng(1).uniform(-1, 1, (trees, 1 << DEPTH)).astype(np.float32)
        return Trees(np.zeros(1, np.int16), np.zeros((trees, DEPTH), np.int16), threshold, value)

    rows = np.linspace(-1, MAX_BORDERS + 1, 200, dtype=np.float32).reshape(-1, 1)
    trees = over(MAX_BORDERS)
    assert np.allclose(log_odds(rows, trees), [walked(row, trees) for row in rows.tolist()], atol=1e-4)
    with pytest.raises(ValueError, match="256 borders"):
        ranked(over(MAX_BORDERS + 1))
