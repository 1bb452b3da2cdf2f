"""Does near-duplicate removal of ten times as much cost ten times as much, in memory that does not grow, killed or not?

    python -m benchmarks.scale [--documents 100000 --documents 1000000] [--kill 2] [--workers 2] [--memory 1.5GB]

The goal: ten million documents, about 12 GB, on two cores under 4 GB of memory in total, killed twice on the way, with
the bytes of a run that was not; and a cost per document that is the same at 0.1, 1 and 10 million. The corpus is
`benchmarks.families`, in Parquet files of 100,000 documents; the recipe `read.parquet` and `dedup.minhash` as it comes.

    CPU, wall    seconds of the driver and all workers
    total, one   the most memory that all processes together, and that one of them, were seen to hold (PSS, so that
                 what processes share counts once; looked at five times a second)
    disk         bytes that a phase leaves in the run's folder, a document
    both kept    share of the pairs of J >= .8 that are both in the result, over a sample of families
    partner      share of the removed that have a kept partner of J >= .8, over the same
    killed       after so many SIGKILLs at random moments, of a worker or of the driver, which is then started again
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
import psutil
import pyarrow.parquet as pq

from benchmarks.families import Families
from benchmarks.machine import environment, stamp
from dataengine import shards
from dataengine.ledger import Ledger

ROOT = Path(__file__).parents[1]
RECIPE = """
name = "scale"
[run]
memory_per_worker = "{memory}"
[[data.web]]
stage = "read.parquet"
paths = "corpus"
keep = ["row"]
types = {{ row = "int64" }}
[[data.web]]
stage = "dedup.minhash"
"""
SAMPLE = 100_000
"""Families whose pairs are looked at."""
BEAT = 0.2


@dataclass
class Seen:
    """What was seen of a run's processes."""

    wall: float = 0.0
    cpu: float = 0.0
    total: int = 0
    one: int = 0
    kills: int = 0

    def look(self, driver: psutil.Process) -> None:
        sizes = []
        with suppress(psutil.Error):
            for process in (driver, *driver.children(recursive=True)):
                with suppress(psutil.Error):
                    sizes.append(process.memory_full_info().pss)
        self.total, self.one = max(self.total, sum(sizes)), max(self.one, *sizes, 0)


def write_file(families: Families, folder: Path, number: int) -> int:
    return families.write(folder, number).stat().st_size


def make(families: Families, folder: Path, workers: int) -> int:
    """The corpus in files; returns their bytes."""
    folder.mkdir()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(write_file, families, folder, number) for number in range(families.files)]
        return sum(job.result() for job in jobs)


def run(folder: Path, out: str, workers: int, seen: Seen, kill: tuple[float, bool] | None = None) -> bool:
    """Run the recipe, in the background at first; at a time given, kill the driver, or one of its workers.

    True if it ended well, False where its driver was killed.
    """
    command = [sys.executable, "-m", "dataengine", "run", "recipe.toml", "--quiet", "--out", out,
               "--workers", str(workers)]
    before, start = os.times(), time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment() | {"PYTHONPATH": str(ROOT)}, stderr=log)
    driver, killed = psutil.Process(process.pid), False
    while process.poll() is None:
        seen.look(driver)
        if kill and time.monotonic() - start > kill[0]:
            killed = _kill(driver, kill[1])
            seen.kills += 1
            kill = None
        with suppress(subprocess.TimeoutExpired):
            process.wait(BEAT)
    after = os.times()
    seen.wall += time.monotonic() - start
    seen.cpu += after.children_user + after.children_system - before.children_user - before.children_system
    if process.returncode and not killed:
        raise click.ClickException((folder / "log").read_text()[-3000:])
    return not killed


def _kill(driver: psutil.Process, worker: bool) -> bool:
    """Kill it, or one of its workers; whether it was the driver."""
    workers = driver.children()
    victim = random.choice(workers) if worker and workers else driver
    with suppress(psutil.Error):
        victim.send_signal(signal.SIGKILL)
    return victim is driver


def broken(folder: Path, out: str, workers: int, kills: int, wall: float, draw: random.Random) -> Seen:
    """The run again, killed on the way: the driver the first time, then a worker, and so on."""
    seen = Seen()
    for number in range(kills):
        moment = draw.uniform(0.1, 0.9) * wall / kills
        run(folder, out, workers, seen, (moment, number % 2 == 1))
        if seen.kills <= number:
            raise click.ClickException(f"done after {seen.kills} kills: too little to do for {kills}")
    while not run(folder, out, workers, seen):
        pass
    return seen


def digests(run: Path) -> dict[str, str]:
    """sha256 of every file that a run has committed, but manifests, which hold times."""
    files = [path for path in (run / "steps").rglob("*") if path.is_file() and path.name != shards.MANIFEST]
    return {path.relative_to(run).as_posix(): shards.sha256_of(path) for path in sorted(files)}


def disk(run: Path) -> dict[str, int]:
    """Bytes that each phase has left."""
    found: dict[str, int] = {}
    for path in (run / "steps").rglob("*"):
        if path.is_file():
            name = path.relative_to(run / "steps").parts[0]
            phase = name.split(".")[2] if name.count(".") == 2 else "rows"
            found[phase] = found.get(phase, 0) + path.stat().st_size
    return found


def kept_slots(run: Path, documents: int) -> np.ndarray:
    """bool, for each slot of the corpus whether its document stays."""
    kept = np.zeros(documents, bool)
    for shard in Ledger.open(run).kept():
        kept[pq.read_table(shard.path, columns=["row"])["row"].to_numpy()] = True
    return kept


def quality(families: Families, kept: np.ndarray) -> tuple[float, float]:
    """(pairs of J >= .8 both kept, removed with a kept partner of J >= .8) over a sample of families."""
    count = len(families.starts) - 1
    sample = np.unique(np.linspace(0, count - 1, min(count, SAMPLE)).astype(np.int64))
    alike = both = 0
    best: list[np.ndarray] = []
    for slots, jaccard in families.pairs(sample):
        near = slots[jaccard >= 0.8]
        alike += len(near)
        both += int(kept[near].all(axis=1).sum())
        best += [near[kept[near[:, 1 - side]], side] for side in (0, 1)]
    inside = np.concatenate([np.arange(families.starts[f], families.starts[f + 1]) for f in sample])
    gone = inside[~kept[inside]]
    partnered = np.isin(gone, np.concatenate(best))
    return both / max(alike, 1), float(partnered.mean()) if len(gone) else 1.0


HEAD = ("documents", "text MB", "CPU s", "us/doc", "wall s", "total MB", "one MB", "sketch", "match", "cluster", "rows",
        "both kept", "partner", "killed", "wall s", "total MB", "same bytes")


@click.command()
@click.option("--documents", multiple=True, type=int, default=(100_000, 1_000_000), show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--memory", default="1.5GB", show_default=True, help="memory_per_worker of the recipe.")
@click.option("--kill", "kills", default=0, help="Run once more, killed so many times, and compare all bytes.")
@click.option("--seed", default=7, show_default=True, help="Of the corpus and of the moments at which it is killed.")
@click.option("--folder", type=Path, default=None, help="Where to work; a temporary folder by default.")
def main(documents: tuple[int, ...], workers: int, memory: str, kills: int, seed: int, folder: Path | None) -> None:
    click.echo(f"{stamp()}; {workers} workers, memory_per_worker = {memory}")
    click.echo("".join(f"{name:>11}" for name in HEAD))
    with tempfile.TemporaryDirectory(dir=folder) as name:  # compiles what is not compiled yet
        measured(Path(name), 1000, workers, memory, 0, seed)
    for count in documents:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            click.echo("".join(f"{cell:>11}" for cell in measured(Path(name), count, workers, memory, kills, seed)))


def measured(folder: Path, documents: int, workers: int, memory: str, kills: int, seed: int) -> list[str]:
    """The line of the table for a corpus of this size."""
    families = Families(documents, seed)
    start = time.monotonic()
    packed = make(families, folder / "corpus", workers)
    took = time.monotonic() - start
    click.echo(f"{documents:,} documents made in {took:.0f} s, {packed / 1e6:,.0f} MB packed", err=True)
    (folder / "recipe.toml").write_text(RECIPE.format(memory=memory))
    seen = Seen()
    run(folder, "run", workers, seen)
    left = disk(folder / "run")
    kept = kept_slots(folder / "run", documents)
    both, partner = quality(families, kept)
    text = sum(step.bytes_in for step in Ledger.open(folder / "run").steps if step.stage == "read.parquet")
    cells = [f"{documents:,}", f"{text / 1e6:,.0f}", f"{seen.cpu:.1f}", f"{seen.cpu / documents * 1e6:.1f}",
             f"{seen.wall:.1f}", f"{seen.total / 1e6:,.0f}", f"{seen.one / 1e6:,.0f}",
             *(f"{left.get(phase, 0) / documents:.0f}" for phase in ("sketch", "match", "cluster", "rows")),
             f"{both:.5f}", f"{partner:.5f}"]
    if not kills:
        return cells
    whole = digests(folder / "run")
    shutil.rmtree(folder / "run")
    again = broken(folder, "again", workers, kills, seen.wall, random.Random(seed))
    same = digests(folder / "again") == whole
    return [*cells, str(again.kills), f"{again.wall:.1f}", f"{again.total / 1e6:,.0f}", "yes" if same else "NO"]


if __name__ == "__main__":
    main()
