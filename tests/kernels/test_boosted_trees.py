"""Trees evaluated by the kernel, and by walking them."""

from __future__ import annotations

import random

import numpy as np

from dataengine.kernels.boosted_trees import Trees, log_odds


def grown(rng: random.Random, trees: int) -> Trees:
    """Random trees over four features."""
    roots, feature, threshold, left, right, value = [], [], [], [], [], []

    def grow(depth: int) -> int:
        if depth == 4 or (depth and rng.random() < 0.3):
            value.append(rng.uniform(-1, 1))
            return ~(len(value) - 1)
        place = len(feature)
        feature.append(rng.randrange(4))
        threshold.append(rng.choice([-0.5, 0.0, 0.5]))
        left.append(0)
        right.append(0)
        left[place], right[place] = grow(depth + 1), grow(depth + 1)
        return place

    for _ in range(trees):
        roots.append(grow(0))
    return Trees(np.array(roots, np.int32), np.array(feature, np.int16), np.array(threshold, np.float32),
                 np.array(left, np.int32), np.array(right, np.int32), np.array(value, np.float32))


def walked(row: list[float], trees: Trees) -> float:
    total = 0.0
    for root in trees.roots.tolist():
        node = root
        while node >= 0:
            goes_left = row[trees.feature[node]] <= trees.threshold[node]
            node = int(trees.left[node] if goes_left else trees.right[node])
        total += float(trees.value[~node])
    return total


def test_the_kernel_says_what_walking_the_trees_says() -> None:
    rng = random.Random(7)
    for count in (0, 1, 20):
        trees = grown(rng, count)
        rows = np.array([[rng.choice([-1, -0.5, 0, 0.3, 0.5, 2]) for _ in range(4)] for _ in range(50)], np.float32)
        wanted = np.array([rng.random() < 0.7 for _ in rows])
        expected = [walked(row, trees) if asked else 0.0 for row, asked in zip(rows.tolist(), wanted, strict=True)]
        assert np.allclose(log_odds(rows, trees, np.zeros((0, 3), np.float32), wanted), expected, atol=1e-5)


def test_a_row_is_given_up_where_its_sum_is_low_by_then() -> None:
    rng = random.Random(8)
    trees = grown(rng, 12)
    rows = np.array([[rng.choice([-1, 0, 0.3, 2]) for _ in range(4)] for _ in range(60)], np.float32)
    stops, wanted = np.array([(3, 0.1, -7), (8, 0.5, -8)], np.float32), np.ones(60, np.bool_)
    expected = []
    for row in rows.tolist():
        sums = [walked(row, trees._replace(roots=trees.roots[:count])) for count in (3, 8, 12)]
        expected.append(-7.0 if sums[0] < 0.1 else -8.0 if sums[1] < 0.5 else sums[2])
    assert {-7.0, -8.0} < set(expected)
    assert np.allclose(log_odds(rows, trees, stops, wanted), expected, atol=1e-5)
