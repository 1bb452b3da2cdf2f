"""How fast does each reader turn a file into record batches, on one core?

    python -m benchmarks.readers [--size 40MB] [FILE ...]

Without files it writes a corpus made of the Python installation's own sources (as JSONL, Parquet, WARC, text files),
plain and packed, and reads it back; a FILE is read by the reader its name belongs to. Prints MB of unpacked text or
HTML per CPU second (best of three), and beside it what a bare loop over the same file with the usual library does.
"""

from __future__ import annotations

import argparse
import gzip
import io
import platform
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fastwarc
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from pydantic import ByteSize, TypeAdapter

from dataengine import stage

READERS = {".jsonl": "read.jsonl", ".ndjson": "read.jsonl", ".parquet": "read.parquet", ".warc": "read.warc",
           ".arc": "read.warc", ".wet": "read.wet", ".html": "read.html", ".txt": "read.text", ".zip": "read.code",
           ".tar": "read.code"}


def documents(size: int) -> Iterator[str]:
    """About `size` bytes of the Python library's sources, from the beginning again where they end."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("**/*.py"))
    made = 0
    while made < size:
        for path in files:
            text = path.read_text(encoding="utf-8", errors="replace")[:60_000]
            yield text
            made += len(text)
            if made >= size:
                return


def warc_record(number: int, html: bytes) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + html
    head = ("WARC/1.0", "WARC-Type: response", f"WARC-Record-ID: <urn:x:{number}>", "WARC-Date: 2024-01-01T00:00:00Z",
            f"WARC-Target-URI: http://a.example/{number}", "Content-Type: application/http; msgtype=response",
            f"Content-Length: {len(block)}", "", "")
    return "\r\n".join(head).encode() + block + b"\r\n\r\n"


def write_corpus(folder: Path, size: int) -> list[Path]:
    texts = list(documents(size))
    rows = [{"text": text, "url": f"http://a.example/{number}"} for number, text in enumerate(texts)]
    lines = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    records = [warc_record(number, text.encode()) for number, text in enumerate(texts)]
    files = {"a.jsonl": lines, "a.jsonl.gz": gzip.compress(lines, 6), "a.jsonl.zst": zstandard.compress(lines),
             "a.warc": b"".join(records), "a.warc.gz": b"".join(gzip.compress(record, 6) for record in records)}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    pq.write_table(pa.table({"text": texts}), folder / "a.parquet", compression="zstd", row_group_size=2000,
                   write_page_checksum=True)
    (folder / "texts").mkdir()
    for number, text in enumerate(texts):
        (folder / "texts" / f"{number}.txt").write_text(text, encoding="utf-8")
    return [*(folder / name for name in files), folder / "a.parquet", folder / "texts"]


def reader_of(path: Path) -> str:
    if path.is_dir():
        return "read.text"
    return next(READERS[suffix] for suffix in reversed(path.suffixes) if suffix in READERS)


def through_reader(path: Path) -> int:
    """Bytes of content that the reader gives."""
    found = stage.load(reader_of(path))
    config = found.config(paths=str(path))
    size = 0
    for piece in found.pieces(config, path.parent):
        for item in found(piece, config):
            if isinstance(item, pa.RecordBatch):
                column = item.column(found.content)
                size += sum(len(value) for value in column.cast(pa.binary()).to_pylist())
    return size


def bare(path: Path) -> Callable[[], object] | None:
    """The loop somebody would write without us."""
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        opened = gzip.open if path.suffix == ".gz" else open

        def loads() -> None:
            with opened(path, "rb") as file:
                for line in file:
                    orjson.loads(line)
        return loads
    if ".warc" in path.suffixes:
        def archive() -> None:
            with open(path, "rb") as file:
                for record in fastwarc.ArchiveIterator(io.BytesIO(file.read()), parse_http=True):
                    record.reader.read()
        return archive
    return (lambda: pq.read_table(path)) if path.suffix == ".parquet" else None


def best(run: Callable[[], object]) -> float:
    """CPU seconds of the fastest of three runs."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        run()
        seconds.append(time.process_time() - started)
    return min(seconds)


def report(path: Path) -> None:
    size = through_reader(path) / 1e6
    ours, loop = size / best(lambda: through_reader(path)), bare(path)
    beside = f"   bare loop {size / best(loop):6.0f}" if loop else ""
    print(f"{reader_of(path):13} {path.name:14} {size:7.1f} MB {ours:6.0f}{beside}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--size", default="40MB", type=TypeAdapter(ByteSize).validate_python)
    arguments = parser.parse_args()
    pa.set_cpu_count(1)
    here = f"{platform.machine()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    print(f"{here}; MB a CPU second, one core")
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.files or write_corpus(Path(folder), arguments.size):
            report(path.resolve())


if __name__ == "__main__":
    main()
