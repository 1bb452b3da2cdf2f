"""How fast is ``filter.contaminated``, and how often is it right? ``python -m benchmarks.contaminated``

Speed over documentation strings of the standard library, with made-up questions. Where the evaluation sets
lie beside the repository (``../shared/data/decontam``: questions of GSM8K changed and planted, and questions that
only look like them), F1 beside that of plain n-gram overlap, and the recall that the stage's self-test measured.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa

from benchmarks.machine import stamp
from benchmarks.river import documents, sentences
from dataengine import stage

SETS = Path(__file__).parents[2] / "shared" / "data" / "decontam"


def batch_of(texts: list[str]) -> pa.RecordBatch:
    """Texts with ids of their own."""
    ids = [hashlib.md5(f"{number}".encode()).hexdigest() for number in range(len(texts))]
    return pa.RecordBatch.from_pydict({"id": ids, "text": texts})


def speed(items: int = 20_000, size: int = 50_000_000) -> None:
    """MB of text per CPU second, best of three."""
    draw, pool = random.Random(3), sentences()
    filter_contaminated = stage.load("filter.contaminated")
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for _ in range(items):
            words = " ".join(draw.choices(pool, k=3)).split()
            draw.shuffle(words)
            file.write(json.dumps({"question": " ".join(words)}) + "\n")
        file.flush()
        config = filter_contaminated.config(benchmarks=file.name)
        batch = batch_of(list(documents(size)))
        filter_contaminated(batch, config)
        times = []
        for _ in range(3):
            began = time.process_time()
            filter_contaminated(batch, config)
            times.append(time.process_time() - began)
    print(f"  {items:,} items: {size / 1e6 / min(times):.0f} MB/s")


def plain_overlap(text: str, grams: set[tuple[str, ...]], ngram: int) -> bool:
    """Whether an n-gram of words in lower case, without punctuation, is among those of the items."""
    words = plain_words(text)
    return any(tuple(words[i : i + ngram]) in grams for i in range(len(words) - ngram + 1))


def plain_words(text: str) -> list[str]:
    """Words in lower case, letters and digits only."""
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()


def f1(said: list[bool], truth: list[bool]) -> float:
    """Harmonic mean of precision and recall."""
    hits = sum(ours and theirs for ours, theirs in zip(said, truth, strict=True))
    return 2 * hits / max(sum(said) + sum(truth), 1)


def agreement() -> None:
    """F1 on the evaluation set, ours and n-gram overlap's."""
    rows = [json.loads(line) for line in gzip.decompress((SETS / "docs.jsonl.gz").read_bytes()).splitlines()]
    file = SETS / "benchmark_items.jsonl.gz"
    items = [plain_words(json.loads(line)["text"]) for line in gzip.decompress(file.read_bytes()).splitlines()]
    truth = [row["contaminated"] for row in rows]
    filter_contaminated = stage.load("filter.contaminated")
    config = filter_contaminated.config(benchmarks=str(file), self_test=1)
    found = filter_contaminated(batch_of([row["text"] for row in rows]), config)
    said = [item is not None for item in found["benchmark_item"].to_pylist()]
    print(f"  {len(rows)} documents: F1 {f1(said, truth):.3f}")
    for ngram in (8, 10, 13):
        grams = {tuple(words[i : i + ngram]) for words in items for i in range(len(words) - ngram + 1)}
        overlapping = [plain_overlap(row["text"], grams, ngram) for row in rows]
        print(f"    {ngram}-gram overlap: F1 {f1(overlapping, truth):.3f}")
    planted, recalled = Counter(), Counter()
    for kind, known in zip(found["planted"].to_pylist(), found["planted_found"].to_pylist(), strict=True):
        if kind:
            planted[kind] += 1
            recalled[kind] += known
    print("  planted and found: " + ", ".join(f"{kind} {recalled[kind]}/{planted[kind]}" for kind in sorted(planted)))


if __name__ == "__main__":
    print(stamp())
    speed()
    agreement() if SETS.exists() else print("  the evaluation sets are not beside the repository: no F1")
