"""How fast and how right is near-duplicate removal? ``python -m benchmarks.minhash [--documents 60000] [--peers]``

A corpus of edited families is made on the spot: pseudo-words drawn by Zipf's law, so that strangers share almost no
5-grams and the exact Jaccard similarity of every related pair is known. Then 14 bands of 8 rows over word 5-grams:

    signatures      text to band keys, MB of UTF-8 per CPU second
    whole           text to decisions: sketch, edges, clusters; documents per CPU second
    recall          pairs of J >= .8 (.7) that are no longer both kept
    precision       rows removed that had a partner of J >= .7 (.5)
    S-curve         families of two: share of pairs that met, beside 1 - (1 - J^8)^14

``--peers`` adds rensa and datasketch where they are installed, as their READMEs use them, over the same documents.
One process, one thread; times are of the CPU.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate

import click
import numpy as np
import pyarrow as pa

from dataengine import stage
from dataengine.kernels.meet import components, edges

BANDS, ROWS, NGRAM = 14, 8, 5


@dataclass(frozen=True)
class Corpus:
    texts: list[str]
    pairs: np.ndarray
    """int64 (p, 2): positions of the two texts of every pair within a family."""
    jaccard: np.ndarray
    """float64 (p,): exact, over word 5-grams."""

    @property
    def megabytes(self) -> float:
        return sum(len(text) for text in self.texts) / 1e6


def grams(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + NGRAM]) for i in range(max(1, len(words) - NGRAM + 1))}


def vocabulary(size: int, draw: random.Random) -> list[str]:
    """Different pseudo-words, 1 to 12 letters long like those of English."""
    found: dict[str, None] = {}
    while len(found) < size:
        length = min(12, max(1, round(draw.gauss(4.7 + len(found) / size * 2, 2))))
        found["".join(draw.choices("etaoinshrdlucmfwypgbvk", k=length))] = None
    return list(found)


def edited(words: list[str], target: float, other: Callable[[int], list[str]], draw: random.Random) -> list[str]:
    """A copy of about this similarity: scattered words replaced, or a block, or a block cut and another appended."""
    words, n = list(words), len(words)
    lost = (1 - 2 * target / (1 + target)) * (n - NGRAM + 1)
    way = draw.random()
    if way < 0.5:
        for i in draw.sample(range(n), max(1, round(lost / NGRAM))):
            words[i] = other(1)[0]
        return words
    size = max(1, round(lost - NGRAM + 1)) if way < 0.8 else max(1, round(n * (1 - target) * 0.5))
    start = draw.randrange(max(1, n - size))
    if way < 0.8:
        words[start : start + size] = other(size)
        return words
    del words[start : start + size]
    return words + other(size)


def corpus(documents: int, seed: int = 7) -> Corpus:
    """At least `documents` texts of 90 to 290 words, in random order; two thirds have relatives."""
    draw = random.Random(seed)
    pool = vocabulary(40_000, draw)
    weights = list(accumulate(1 / (rank + 10) for rank in range(len(pool))))

    def other(count: int) -> list[str]:
        return draw.choices(pool, cum_weights=weights, k=count)

    texts: list[str] = []
    pairs: list[tuple[int, int]] = []
    jaccard: list[float] = []
    while len(texts) < documents:
        family = [other(draw.randint(90, 290))]
        if draw.random() < 0.6:
            for _ in range(draw.choice([1, 1, 1, 2, 2, 3, 5])):
                family.append(edited(family[0], draw.uniform(0.5, 0.97), other, draw))
        sets, first = [grams(words) for words in family], len(texts)
        for a in range(len(family)):
            for b in range(a + 1, len(family)):
                pairs.append((first + a, first + b))
                jaccard.append(len(sets[a] & sets[b]) / len(sets[a] | sets[b]))
        texts += [" ".join(words) for words in family]
    order = list(range(len(texts)))
    draw.shuffle(order)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return Corpus([texts[i] for i in order], place[np.array(pairs)], np.array(jaccard))


def seconds(work: Callable[[], object]) -> tuple[float, object]:
    """CPU seconds of one call, and its answer."""
    start = time.process_time()
    answer = work()
    return time.process_time() - start, answer


def ours(texts: pa.RecordBatch) -> np.ndarray:
    """True where a row is removed."""
    minhash = stage.load("dedup.minhash")
    keys = minhash(texts, minhash.config(bands=BANDS, rows=ROWS, ngram=NGRAM)).keys
    gone = np.zeros(len(keys), bool)
    rows, left, right = np.arange(len(keys)), [], []
    for band in range(BANDS):  # one band and range of keys at a time, as the engine does
        found = edges(np.ascontiguousarray(keys[:, band]), None, rows)
        left.append(found.left)
        right.append(found.right)
    gone[components(np.concatenate(left), np.concatenate(right)).rows] = True
    return gone


def _tokens(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[i : i + NGRAM]) for i in range(max(1, len(words) - NGRAM + 1))]


def _linked(count: int, links: list[tuple[int, int]]) -> np.ndarray:
    gone = np.zeros(count, bool)
    if links:
        pairs = np.array(links, np.int64)
        gone[components(pairs[:, 0], pairs[:, 1]).rows] = True
    return gone


def rensa(texts: Sequence[str]) -> np.ndarray:
    from rensa import RMinHash, RMinHashLSH

    index, links = RMinHashLSH(threshold=0.8, num_perm=BANDS * ROWS, num_bands=BANDS), []
    for row, text in enumerate(texts):
        sketch = RMinHash(num_perm=BANDS * ROWS, seed=42)
        sketch.update(_tokens(text))
        links += [(other, row) for other in index.query(sketch)]
        index.insert(row, sketch)
    return _linked(len(texts), links)


def datasketch(texts: Sequence[str]) -> np.ndarray:
    from datasketch import MinHash, MinHashLSH

    index, links = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS)), []
    for row, text in enumerate(texts):
        sketch = MinHash(num_perm=BANDS * ROWS)
        sketch.update_batch([token.encode() for token in _tokens(text)])
        links += [(other, row) for other in index.query(sketch)]
        index.insert(row, sketch)
    return _linked(len(texts), links)


def quality(made: Corpus, gone: np.ndarray) -> dict[str, float]:
    """Recall and precision of a set of removed rows against the exact similarities."""
    hit, best = gone[made.pairs].any(axis=1), np.zeros(len(gone))
    for side in (0, 1):
        np.maximum.at(best, made.pairs[:, side], made.jaccard)
    return {
        "removed": int(gone.sum()),
        "recall .8": float(hit[made.jaccard >= 0.8].mean()), "recall .7": float(hit[made.jaccard >= 0.7].mean()),
        "precision .7": float((best[gone] >= 0.7).mean()), "precision .5": float((best[gone] >= 0.5).mean()),
    }


def curve(made: Corpus, gone: np.ndarray) -> list[tuple[str, int, float, float]]:
    """(range of J, pairs, share that met, share in theory) over families of two."""
    relatives = np.bincount(made.pairs.ravel(), minlength=len(gone))
    two = (relatives[made.pairs] == 1).all(axis=1)
    theory = 1 - (1 - made.jaccard**ROWS) ** BANDS
    found = []
    for low in np.arange(0.5, 1, 0.05):
        here = two & (made.jaccard >= low) & (made.jaccard < low + 0.05)
        if here.any():
            met = gone[made.pairs[here]].any(axis=1).mean()
            found.append((f"{low:.2f}-{low + 0.05:.2f}", int(here.sum()), float(met), float(theory[here].mean())))
    return found


@click.command()
@click.option("--documents", default=60_000, show_default=True, help="About how many documents to make.")
@click.option("--peers", is_flag=True, help="Measure rensa and datasketch too, where installed.")
def main(documents: int, peers: bool) -> None:
    made = corpus(documents)
    batch = pa.record_batch({"text": pa.array(made.texts, pa.large_string())})
    minhash = stage.load("dedup.minhash")
    config = minhash.config(bands=BANDS, rows=ROWS, ngram=NGRAM)
    click.echo(f"{len(made.texts)} documents, {made.megabytes:.1f} MB, {len(made.pairs)} related pairs")

    start = time.perf_counter()
    ours(batch.slice(0, 10))
    click.echo(f"first call, compiling or loading the kernels: {time.perf_counter() - start:.2f} s")
    signing = sorted(seconds(lambda: minhash(batch, config))[0] for _ in range(3))[1]
    click.echo(f"signatures: {made.megabytes / signing:.0f} MB per CPU second")

    runs: dict[str, Callable[[], np.ndarray]] = {"dataengine": lambda: ours(batch)}
    if peers:
        for name, peer in (("rensa", rensa), ("datasketch", datasketch)):
            if find_spec(name):
                runs[name] = lambda peer=peer: peer(made.texts)
    head = ("", "CPU s", "docs/s", "ratio", "removed", "recall .8", "recall .7", "precision .7", "precision .5")
    click.echo("".join(f"{word:>13}" for word in head))
    base = 0.0
    for name, run in runs.items():
        took, gone = seconds(run)
        base = base or took
        figures = quality(made, gone)
        cells = [name, f"{took:.2f}", f"{len(made.texts) / took:.0f}", f"{took / base:.1f}"]
        cells += [f"{value:.3f}" if isinstance(value, float) else str(value) for value in figures.values()]
        click.echo("".join(f"{cell:>13}" for cell in cells))
    click.echo("\nJ            pairs    met  theory")
    for span, count, met, theory in curve(made, ours(batch)):
        click.echo(f"{span}  {count:>7}  {met:.3f}   {theory:.3f}")


if __name__ == "__main__":
    main()
