"""How fast is each stage that looks at text, on one core?

    python -m benchmarks.stages [--size 40MB] [STAGE ...]

Runs each stage over record batches of made-up documents of about 2 kB (see `benchmarks.river`), `extract.html` over the
same text as pages. Prints MB of text per CPU second, the best of three, and the first call, which compiles or loads.
"""

from __future__ import annotations

import argparse
import html
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pydantic import ByteSize, TypeAdapter

from benchmarks.machine import stamp
from benchmarks.river import documents
from dataengine import stage
from dataengine.kernels import scan

CONFIGS: dict[str, dict[str, Any]] = {
    "filter.gopher": {},
    "filter.repetition": {},
    "filter.c4": {},
    "filter.fineweb": {},
    "filter.language": {"keep": ["en"]},
    "filter.characters": {},
    "scrub.unicode": {},
    "scrub.lines": {},
    "scrub.symbol_lines": {},
    "filter.where": {"where": "length(text) > 100"},
    "dedup.exact": {},
    "dedup.minhash": {},
    "dedup.lines": {},
    "dedup.paragraphs": {},
    "dedup.substring": {},
    "extract.html": {},
}


def batches(name: str, size: int) -> Iterator[pa.RecordBatch]:
    """Batches of 1,024 documents, as the engine hands them to a stage."""
    texts: list[str] = []
    for text in documents(size):
        texts.append(text)
        if len(texts) == 1024:
            yield batch(name, texts)
            texts = []
    if texts:
        yield batch(name, texts)


def batch(name: str, texts: list[str]) -> pa.RecordBatch:
    """The texts as the column that the stage reads."""
    nothing = pa.nulls(len(texts), pa.string())
    if name == "extract.html":
        pages = [page(text) for text in texts]
        return pa.RecordBatch.from_pydict(
            {"url": nothing, "html": pa.array(pages, pa.binary()), "http_charset": nothing}
        )
    return pa.RecordBatch.from_pydict({"url": nothing, "text": pa.array(texts, pa.string())})


def page(text: str) -> bytes:
    """A text as a small web page."""
    paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in text.splitlines())
    return f"<html><body><article>{paragraphs}</article></body></html>".encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="40MB")
    parser.add_argument("stages", nargs="*", default=list(CONFIGS))
    options = parser.parse_args()
    size = TypeAdapter(ByteSize).validate_python(options.size)
    print(f"{stamp()}, one thread")
    for name in options.stages:
        found = stage.load(name)
        config = found.config.model_validate(CONFIGS[name])
        work = list(batches(name, size))
        total = sum(part[found.reads(config)[0]].nbytes for part in work)
        first = seconds(found, config, work[:1])
        best = min(seconds(found, config, work) for _ in range(3))
        print(f"  {name:20} {total / 1e6 / best:8.1f} MB/s   first call {first:5.2f} s")


def seconds(found: stage.Stage, config: Any, work: list[pa.RecordBatch]) -> float:
    """CPU seconds for all batches."""
    started = time.process_time()
    for part in work:
        scan.forget()  # each filter pays for its own
        found.function(part, config)
    return time.process_time() - started


if __name__ == "__main__":
    main()
