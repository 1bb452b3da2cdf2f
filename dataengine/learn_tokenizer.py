"""Learning a SentencePiece tokenizer from text: byte fallback, no normalisation, marks as control symbols."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from dataengine.errors import RunFailed
from dataengine.tokens import END, MODEL_FILE, ROLES, SPACE, Tokenizer

LONGEST_SENTENCE = 4_096
"""Characters of one training sentence; longer lines are cut, so that a line of 10 MB costs linear time."""


def learn(
    texts: Iterable[str], folder: Path, *, vocabulary: int, kind: Literal["bpe", "unigram"], sample_bytes: int,
    threads: int = 1,
) -> dict[str, float]:
    """Learn a tokenizer from the first `sample_bytes` of `texts` and write ``folder/tokenizer.model``.

    Returns figures: vocabulary, and bytes and tokens of the sample (bytes of UTF-8). The same texts, vocabulary, kind
    and threads give the same file, byte for byte. Raises RunFailed where the text is too little (the message says how
    large the vocabulary can be) or has too many different characters for the vocabulary.
    """
    import pyarrow as pa
    import sentencepiece

    from dataengine import token_columns

    sample = list(_until(texts, sample_bytes))
    if not any(map(str.strip, sample)):
        raise RunFailed("there is no text to learn a tokenizer from", expected="at least a few kilobytes of text")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sentences(sample), model_writer=model, model_type=kind, vocab_size=vocabulary,
            byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=False,
            remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, split_digits=True,
            max_sentence_length=8 * LONGEST_SENTENCE, unk_id=0, bos_id=1, eos_id=2, pad_id=3,
            control_symbols=[*ROLES.values(), END], num_threads=threads, minloglevel=3,
        )
    except RuntimeError as error:
        raise _said_plainly(str(error), vocabulary) from error
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model.getvalue())
    tokens = len(token_columns.texts(Tokenizer(model.getvalue()), pa.array(sample, pa.large_string()), eos=False).ids)
    size = sum(len(text.encode()) for text in sample)
    return {"vocabulary": vocabulary, "sample_bytes": size, "sample_tokens": tokens, "bytes_per_token": size / tokens}


def _until(texts: Iterable[str], limit: int) -> Iterator[str]:
    """Texts from the first on, until `limit` bytes have passed; the last is cut."""
    for text in texts:
        size = len(text.encode())
        yield text if size <= limit else text.encode()[:limit].decode(errors="ignore")
        limit -= size
        if limit <= 0:
            return


def _sentences(texts: Iterable[str]) -> Iterator[str]:
    """Lines without their ends, so that no piece crosses a line; NUL and the space mark would be misread."""
    for text in texts:
        for line in re.split(f"[\n\0{SPACE}]", text):
            for start in range(0, len(line), LONGEST_SENTENCE):
                yield line[start:start + LONGEST_SENTENCE]


def _said_plainly(message: str, vocabulary: int) -> RunFailed:
    """SentencePiece's complaint about the vocabulary's size as an error with a number to write."""
    where = "tokenizer"
    if largest := re.search(r"value <= (\d+)", message):
        return RunFailed(
            f"the text is too little for a vocabulary of {vocabulary}", where=where,
            expected=f"at most {largest[1]}, or more text", write=f"vocabulary = {largest[1]}",
        )
    if needed := re.search(r"(\d+) vs (\d+)", message):
        smallest = max(int(needed[1]), int(needed[2]))
        return RunFailed(
            f"a vocabulary of {vocabulary} cannot hold the characters of the text and the 256 bytes", where=where,
            expected=f"more than {smallest}", write=f"vocabulary = {smallest + smallest // 4}",
        )
    return RunFailed(f"SentencePiece could not learn from this text: {message}", where=where)
