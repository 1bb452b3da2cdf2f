"""How fast and how right is language identification? ``python -m benchmarks.language [--sets FOLDER] [--texts FILE]``

Speed, in MB of UTF-8 per CPU second of one thread, of lid.176 as the package fasttext predicts it (one call a text, the
line breaks taken out before) and as `kernels.fasttext` does, on whole texts and on their first 1,000 characters; and of
the whole stage. Then a classifier of two labels, 100 columns and word bigrams, as `score.fasttext` uses them. Texts are
the documentation files of the installed Python packages, or those of ``--texts``, a JSON Lines file with ``text``.

``--sets`` names a folder of ``NAME.jsonl.gz`` with ``text`` and ``lang`` (ISO codes). Of each, and of long pages made
of the first set's texts of one language between English menus, links and a licence, the share that is named rightly
by plain fastText (first 1,000 characters) and by the stage, and how many CPU microseconds a text took.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa

from benchmarks.machine import stamp
from dataengine import stage
from dataengine.fasttext_model import Model, language_model, load_language_model, one_line, train

SAME = {"nb": "no", "iw": "he", "fil": "tl", "cmn": "zh", "wuu": "zh", "yue": "zh"}
"""Codes that name one language."""

MENU = "Home\nAbout us\nSign in\nSearch results\nContact\nShare on https://social.example/share?id=1\n#news @editor\n"
FOOT = "\n\nAll rights reserved. Terms of use and privacy policy apply.\nPowered by example.com\nBack to top\n"


def documentation(most: int = 30_000_000) -> list[str]:
    """README, licence and other prose files of the installed packages, 500 to 100,000 bytes each."""
    texts, size = [], 0
    for distribution in sorted(distributions(), key=lambda found: found.metadata["Name"] or ""):
        for file in distribution.files or ():
            if file.suffix not in (".md", ".rst", ".txt") and file.name != "METADATA":
                continue
            path = Path(str(file.locate()))
            if path.is_file() and 500 <= path.stat().st_size <= 100_000 and size < most:
                texts.append(path.read_text("utf-8", "replace"))
                size += path.stat().st_size
    return texts


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The fewest CPU seconds of several runs, after one that is not counted."""
    work()
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def column(texts: Iterable[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def package(path: Path) -> Callable[[str], tuple[float, str]]:
    """The package's answer for a line: its likeliest label, with its probability."""
    from fasttext.FastText import _FastText

    model = _FastText(model_path=str(path)).f
    return lambda line: model.predict(line + "\n", 1, 0.0, "strict")[0]


def compare(texts: list[str], characters: int | None, path: Path, ours: Model) -> None:
    """Print the speed of the package and of the kernel on the same texts, and how far their answers are apart."""
    cut = [text[:characters] for text in texts]
    lines, array = [one_line(text) for text in cut], column(cut)
    ask = package(path)
    theirs = seconds(lambda: [ask(line) for line in lines], 2)
    mine = seconds(lambda: ours.likeliest(array))
    size = sum(len(text.encode()) for text in cut) / 1e6
    found = dict(zip(lines, zip(*ours.likeliest(array), strict=True), strict=True))
    asked = {line: ask(line) for line in lines if line}
    agree = np.mean([ours.labels[found[line][0]] == label for line, (_, label) in asked.items()])
    off = max(abs(found[line][1] - min(chance, 1)) for line, (chance, _) in asked.items())
    name = "whole texts" if characters is None else f"first {characters} characters"
    click.echo(f"  {name:24} {size:7.1f} MB  package {size / theirs:6.1f} MB/s  kernel {size / mine:6.1f} MB/s "
               f" {theirs / mine:5.1f} times  same label {agree:.4f}  off by {off:.0e}")


def speed(texts: list[str]) -> None:
    click.echo("lid.176.ftz")
    for characters in (None, 1000):
        compare(texts, characters, language_model(), load_language_model())
    found, size = stage.load("filter.language"), sum(len(text.encode()) for text in texts) / 1e6
    batch = pa.RecordBatch.from_pydict({"text": column(texts)})
    took = seconds(lambda: found(batch, found.config()))
    each = took / len(texts) * 1e6
    click.echo(f"  filter.language          {size:7.1f} MB  {size / took:6.1f} MB/s  {each:.0f} µs a text")


def classifier(texts: list[str]) -> None:
    """Two labels that mean nothing, so that many answers are ties: the speed is looked at, and the probabilities."""
    with tempfile.TemporaryDirectory() as folder:
        lines, path = Path(folder) / "lines", Path(folder) / "model.bin"
        lines.write_text("".join(f"__label__{'positive' if k % 2 else 'negative'} {one_line(text[:20_000])}\n"
                                 for k, text in enumerate(texts[:1000])), "utf-8")
        train(lines, path, dim=100, epoch=1, lr=0.1, wordNgrams=2, bucket=200_000, seed=1, loss="softmax")
        click.echo("classifier: 2 labels, 100 columns, word bigrams in 200,000 buckets")
        compare(texts, None, path, Model(path))


def read_set(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def pages(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pages of several thousand characters in one language, between English menus, links and a licence."""
    rng, by_language, made = random.Random(7), defaultdict(list), []
    for row in rows:
        by_language[row["lang"]].append(row["text"])
    for language, texts in sorted(by_language.items()):
        for _ in range(5):
            body = [rng.choice(texts) for _ in range(12)]
            body[3:3] = [f"https://example.org/{language}/{k}?q=read+more" for k in range(6)]
            made.append({"lang": language, "text": MENU * 6 + "\n".join(body) + FOOT})
    return made


def norm(code: str) -> str:
    code = re.split(r"[-_]", code.lower())[0]
    return SAME.get(code, code)


def accuracy(name: str, rows: list[dict[str, Any]], known: set[str]) -> None:
    rows = [row for row in rows if norm(row["lang"]) in known]
    found = stage.load("filter.language")
    batch = pa.RecordBatch.from_pydict({"text": column(row["text"] for row in rows)})
    ask, gold = package(language_model()), [norm(row["lang"]) for row in rows]
    lines = [one_line(row["text"][:1000]) for row in rows]
    plain = [ask(line)[1].removeprefix("__label__") for line in lines]
    took = [seconds(lambda: [ask(line) for line in lines], 1), seconds(lambda: found(batch, found.config()))]
    mine = found(batch, found.config())["language"].to_pylist()
    right = [np.mean([norm(said) == true for said, true in zip(answer, gold, strict=True)]) for answer in (plain, mine)]
    click.echo(f"  {name:24} {len(rows):6}  fastText {right[0]:.4f} {took[0] / len(rows) * 1e6:5.0f} µs"
               f"  filter.language {right[1]:.4f} {took[1] / len(rows) * 1e6:5.0f} µs")


@click.command()
@click.option("--sets", type=click.Path(exists=True, path_type=Path), help="Folder of NAME.jsonl.gz.")
@click.option("--texts", type=click.Path(exists=True, path_type=Path), help="JSON Lines with text, for the speed.")
def main(sets: Path | None, texts: Path | None) -> None:
    click.echo(f"{stamp()}, one thread")
    if texts is not None:
        found = [json.loads(line)["text"] for line in texts.read_text("utf-8").splitlines()]
    else:
        found = documentation()
    click.echo(f"{len(found)} texts")
    speed(found)
    classifier(found)
    if sets is None:
        return
    known = {norm(label.removeprefix("__label__")) for label in load_language_model().labels}
    files = sorted(sets.glob("*.jsonl.gz"), key=lambda path: path.name != "udhr.jsonl.gz")
    click.echo("share named rightly, of languages the model knows")
    for path in files:
        accuracy(path.name.removesuffix(".jsonl.gz"), read_set(path), known)
    if files:
        accuracy("pages of " + files[0].name.removesuffix(".jsonl.gz"), pages(read_set(files[0])), known)


if __name__ == "__main__":
    main()
