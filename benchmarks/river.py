"""How fast does one big JSONL file go through the heuristics and near-duplicate removal, and with how much memory?

    python -m benchmarks.river [--size 1GB] [--workers 2] [--folder DIR]

Writes a file of made-up documents (sentences from the documentation inside the Python installation, put together anew;
one document in ten is an edited copy of an earlier one), runs a recipe over it as a user would, and prints wall time,
the share of all cores that was busy, the largest process, and CPU seconds by step from the ledger.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from pydantic import ByteSize, TypeAdapter

from benchmarks.machine import environment, stamp

RECIPE = """
name = "river"
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[[data.web]]
stage = "filter.gopher"
[[data.web]]
stage = "filter.repetition"
[[data.web]]
stage = "dedup.exact"
[[data.web]]
stage = "dedup.minhash"
"""


def sentences() -> list[str]:
    """Sentences of documentation strings of the standard library: five words or more, hardly any of them symbols."""
    found: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                for sentence in text.replace("\n", " ").split(". "):
                    words = sentence.split()
                    if 5 <= len(words) <= 60 and sum(word.strip(",;:.()'\"").isalpha() for word in words) > 0.9 * len(
                        words
                    ):
                        found[" ".join(words) + "."] = None
    return list(found)


def documents(size: int, seed: int = 1) -> Iterator[str]:
    """Documents of about 2 kB until `size` bytes are reached."""
    rng, pool = random.Random(seed), sentences()
    recent: list[list[str]] = []
    written = 0
    while written < size:
        if recent and rng.random() < 0.1:
            parts = list(rng.choice(recent))
            parts[rng.randrange(len(parts))] = rng.choice(pool)
        else:
            parts = rng.choices(pool, k=rng.randint(4, 40))
            recent = [*recent[-999:], parts]
        text = "\n".join(" ".join(parts[first : first + 4]) for first in range(0, len(parts), 4))
        written += len(text)
        yield text


def write_corpus(path: Path, size: int) -> int:
    """Write the JSONL file; returns its bytes."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(documents(size)):
            file.write(json.dumps({"text": text, "url": f"http://example.org/{number}"}) + "\n")
    return path.stat().st_size


def measured(arguments: list[str], folder: Path) -> tuple[float, float, int]:
    """Run a command: (wall seconds, CPU seconds of all its processes, bytes of the largest process)."""
    started, peak = time.monotonic(), 0
    before = os.times()
    process = subprocess.Popen(arguments, cwd=folder, env=environment())
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        for child in [watched, *_children(watched)]:
            try:
                peak = max(peak, child.memory_info().rss)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.1)
    after = os.times()
    if process.returncode:
        raise SystemExit(process.returncode)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - started, cpu, peak


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="100MB")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        size = write_corpus(folder / "docs.jsonl", TypeAdapter(ByteSize).validate_python(options.size))
        (folder / "recipe.toml").write_text(RECIPE)
        run = [sys.executable, "-m", "dataengine", "run", "recipe.toml", "--quiet", "--workers", str(options.workers)]
        wall, cpu, peak = measured(run, folder)
        report(folder / "runs" / "river", size, wall, cpu, peak, options.workers)


def report(run: Path, size: int, wall: float, cpu: float, peak: int, workers: int) -> None:
    """Print what was measured."""
    print(stamp())
    print(
        f"{size / 1e6:,.0f} MB JSONL, {workers} workers: {wall:.1f} s wall, {size / 1e6 / wall:.1f} MB/s; "
        f"{cpu:.1f} s CPU, {cpu / wall / min(workers, os.cpu_count() or 1):.0%} of the cores busy; "
        f"largest process {peak / 1e6:,.0f} MB"
    )
    steps: dict[str, dict[str, float]] = {}
    for path in run.glob("steps/*/*/manifest.json"):
        manifest = json.loads(path.read_text())
        rest = manifest["seconds"]
        for account in manifest["accounts"]:
            row = steps.setdefault(
                f"{account['step']} {account['stage']}",
                dict.fromkeys(("rows_in", "rows_kept", "bytes_in", "seconds"), 0.0),
            )
            for name in row:
                row[name] += account[name]
            rest -= account["seconds"]
        row = steps.setdefault(
            f"{manifest['segment']} ({manifest['kind']}: the rest)",
            dict.fromkeys(("rows_in", "rows_kept", "bytes_in", "seconds"), 0.0),
        )
        row["seconds"] += rest
    for name, row in sorted(steps.items()):
        speed = f"{row['bytes_in'] / 1e6 / row['seconds']:8.1f} MB/s" if row["bytes_in"] and row["seconds"] else ""
        print(f"  {name:45} {row['rows_in']:10,.0f} in {row['rows_kept']:10,.0f} kept {row['seconds']:8.2f} s {speed}")


if __name__ == "__main__":
    main()
