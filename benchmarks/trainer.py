"""How many tokens a second does the trainer learn from, on one thread?

    python -m benchmarks.trainer [--width 128 --layers 4 --heads 4] [--batch 16] [--steps 30]

Trains a model on tokens drawn at random (speed does not depend on what they are) through the `trainer` command, in
float32 and in bfloat16, and prints the median of the tokens per second it reports.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import stamp
from dataengine.learn_tokenizer import learn
from dataengine.tokens import TokenWriter

LENGTH = 256
VOCABULARY = 2048


def corpus(folder: Path, tokens: int) -> Path:
    """A ``mixture.json`` of about so many tokens."""
    rng = np.random.default_rng(0)
    letters = rng.integers(97, 123, (40_000, 7)).astype(np.uint8)
    learn(
        [" ".join(word.tobytes().decode() for word in letters)],
        folder,
        vocabulary=VOCABULARY,
        kind="bpe",
        sample_bytes=1 << 20,
    )
    for part, count in (("train", tokens), ("heldout", LENGTH)):
        with TokenWriter(folder / part, vocabulary=VOCABULARY) as writer:
            writer.append(rng.integers(0, VOCABULARY, count))
    shard = {
        "train": "train",
        "heldout": "heldout",
        "train_tokens": tokens,
        "heldout_tokens": LENGTH,
        "heldout_bytes": LENGTH,
    }
    mixture = {
        "format": 1,
        "name": "speed",
        "seed": 0,
        "tokenizer": "tokenizer.model",
        "vocabulary": VOCABULARY,
        "kind": "text",
        "tokens": None,
        "sources": [{"name": "random", "weight": None, "max_epochs": 1.0, "shards": [shard]}],
    }
    path = folder / "mixture.json"
    path.write_text(json.dumps(mixture))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("width", 128), ("layers", 4), ("heads", 4), ("batch", 16), ("steps", 30)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    print(f"{stamp()}, one thread")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        mixture = corpus(folder, options.batch * LENGTH * options.steps + 1)
        for precision in ("float32", "bfloat16"):
            config = {
                "name": precision,
                "objective": "next_token",
                "mixture": str(mixture),
                "sequence_length": LENGTH,
                "batch_size": options.batch,
                "model": {"width": options.width, "layers": options.layers, "heads": options.heads},
                "precision": precision,
                "threads": 1,
            }
            (folder / "config.json").write_text(json.dumps(config))
            out = folder / precision
            subprocess.run(
                [sys.executable, "-m", "trainer", "train", folder / "config.json", "--out", out],
                check=True,
                stderr=subprocess.DEVNULL,
            )
            steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
            speed = statistics.median(step["tokens_per_second"] for step in steps[3:])
            parameters = json.loads((out / "result.json").read_text())["parameters"]
            print(f"  {parameters / 1e6:.2f}M parameters, {precision:9} {speed:10,.0f} tokens/s")


if __name__ == "__main__":
    main()
