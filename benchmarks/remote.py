"""What does reading over http cost beside reading from disk, and how long is a crawl of 90,000 archives planned?

    python -m benchmarks.remote [--size 40MB] [--archives 90000]

A server in a process of its own on 127.0.0.1 serves the corpus of `benchmarks.readers`. Prints MB of content per CPU
second of the reading process (best of three), from disk and over http: the cost of the client, not of a network.
"""

from __future__ import annotations

import argparse
import gzip
import re
import subprocess
import sys
import tempfile
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
from pydantic import ByteSize, TypeAdapter

from benchmarks.machine import stamp
from benchmarks.readers import best, reader_of, write_corpus
from dataengine import plan, recipe, remote, stage


class Handler(SimpleHTTPRequestHandler):
    """Files of the working folder, with ranges. A name that is not there is an object of 1 GB that nobody reads."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.path.lstrip("/"))
        data = path.read_bytes() if path.is_file() else b"x"
        size = len(data) if path.is_file() else 10**9
        asked = re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", self.headers.get("Range", "bytes=0-"))
        start = int(asked[1])
        body = data[start : int(asked[2]) + 1 if asked[2] else None]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{size}")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{size}"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def serve() -> None:
    """Serve until the parent ends the process; the first line of output is the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def content(reader: str, path: str) -> int:
    """Bytes of content that the reader gives."""
    found = stage.load(reader)
    config = found.config(paths=path)
    size = 0
    for piece in found.pieces(config, Path.cwd()):
        for item in found(piece, config):
            if isinstance(item, pa.RecordBatch):
                size += sum(map(len, item.column(found.content).cast(pa.binary()).to_pylist()))
    return size


def compare(path: Path, host: str) -> None:
    address, reader = f"http://{host}/{path.name}", reader_of(path)
    size = content(reader, address)
    assert size == content(reader, str(path))
    disk, http = (best(lambda place=place: content(reader, place)) for place in (str(path), address))
    rates = f"disk {size / 1e6 / disk:6.0f}   http {size / 1e6 / http:6.0f}   ratio {disk / http:.2f}"
    print(f"{reader:13} {path.name:14} {size / 1e6:7.1f} MB   {rates}")


def plan_crawl(folder: Path, host: str, count: int) -> None:
    names = (f"crawl-data/segments/{number % 100}/warc/CC-MAIN-{number:05}.warc.gz" for number in range(count))
    (folder / "warc.paths.gz").write_bytes(gzip.compress("\n".join(names).encode()))
    (folder / "crawl.toml").write_text(
        f'name = "crawl"\n[network]\nallow = ["{host}"]\nallow_private = true\n[[data.web]]\nstage = "read.warc"\n'
        f'paths = "http://{host}/warc.paths.gz"\n[[data.web]]\nstage = "extract.html"\n')
    started = time.process_time()
    made = plan.make(recipe.load(folder / "crawl.toml"), folder / "run")
    print(f"plan of {len(list(made.tasks))} tasks from a list: {time.process_time() - started:.1f} s of CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="40MB", type=TypeAdapter(ByteSize).validate_python)
    parser.add_argument("--archives", default=90_000, type=int)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    pa.set_cpu_count(1)
    print(stamp(), "  MB a CPU second")
    with tempfile.TemporaryDirectory() as folder:
        files = [path for path in write_corpus(Path(folder), arguments.size) if path.is_file()]
        command = [sys.executable, "-m", "benchmarks.remote", "--serve"]
        root = {"PYTHONPATH": str(Path(__file__).parents[1])}
        with subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=root
        ) as server:
            host = f"127.0.0.1:{server.stdout.readline().strip()}"
            try:
                with remote.using(remote.NetworkConfig(allow=(host,), allow_private=True)):
                    for path in files:
                        compare(path, host)
                plan_crawl(Path(folder), host, arguments.archives)
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
