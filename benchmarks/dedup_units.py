"""How fast are repeated lines, paragraphs and substrings found and cut, Parquet to Parquet, beside what one might pick?

    python -m benchmarks.dedup_units [--megabytes 100] [--peers-python PATH/bin/python] [--suffix-megabytes 20]

Made-up pages: prose of pseudo-words, a head and a foot that many share, paragraphs and passages of other pages.
CPU seconds of all processes of a contender, on one core, start-up (100 pages) taken off for "work".

    units     text to parts and keys in this process, MB of UTF-8 per CPU second, best of three
    MB/s      MB of text per CPU second of the whole run, without start-up
    peak      MB of the largest process
    removed   share of the bytes that went

Peers: dolma's Bloom filter over paragraphs (its word for lines), which marks and removes nothing, JSON Lines to JSON
Lines; a suffix array of all text in memory (pydivsufsort), with the bytes that it finds beside ours, which does not
write texts either. Those the Python does not have are left out.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.dedup import command, has
from benchmarks.known_pairs import vocabulary
from benchmarks.machine import stamp
from dataengine import stage

ROOT = Path(__file__).parents[1]
LENGTH = 200
UNITS = {
    "lines": ("dedup.lines", {}), "lines folded": ("dedup.lines", {"normalize": "folded"}),
    "lines masked": ("dedup.lines", {"normalize": "masked"}), "paragraphs": ("dedup.paragraphs", {}),
    "substring": ("dedup.substring", {"min_length": LENGTH}),
}
RUNS = ("lines", "paragraphs", "substring")


def pages(megabytes: float) -> list[str]:
    """Texts of 500 to 5,000 bytes; about one in five parts of them stands elsewhere too."""
    draw = random.Random(1)
    words = vocabulary(20_000, draw)
    weights = [1 / (place + 10) for place in range(len(words))]
    stock = draw.choices(words, weights, k=2_000_000)

    def line(count: int) -> str:
        start = draw.randrange(len(stock) - count)
        chosen = stock[start : start + count]
        draw.shuffle(chosen)
        return " ".join(chosen).capitalize() + "."

    feet = [[line(8), line(14), line(6)] for _ in range(200)]
    found: list[str] = []
    size = 0.0
    while size < megabytes * 1e6:
        foot = draw.choice(feet)
        parts = [line(draw.randint(8, 90)) for _ in range(draw.randint(3, 12))]
        if found and draw.random() < 0.3:
            other = draw.choice(found)
            start = draw.randrange(len(other))
            place = draw.randrange(len(parts))
            parts[place] += " " + other[start : start + draw.randint(100, 900)]
        if found and draw.random() < 0.2:
            parts.insert(draw.randrange(len(parts)), draw.choice(draw.choice(found).split("\n\n")))
        found.append(foot[0] + "\n\n" + "\n\n".join(parts) + "\n\n" + foot[1] + "\n" + foot[2] + "\n")
        size += len(found[-1])
    return found


def units(texts: list[str], name: str) -> float:
    """MB per CPU second, best of three."""
    found = stage.load(UNITS[name][0])
    config = found.config.model_validate(UNITS[name][1])
    batches = pa.table({"text": texts}).to_batches(max_chunksize=1024)
    found(batches[0], config)
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for batch in batches:
            found(batch, config)
        best = min(best, time.process_time() - start)
    return sum(map(len, texts)) / 1e6 / best


def ours(source: Path, name: str, folder: Path, **config: object) -> tuple[float, float, float]:
    """(CPU seconds, MB of the largest process, bytes removed) of `dataengine run`."""
    out = Path(tempfile.mkdtemp(dir=folder))
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in (UNITS[name][1] | config).items())
    (out / "recipe.toml").write_text(f'name = "b"\n[[data.web]]\nstage = "read.parquet"\npaths = "{source}"\n'
                                     f'[[data.web]]\nstage = "{UNITS[name][0]}"\n{settings}')
    arguments = ["-m", "dataengine", "run", "recipe.toml", "--workers", "1", "--quiet", "--out", "run"]
    seconds, _, peak = command([sys.executable, *arguments], out)
    from dataengine import sql

    with sql.connect(out / "run") as connection:
        steps = connection.execute("SELECT bytes_in - bytes_out FROM steps WHERE step = 'web.1'").fetchall()
    return seconds, peak, steps[0][0]


def show(name: str, megabytes: float, seconds: float, start: float, peak: float, removed: float | None) -> None:
    work = megabytes / max(seconds - start, 1e-9)
    share = "" if removed is None else f"{removed / megabytes / 1e4:.1f} %"
    click.echo(f"{name:<24}{seconds:>9.2f}{start:>10.2f}{work:>9.1f}{peak:>9.0f}{share:>10}")


def write(texts: list[str], path: Path) -> Path:
    ids = [str(row) for row in range(len(texts))]
    pq.write_table(pa.table({"id": ids, "text": texts}), path, compression="zstd", row_group_size=5000)
    return path


@click.command()
@click.option("--megabytes", default=100.0, show_default=True, help="Of text.")
@click.option("--suffix-megabytes", default=20.0, show_default=True, help="So much of it for the suffix array.")
@click.option("--peers-python", default=sys.executable, help="The Python that has dolma and pydivsufsort.")
def main(megabytes: float, suffix_megabytes: float, peers_python: str) -> None:
    texts = pages(megabytes)
    size = sum(map(len, texts)) / 1e6
    click.echo(f"{stamp()}\n{len(texts)} pages, {size:.1f} MB")
    for name in UNITS:
        click.echo(f"units, {name:<17}{units(texts, name):>6.0f} MB per CPU second")
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        whole, little = write(texts, folder / "whole.parquet"), write(texts[:100], folder / "little.parquet")
        head = (("CPU s", 9), ("start-up", 10), ("MB/s", 9), ("peak MB", 9), ("removed", 10))
        click.echo(" " * 24 + "".join(f"{word:>{width}}" for word, width in head))
        for name in RUNS:
            ours(little, name, folder)  # compiles what is not compiled yet
            start = ours(little, name, folder)[0]
            seconds, peak, removed = ours(whole, name, folder)
            show(f"dedup.{name}", size, seconds, start, peak, removed)
        peer = [peers_python, str(ROOT / "benchmarks" / "dedup_units_peer.py")]
        if _lies_there(peers_python, "dolma"):
            _dolma(peer, texts, size, folder)
        else:
            click.echo(f"dolma: not installed in {peers_python}")
        if has(peers_python, "pydivsufsort, pyarrow"):
            _suffix(peer, texts[: int(len(texts) * suffix_megabytes / megabytes)], folder)
        else:
            click.echo(f"pydivsufsort: not installed in {peers_python}")


def _lies_there(python: str, package: str) -> bool:
    """Whether the package is there, if not all that it imports."""
    code = f"importlib.util.find_spec('{package}')"
    return has(python, f"sys, importlib.util; sys.exit({code} is None)")


def _dolma(peer: list[str], texts: list[str], size: float, folder: Path) -> None:
    seconds = []
    for number, some in enumerate((texts[:100], texts)):
        place = folder / f"dolma{number}" / "documents"
        place.mkdir(parents=True)
        with gzip.open(place / "a.jsonl.gz", "wt", compresslevel=1) as file:
            file.writelines(json.dumps({"id": str(row), "text": text, "source": "b"}) + "\n"
                            for row, text in enumerate(some))
        used = command([*peer, "dolma", str(place / "*"), str(place.parent)], folder)
        seconds.append(used[0])
    show("dolma, paragraphs", size, seconds[1], seconds[0], used[2], None)


def _suffix(peer: list[str], texts: list[str], folder: Path) -> None:
    """The suffix array, and ours over the same text, cut at characters: both should find the same bytes."""
    size = sum(map(len, texts)) / 1e6
    some, little = write(texts, folder / "some.parquet"), write(texts[:100], folder / "few.parquet")
    start = command([*peer, "suffix", str(little), str(folder / "few.json"), str(LENGTH)], folder)[0]
    seconds, _, peak = command([*peer, "suffix", str(some), str(folder / "some.json"), str(LENGTH)], folder)
    found = json.loads((folder / "some.json").read_text())["bytes"]
    show(f"suffix array, {size:.0f} MB", size, seconds, start, peak, found)
    start = ours(little, "substring", folder)[0]
    seconds, peak, removed = ours(some, "substring", folder, cut="character", min_cut=1)
    show("ours, the same", size, seconds, start, peak, removed)
    click.echo(f"bytes found: suffix array {found}, dedup.substring {removed}")


if __name__ == "__main__":
    main()
