"""How fast, how large and how right is semantic deduplication, Parquet to Parquet, on vectors of known near pairs?

    python -m benchmarks.semantic [--documents 100000] [--size 256] [--common 0.3] [--hashes 1024]

Vectors of `size` numbers in families about random centres; `common` is the cosine of two strangers, for models put all
texts on one side. The command is a process of its own on one core; its start-up is what it takes for 100 documents.

    docs/s       documents per CPU second, start-up included; "work" without it
    both kept    share of the pairs of a cosine >= .95 that are both in the result
    partner      share of the removed that had a kept partner of a cosine >= .95
    k-means      in this process: share of those pairs that fall into one cluster, where SemDeDup looks; with one
                 cluster a thousand documents, 20 rounds over a tenth of them
    S-curve      share of pairs of a family that meet, beside theory
"""

from __future__ import annotations

import sys
import tempfile
from itertools import pairwise
from math import sqrt
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.dedup import Measured, command, removed
from benchmarks.machine import stamp
from dataengine import stage
from dataengine.stages.dedup.semantic import agreement

THRESHOLD = 0.95
RECIPE = """
name = "b"
[[data.web]]
stage = "read.parquet"
paths = "{source}"
keep = {{ row = "id", vector = "vector" }}
types = {{ vector = "list<float>" }}
[[data.web]]
stage = "dedup.semantic"
vectors = "vector"
threshold = {threshold}
hashes = {hashes}
"""


def families(count: int, size: int, common: float, seed: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vectors float32 (n, size), pairs within families int64 (p, 2), their cosines), in random order."""
    draw = np.random.default_rng(seed)
    sizes = draw.choice([1, 1, 1, 2, 2, 3, 5], count)
    sizes = sizes[: np.searchsorted(sizes.cumsum(), count) + 1]
    family = np.repeat(np.arange(len(sizes)), sizes)
    shared, own = draw.normal(size=size), draw.normal(size=(len(sizes), size))
    centres = sqrt(common) * shared / np.linalg.norm(shared) + sqrt((1 - common) / size) * own
    spread = draw.uniform(0, 0.4, len(family))[:, None] / sqrt(size)
    vectors = centres[family] + spread * draw.normal(size=(len(family), size))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    order = draw.permutation(len(family))
    vectors, family = vectors[order], family[order]
    members = np.argsort(family, kind="stable")
    pairs = [(members[at], members[at + step]) for step in range(1, 5)
             for at in np.flatnonzero(family[members[:-step]] == family[members[step:]])]
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return vectors, found, np.einsum("ij,ij->i", vectors[found[:, 0]], vectors[found[:, 1]], dtype=np.float64)


def write(vectors: np.ndarray, rows: int, path: Path) -> None:
    lists = pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * vectors.shape[1], vectors[:rows].ravel())
    names = [str(row) for row in range(rows)]
    pq.write_table(pa.table({"id": names, "text": names, "vector": lists}), path, row_group_size=5000)


def ours(source: Path, rows: int, folder: Path, hashes: int) -> Measured:
    """`dataengine run`: read.parquet, then dedup.semantic."""
    from dataengine import sql

    out = Path(tempfile.mkdtemp(dir=folder))
    (out / "recipe.toml").write_text(RECIPE.format(source=source, threshold=THRESHOLD, hashes=hashes))
    arguments = ["-m", "dataengine", "run", "recipe.toml", "--workers", "1", "--quiet", "--out", "run"]
    used = command([sys.executable, *arguments], out)
    with sql.connect(out / "run") as connection:
        kept = connection.execute("SELECT row FROM docs").fetchnumpy()["row"]
        crowded = connection.execute("SELECT sum(value) FROM figures WHERE name = 'not_all_compared'").fetchone()
    click.echo(f"not all compared: {int(crowded[0] or 0)}")
    return Measured(*used, removed(rows, kept.tolist()))


def clustered(vectors: np.ndarray, pairs: np.ndarray, rounds: int = 20) -> float:
    """The share of the pairs that spherical k-means puts into one cluster."""
    draw = np.random.default_rng(1)
    sample = vectors[draw.permutation(len(vectors))[: max(len(vectors) // 10, 1000)]]
    centres = sample[: max(len(vectors) // 1000, 2)].copy()
    for _ in range(rounds):
        nearest = (sample @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        filled = np.bincount(nearest, minlength=len(centres)) > 0
        centres[filled] = sums[filled] / np.linalg.norm(sums[filled], axis=1, keepdims=True)
    cluster = np.concatenate([(part @ centres.T).argmax(axis=1) for part in np.array_split(vectors, 50)])
    return float((cluster[pairs[:, 0]] == cluster[pairs[:, 1]]).mean())


def curve(vectors: np.ndarray, pairs: np.ndarray, cosines: np.ndarray, hashes: int) -> None:
    semantic = stage.load("dedup.semantic")
    config = semantic.config(vectors="vector", threshold=THRESHOLD, hashes=hashes)
    click.echo(f"\n{config.bands} bands of {config.rows}\ncosine       pairs    met  theory")
    keys = [semantic(pa.record_batch({"vector": list(vectors[side])}), config).keys for side in pairs[:20_000].T]
    met, cosines = (keys[0] == keys[1]).any(axis=1), cosines[:20_000]
    theory = 1 - (1 - np.vectorize(agreement)(np.minimum(cosines, 1)) ** config.rows) ** config.bands
    for low, high in pairwise((0.85, 0.88, 0.91, 0.93, 0.95, 0.97, 0.99, 1.01)):
        here = (cosines >= low) & (cosines < high)
        if here.any():
            span = f"{low:.2f}-{min(high, 1):.2f}"
            click.echo(f"{span}  {here.sum():>7}  {met[here].mean():.3f}   {theory[here].mean():.3f}")


@click.command()
@click.option("--documents", default=100_000, show_default=True, help="About how many documents to make.")
@click.option("--size", default=256, show_default=True, help="Numbers of a vector.")
@click.option("--common", default=0.3, show_default=True, help="The cosine of two strangers.")
@click.option("--hashes", default=1024, show_default=True, help="Hyperplanes.")
def main(documents: int, size: int, common: float, hashes: int) -> None:
    vectors, pairs, cosines = families(documents, size, common)
    near = pairs[cosines >= THRESHOLD]
    click.echo(stamp())
    click.echo(f"{len(vectors)} vectors of {size}, {len(pairs)} related pairs, {len(near)} of a cosine >= {THRESHOLD}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in (len(vectors), 100):
            write(vectors, rows, folder / f"{rows}.parquet")
        ours(folder / "100.parquet", 100, folder, hashes)  # compiles what is not compiled yet
        start = ours(folder / "100.parquet", 100, folder, hashes).seconds
        it = ours(folder / f"{len(vectors)}.parquet", len(vectors), folder, hashes)
    best = np.zeros(len(vectors))
    for one, other in ((0, 1), (1, 0)):
        stays = ~it.gone[pairs[:, other]]
        np.maximum.at(best, pairs[stays, one], cosines[stays])
    click.echo(f"CPU s {it.seconds:.2f} ({start:.2f} of it start-up), docs/s {len(vectors) / it.seconds:.0f}, "
               f"work {len(vectors) / (it.seconds - start):.0f}, peak {it.peak:.0f} MB, removed {int(it.gone.sum())}")
    missed, right = (~it.gone[near].any(axis=1)).mean(), (best[it.gone] >= THRESHOLD).mean()
    click.echo(f"both kept {missed:.4f}, partner {right:.4f}, in one cluster of k-means {clustered(vectors, near):.4f}")
    curve(vectors, pairs, cosines, hashes)


if __name__ == "__main__":
    main()
