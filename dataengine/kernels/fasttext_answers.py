"""What a fastText model (arXiv:1607.01759) answers to the sum of a text's features that `kernels.fasttext` has made.

The last layer is one small matrix; its outputs become probabilities by a softmax, by a walk down a Huffman tree, or by
sigmoids, as the model was trained.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from dataengine.kernels.fasttext import Weights
from dataengine.kernels.part import part

HIERARCHICAL, SOFTMAX = 1, 3
"""Losses, as model files number them. The others are sigmoids of each output."""


@part
def _sigmoid(x):
    """fastText's: a table of 512 steps from -8 to 8."""
    if x < -8:
        return np.float32(0)
    if x > 8:
        return np.float32(1)
    step = np.int64((x + np.float32(8)) * np.float32(512) / np.float32(8) / np.float32(2))
    return np.float32(1 / (1 + np.exp(-(step * 16 / 512 - 8))))


@part
def _probabilities(total, count, m, scores, nodes):
    """Fill ``nodes[:labels]`` with what fastText answers for each label: its probability and 1e-5."""
    scale = np.float32(1 / count)
    if len(m.outputs):
        scores[:] = 0
        for k in range(total.size):
            value = total[k] * scale
            for j in range(scores.size):
                scores[j] += value * m.outputs[k, j]
    else:
        for j in range(scores.size):
            scores[j] = total[j] * scale
    little = np.float32(1e-5)
    if m.loss == HIERARCHICAL:
        nodes[2 * m.labels - 2] = 1
        for k in range(m.left.size - 1, -1, -1):
            right = np.float32(1 / (1 + np.exp(-scores[k])))
            nodes[m.left[k]] = nodes[m.labels + k] * (1 - right + little)
            nodes[m.right[k]] = nodes[m.labels + k] * (right + little)
    elif m.loss == SOFTMAX:
        highest, whole = scores[0], np.float32(0)
        for j in range(m.labels):
            highest = max(highest, scores[j])
        for j in range(m.labels):
            nodes[j] = np.exp(scores[j] - highest)
            whole += nodes[j]
        for j in range(m.labels):
            nodes[j] = nodes[j] / whole + little
    else:
        for j in range(m.labels):
            nodes[j] = _sigmoid(scores[j]) + little


@njit(cache=True, nogil=True)
def _all_probabilities(sums, counts, m, out):
    scores, nodes = np.empty(m.outputs.shape[1], np.float32), np.empty(2 * m.labels - 1, np.float32)
    for row in range(len(sums)):
        if counts[row]:
            _probabilities(sums[row], counts[row], m, scores, nodes)
            for label in range(m.labels):
                out[row, label] = min(nodes[label], np.float32(1))


def probabilities(sums: np.ndarray, counts: np.ndarray, model: Weights) -> np.ndarray:
    """float32 (n, l): the probability of each label; 0 for a row without features."""
    out = np.zeros((len(sums), model.labels), np.float32)
    _all_probabilities(sums, counts, model, out)
    return out


@njit(cache=True, nogil=True)
def _best(sums, counts, m, weights, which, best, chances):
    scores, nodes = np.empty(m.outputs.shape[1], np.float32), np.empty(2 * m.labels - 1, np.float32)
    for row in range(len(sums)):
        if not counts[row]:
            continue
        _probabilities(sums[row], counts[row], m, scores, nodes)
        whole = np.float32(0)
        for label in range(m.labels):
            nodes[label] *= weights[which[row], label]
            whole += nodes[label]
            if best[row] < 0 or nodes[label] > nodes[best[row]]:
                best[row] = label
        chance = nodes[best[row]] / whole
        chances[row] = chance if chance >= 0 else 0  # sums of absurd weights may overflow


def best(
    sums: np.ndarray, counts: np.ndarray, model: Weights, weights: np.ndarray, which: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest label of each row, int64 (n,), -1 for a row without features, and its probability, float32 (n,).

    Before they are compared, probabilities are multiplied by ``weights[which[row]]``, float32 (k, l) above 0, and
    made to sum to 1.
    """
    labels, chances = np.full(len(sums), -1, np.int64), np.zeros(len(sums), np.float32)
    _best(sums, counts, model, weights, which, labels, chances)
    return labels, chances


@njit(cache=True, nogil=True)
def _of_label(sums, counts, m, label, out):
    scores, nodes = np.empty(m.outputs.shape[1], np.float32), np.empty(2 * m.labels - 1, np.float32)
    for row in range(len(sums)):
        if counts[row]:
            _probabilities(sums[row], counts[row], m, scores, nodes)
            out[row] = min(nodes[label], np.float32(1)) if nodes[label] >= 0 else 0


def of_label(sums: np.ndarray, counts: np.ndarray, model: Weights, label: int) -> np.ndarray:
    """float32 (n,): the probability of one label; 0 for a row without features."""
    out = np.zeros(len(sums), np.float32)
    _of_label(sums, counts, model, label, out)
    return out
