"""Of texts in pieces that have each a language: the share of the languages wanted, and the second language."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _shares(rows, sizes, labels, main, wanted, share, second, second_share):
    letters = np.zeros(wanted.size, np.int64)
    first = 0
    while first < rows.size:
        row, last = rows[first], first
        total = good = most = 0
        other = -1
        while last < rows.size and rows[last] == row:
            label, size = labels[last], max(sizes[last], 1)
            letters[label] += size
            total += size
            good += size if wanted[label] else 0
            if label != main[row] and letters[label] > most:
                most, other = letters[label], label
            last += 1
        for k in range(first, last):
            letters[labels[k]] = 0
        share[row], second[row], second_share[row] = good / total, other, most / total
        first = last


def language_shares(
    rows: np.ndarray, sizes: np.ndarray, labels: np.ndarray, main: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(share in wanted languages, second language or -1, its share), each (n,); zero for a text without pieces.

    `rows`, `sizes` and `labels` are of the pieces, texts in rising order; `main` is each text's language; `wanted`,
    bool, says which labels are.
    """
    share, second, second_share = np.zeros(len(main)), np.full(len(main), -1, np.int64), np.zeros(len(main))
    _shares(rows, sizes, labels, main, wanted, share, second, second_share)
    return share, second, second_share
