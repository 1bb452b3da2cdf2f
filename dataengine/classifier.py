"""Learn a fastText classifier from two sets of documents, and measure it on documents it has not seen.

As DCLM (arXiv:2406.11794) and FineWeb-Edu's imitators do it: bag of words and word n-grams, one linear layer. Which
documents are used and which are held out hangs on their ids alone, so neither order nor sharding changes the model.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dataengine.errors import RunFailed

if TYPE_CHECKING:
    import numpy as np

    from dataengine.fasttext_model import Model
    from dataengine.tables import ClassifierConfig

POSITIVE, NEGATIVE = "__label__positive", "__label__negative"

MODEL = "model.bin"

MAX_CHARACTERS = 20_000
"""Of each document, the first so many characters are learnt from; `score.fasttext` looks at as many by default."""

FEWEST = 10
"""Documents a side below which nothing can be learnt and measured."""

Documents = Iterable[tuple[str, str]]
"""(id, text) of each document."""


def train(positive: Documents, negative: Documents, config: ClassifierConfig, folder: Path) -> dict[str, float]:
    """Write ``folder/model.bin``, a fastText model of two labels, and return its figures.

    Of each side the `max_documents` with the lowest hash of their id are used, each a line of at most `MAX_CHARACTERS`
    characters; empty ones are left out. The `holdout` share, by another hash, is not trained on but measured:
    ``precision``, ``recall`` and ``f1`` of the positive label at probability 0.5, both sides weighing the same however
    many documents they have, ``auc``, the chance that a positive document scores above a negative one, and how many
    documents were held out and trained on.

    The texts pass through a temporary file, so that memory holds ids and scores only. Same documents, same bytes.
    Raises RunFailed where a side has fewer than `FEWEST` documents.
    """
    from dataengine import fasttext_model

    with tempfile.TemporaryDirectory(dir=folder, prefix="lines-") as private:
        sides = {}
        for label, documents in ((POSITIVE, positive), (NEGATIVE, negative)):
            with open(Path(private) / label, "wb+") as spool:
                chosen = choose(documents, config.max_documents, spool)
                if len(chosen) < FEWEST:
                    raise RunFailed(f"the {label.removeprefix('__label__')} side has {len(chosen)} documents with text",
                                    where="classifier", expected=f"at least {FEWEST} on each side, better thousands",
                                    write="add lanes or files to this side, or take out filters before it")
                sides[label] = Side(Path(private) / label, *split(chosen, config.holdout))
        lines = Path(private) / "train"
        count = write_lines(sides, lines)
        fasttext_model.train(
            lines, folder / MODEL, dim=config.dimension, epoch=config.epochs, lr=config.learning_rate,
            wordNgrams=config.word_ngrams, bucket=config.buckets, minCount=min_count(count), seed=1, loss="softmax",
        )
        model = fasttext_model.Model(folder / MODEL)
        scores = {label: _scores(model, side) for label, side in sides.items()}
    return measure(scores[POSITIVE], scores[NEGATIVE]) | {
        "heldout_documents": float(sum(map(len, scores.values()))), "training_documents": float(count),
    }


def _scores(model: Model, side: Side) -> list[float]:
    """Probabilities of the positive label for a side's held-out documents, a thousand texts in memory at a time."""
    import pyarrow as pa

    lines, found = iter(side.heldout_lines()), []
    while block := list(islice(lines, 1000)):
        found += model.probabilities(pa.array(block, pa.large_string()), POSITIVE).tolist()
    return found


@dataclass(frozen=True, order=True)
class Line:
    """A document as one line of a spool file."""

    order: int
    """Hash of its id: by which it is chosen, and its place in the training file."""
    lot: float
    """Another hash of its id, 0 to 1: by which it is held out."""
    start: int
    size: int


@dataclass(frozen=True)
class Side:
    """The documents of one label."""

    spool: Path
    training: list[Line]
    heldout: list[Line]

    def heldout_lines(self) -> Iterable[str]:
        with open(self.spool, "rb") as file:
            for line in self.heldout:
                yield _text(file, line)


def choose(documents: Documents, most: int, spool: BinaryIO) -> list[Line]:
    """The `most` documents with the lowest hash of their id, by that hash; their texts are in `spool`, a line each."""
    from xxhash import xxh3_64_intdigest

    from dataengine.fasttext_model import one_line

    heap: list[tuple[int, Line]] = []  # highest hash on top, to go when a lower one comes
    for identity, text in documents:
        order = xxh3_64_intdigest(identity.encode(), seed=0)
        if len(heap) == most and order >= -heap[0][0]:
            continue
        content = one_line(text[:MAX_CHARACTERS]).encode("utf-8", "replace")
        if not content:
            continue
        line = Line(order, xxh3_64_intdigest(identity.encode(), seed=1) / 2**64, spool.tell(), len(content))
        spool.write(content)
        if len(heap) < most:
            heapq.heappush(heap, (-order, line))
        else:
            heapq.heapreplace(heap, (-order, line))
    return sorted(line for _, line in heap)


def split(lines: list[Line], holdout: float) -> tuple[list[Line], list[Line]]:
    """(training, held out): those whose lot is below `holdout` are held out, but at least one goes to each."""
    heldout = {line for line in lines if line.lot < holdout} or {min(lines, key=lambda line: line.lot)}
    if len(heldout) == len(lines):
        heldout.remove(max(lines, key=lambda line: line.lot))
    return [line for line in lines if line not in heldout], [line for line in lines if line in heldout]


def write_lines(sides: dict[str, Side], path: Path) -> int:
    """The training documents of all sides, mixed by the hash of their ids: fastText learns in the order of the file."""
    everything = sorted((line, label) for label, side in sides.items() for line in side.training)
    spools = {label: open(side.spool, "rb") for label, side in sides.items()}  # noqa: SIM115
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            for line, label in everything:
                # A text's own words could look like labels to fastText: a space inside tells them apart.
                text = _text(spools[label], line).replace("__label__", "__ label__")
                file.write(f"{label} {text}\n")
    finally:
        for spool in spools.values():
            spool.close()
    return len(everything)


def _text(file: BinaryIO, line: Line) -> str:
    file.seek(line.start)
    return file.read(line.size).decode()


def min_count(documents: int) -> int:
    """How often a word must occur to have a vector of its own: 1 up to 4,000 documents, then slowly up to 5.

    Every word costs 4 x dimension bytes of the model, and most words of a large collection occur once.
    """
    return max(1, min(5, documents // 2000))


def measure(positive: list[float], negative: list[float]) -> dict[str, float]:
    """Precision, recall and F1 at 0.5 with both sides weighing the same, and the area under the ROC curve."""
    import numpy as np

    wanted, unwanted = np.asarray(positive), np.asarray(negative)
    recall, false_alarms = float((wanted >= 0.5).mean()), float((unwanted >= 0.5).mean())
    precision = recall / (recall + false_alarms) if recall + false_alarms else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "auc": auc(wanted, unwanted)}


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The chance that a positive score is above a negative one, ties counting half."""
    import numpy as np

    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / 2 / len(negative))
