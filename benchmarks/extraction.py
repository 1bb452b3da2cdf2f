"""How well and how fast is the main content of web pages found?

    python -m benchmarks.extraction [--data ../shared/data/html] [--engines extract.html resiliparse ...]

Runs `extract.html`, resiliparse (main content), trafilatura and readability-lxml (where installed), and the cascade
that is the other road (resiliparse, and trafilatura for the pages of which it makes little), over the development half
of three public sets, in one process, and prints for each the F1 of word 4-grams (aeb, readability) or of segments
(trafilatura), the share of code lines that are kept with their indentation, and MB of HTML per CPU second. The weights
of `extract.html` were learnt from these very pages, so its scores here show the fit, not what to expect of other pages:
`python -m benchmarks.learn_extraction` says that, by cross-validation over sites.
"""

from __future__ import annotations

import argparse
import base64
import json
import lzma
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import stamp

DATA = Path(__file__).parents[2] / "shared/data/html"
SETS = ("aeb", "readability", "trafilatura")
WORD = re.compile(r"\w+")
LITTLE = 700
"""Characters of resiliparse's text below which the cascade asks trafilatura."""


@dataclass
class Example:
    """A page of one of the sets, and what is known of it."""

    id: str
    set: str
    url: str
    html: bytes
    gold: str = ""
    """The whole text of the main content."""
    inside: list[str] = field(default_factory=list)
    """Segments that belong to the content..."""
    outside: list[str] = field(default_factory=list)
    """...and some that do not."""
    code: list[str] = field(default_factory=list)
    """Blocks of code in the content."""


def examples(folder: Path) -> Iterator[Example]:
    """All pages of the sets in `folder`."""
    for name in SETS:
        with lzma.open(folder / f"{name}.jsonl.xz", "rt", encoding="utf-8", errors="surrogatepass") as file:
            for line in file:
                row = json.loads(line)
                html = (base64.b64decode(row["html_b64"]) if "html_b64" in row
                        else row["html"].encode("utf-8", "surrogatepass"))
                yield Example(
                    row["id"], name, row.get("url") or row["id"], html, row.get("gold", ""),
                    [squeezed(text) for text in row.get("with", ())],
                    [squeezed(text) for text in row.get("without", ())], row.get("code_blocks", []))


def squeezed(text: str) -> str:
    """White space made single."""
    return re.sub(r"\s+", " ", text).strip()


def grams(words: Sequence[str], size: int = 4) -> Counter[tuple[str, ...]]:
    """How often each run of `size` words occurs; of fewer words, all of them are one run."""
    return Counter(tuple(words[i:i + size]) for i in range(max(1, len(words) - size + 1)) if words)


def scores(pages: Sequence[Example], texts: Sequence[str]) -> dict[str, float]:
    """F1 of each set as its scorer measures it, and the share of code lines kept to the letter."""
    found: dict[str, float] = {}
    for name in SETS:
        pairs = [(page, text) for page, text in zip(pages, texts, strict=True) if page.set == name]
        precision, recall = segments(pairs) if name == "trafilatura" else overlap(pairs)
        found[name] = round(2 * precision * recall / max(precision + recall, 1e-9), 4)
    lines = [(line.rstrip(), text) for page, text in zip(pages, texts, strict=True) for block in page.code
             for line in block.splitlines() if len(line.strip()) >= 8]
    kept = {id(text): {line.rstrip() for line in text.splitlines()} for _, text in lines}
    found["code"] = round(sum(line in kept[id(text)] for line, text in lines) / max(len(lines), 1), 4)
    return found


def overlap(pairs: Sequence[tuple[Example, str]]) -> tuple[float, float]:
    """Mean precision and recall of word 4-grams, each page of equal weight."""
    precision, recall = [], []
    for page, text in pairs:
        said, gold = grams(WORD.findall(text)), grams(WORD.findall(page.gold))
        both = sum((said & gold).values())
        precision += [both / sum(said.values())] if said else []
        recall += [both / sum(gold.values())] if gold else []
    return sum(precision) / max(len(precision), 1), sum(recall) / max(len(recall), 1)


def segments(pairs: Sequence[tuple[Example, str]]) -> tuple[float, float]:
    """Precision and recall over all segments of all pages."""
    right = wrong = all_of_them = 0
    for page, text in pairs:
        flat = squeezed(text)
        right += sum(segment in flat for segment in page.inside)
        wrong += sum(segment in flat for segment in page.outside)
        all_of_them += len(page.inside)
    return right / max(right + wrong, 1), right / max(all_of_them, 1)


# --- engines ----------------------------------------------------------------------------------------------------------

def ours() -> Callable[[bytes], str]:
    import pyarrow as pa

    from dataengine import stage

    found = stage.load("extract.html")
    config = found.config()

    def extract(html: bytes) -> str:
        return found(pa.RecordBatch.from_pydict({"html": pa.array([html], pa.binary())}), config)["text"][0].as_py()

    return extract


def resiliparse() -> Callable[[bytes], str]:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import detect_encoding
    from resiliparse.parse.html import HTMLTree

    def extract(html: bytes) -> str:
        tree = HTMLTree.parse_from_bytes(html, detect_encoding(html))
        return extract_plain_text(tree, main_content=True, comments=False, alt_texts=False, post_meta=False)

    return extract


def trafilatura() -> Callable[[bytes], str]:
    import trafilatura as peer

    return lambda html: peer.extract(html, include_comments=False) or ""


def readability() -> Callable[[bytes], str]:
    import lxml.html
    from readability import Document

    def extract(html: bytes) -> str:
        try:
            return lxml.html.fromstring(Document(html.decode("utf-8", "replace")).summary()).text_content()
        except Exception:  # it raises whatever lxml does on pages without a body
            return ""

    return extract


def cascade() -> Callable[[bytes], str]:
    fast, slow = resiliparse(), trafilatura()

    def extract(html: bytes) -> str:
        text = fast(html)
        return text if len(text) >= LITTLE else slow(html) or text

    return extract


ENGINES: dict[str, Callable[[], Callable[[bytes], str]]] = {
    "extract.html": ours, "resiliparse": resiliparse, "cascade": cascade, "trafilatura": trafilatura,
    "readability": readability,
}


def measured(engine: Callable[[bytes], str], pages: Sequence[Example], times: int) -> tuple[list[str], float]:
    """(texts, CPU seconds of the fastest pass) over all pages."""
    best, texts = float("inf"), []
    for _ in range(times):
        started = time.process_time()
        texts = [engine(page.html) for page in pages]
        best = min(best, time.process_time() - started)
    return texts, best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    options: Any = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"{options.data} is not there: name the folder of the sets with --data")
    pages = list(examples(options.data))
    size = sum(len(page.html) for page in pages) / 1e6
    print(f"{stamp()}, one thread, {len(pages)} pages, {size:.1f} MB")
    for name in options.engines:
        try:
            engine = ENGINES[name]()
        except ImportError as missing:
            print(f"  {name:13} not measured: {missing.name} is not installed")
            continue
        engine(pages[0].html)
        texts, seconds = measured(engine, pages, 3 if name in ("extract.html", "resiliparse") else 1)
        print(f"  {name:13} {size / seconds:7.1f} MB/s  {seconds:6.2f} s  {scores(pages, texts)}", flush=True)


if __name__ == "__main__":
    main()
