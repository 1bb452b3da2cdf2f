"""Texts as sets of n-grams of tokens, by a SentencePiece model of the user's."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dataengine.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from dataengine.kernels.sets import Sets
    from dataengine.tokens import Tokenizer


def sets_of_tokens(texts: pa.Array, model: str, *, ngram: int, least: int) -> Sets:
    """The sets of n-grams of the tokens of each text; a text of white space only has no tokens.

    Raises InputError where `model` is no SentencePiece model. SentencePiece reads about 5 MB of text a second (bpe).
    """
    import numpy as np
    import pyarrow.compute as pc

    from dataengine.kernels.token_sets import sets_of_ids

    state = Path(model).stat()
    tokenizer = load(model, state.st_size, state.st_mtime_ns)
    blank = pc.fill_null(pc.utf8_is_space(texts), True)
    ids = tokenizer.encode(pc.if_else(blank, "", texts).to_pylist())
    starts = np.cumsum([0, *map(len, ids)], dtype=np.int64)
    return sets_of_ids(np.concatenate([np.empty(0, np.int32), *ids]), starts, ngram=ngram, least=least)


@lru_cache(maxsize=4)
def load(model: str, size: int, changed: int) -> Tokenizer:
    """The model in this file, loaded once per process and state of the file."""
    from dataengine.tokens import Tokenizer

    return Tokenizer.load(Path(model))


def fault_of(model: str) -> str | None:
    """What is wrong with a model file that is there, or None."""
    path = Path(model)
    if not path.is_file():  # the planner reports a missing file, and knows to what folder a relative path belongs
        return None
    try:
        load(model, path.stat().st_size, path.stat().st_mtime_ns)
    except InputError as error:
        return f"{error.where}: {error.found}"
    return None
