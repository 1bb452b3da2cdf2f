"""Division of counts."""

from __future__ import annotations

import numpy as np


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole`` as float64, shape (n,); 0 where `whole` is 0, as in an empty text."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole != 0)
