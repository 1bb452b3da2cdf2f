"""What does filter.url cost: per address, to load a list of domains, and in memory?

    python -m benchmarks.addresses [--domains 5000000]

Writes a list of made-up domains, loads it, and judges 200,000 addresses, one in five of which is on it.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.machine import stamp
from dataengine import stage
from dataengine.stages.filter import _lists

ADDRESSES = 200_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--domains", type=int, default=5_000_000)
    domains = parser.parse_args().domains
    print(f"{stamp()}, one thread")
    draw = random.Random(1)
    urls = [f"https://www.site{draw.randrange(5 * domains)}.example/articles/{draw.randrange(2024)}/some-long-title-of-"
            f"{draw.randrange(999)}?utm=1" for _ in range(ADDRESSES)]
    batches = [pa.RecordBatch.from_pydict({"url": pa.array(urls[i:i + 1024])}) for i in range(0, ADDRESSES, 1024)]
    words = [f"word{number}" for number in range(500)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "domains"
        file.write_text("".join(f"site{number}.example\n" for number in range(domains)))
        started = time.process_time()
        table = _lists.table((), (str(file),), "host")
        print(f"  load {domains:,} domains: {time.process_time() - started:.1f} s, {table.nbytes / 1e6:.0f} MB")
        for name, more in (
            ("domains", {}),
            ("and 500 words, 500 soft words", {"words": words, "soft_words": words}),
            ("and 500 substrings, 1 pattern", {"substrings": words, "patterns": [r"/tag/\d+"]}),
        ):
            print(f"  {name:30} {1e6 * seconds(batches, {'domain_files': [str(file)], **more}):6.2f} µs an address")


def seconds(batches: list[pa.RecordBatch], settings: dict[str, Any]) -> float:
    """CPU seconds for one address, the best of three."""
    found = stage.load("filter.url")
    config = found.config.model_validate(settings)
    found(batches[0], config)
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for batch in batches:
            found(batch, config)
        best = min(best, time.process_time() - started)
    return best / ADDRESSES


if __name__ == "__main__":
    main()
