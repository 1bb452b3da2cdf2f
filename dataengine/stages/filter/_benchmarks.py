"""The items of benchmark files: questions, passages and answers, as texts to look for.

A file is JSON lines (also .gz .bz2 .xz .zst), Parquet, or plain text with an item a line. A record's parts are told by
the names of its fields: the first of ``question text problem prompt query input goal sentence`` is its question, of
``passage article document`` its passage, of ``answer solution canonical_solution target completion code`` its answer.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dataengine.errors import InputError

if TYPE_CHECKING:
    from dataengine.kernels.overlap import Index

FIELDS = {
    "question": ("question", "text", "problem", "prompt", "query", "input", "goal", "sentence"),
    "passage": ("passage", "article", "document"),
    "answer": ("answer", "solution", "canonical_solution", "target", "completion", "code"),
}
LONG_ANSWER = 13
"""An answer of fewer words than this proves nothing by itself; it is only looked for behind its question."""
MOST_BYTES = 1 << 30
"""Longest benchmark file once unpacked."""


@dataclass(frozen=True)
class Item:
    """One text to look for."""

    name: str
    """File and record: ``gsm8k.jsonl:12``, counted from 1."""
    part: str
    """``question``, ``passage`` or ``answer``."""
    text: str
    answer: str = ""
    """Of a question: what answers it."""


def read_items(path: str | Path) -> list[Item]:
    """All items of a file, in order. Raises InputError, which says where and what was expected."""
    path = Path(path)
    records = enumerate(_records(path), 1)
    items = [item for number, record in records for item in _parts(f"{path.name}:{number}", record)]
    if not items:
        raise InputError(
            "holds no item to look for", where=str(path),
            expected=f"records with a field {', '.join(FIELDS['question'])} or {', '.join(FIELDS['passage'])}",
        )
    return items


def _parts(name: str, record: Mapping[str, Any]) -> Iterator[Item]:
    found = {part: next((record[field] for field in fields if isinstance(record.get(field), str)), "")
             for part, fields in FIELDS.items()}
    for part in ("question", "passage"):
        if found[part].strip():
            yield Item(name, part, found[part], found["answer"] if part == "question" else "")
    if len(found["answer"].split()) >= LONG_ANSWER:
        yield Item(name, "answer", found["answer"])


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".parquet"]:
        return _parquet_records(path)
    if {".jsonl", ".ndjson", ".json"} & set(suffixes):
        return _json_records(path)
    if ".txt" in suffixes:
        return ({"text": line.decode("utf-8", "replace").strip()} for line in _lines(path))
    raise InputError("is no benchmark file", where=str(path),
                     expected=".jsonl, .parquet or .txt, also .gz .bz2 .xz .zst")


def _json_records(path: Path) -> Iterator[Mapping[str, Any]]:
    import orjson

    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            yield {}
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InputError(f"line {number} is no JSON: {error}", where=str(path),
                             expected="one object a line") from None
        if not isinstance(record, dict):
            raise InputError(f"line {number} is no JSON object", where=str(path), expected="one object a line")
        yield record


def _parquet_records(path: Path) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            wanted = [name for fields in FIELDS.values() for name in fields if name in file.schema_arrow.names]
            for batch in file.iter_batches(columns=wanted):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot be read as Parquet: {error}", where=str(path)) from None


def _lines(path: Path) -> Iterator[bytes]:
    size = 0
    try:
        with _opener(path.suffix.lower())(path) as file:
            for line in file:
                size += len(line)
                if size > MOST_BYTES:
                    raise InputError(f"is longer than {MOST_BYTES:,} bytes", where=str(path), expected="a benchmark")
                yield line
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None


def _opener(suffix: str) -> Callable[[Path], IO[bytes]]:
    def zstd(path: Path) -> IO[bytes]:
        import zstandard

        return zstandard.open(path, "rb")

    known = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".zst": zstd}
    return known.get(suffix, lambda path: path.open("rb"))


@dataclass(frozen=True)
class Benchmarks:
    """Items and their index."""

    items: tuple[Item, ...]
    index: Index

    def words(self, item: int) -> int:
        """Length of an item in words."""
        return int(self.index.starts[item + 1] - self.index.starts[item])


def load(paths: tuple[str, ...], ngram: int) -> Benchmarks:
    """The items of all files with their index; made once a process."""
    stamps = tuple((path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns) for path in paths)
    return _load(stamps, ngram)


@lru_cache(maxsize=4)
def _load(stamps: tuple[tuple[str, int, int], ...], ngram: int) -> Benchmarks:
    import pyarrow as pa

    from dataengine.kernels.buffers import utf8
    from dataengine.kernels.overlap import build

    items = tuple(item for path, *_ in stamps for item in read_items(path))
    texts = pa.array([item.text.encode("utf-8", "replace") for item in items], pa.large_binary())
    return Benchmarks(items, build(*utf8(texts), ngram))
