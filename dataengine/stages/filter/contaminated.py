"""Drop text that holds items of the benchmarks you will measure with: n-gram overlap, followed along both texts.

    [[data.web]]
    stage = "filter.contaminated"
    benchmarks = ["evals/gsm8k_test.jsonl", "evals/mmlu.jsonl.gz"]

A document goes for either of two reasons: a **run** of words in the order of the item (13-gram overlap is the field's
custom: GPT-3, arXiv:2005.14165; here 11 words, as with numbers masked and punctuation left out longer runs are lost to
less), or a **share** of an item's words, found near each other in runs of `ngram`, which survives a changed word in
eight. Items shorter than `min_run` words have to be there whole, with their own numbers; those shorter than an n-gram
have to be the whole document.

Of what it drops, the row says which item, which of its parts (``question``, ``question_and_answer`` where the answer
stands behind it, ``passage``, ``answer``), and both texts side by side.

It measures itself: in a copy of a share of the documents (`self_test`) a changed item is planted, and whether it is
found is kept in the row, so that the recall by kind of change is a question in SQL::

    SELECT planted, avg(planted_found::int) FROM (FROM docs UNION ALL BY NAME FROM dropped)
    WHERE planted IS NOT NULL GROUP BY ALL

The kind ``decoy`` is an item with its words shuffled: what is found of it is the false-positive rate.
On 700 documents that hold changed questions of GSM8K, or questions much like them, it decided all as labelled
(``python -m benchmarks.contaminated``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from dataengine.stage import Columns, LoadedFile, Rule, StageConfig, filter

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from dataengine.stages.filter._benchmarks import Benchmarks

ANSWER_WITHIN = 2000
"""Bytes behind a question in which its answer is looked for."""
SHOWN = 2000
"""Most characters of a text that are kept for the eye."""


class Config(StageConfig):
    benchmarks: Annotated[
        tuple[str, ...], LoadedFile(), Field(min_length=1),
        BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
    ]
    """Benchmark files: .jsonl, .parquet or .txt, also compressed."""
    ngram: int = Field(5, ge=3, le=50)
    """Words that must agree before a passage is followed."""
    min_run: int | None = Field(11, ge=3)
    """Longest run of an item's words that is still no contamination, plus one."""
    min_share: float | None = Field(0.7, gt=0, le=1)
    """Share of an item's words, near each other, from which a text holds it."""
    self_test: float = Field(0.01, ge=0, le=1)
    """Share of the documents in a copy of which an item is planted, to measure how many are found."""


MEASURES = {
    "benchmark_run": "int64", "benchmark_share": "float64", "benchmark_item": "string", "benchmark_part": "string",
    "benchmark_text": "string", "benchmark_passage": "string", "planted": "string", "planted_found": "bool",
}

RULES = [
    Rule("repeats_benchmark_item", "benchmark_run", ">=", "min_run"),
    Rule("holds_benchmark_item", "benchmark_share", ">=", "min_share"),
]


def check(config: Config, columns: Columns) -> str | None:
    """Each file that is there holds items."""
    import os

    from dataengine.errors import InputError
    from dataengine.stages.filter._benchmarks import read_items

    try:
        for path in config.benchmarks:
            if os.path.exists(path):  # the planner reports missing files
                read_items(path)
    except InputError as error:
        return str(error)
    return None


@filter(reads=["id", "text"], measures=MEASURES, rules=RULES, version=1, check=check)
def contaminated(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    """Lengths in words; a text that repeats nothing has run 0 and share 0, and nulls for the rest."""
    import numpy as np
    import pyarrow as pa

    from dataengine.kernels.buffers import utf8
    from dataengine.stages.filter._benchmarks import load

    benchmarks = load(config.benchmarks, config.ngram)
    data, offsets = utf8(batch["text"])
    run, share, hit = judge(data, offsets, benchmarks, config)
    told: dict[str, list[str | None]] = {name: [None] * batch.num_rows for name in MEASURES if name[:9] == "benchmark"}
    for row in np.flatnonzero(hit[:, 0] >= 0):
        item, first, last = hit[row].tolist()
        for name, value in describe(data[: offsets[row + 1]], item, first, last, benchmarks).items():
            told[name][row] = value
    planted, found = self_test(batch, hit[:, 0] < 0, benchmarks, config)
    return {
        "benchmark_run": pa.array(run, pa.int64()), "benchmark_share": pa.array(share, pa.float64()),
        **{name: pa.array(told[name], pa.string())
           for name in ("benchmark_item", "benchmark_part", "benchmark_text", "benchmark_passage")},
        "planted": pa.array(planted, pa.string()), "planted_found": pa.array(found, pa.bool_()),
    }


def judge(
    data: np.ndarray, offsets: np.ndarray, benchmarks: Benchmarks, config: Config
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(longest run in words, best share, int64 (n, 3): item and first and last byte of what breaks a rule, or -1)."""
    import numpy as np

    from dataengine.kernels import overlap

    found = overlap.scan(data, offsets, benchmarks.index, config.min_run or 0)
    run = found[:, overlap.RUN]
    lengths = np.append(np.diff(benchmarks.index.starts), 1)
    share = found[:, overlap.COVERED] / lengths[found[:, overlap.COVERED_ITEM]]
    hit = np.full((len(run), 3), -1, np.int64)
    if config.min_share is not None:
        rows = share >= config.min_share
        hit[rows] = found[rows][:, [overlap.COVERED_ITEM, overlap.COVERED_FIRST, overlap.COVERED_LAST]]
    if config.min_run is not None:
        rows = run >= config.min_run
        hit[rows] = found[rows][:, [overlap.RUN_ITEM, overlap.RUN_FIRST, overlap.RUN_LAST]]
    return run, share, hit


def describe(data: np.ndarray, item: int, first: int, last: int, benchmarks: Benchmarks) -> dict[str, str]:
    """The item that was found and the passage where, for a text that ends where `data` does."""
    known = benchmarks.items[item]
    part = known.part
    if part == "question" and known.answer.strip():
        behind = data[last : last + ANSWER_WITHIN].tobytes().decode("utf-8", "ignore")
        if f" {_plain(known.answer)} " in f" {_plain(behind)} ":
            part = "question_and_answer"
    passage = data[first:last].tobytes().decode("utf-8", "replace")
    return {
        "benchmark_item": known.name, "benchmark_part": part,
        "benchmark_text": known.text[:SHOWN], "benchmark_passage": passage[:SHOWN],
    }


def _plain(text: str) -> str:
    """Words in lower case, without punctuation, one space between them."""
    letters = "".join(letter if letter.isalnum() or letter.isspace() else "" for letter in text.lower())
    return " ".join(letters.split())


def self_test(
    batch: pa.RecordBatch, clean: np.ndarray, benchmarks: Benchmarks, config: Config
) -> tuple[list[str | None], list[bool | None]]:
    """For clean documents chosen by their id: the kind of item planted in a copy, and whether it was found."""
    import pyarrow as pa

    from dataengine.kernels.buffers import utf8
    from dataengine.stages.filter import _plant

    shortest = max(config.min_run or 0, config.ngram)
    items = [item.text for number, item in enumerate(benchmarks.items) if benchmarks.words(number) > 1.5 * shortest]
    planted: list[str | None] = [None] * batch.num_rows
    found: list[bool | None] = [None] * batch.num_rows
    rows = [row for row, identity in enumerate(batch["id"].to_pylist())
            if items and clean[row] and _plant.chosen(identity, config.self_test)]
    copies = []
    for row in rows:
        planted[row], copy = _plant.plant(batch["id"][row].as_py(), batch["text"][row].as_py() or "", items)
        copies.append(copy.encode("utf-8", "replace"))
    if rows:
        hit = judge(*utf8(pa.array(copies, pa.large_binary())), benchmarks, config)[2]
        for row, known in zip(rows, (hit[:, 0] >= 0).tolist(), strict=True):
            found[row] = known
    return planted, found
