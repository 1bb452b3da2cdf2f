"""How fast, how large and how right is near-duplicate removal, Parquet to Parquet, beside what one might pick instead?

    python -m benchmarks.dedup [--documents 100000] [--peers-python PATH/bin/python]... [--datatrove-documents 2000]

A corpus whose similar pairs are known is made on the spot (`benchmarks.known_pairs`). Every contender is a process of
its own on one core; its CPU seconds are those of all its processes, and its start-up (imports, compiled code loaded)
is what it takes for 100 documents. Each peer runs in the first of the other Pythons that has it; what none has is left
out, with a word. "copy" removes nothing: it is the cost of reading and writing the file, the limit of all others.

    signatures   text to sets of n-grams and band keys in this process, MB of UTF-8 per CPU second
    docs/s       documents per CPU second, start-up included; "work" without it
    peak         MB of the largest process
    both kept    share of the pairs of J >= .8 that are both in the result
    partner      share of the removed that had a kept partner of J >= .8, of J >= .7
    S-curve      unverified 14 bands of 8, families of two: how often a pair meets, over many seeds of the permutations,
                 less 1 - (1 - J^8)^14, each taken of the pairs' own J; the standard error of that; and one whole run
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.known_pairs import Corpus, corpus
from benchmarks.machine import stamp
from dataengine import stage
from dataengine.threads import THREAD_VARIABLES

PEERS = {"copy": "pyarrow", "rensa": "rensa", "rensa_checked": "rensa", "gaoya": "gaoya", "datasketch": "datasketch",
         "text_dedup": "text_dedup", "datatrove": "datatrove"}
"""Contender -> the package it needs."""
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Measured:
    """What a contender took, and which rows it removed."""

    seconds: float
    wall: float
    peak: float
    gone: np.ndarray


LAUNCH = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=open(sys.argv[1], "wb"))
_, status, used = os.wait4(process.pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""A small process between this one and what is measured: a child counts what its parent held when it was forked."""


def command(arguments: Sequence[str], folder: Path) -> tuple[float, float, float]:
    """(CPU seconds, wall seconds, MB of the largest process) of a command with all it starts."""
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1") | {"PYTHONPATH": str(ROOT)}
    start, log = time.perf_counter(), folder / "log"
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCH, str(log), *arguments], cwd=folder, env=environment,
                          capture_output=True, text=True, check=True)
    code, seconds, peak = json.loads(done.stdout)
    if code:
        raise click.ClickException(f"{' '.join(arguments)}:\n{log.read_text()[-3000:]}")
    return seconds, time.perf_counter() - start, peak


def write(made: Corpus, rows: int, path: Path) -> None:
    texts = made.texts[:rows]
    table = pa.table({"id": [str(row) for row in range(len(texts))], "text": texts})
    pq.write_table(table, path, compression="zstd", row_group_size=5000)


def removed(rows: int, kept: Sequence[str]) -> np.ndarray:
    gone = np.ones(rows, bool)
    gone[np.array([int(row) for row in kept], np.int64)] = False
    return gone


def ours(source: Path, rows: int, folder: Path, settings: str = "") -> Measured:
    """`dataengine run`: read.parquet, then dedup.minhash."""
    out = Path(tempfile.mkdtemp(dir=folder))
    (out / "recipe.toml").write_text(
        f'name = "b"\n[[data.web]]\nstage = "read.parquet"\npaths = "{source}"\nkeep = {{ row = "id" }}\n'
        f'[[data.web]]\nstage = "dedup.minhash"\n{settings}\n'
    )
    arguments = ["-m", "dataengine", "run", "recipe.toml", "--workers", "1", "--quiet", "--out", "run"]
    used = command([sys.executable, *arguments], out)
    from dataengine import sql

    with sql.connect(out / "run") as connection:
        kept = connection.execute("SELECT row FROM docs").fetchnumpy()["row"]
    return Measured(*used, removed(rows, kept.tolist()))


def theirs(peer: str, python: str, source: Path, rows: int, folder: Path) -> Measured:
    target = folder / f"{peer}.parquet"
    used = command([python, str(ROOT / "benchmarks" / "dedup_peer.py"), peer, str(source), str(target)], folder)
    return Measured(*used, removed(rows, pq.read_table(target, columns=["id"])["id"].to_pylist()))


def has(python: str, package: str) -> bool:
    return subprocess.run([python, "-c", f"import {package}"], capture_output=True, check=False).returncode == 0


def quality(made: Corpus, gone: np.ndarray) -> tuple[float, float, float]:
    """(both kept of J >= .8, removed with a kept partner of J >= .8, of J >= .7)."""
    inside = (made.pairs < len(gone)).all(axis=1)
    pairs, jaccard = made.pairs[inside], made.jaccard[inside]
    best = np.zeros(len(gone))
    for one, other in ((0, 1), (1, 0)):
        stays = ~gone[pairs[:, other]]
        np.maximum.at(best, pairs[stays, one], jaccard[stays])
    kept = ~gone[pairs].any(axis=1)
    if not gone.any() or not (jaccard >= 0.8).any():
        return float("nan"), float("nan"), float("nan")
    return float(kept[jaccard >= 0.8].mean()), float((best[gone] >= 0.8).mean()), float((best[gone] >= 0.7).mean())


@dataclass(frozen=True)
class Cell:
    """Pairs of families of two whose similarity is within a range of .05."""

    low: float
    pairs: int
    theory: float
    """Share of them that meets, by 1 - (1 - J^8)^14 of each one's own J."""
    met: float
    """Share that met, the mean over the seeds."""
    error: float
    """Standard error of that: seeds are drawn, pairs are given."""
    spread: float
    """Standard deviation of what one seed says: so far from theory a single run may be."""
    run: float
    """Share of which a whole run without verification removed one."""


def curve(made: Corpus, gone: np.ndarray, seeds: int) -> list[Cell]:
    """How often pairs share a band, by the sketches of as many seeds, and in a run that removed the rows `gone`."""
    relatives = np.bincount(made.pairs.ravel(), minlength=len(gone))
    two = (relatives[made.pairs] == 1).all(axis=1)
    pairs, jaccard = made.pairs[two], made.jaccard[two]
    minhash = stage.load("dedup.minhash")
    table = pa.table({"text": [made.texts[row] for row in pairs.ravel()]}).combine_chunks()
    met = np.empty((seeds, len(pairs)), bool)
    for seed in range(seeds):
        config = minhash.config(verify=False, bands=14, rows=8, seed=seed)
        keys = np.concatenate([minhash(batch, config).keys for batch in table.to_batches(max_chunksize=1024)])
        met[seed] = (keys[::2] == keys[1::2]).any(axis=1)
    theory, run = 1 - (1 - jaccard**8) ** 14, gone[pairs].any(axis=1)
    found = []
    for step in range(10, 20):  # in whole numbers: a J of just .7 belongs to one cell on every machine
        here = np.floor(jaccard * 20 + 1e-9) == step
        if here.any():
            shares = met[:, here].mean(axis=1)
            spread = float(shares.std(ddof=1))
            found.append(Cell(step / 20, int(here.sum()), float(theory[here].mean()), float(shares.mean()),
                              spread / seeds**0.5, spread, float(run[here].mean())))
    return found


def signing(made: Corpus) -> float:
    """MB of UTF-8 per CPU second to sets and keys, best of three."""
    minhash = stage.load("dedup.minhash")
    batches = pa.table({"text": made.texts}).to_batches(max_chunksize=1024)
    minhash(batches[0], minhash.config())
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        for batch in batches:
            minhash(batch, minhash.config())
        best = min(best, time.process_time() - start)
    return made.megabytes / best


@click.command()
@click.option("--documents", default=100_000, show_default=True, help="About how many documents to make.")
@click.option("--peers-python", "pythons", multiple=True, default=[sys.executable],
              help="A Python that has rensa, gaoya, datasketch, text-dedup or datatrove.")
@click.option("--datatrove-documents", default=2_000, show_default=True, help="So many of them for datatrove.")
@click.option("--only", default="", help="Peers, separated by commas; all by default.")
@click.option("--seeds", default=50, show_default=True, type=click.IntRange(min=2), help="Seeds of the S-curve.")
def main(documents: int, pythons: tuple[str, ...], datatrove_documents: int, only: str, seeds: int) -> None:
    made = corpus(documents)
    click.echo(stamp())
    click.echo(f"{len(made.texts)} documents, {made.megabytes:.1f} MB, {len(made.pairs)} related pairs, "
               f"{int((made.jaccard >= 0.8).sum())} of J >= .8")
    click.echo(f"signatures: {signing(made):.0f} MB per CPU second\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # byte code is kept from run to run, as where nobody forbids it: else start-up is compiling Python again
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(folder / "bytecode"))
        for rows in {len(made.texts), 100, datatrove_documents}:
            write(made, rows, folder / f"{rows}.parquet")
        whole, little = folder / f"{len(made.texts)}.parquet", folder / "100.parquet"
        head = ("", "CPU s", "start-up", "docs/s", "work", "whole x", "work x", "peak MB", "removed", "both kept",
                "partner .8", "partner .7")
        click.echo("".join(f"{word:>14}" for word in head))
        ours(little, 100, folder)  # compiles what is not compiled yet
        start = ours(little, 100, folder).seconds
        mine = ours(whole, len(made.texts), folder)
        line(made, "dataengine", mine, start, mine, start)
        for peer, package in PEERS.items():
            if only and peer not in only.split(","):
                continue
            python = next((python for python in pythons if has(python, package)), None)
            if python is None:
                click.echo(f"{peer:>14}  not installed in {', '.join(pythons)}")
                continue
            rows = datatrove_documents if peer == "datatrove" else len(made.texts)
            try:
                theirs(peer, python, little, 100, folder)
                began = theirs(peer, python, little, 100, folder).seconds
                it = theirs(peer, python, folder / f"{rows}.parquet", rows, folder)
            except click.ClickException as error:
                click.echo(f"{peer:>14}  failed: {error.message.strip().splitlines()[-1]}")
                continue
            line(made, peer, it, began, mine, start)
        plain = ours(whole, len(made.texts), folder, "verify = false\nbands = 14\nrows = 8")
        click.echo(f"\nS-curve, {seeds} seeds\n"
                   "J            pairs  theory     met  less theory  error   one seed  whole run")
        for cell in curve(made, plain.gone, seeds):
            click.echo(f"{cell.low:.2f}-{cell.low + 0.05:.2f}  {cell.pairs:>7}  {cell.theory:>6.4f}  {cell.met:>6.4f}  "
                       f"{cell.met - cell.theory:>+11.4f}  {cell.error:.4f}  +- {cell.spread:.4f}     {cell.run:.4f}")


def line(made: Corpus, name: str, it: Measured, start: float, mine: Measured, my_start: float) -> None:
    """A contender's row: times as ours are faster, with and without start-up, per document."""
    rate, work = len(it.gone) / it.seconds, len(it.gone) / max(it.seconds - start, 1e-9)
    my_rate, my_work = len(mine.gone) / mine.seconds, len(mine.gone) / (mine.seconds - my_start)
    cells = [name, f"{it.seconds:.2f}", f"{start:.2f}", f"{rate:.0f}", f"{work:.0f}", f"{my_rate / rate:.1f}",
             f"{my_work / work:.1f}", f"{it.peak:.0f}", str(int(it.gone.sum())),
             *(f"{share:.4f}" for share in quality(made, it.gone))]
    click.echo("".join(f"{cell:>14}" for cell in cells))


if __name__ == "__main__":
    main()
