"""How fast does scrub.pii go, and how right is it, beside presidio and datatrove?

    python -m benchmarks.pii [--size 20MB] [--data ../shared/data] [--predictions FILE]

Speed: MB of text per CPU second on one core, the best of three, over prose without any candidate, this repository's own
sources, text dense with all kinds, and texts made to be slow. Presidio's pattern recognisers and datatrove's formatter
run on the first 200 kB of each when they are installed.

Quality: F1 by kind on the dev half of the evaluation sets, counted as their scorer counts (spans overlap, same type),
beside presidio's; `--predictions` writes what was found, for the scorer itself. IP addresses are looked for with
``private_addresses``, as these sets mark them all, but for datatrove's own lines.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ByteSize, TypeAdapter

from benchmarks.machine import stamp
from benchmarks.river import documents
from dataengine import stage
from dataengine.pii.scan import find

ROOT = Path(__file__).parents[1]
TYPES = {
    "email": "EMAIL", "phone": "PHONE", "credit_card": "CREDIT_CARD", "iban": "IBAN", "ip": "IP", "ssn": "SSN",
    "crypto": "CRYPTO", "mac": "MAC",
}
PRESIDIO = {
    "EMAIL_ADDRESS": "EMAIL", "PHONE_NUMBER": "PHONE", "IBAN_CODE": "IBAN", "IP_ADDRESS": "IP", "US_SSN": "SSN",
    "MAC_ADDRESS": "MAC",
}
SETS = (
    "presidio_research_synth", "presidio_research_large", "datafog_corpus", "scrubadub_cases", "presidio_recognizers",
    "datatrove_lines",
)
DENSE = (
    "Call +44 20 7946 0958 or (415) 555-0132, write to ann.lee@mail.example.net, pay DE89 3704 0044 0532 0130 00 or "
    'card 4111 1111 1111 1111 from 84.17.46.3, SSN 123-45-6789. export API_KEY="q8Zt4hV0sLm2Xr7PdK1w"; '
    "00:1A:2B:3C:4D:5E\n"
)
HOSTILE = {
    "@": "@", "a@": "a@", "a@a.": "a@a.", "digits": "7", "spaced digits": "12 34 ", "dotted": "1.", "colons": "a:",
    "dashes": "-----BEGIN PRIVATE KEY-----", "hyphens": "1-", "plus": "+1", "keys": "api_key = a1",
    "tokens": "ab12cd34 ", "parens": "(555) ", "at": "at a.b ", "slashes": "a://b:", "passwords": "password: ",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="20MB")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--predictions", type=Path)
    options = parser.parse_args()
    print(f"{stamp()}, one thread")
    speed(TypeAdapter(ByteSize).validate_python(options.size))
    folder = options.data / "pii"
    if folder.is_dir():
        quality(folder, options.predictions)
    else:
        print(f"  no evaluation sets at {folder}: quality not measured")


# --- speed ------------------------------------------------------------------------------------------------------------


def speed(size: int) -> None:
    """A line a text: ours, and the peers on its beginning."""
    found = stage.load("scrub.pii")
    config = found.config()
    peers = {name: run for name, make in (("presidio", presidio), ("datatrove", datatrove)) if (run := make())}
    print(f"  {'text':16}{'scrub.pii':>12} MB/s" + "".join(f"{name:>12} MB/s" for name in peers))
    for name, texts in corpora(size).items():
        batches = [batch(texts[first : first + 256]) for first in range(0, len(texts), 256)]
        found.function(batches[0].slice(0, 1), config)
        line = f"  {name:16}{rate(batches, lambda part: found.function(part, config)):12.2f}     "
        for run in peers.values():
            head = beginning(texts, 200_000)
            line += f"{rate(head, run):12.2f}     " if name in ("prose", "code", "dense") else f"{'':12}     "
        print(line)


def corpora(size: int) -> dict[str, list[str]]:
    """Name -> documents."""
    prose = [text for text in documents(size) if not any(sign.isdigit() for sign in text)] or list(documents(size))
    files = [file.read_text(encoding="utf-8") for file in sorted(ROOT.rglob("dataengine/**/*.py"))]
    code = files * (1 + size // 4 // sum(map(len, files)))
    dense = [DENSE * 10] * (size // 10 // len(DENSE) // 10)
    slow = {f"slow: {name}": [unit * (1_000_000 // len(unit))] for name, unit in HOSTILE.items()}
    return {"prose": prose, "code": code, "dense": dense} | slow


def batch(texts: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})


def beginning(texts: list[str], size: int) -> list[str]:
    taken: list[str] = []
    for text in texts:
        if sum(map(len, taken)) >= size:
            break
        taken.append(text[:size])
    return taken


def rate(work: list[Any], run: Callable[[Any], Any]) -> float:
    """MB per CPU second, the best of three."""
    total = sum(part["text"].nbytes if isinstance(part, pa.RecordBatch) else len(part.encode()) for part in work)
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        for part in work:
            run(part)
        best = min(best, time.process_time() - started)
    return total / 1e6 / max(best, 1e-9)


# --- peers ------------------------------------------------------------------------------------------------------------


def presidio() -> Callable[[str], list[tuple[int, int, str]]] | None:
    """Presidio's pattern recognisers of the types that the sets mark, without its language models."""
    try:
        import presidio_analyzer.predefined_recognizers as known
        import tldextract
    except ImportError:
        return None
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())  # else it goes to the network
    names = ("Email", "Phone", "CreditCard", "Iban", "Ip", "UsSsn", "Crypto", "MacAddress")
    recognisers = [getattr(known, f"{name}Recognizer")() for name in names if hasattr(known, f"{name}Recognizer")]

    def run(text: str) -> list[tuple[int, int, str]]:
        return [
            (hit.start, hit.end, PRESIDIO.get(hit.entity_type, hit.entity_type))
            for recogniser in recognisers
            for hit in recogniser.analyze(text, recogniser.supported_entities, None) or []
        ]

    return run


def datatrove() -> Callable[[str], str] | None:
    """Datatrove's formatter: mail and IP addresses."""
    try:
        from datatrove.pipeline.formatters.pii import PIIFormatter
    except ImportError:
        return None
    return PIIFormatter().format


# --- quality ----------------------------------------------------------------------------------------------------------


def quality(folder: Path, predictions: Path | None) -> None:
    """F1 by kind on every set, beside presidio's."""
    peer = presidio()
    written = []
    for name in SETS:
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        ours, theirs = Score(), Score()
        for row in rows:
            spans = [
                (first, end, TYPES.get(kind, kind.upper()))
                for first, end, kind in find(row["text"], private_addresses=name != "datatrove_lines")
            ]
            written.append({"id": row["id"], "prediction": spans})
            if name == "datatrove_lines":
                ours.line(row, spans)
                continue
            if row["spans"] is None:
                continue
            ours.row(row, spans)
            if peer:
                theirs.row(row, peer(row["text"]))
        print(f"  {name}: {ours}")
        if peer and name != "datatrove_lines":
            print(f"  {'':{len(name)}}  presidio {theirs}")
    if predictions:
        predictions.write_text("".join(json.dumps(row) + "\n" for row in written), encoding="utf-8")


class Score:
    """Hits, false alarms and misses by type."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)

    def row(self, row: dict[str, Any], spans: list[tuple[int, int, str]]) -> None:
        """One text: a hit overlaps a marked span of its type."""
        types = {row["type"]} if "type" in row else set(TYPES.values())
        wanted = [tuple(span) for span in row["spans"] if span[2] in types]
        left = [span for span in spans if span[2] in types]
        for first, end, kind in wanted:
            hit = next((span for span in left if span[2] == kind and span[0] < end and first < span[1]), None)
            self.counts[kind]["hits" if hit else "misses"] += 1
            if hit:
                left.remove(hit)
        for span in left:
            self.counts[span[2]]["alarms"] += 1

    def line(self, row: dict[str, Any], spans: list[tuple[int, int, str]]) -> None:
        """One of datatrove's lines: the text after redaction is the same or not."""
        text = row["text"]
        for first, end, kind in sorted(spans, reverse=True):
            if kind == row["type"]:
                text = text[:first] + kind + text[end:]
        self.counts["SAME" if text == row["after"] else "OTHER"]["hits"] += 1

    def __str__(self) -> str:
        if "SAME" in self.counts or "OTHER" in self.counts:
            same, other = self.counts["SAME"]["hits"], self.counts["OTHER"]["hits"]
            return f"{same} of {same + other} as datatrove"
        total = sum(self.counts.values(), Counter())
        kinds = (f"{kind} {f1(self.counts[kind]):.3f}" for kind in sorted(self.counts))
        return f"F1 {f1(total):.3f}  " + "  ".join(kinds)


def f1(counts: Counter[str]) -> float:
    return 2 * counts["hits"] / max(1, 2 * counts["hits"] + counts["alarms"] + counts["misses"])


if __name__ == "__main__":
    main()
