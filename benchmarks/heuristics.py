"""How fast are the heuristic filters on one core, alone and one behind the other, and do they decide as datatrove?

    python -m benchmarks.heuristics [--size 20MB] [--compat paper|datatrove] [--texts FILE.jsonl] [--peer 200]

Runs gopher, repetition, c4 and fineweb over batches of 1,024 texts: each alone, then all four as one segment, where
each filter sees what the one before it kept. Alone, each has the whole scan of the text to pay; in the segment it is
shared (`dataengine.kernels.scan`), and the same is done once more with sharing switched off. MB of text per CPU second,
the best of three; the first call, which compiles or loads the kernels, is not counted.

`--peer N` runs datatrove's same four filters over the first N texts, where datatrove and spaCy are installed, in turns
with ours, and counts how often the two decide alike. `--texts` takes a JSON Lines file with a field ``text``; without
it the texts are made up (`benchmarks.river`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import ByteSize, TypeAdapter

from benchmarks.machine import stamp
from benchmarks.river import documents
from dataengine import stage
from dataengine.kernels import scan
from dataengine.tasks.fused import Cursor, FusedStep, Outcome, through

FILTERS = ("filter.gopher", "filter.repetition", "filter.c4", "filter.fineweb")
ROWS = 1024


def steps(names: tuple[str, ...], compat: str) -> list[FusedStep]:
    """The filters as steps of a segment, with their defaults."""
    found = [stage.load(name) for name in names]
    return [
        FusedStep(f"web.{place}", "web", each, each.config.model_validate({"compat": compat}))
        for place, each in enumerate(found)
    ]


def batches(texts: list[str]) -> list[pa.RecordBatch]:
    """The texts as batches of rows."""
    found = []
    for first in range(0, len(texts), ROWS):
        part = texts[first : first + ROWS]
        ids = [f"{first + place:032x}" for place in range(len(part))]
        blank = [""] * len(part)
        found.append(
            pa.RecordBatch.from_pydict({"id": ids, "source": blank, "origin": blank, "url": blank, "text": part})
        )
    return found


def run(work: list[pa.RecordBatch], chain: list[FusedStep], share: bool = True) -> set[int]:
    """Numbers of the texts that are kept."""
    kept: set[int] = set()
    for batch in work:
        outcome = Outcome([step.account() for step in chain])
        if share:
            through(batch, np.arange(batch.num_rows), chain, 0, outcome, Cursor(lambda number, row: None))
            parts = outcome.kept
        else:
            parts = [batch]
            for place, step in enumerate(chain):
                scan.forget()
                outcome = Outcome([each.account() for each in chain])
                for part in parts:
                    through(part, np.arange(part.num_rows), [step], 0, outcome, Cursor(lambda number, row: None))
                parts = outcome.kept
                assert place < len(chain)
        kept |= {int(name, 16) for part in parts for name in part["id"].to_pylist()}
    scan.forget()
    return kept


def seconds(call: Callable[[], Any], times: int = 3) -> float:
    """CPU seconds of the best of several calls."""
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        call()
        best = min(best, time.process_time() - started)
    return best


def peer(texts: list[str], compat: str) -> None:
    """datatrove's filters and ours over the same texts, in turns: seconds and decisions."""
    try:
        from datatrove.data import Document
        from datatrove.pipeline.filters import (
            C4QualityFilter,
            FineWebQualityFilter,
            GopherQualityFilter,
            GopherRepetitionFilter,
        )
    except ImportError as error:
        print(f"  datatrove is not installed ({error})")
        return
    theirs = dict(
        zip(
            FILTERS,
            (GopherQualityFilter(), GopherRepetitionFilter(), C4QualityFilter(), FineWebQualityFilter()),
            strict=True,
        )
    )
    size = sum(len(text.encode()) for text in texts)
    work = batches(texts)
    for name, each in theirs.items():
        chain = steps((name,), compat)
        each.filter(Document(text="One text to begin with, so that nothing is loaded later.", id="0"))
        ours = seconds(lambda chain=chain: run(work, chain))
        started = time.process_time()
        decided = [each.filter(Document(text=text, id="0")) is True for text in texts]
        slow = time.process_time() - started
        kept = run(work, chain)
        alike = np.mean([(number in kept) == keep for number, keep in enumerate(decided)])
        print(
            f"  {name:18} datatrove {size / 1e6 / slow:6.2f} MB/s, ours {slow / ours:5.0f} x, decided alike {alike:.4f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="20MB")
    parser.add_argument("--compat", default="paper", choices=("paper", "datatrove"))
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--peer", type=int, default=0)
    options = parser.parse_args()
    if options.texts:
        texts = [json.loads(line)["text"] for line in options.texts.open(encoding="utf-8")]
    else:
        texts = list(documents(TypeAdapter(ByteSize).validate_python(options.size)))
    size, work = sum(len(text.encode()) for text in texts), batches(texts)
    print(f"{stamp()}, one thread; {len(texts)} texts, {size / 1e6:.1f} MB, compat = {options.compat}")
    for name in FILTERS:
        chain = steps((name,), options.compat)
        run(work[:1], chain)
        print(f"  {name:18} {size / 1e6 / seconds(lambda chain=chain: run(work, chain)):6.1f} MB/s")
    chain = steps(FILTERS, options.compat)
    together = seconds(lambda: run(work, chain))
    apart = seconds(lambda: run(work, chain, share=False))
    print(f"  all four           {size / 1e6 / together:6.1f} MB/s; without a shared scan {size / 1e6 / apart:6.1f}")
    print(f"  kept {len(run(work, chain))} of {len(texts)}")
    if options.peer:
        peer(texts[: options.peer], options.compat)


if __name__ == "__main__":
    main()
