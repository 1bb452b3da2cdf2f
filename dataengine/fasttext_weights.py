"""A fastText model file as the arrays that `kernels.fasttext` computes with.

Everything the kernel believes without looking is checked here: that each row it can be led to exists, that the Huffman
tree is a tree, that all numbers are finite.

Three forms of the input matrix, whichever is least to read per word:

- with fewer outputs than columns (a classifier of two labels, 100 columns) the rows are multiplied by the output matrix
  once and for all, for prediction is linear up to the last step: a row is then 2 numbers instead of 100;
- a small quantised matrix is decoded to float32;
- a large quantised one stays as it is, and the kernel decodes the rows it meets.
"""

from __future__ import annotations

from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING

from dataengine.errors import InputError
from dataengine.fasttext_file import (
    CENTROIDS,
    HIERARCHICAL,
    ONE_AGAINST_ALL,
    SAMPLED,
    SOFTMAX,
    SUPERVISED,
    Fault,
    Layout,
    Matrix,
    opened,
)

if TYPE_CHECKING:
    import numpy as np

    from dataengine.kernels.fasttext import Weights

LARGEST_DECODED = 1 << 26
"""Bytes beyond which a quantised matrix is not decoded as a whole."""

MOST_BUCKETS = 1 << 27
"""Of a pruned model, for whose buckets there is a bit each. In use are 2 million."""

LONGEST_NGRAM = 64
"""Characters of a character n-gram, and words of a word n-gram, at most. In use are 3 to 6."""


def read(path: str | Path) -> tuple[Weights, list[str], list[int]]:
    """The weights of a supervised model, its labels, and how often each was seen in training.

    Raises InputError where the file is none, and costs the memory of its float32 rows, or less.
    """
    try:
        with opened(path) as (data, found):
            labels = [data[start:end].decode("utf-8", "replace") for start, end, _ in found.labels]
            return _weights(data, found), labels, [count for _, _, count in found.labels]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", expected="a fastText model") from None
    except Fault as fault:
        raise InputError(f"{path} {fault}", expected="a model saved by fastText (.bin or .ftz)") from None


def fault_of(path: str | Path) -> str | None:
    """What keeps a file from being a model that can predict, in a sentence, without reading its numbers."""
    try:
        with opened(path) as (_, found):
            _check(found)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    except Fault as fault:
        return f"{path} {fault}"
    return None


def _check(found: Layout) -> None:
    """Raises Fault where the kernel would be led to what is not there."""
    have = found.settings
    if have.model != SUPERVISED or not found.labels:
        raise Fault("has no labels: it makes word vectors only")
    if have.loss not in (HIERARCHICAL, SAMPLED, SOFTMAX, ONE_AGAINST_ALL):
        raise Fault(f"has a loss ({have.loss}) that fastText does not know")
    if not max(have.longest, have.word_ngrams) <= LONGEST_NGRAM:
        raise Fault(f"has n-grams of {max(have.longest, have.word_ngrams):,}; {LONGEST_NGRAM} are known at most")
    if not have.dimension == found.inputs.columns == found.outputs.columns > 0:
        raise Fault(f"is damaged: matrices of {found.inputs.columns} and {found.outputs.columns} columns, "
                    f"where it says {have.dimension}")
    if found.outputs.rows != len(found.labels):
        raise Fault(f"is damaged: {found.outputs.rows} outputs for {len(found.labels)} labels")
    needs = found.words
    if _hashes(found) and found.pruned < 0:
        needs += have.buckets
    if found.pruned >= 0 and not found.inputs.quantised:
        raise Fault("is pruned and not quantised, which fastText itself refuses")
    if found.inputs.rows < needs or found.inputs.rows >= 2**31:
        raise Fault(f"is damaged: {found.inputs.rows:,} rows where words and buckets need {needs:,}")


def _hashes(found: Layout) -> int:
    """How many buckets n-grams are hashed to; 0 for a model without."""
    have = found.settings
    if (have.longest <= 0 and have.word_ngrams <= 1) or found.pruned == 0:
        return 0
    if have.buckets <= 0:
        raise Fault(f"is damaged: it has n-grams, and {have.buckets} buckets for them")
    if found.pruned > 0 and have.buckets > MOST_BUCKETS:
        raise Fault(f"has {have.buckets:,} buckets; {MOST_BUCKETS:,} are known at most where they are pruned")
    return have.buckets


def _weights(data: mmap, found: Layout) -> Weights:
    import numpy as np

    from dataengine.kernels.buffers import on_cache_lines
    from dataengine.kernels.fasttext import Weights, index_buckets, index_words, word_number

    _check(found)
    outputs = _dense(data, found.outputs, 0, found.outputs.rows)
    left, right = _tree([count for _, _, count in found.labels]) if found.settings.loss == HIERARCHICAL else ([], [])
    if found.settings.loss == HIERARCHICAL:
        outputs = outputs[: len(left)]
    rows, codes, centroids, norms, projected = _rows(data, found.inputs, outputs)
    bits, ranks = np.empty(0, np.uint64), np.empty(0, np.int32)
    if found.pruned > 0:
        buckets, order = _pruned(data, found)
        bits, ranks = index_buckets(buckets, _hashes(found))
        if len(rows):
            rows = np.take(rows, order, axis=0, out=on_cache_lines((len(order), rows.shape[1])))
        else:
            codes, norms = codes[order], norms[order]
    for numbers in (rows, centroids, norms, outputs):
        if not np.isfinite(numbers).all():
            raise Fault("is damaged: some of its numbers are not finite")
    blob = b"".join(data[start:end] for start, end, _ in found.entries)
    ends = np.zeros(len(found.entries) + 1, np.int64)
    np.cumsum([end - start for start, end, _ in found.entries], out=ends[1:])
    words = np.frombuffer(blob + b"\0", np.uint8)[: len(blob)]
    slots = index_words(words, ends)
    empty = np.empty((0, len(outputs)), np.float32)
    return Weights(
        words, ends, slots, rows, codes, centroids, norms, bits, ranks,
        empty if projected else np.ascontiguousarray(outputs.T), np.array(left, np.int32), np.array(right, np.int32),
        found.words, len(found.labels), word_number(b"</s>", words, ends, slots), found.settings.word_ngrams,
        _hashes(found), max(found.settings.shortest, 1), found.settings.longest, max(found.inputs.part, 1),
        found.settings.loss,
    )


def _pruned(data: mmap, found: Layout) -> tuple[np.ndarray, np.ndarray]:
    """The buckets of a pruned model that have a row, rising, and the order of rows that goes with them, words first."""
    import numpy as np

    pairs = np.frombuffer(data, np.int32, 2 * found.pruned, found.pruned_at).reshape(-1, 2).astype(np.int64)
    if ((pairs[:, 1] < 0) | (pairs[:, 1] >= found.inputs.rows - found.words)).any():
        raise Fault("is damaged: it sends buckets to rows that are not there")
    pairs = pairs[(pairs[:, 0] >= 0) & (pairs[:, 0] < _hashes(found))]
    buckets, last = np.unique(pairs[::-1, 0], return_index=True)  # of a bucket that is there twice, the last
    return buckets, np.concatenate([np.arange(found.words), found.words + pairs[::-1, 1][last]])


def _rows(data: mmap, inputs: Matrix, outputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """(rows, codes, centroids, norms, whether outputs are multiplied in): see `Weights`."""
    import numpy as np

    from dataengine.kernels.buffers import on_cache_lines

    nothing = np.empty((0, 0), np.uint8), np.empty(0, np.float32), np.empty(0, np.float32)
    height, width = inputs.rows, inputs.columns
    projected = 0 < len(outputs) < width
    columns = len(outputs) if projected else width
    if not inputs.quantised or 4 * height * columns <= LARGEST_DECODED:
        rows, step = on_cache_lines((height, columns)), max(1, (1 << 22) // width)
        for first in range(0, height, step):
            block = _dense(data, inputs, first, min(first + step, height))
            with np.errstate(over="ignore"):  # what becomes infinite is refused by the caller
                rows[first : first + step] = block @ outputs.T.astype(np.float64) if projected else block
        return (rows, *nothing, projected)
    codes = np.frombuffer(data, np.uint8, height * inputs.parts, inputs.at).reshape(height, -1).copy()
    centroids = _floats(data, inputs.centroids, CENTROIDS * width)
    return np.empty((0, width), np.float32), codes, centroids, _norms(data, inputs, 0, height), False


def _dense(data: mmap, matrix: Matrix, first: int, last: int) -> np.ndarray:
    """Rows `first` to `last` as float32, decoded where they are quantised."""
    import numpy as np

    width = matrix.columns
    if not matrix.quantised:
        return _floats(data, matrix.at + 4 * first * width, (last - first) * width).reshape(-1, width)
    codes = np.frombuffer(data, np.uint8, (last - first) * matrix.parts, matrix.at + first * matrix.parts)
    codes = codes.reshape(last - first, matrix.parts)
    rows = np.empty((last - first, width), np.float32)
    for number in range(matrix.parts):
        begin = number * matrix.part
        size = min(matrix.part, width - begin)
        table = _floats(data, matrix.centroids + 4 * CENTROIDS * begin, CENTROIDS * size).reshape(CENTROIDS, size)
        rows[:, begin : begin + size] = table[codes[:, number]]
    return rows * _norms(data, matrix, first, last)[:, None]


def _norms(data: mmap, matrix: Matrix, first: int, last: int) -> np.ndarray:
    """What quantised rows are multiplied by, float32."""
    import numpy as np

    if matrix.norms < 0:
        return np.ones(last - first, np.float32)
    codes = np.frombuffer(data, np.uint8, last - first, matrix.norms + first)
    return _floats(data, matrix.norm_centroids, CENTROIDS)[codes]


def _floats(data: mmap, at: int, count: int) -> np.ndarray:
    """Aligned copies of float32 in the file."""
    import numpy as np

    return np.frombuffer(data, np.float32, count, at).copy()


def _tree(counts: list[int]) -> tuple[list[int], list[int]]:
    """The Huffman tree over labels in falling order of their counts: left and right children of its inner nodes.

    Nodes 0 to l - 1 are the labels; inner node i is number l + i; the last is the root. Ties go as they do in fastText.
    """
    size = len(counts)
    weights = counts + [10**15] * (size - 1)
    leaf, node = size - 1, size
    left, right = [], []
    for parent in range(size, 2 * size - 1):
        children = []
        for _ in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children.append(leaf)
                leaf -= 1
            else:
                children.append(node)
                node += 1
        if max(children) >= parent:
            raise Fault("is damaged: its labels' counts make no tree")
        weights[parent] = weights[children[0]] + weights[children[1]]
        left.append(children[0])
        right.append(children[1])
    return left, right
