"""A run folder built by hand, as docs/architecture.md lays it out: what readers of runs are tested against."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataengine.shards import Account, FileRecord, Manifest

BASE = {"id": pa.string(), "source": pa.string(), "origin": pa.string(), "url": pa.string(), "text": pa.string()}
JUDGED = {"step": pa.string(), "stage": pa.string(), "reason": pa.string()}
QUARANTINE = {"id": pa.string(), "source": pa.string(), "origin": pa.string(), "url": pa.string(), **JUDGED,
              "detail": pa.string(), "text": pa.string()}


def doc_id(number: int | str) -> str:
    """32 hex digits that follow from the number."""
    return hashlib.md5(str(number).encode()).hexdigest()


def row(number: int | str, text: str = "", source: str = "web", url: str | None = None, **more: Any) -> dict[str, Any]:
    """One document."""
    return {"id": doc_id(number), "source": source, "origin": f"crawl/a.jsonl:{number}", "url": url,
            "text": text or f"text of {number}", **more}


class FakeRun:
    """Writes tasks one by one; `save` writes run.json."""

    def __init__(self, folder: Path, name: str = "fake") -> None:
        self.folder, self.name, self.segments = folder, name, []
        folder.mkdir(parents=True)

    def segment(self, name: str, lane: str, steps: list[tuple[str, str, dict[str, Any]]], *, kind: str = "rows",
                final: bool = True) -> dict[str, Any]:
        """Add a segment whose steps are (step, stage, config)."""
        entry = {"name": name, "kind": kind, "lane": lane, "final": final, "tasks": [],
                 "steps": [{"step": s, "lane": lane, "stage": g, "version": 1, "config": c} for s, g, c in steps]}
        self.segments.append(entry)
        return entry

    def task(self, segment: dict[str, Any], *, kept: list[dict[str, Any]] = (), dropped: list[dict[str, Any]] = (),
             quarantined: list[dict[str, Any]] = (), more: dict[str, pa.DataType] | None = None,
             accounts: list[Account] | None = None, figures: dict[str, Any] | None = None,
             files: dict[str, bytes] | None = None, done: bool = True) -> Path:
        """Commit one task: its three shards (for kind ``rows``), other files, and last its manifest."""
        address = hashlib.sha256(f"{segment['name']}{len(segment['tasks'])}".encode()).hexdigest()[:32]
        segment["tasks"].append(address)
        folder = self.folder / "steps" / segment["name"] / address
        folder.mkdir(parents=True)
        if segment["kind"] == "rows":
            columns = BASE | (more or {})
            for name, rows, schema in (("kept", kept, columns), ("dropped", dropped, columns | JUDGED),
                                       ("quarantined", quarantined, QUARANTINE)):
                pq.write_table(pa.Table.from_pylist(list(rows), pa.schema(schema)), folder / f"{name}.parquet",
                               compression="zstd", write_page_checksum=True)
        for name, data in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        records = {}
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            rows = pq.read_metadata(file).num_rows if file.suffix == ".parquet" else None
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            records[file.relative_to(folder).as_posix()] = FileRecord(file.stat().st_size, digest, rows)
        manifest = Manifest(address, segment["name"], segment["kind"], files=records, accounts=accounts or [],
                            figures=figures or {}, versions={"dataengine": "0.1.0"})
        if done:
            (folder / "manifest.json").write_text(json.dumps(asdict(manifest)), encoding="utf-8")
        return folder

    def save(self, state: str = "complete") -> Path:
        """Write run.json; returns the run's folder."""
        data = {"format": 1, "name": self.name, "recipe": "recipes/fake.toml", "state": state,
                "segments": self.segments}
        (self.folder / "run.json").write_text(json.dumps(data), encoding="utf-8")
        return self.folder


GOPHER = {"min_words": 50, "max_words": 100_000}


def small_run(folder: Path) -> Path:
    """Two lanes that meet in a third: 7 read, 3 kept at the end, 3 dropped for two reasons, 1 quarantined."""
    run = FakeRun(folder)
    words, twin = {"words": pa.int64()}, {"duplicate_of": pa.string()}
    web = run.segment("web.0-1", "web", [("web.0", "read.jsonl", {"paths": ["crawl/*.jsonl"]}),
                                         ("web.1", "filter.gopher", GOPHER)], final=False)
    run.task(
        web, more=words, kept=[row(1, words=60, url="https://a.example/1"), row(2, words=70)],
        dropped=[row(3, words=10, step="web.1", stage="filter.gopher", reason="too_few_words")],
        quarantined=[{"id": doc_id(4), "source": "web", "origin": "crawl/a.jsonl:4", "url": None, "step": "web.0",
                      "stage": "read.jsonl", "reason": "bad_json", "detail": "line 4: expected a value", "text": "{"}],
        accounts=[Account("web.0", "web", "read.jsonl", 0, 4, 3, {}, {"bad_json": 1}, 0, 300, 0.1),
                  Account("web.1", "web", "filter.gopher", 3, 0, 2, {"too_few_words": 1}, {}, 300, 200, 0.2)])
    run.task(
        web, more=words, kept=[row(5, "text of 1", words=60)],
        dropped=[row(6, words=20, step="web.1", stage="filter.gopher", reason="too_few_words")],
        accounts=[Account("web.0", "web", "read.jsonl", 0, 2, 2, {}, {}, 0, 200, 0.1),
                  Account("web.1", "web", "filter.gopher", 2, 0, 1, {"too_few_words": 1}, {}, 200, 100, 0.2)])
    code = run.segment("code.0", "code", [("code.0", "read.code", {"paths": ["."]})], final=False)
    run.task(code, more={"language": pa.string(), "words": pa.float64()},
             kept=[row(7, "print(1)", "code", language="python", words=1.0)],
             accounts=[Account("code.0", "code", "read.code", 0, 1, 1, {}, {}, 0, 8, 0.1)])
    sketch = run.segment("corpus.0-sketch", "corpus", [("corpus.0", "dedup.exact", {})], kind="sketch", final=False)
    run.task(sketch, files={"range-0.bin": b"\1\2\3"},
             accounts=[Account("corpus.0", "corpus", "dedup.exact", 4, 0, 4, seconds=0.5)])
    for index, (kept, dropped) in enumerate([([1, 2], []), ([], [5])]):
        name = f"corpus.0-web{index}"
        segment = run.segment(name, "corpus", [("corpus.0", "dedup.exact", {})])
        run.task(segment, more=words | twin, kept=[row(n, words=60, url=f"https://a.example/{n}") for n in kept],
                 dropped=[row(n, "text of 1", words=60, duplicate_of=doc_id(1), step="corpus.0", stage="dedup.exact",
                              reason="same_text") for n in dropped],
                 accounts=[Account("corpus.0", "corpus", "dedup.exact", len(kept) + len(dropped), 0, len(kept),
                                   {"same_text": len(dropped)} if dropped else {}, {}, 100, 100, 0.1)])
    last = run.segment("corpus.0-code", "corpus", [("corpus.0", "dedup.exact", {})])
    run.task(last, more={"language": pa.string(), "words": pa.float64()} | twin,
             kept=[row(7, "print(1)", "code", language="python", words=1.0)],
             accounts=[Account("corpus.0", "corpus", "dedup.exact", 1, 0, 1, {}, {}, 8, 8, 0.1)])
    good = run.segment("classifier.good", "", [("classifier.good", "classifier", {})], kind="classifier", final=False)
    run.task(good, files={"model.bin": b"model"},
             figures={"precision": 0.97, "heldout": {"web": 1.5}, "sample": "hello"})
    tokens(run)
    return run.save()


HOSTILE = "\x1b[31mred\x1b]0;title\x07 \x9b2J \u202eevil\u202c \u200bzero \x00\x7f\r\n[bold]markup[/bold] <b>&'\" end"
"""Repaints, retitles, clears the screen, reorders, hides, and looks like markup."""


def hostile_run(folder: Path) -> Path:
    """A run in which every string that data or a plugin can choose is hostile."""
    run = FakeRun(folder, name=HOSTILE)
    segment = run.segment("web.0-1", "web", [("web.0", "read.jsonl", {"paths": [HOSTILE]}), ("web.1", HOSTILE, {})])
    bad = {"source": HOSTILE, "origin": HOSTILE, "url": HOSTILE, "text": HOSTILE}
    lost = {"step": "web.1", "stage": HOSTILE, "reason": HOSTILE}
    run.task(
        segment, more={HOSTILE: pa.string(), "duplicate_of": pa.string()},
        kept=[{"id": doc_id(1), **bad, HOSTILE: HOSTILE}],
        dropped=[{"id": doc_id(2), **bad, **lost, HOSTILE: HOSTILE, "duplicate_of": HOSTILE}],
        quarantined=[{"id": doc_id(3), **bad, **lost, "detail": HOSTILE}], figures={HOSTILE: HOSTILE, "n": 1},
        accounts=[Account("web.0", "web", "read.jsonl", 3, 0, 3), Account(
            "web.1", "web", HOSTILE, 3, 0, 1, {HOSTILE: 1}, {HOSTILE: 1}, 1, 1, 0.1)])
    return run.save(state=HOSTILE)


def tokens(run: FakeRun) -> None:
    """One token task with two files in Megatron's format, and the mixture that uses them."""
    import struct

    def index(lengths: list[int]) -> bytes:
        head = b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, len(lengths), len(lengths) + 1)
        pointers = [2 * sum(lengths[:n]) for n in range(len(lengths))]
        return head + struct.pack(f"<{len(lengths)}i{len(lengths)}q{len(lengths) + 1}q", *lengths, *pointers,
                                  *range(len(lengths) + 1))

    segment = run.segment("tokens.corpus", "corpus", [("tokens.corpus", "tokens", {})], kind="tokens", final=False)
    provenance = pa.Table.from_pylist([
        {"id": doc_id(1), "part": "train", "document": 0, "tokens": 3, "bytes": 9},
        {"id": doc_id(7), "part": "train", "document": 1, "tokens": 4, "bytes": 8},
        {"id": doc_id(2), "part": "heldout", "document": 0, "tokens": 2, "bytes": 9}])
    buffer = pa.BufferOutputStream()
    pq.write_table(provenance, buffer)
    folder = run.task(segment, files={"train.bin": b"\0" * 14, "train.idx": index([3, 4]), "heldout.bin": b"\0" * 4,
                                      "heldout.idx": index([2]), "docs.parquet": buffer.getvalue().to_pybytes()},
                      figures={"train_tokens": 7.0, "heldout_tokens": 2.0},
                      accounts=[Account("tokens.corpus", "corpus", "tokens", 3, 0, 3, {}, {}, 26, 26, 0.1)])
    place = f"../../tokens.corpus/{folder.name}"
    mix = {"format": 1, "name": "broad", "seed": 1, "tokenizer": "x", "vocabulary": 300, "kind": "text", "tokens": 1000,
           "sources": [{"name": "web", "weight": 0.5, "max_epochs": 2.0,
                        "shards": [{"train": f"{place}/train", "heldout": f"{place}/heldout", "train_tokens": 7,
                                    "heldout_tokens": 2, "heldout_bytes": 9}]}]}
    run.task(run.segment("mix.broad", "", [("mix.broad", "mix", {})], kind="mix", final=False),
             files={"mixture.json": json.dumps(mix).encode()})
