"""The weights that come with the package."""

from __future__ import annotations

import numpy as np
import pytest

from dataengine.kernels.block_features import FIRST, SECOND
from dataengine.kernels.boosted_trees import DEPTH
from dataengine.stages.extract import _html_page


@pytest.mark.parametrize(("round", "width"), [(0, FIRST), (1, FIRST + SECOND)])
def test_each_round_looks_at_what_it_is_told_and_at_no_more(round: int, width: int) -> None:
    trees = _html_page.weights()[round]
    count = len(trees.feature)
    assert count > 0
    assert trees.feature.shape == trees.threshold.shape == (count, DEPTH)
    assert trees.value.shape == (count, 1 << DEPTH)
    assert (np.unique(trees.feature) == np.arange(trees.columns.size)).all()  # no column is carried along for nothing
    assert 0 <= trees.columns.min() <= trees.columns.max() < width
    assert np.isfinite(trees.value).all()
    assert not np.isnan(trees.threshold).any()


def test_the_weights_are_small() -> None:
    assert _html_page.WEIGHTS.stat().st_size < 300_000
