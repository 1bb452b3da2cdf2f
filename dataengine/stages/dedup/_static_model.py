"""A static embedding model: a vector for each token, whose mean is the vector of a text.

The form of Model2Vec (``model.safetensors`` with ``embeddings``; ``weights`` and ``mapping`` where the vocabulary is
quantized) and of sentence-transformers' StaticEmbedding (``embedding.weight``), beside a ``tokenizer.json``. Tokens
that the tokenizer does not know are left out, as Model2Vec does. Sums are in float64 in the order of the tokens, and so
the same everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine.errors import InputError
from dataengine.stage import at_row

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

INSTALL = "pip install 'dataengine[semantic]'"
NAMES = ("embeddings", "embedding.weight")
TYPES = ("F32", "F16", "F64", "I8")
"""Of numbers, in the words of safetensors: what numpy has too."""


class StaticModel:
    """A model that is loaded."""

    def __init__(self, model: str, tokenizer: str) -> None:
        """Raises InputError where a file cannot be read or is of another form, or the two do not go together."""
        self.tokenizer, self.unknown = fitting(model, tokenizer)
        with _opened(model) as file:
            names = file.keys()
            self.table = file.get_tensor(_shape(model, file)[0])
            """(vectors, numbers), in the type it was stored in."""
            self.weights: np.ndarray | None = file.get_tensor("weights") if "weights" in names else None
            self.mapping: np.ndarray | None = file.get_tensor("mapping") if "mapping" in names else None
        last = 0 if self.mapping is None else int(self.mapping.max(initial=0))
        if last >= len(self.table):
            raise InputError(f"its mapping leads to vector {last}, but there are {len(self.table)}", where=model)

    def vector(self, text: str) -> np.ndarray:
        """The sum of the vectors of a text's tokens, float64: the direction of their mean. Zeros if none is known."""
        import numpy as np

        ids = np.array(self.tokenizer.encode(text, add_special_tokens=False).ids, np.int64)
        ids = ids[ids != self.unknown]
        rows = self.table[ids if self.mapping is None else self.mapping[ids]].astype(np.float64)
        if self.weights is not None:
            rows *= self.weights[ids].astype(np.float64)[:, None]
        return rows.sum(axis=0)


def fitting(model: str, tokenizer: str) -> tuple[Any, int]:
    """The tokenizer and the id of what it does not know, or -1; of the model only the head is read. Raises InputError
    where one of them is not what it should be, or they do not go together.
    """
    with _opened(model) as file:
        _, vectors = _shape(model, file)
    found, unknown = _tokenizer(tokenizer)
    if (tokens := found.get_vocab_size()) > vectors:
        raise InputError(f"the tokenizer has {tokens} tokens, the model vectors for {vectors}", where=tokenizer,
                         expected=f"the tokenizer that belongs to {model}")
    return found, unknown


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """A file of tensors."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise InputError("a static model needs the package safetensors", write=INSTALL) from None
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot read the model: {error.strerror or error}", where=path) from None
    except SafetensorError as error:
        raise InputError(f"this is not a whole safetensors file: {error}", where=path,
                         expected="model.safetensors") from None


def _shape(path: str, file: Any) -> tuple[str, int]:
    """(the name of the table, for how many tokens there are vectors)."""
    shapes = {name: file.get_slice(name).get_shape() for name in sorted(file.keys())}
    name = next((name for name in NAMES if len(shapes.get(name, ())) == 2), None)
    if name is None:
        found = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:10])
        raise InputError(f"no static embedding model: it holds {found or 'nothing'}", where=path,
                         expected=f"a table of vectors called {' or '.join(NAMES)}")
    if (kind := file.get_slice(name).get_dtype()) not in TYPES:
        raise InputError(f"its numbers are {kind}", where=path, expected=f"one of {', '.join(TYPES)}")
    per_token = [shapes.get("mapping", shapes[name]), shapes.get("weights", shapes.get("mapping", shapes[name]))]
    return name, min(shape[0] for shape in per_token)


def _tokenizer(path: str) -> tuple[Any, int]:
    """The tokenizer, and the id that stands for what it does not know, or -1."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise InputError("a static model needs the package tokenizers", write=INSTALL) from None
    try:
        content = Path(path).read_text(encoding="utf-8")
        tokenizer = Tokenizer.from_str(content)
    except OSError as error:
        raise InputError(f"cannot read the tokenizer: {error.strerror}", where=path) from None
    except Exception as error:  # the library raises the bare class
        raise InputError(f"this is not a tokenizer of the package tokenizers: {str(error)[:200]}", where=path,
                         expected="tokenizer.json") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    said = json.loads(content)["model"]
    named = tokenizer.token_to_id(said["unk_token"]) if said.get("unk_token") else said.get("unk_id")
    return tokenizer, -1 if named is None else named


def vectors_of(texts: pa.Array, model: str, tokenizer: str, characters: int) -> tuple[np.ndarray, np.ndarray]:
    """(values float64, starts int64 (n + 1,)): the vectors of the beginnings of texts, one after the other."""
    import numpy as np
    import pyarrow.compute as pc

    static = load(model, tokenizer)
    beginnings = pc.utf8_slice_codeunits(texts, 0, characters).to_pylist()
    found = np.zeros((len(beginnings), static.table.shape[1]))
    for row, text in enumerate(beginnings):
        at_row(row)
        found[row] = static.vector(text or "")
    return found.ravel(), np.arange(len(beginnings) + 1, dtype=np.int64) * found.shape[1]


def load(model: str, tokenizer: str) -> StaticModel:
    """The model, loaded once per process and state of its files."""
    return _load(model, tokenizer, _state(model), _state(tokenizer))


def _state(path: str) -> tuple[int, int]:
    try:
        state = Path(path).stat()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from None
    return state.st_size, state.st_mtime_ns


@lru_cache(maxsize=2)
def _load(model: str, tokenizer: str, *state: tuple[int, int]) -> StaticModel:
    return StaticModel(model, tokenizer)


def fault_of(model: str, tokenizer: str) -> str | None:
    """What is wrong with a model whose files are there, or None."""
    if not (Path(model).is_file() and Path(tokenizer).is_file()):
        return None  # the planner reports a missing file, and knows to what folder a relative path belongs
    try:
        fitting(model, tokenizer)
    except InputError as error:
        return ": ".join(filter(None, (error.where, error.found))) + (f"; {error.write}" if error.write else "")
    return None
