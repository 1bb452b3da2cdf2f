"""How fast tokenizers and tiktoken encode the sets of ``benchmarks.tokens``, which starts this under another Python.

    PYTHON -m benchmarks.tokens_peer FOLDER VOCABULARY

PYTHON has ``tokenizers`` and ``tiktoken``. FOLDER holds ``sets.json`` and ``sample.json``. The last line printed is
JSON: MB per CPU second by peer and set, the best of two. tiktoken gets the merges that tokenizers has learnt.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}

import tiktoken
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPLIT = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
"""GPT-2's words, as tiktoken writes them."""


def learnt(sample: list[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(sample, trainer)
    return tokenizer


def byte_of() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for: printable ones for themselves."""
    own = [byte for byte in range(256) if 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174]
    rest = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(256 + place): byte for place, byte in enumerate(rest)}


def seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(2):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def main(folder: str, vocabulary: str) -> None:
    sets = json.loads((Path(folder) / "sets.json").read_text(encoding="utf-8"))
    tokenizer = learnt(json.loads((Path(folder) / "sample.json").read_text(encoding="utf-8")), int(vocabulary))
    letters = byte_of()
    ranks = {bytes(letters[letter] for letter in piece): rank for piece, rank in tokenizer.get_vocab().items()}
    fast = tiktoken.Encoding("peer", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens={})
    found: dict[str, dict[str, float]] = {"tokenizers": {}, "tiktoken": {}}
    for name, texts in sets.items():
        size = sum(len(text.encode()) for text in texts) / 1e6
        found["tokenizers"][name] = size / seconds(lambda texts=texts: tokenizer.encode_batch_fast(texts))
        found["tiktoken"][name] = size / seconds(lambda texts=texts: [fast.encode_ordinary(text) for text in texts])
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
