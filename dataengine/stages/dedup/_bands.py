"""Bands and rows of an LSH from the similarity that it is to find.

Of two rows whose hashes agree with probability p, each by itself, some band agrees with ``1 - (1 - p^rows)^bands``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

SURE = 0.99
"""The share of pairs just at the threshold that verified bands must find."""


Derive = Callable[[dict[str, Any], float, int], tuple[int, int]]
"""(a config's values, threshold, hashes) -> (bands, rows)."""


def with_bands(given: Any, threshold: float, hashes: int, most: int, derive: Derive) -> Any:
    """A config's values with bands and rows by `derive` where they are not given, so that a plan shows, and its address
    holds, what will be used. `threshold` and `hashes` are the defaults, `most` the most hashes there may be.
    """
    if not isinstance(given, dict):
        return given
    # what this returns is no longer JSON to pydantic, and in strict mode only JSON's lists are tuples
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    bands, rows = given.get("bands"), given.get("rows")
    if (bands is None) != (rows is None):
        raise ValueError("bands and rows go together: give both, or neither and let them follow from the threshold")
    threshold, hashes = given.get("threshold", threshold), given.get("hashes", hashes)
    numbers = isinstance(threshold, int | float) and isinstance(hashes, int)
    if bands is not None or not numbers or not (0 < threshold < 1 and 2 <= hashes <= most):
        return given  # wrong values are better said by the fields themselves
    bands, rows = derive(given, float(threshold), hashes)
    return {**given, "bands": bands, "rows": rows}


@cache
def sure_bands(agree: float, hashes: int, most_rows: int = 1 << 30) -> tuple[int, int]:
    """(bands, rows) that find `SURE` of the pairs whose hashes agree so often: the most rows that can, and no band more
    than that takes. More rows make fewer false candidates, fewer bands less to do. With too few hashes the surest
    there is.
    """
    for rows in range(min(hashes, most_rows), 0, -1):
        for bands in range(1, hashes // rows + 1):
            if 1 - (1 - agree**rows) ** bands >= SURE:
                return bands, rows
    return hashes, 1


@cache
def best_bands(threshold: float, hashes: int) -> tuple[int, int]:
    """(bands, rows) with bands * rows <= hashes for which the LSH errs least about `threshold`.

    Least is the area under the S-curve left of the threshold (pairs that meet and should not) plus the area above it
    on the right (pairs that should and do not), weighed alike: the rule of LSH Ensemble (Zhu et al., VLDB 2016) and of
    datasketch.
    """
    pairs = [(bands, rows) for bands in range(1, hashes + 1) for rows in range(1, hashes // bands + 1)]
    return min(pairs, key=lambda pair: error_area(threshold, *pair))


def error_area(threshold: float, bands: int, rows: int, steps: int = 50) -> float:
    """Area of the errors of a banding: midpoint rule with `steps` steps on either side of the threshold."""
    left, right = threshold / steps, (1 - threshold) / steps
    wrong = sum(1 - (1 - ((i + 0.5) * left) ** rows) ** bands for i in range(steps))
    missed = sum((1 - (threshold + (i + 0.5) * right) ** rows) ** bands for i in range(steps))
    return wrong * left + missed * right
