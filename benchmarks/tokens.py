"""How fast does text become ids, in several languages, beside SentencePiece, tokenizers and tiktoken?

    python -m benchmarks.tokens [--shards 2] [--vocabulary 32768] [--folder DIR] [--peers-python PYTHON]

The texts are those of ``benchmarks.corpus``, by language, and some that nobody writes: words that never come again,
one part without a place to cut. The tokenizer is a BPE of ours, learnt from an equal share of each language. MB of
UTF-8 per CPU second, one thread: `first`, when nothing is remembered yet; `again`, when the same has been read before
(best of three); SentencePiece with the same model in the same process, whose ids must be the same. PYTHON has
``tokenizers`` and ``tiktoken``: there a byte-level BPE of as many tokens, learnt from the same sample, reads the same.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import sentencepiece

import dataengine
from benchmarks.corpus import write_warc
from benchmarks.machine import stamp
from dataengine import sentencepiece_file, token_columns
from dataengine.learn_tokenizer import learn
from dataengine.tokens import MODEL_FILE, Tokenizer

LANGUAGES = ("en", "de", "fr", "ru", "el", "ja", "zh", "ko")
SAMPLE = 1_500_000
"""Bytes of each language that the tokenizers learn from."""
MOST = 8_000_000
"""Bytes of each language that are measured."""

RECIPE = """
name = "languages"
[[data.web]]
stage = "read.warc"
paths = {paths}
[[data.web]]
stage = "extract.html"
[[data.web]]
stage = "filter.language"
keep = {keep}
[[data.web]]
stage = "dedup.exact"
"""


def by_language(folder: Path, shards: int) -> dict[str, list[str]]:
    """Texts of each language, as much as is measured."""
    files = write_warc(folder)[:shards]
    shutil.rmtree(folder / "runs" / "languages", ignore_errors=True)
    recipe = RECIPE.format(paths=json.dumps([str(file) for file in files]), keep=json.dumps(LANGUAGES))
    (folder / "languages.toml").write_text(recipe, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "dataengine", "run", "languages.toml", "--quiet"], cwd=folder, check=True)
    docs = dataengine.open(folder / "runs" / "languages").docs().select("language", "text").collect()
    found: dict[str, list[str]] = {}
    sizes = dict.fromkeys(LANGUAGES, 0)
    for language, text in docs.iter_rows():
        if sizes[language] < MOST:
            found.setdefault(language, []).append(text)
            sizes[language] += len(text.encode())
    return {language: found[language] for language in LANGUAGES if sizes[language] > 100_000}


def unnatural() -> dict[str, list[str]]:
    """Texts in which little or nothing repeats."""
    draw = random.Random(1)
    letters = "etaoinshrdlucmfw"
    words = [" ".join("".join(draw.choices(letters, k=draw.randrange(3, 13))) for _ in range(400)) for _ in range(500)]
    return {
        "new words": words,
        "no spaces": [text.replace(" ", "") for text in words],
        "base64": [base64.b64encode(draw.randbytes(20_000)).decode() for _ in range(60)],
        "one letter": ["a" * 500_000, "=" * 500_000],
        "any Unicode": ["".join(chr(draw.choice((draw.randrange(0xD800), draw.randrange(0xE000, 0x110000))))
                                for _ in range(2_000)) for _ in range(200)],
    }


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The least CPU seconds of several."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def measure(tokenizer: Tokenizer, texts: list[str]) -> tuple[float, float, float, float, float]:
    """Megabytes, bytes per token, and MB/s of ours at first and again, and of SentencePiece."""
    column = pa.array(texts, pa.large_string())
    size = sum(len(text.encode()) for text in texts) / 1e6
    peer = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    file = sentencepiece_file.parse(tokenizer.model)

    first = []
    for _ in range(3):
        encoder = token_columns.encoder_of(file)
        first.append(seconds(lambda kept=encoder: token_columns.texts(tokenizer, column, encoder=kept), 1))
    again = seconds(lambda: token_columns.texts(tokenizer, column, encoder=encoder))
    theirs = seconds(lambda: peer.encode(texts, return_type="numpy", num_threads=1), 2)
    made = token_columns.texts(tokenizer, column, encoder=encoder)
    if not np.array_equal(made.ids, np.concatenate(tokenizer.encode(texts, eos=True))):
        raise SystemExit("the ids differ from SentencePiece's")
    return size, size * 1e6 / len(made.ids), size / min(first), size / again, size / theirs


def peers(python: str, folder: Path, sets: Mapping[str, list[str]], sample: list[str], vocabulary: int
          ) -> dict[str, dict[str, float]]:
    """MB/s by peer and set."""
    (folder / "sets.json").write_text(json.dumps(sets), encoding="utf-8")
    (folder / "sample.json").write_text(json.dumps(sample), encoding="utf-8")
    command = [python, Path(__file__).with_name("tokens_peer.py"), folder, str(vocabulary)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=2, help="how many of the corpus's eight files")
    parser.add_argument("--vocabulary", type=int, default=32_768)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--peers-python", metavar="PYTHON", help="a Python that has tokenizers and tiktoken")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        sets = by_language(folder, options.shards)
        sample = ["".join(texts).encode()[:SAMPLE].decode(errors="ignore") for texts in sets.values()]
        learn(sample, folder, vocabulary=options.vocabulary, kind="bpe", sample_bytes=1 << 40)
        tokenizer = Tokenizer.load(folder / MODEL_FILE)
        sets |= unnatural()
        token_columns.texts(tokenizer, pa.array(["kernels are compiled"]))
        theirs = {}
        if options.peers_python:
            theirs = peers(options.peers_python, folder, sets, sample, options.vocabulary)
        print(stamp())
        heads = ["text", "MB", "bytes/token", "first", "again", "SentencePiece", *theirs]
        print("  ".join(f"{head:>13}" for head in heads))
        for name, texts in sets.items():
            figures = [*measure(tokenizer, texts), *(found[name] for found in theirs.values())]
            print("  ".join([f"{name:>13}", *(f"{figure:13.1f}" for figure in figures)]), flush=True)


if __name__ == "__main__":
    main()
