"""The weights that come with the package."""

from __future__ import annotations

import numpy as np

from dataengine.kernels.block_features import FEATURES
from dataengine.kernels.boosted_trees import DEPTH
from dataengine.stages.extract import _html_page


def test_the_trees_look_at_what_they_are_told_and_at_no_more() -> None:
    trees = _html_page.weights()
    count = len(trees.feature)
    assert count > 0
    assert trees.feature.shape == trees.threshold.shape == (count, DEPTH)
    assert trees.value.shape == (count, 1 << DEPTH)
    assert (np.unique(trees.feature) == np.arange(trees.columns.size)).all()  # no column is carried along for nothing
    assert 0 <= trees.columns.min() <= trees.columns.max() < FEATURES
    assert np.isfinite(trees.value).all()
    assert not np.isnan(trees.threshold).any()


def test_the_weights_are_small() -> None:
    assert _html_page.WEIGHTS.stat().st_size < 300_000
