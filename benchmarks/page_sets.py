"""Further public pages with known content, which `benchmarks.learn_extraction` learns from and no one is judged by.

Each reader takes the folder of a checkout:

- WCXB (github.com/Murrough-Foley/web-content-extraction-benchmark, CC-BY-4.0): both splits, 2,008 pages of 2025 of
  seven kinds, each with its whole main content.
- fundus (github.com/flairNLP/fundus, MIT): pages in its tests, a few for each of some 140 publishers in a dozen
  languages, with the paragraphs that its parser for that publisher finds.
- fundus-evaluation (github.com/dobbersc/fundus-evaluation, MIT): 80 pages of 16 publishers, annotated by hand.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.extraction import Example, squeezed

ARTICLES = ("article", "documentation")
"""Kinds of WCXB pages that have one text; the others are listings, products, services and forums."""


def wcxb(folder: Path) -> Iterator[Example]:
    kinds = json.loads((folder / "metadata.json").read_text())["files"]
    for file in sorted([*(folder / "dev/ground-truth").glob("*.json"), *(folder / "test/ground-truth").glob("*.json")]):
        said, html = json.loads(file.read_text()), file.parents[1] / f"html/{file.stem}.html.gz"
        known = said["ground_truth"]
        if html.is_file() and known.get("main_content"):
            yield Example(
                f"wcxb-{file.stem}", "wcxb" if kinds[file.stem]["page_type"] in ARTICLES else "wcxb_other",
                said.get("url") or f"https://{kinds[file.stem]['domain']}/", gzip.decompress(html.read_bytes()),
                known["main_content"])


def fundus(folder: Path) -> Iterator[Example]:
    for file in sorted((folder / "tests/resources/parser/test_data").glob("*/*.html.gz")):
        publisher, html = file.name.split("_")[0], gzip.decompress(file.read_bytes())
        shown = squeezed(html.decode("utf-8", "replace"))
        bodies = [said["body"] for said in json.loads((file.parent / f"{publisher}.json").read_text()).values()
                  if said.get("body")]
        texts = [[*body["summary"], *(text for part in body["sections"] for text in (
            *part["headline"], *part["paragraphs"]))] for body in bodies]
        if texts:  # a publisher's parser has versions, each with a page of its own: the one whose text is here
            here = max(texts, key=lambda lines: sum(line[:40] in shown for line in lines) / max(len(lines), 1))
            yield Example(f"fundus-{file.name[:-8]}", "fundus", f"https://{publisher.lower()}/", html, "\n".join(here))


def fundus_evaluation(folder: Path) -> Iterator[Example]:
    for name, said in json.loads((folder / "dataset/ground_truth.json").read_text()).items():
        lines = [text for part in said["body"] for text in ([part] if isinstance(part, str) else part)]
        yield Example(f"fundus-{name}", "fundus", f"https://{name.split('_')[0].lower()}/",
                      gzip.decompress((folder / "dataset/html" / name).read_bytes()), "\n".join(lines))


READERS: dict[str, Callable[[Path], Iterator[Example]]] = {
    "wcxb": wcxb, "fundus": fundus, "fundus_evaluation": fundus_evaluation,
}
