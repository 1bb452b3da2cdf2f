"""As much of S3 as reading needs: GetObject with ranges, HeadObject and ListObjectsV2, on 127.0.0.1.

Signatures are noted, not checked.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.remote.server import Quiet, etag


@dataclass
class S3Server:
    """What the one server has: ``bucket/key`` -> bytes."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)
    """(status, code) of answers to give first."""
    refused: set[str] = field(default_factory=set)
    cut: int = 0
    """So many bodies are cut in their middle."""
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: S3Server

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name, query = unquote(parts.path.lstrip("/")), parse_qs(parts.query, keep_blank_values=True)
        self.state.seen.append((name, dict(self.headers)))
        if self.state.errors:
            self._fail(*self.state.errors.pop(0))
        elif name in self.state.refused:
            self._fail(403, "AccessDenied")
        elif "list-type" in query:
            self._list(name.rstrip("/"), query)
        elif name not in self.state.objects:
            self._fail(404, "NoSuchKey")
        else:
            self._give(self.state.objects[name])

    def _give(self, data: bytes) -> None:
        start, end, status = 0, len(data), 200
        headers = {"ETag": etag(data), "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if asked := re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", self.headers.get("Range", "")):
            start, end, status = int(asked[1]), min(int(asked[2]) + 1, len(data)), 206
            if start >= len(data):
                self._fail(416, "InvalidRange")
                return
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        body = data[start:end]
        self._answer(status, body, headers, cut=self.state.cut > 0 and len(body) > 1)

    def _list(self, bucket: str, query: dict[str, list[str]]) -> None:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        start = f"{bucket}/{prefix}"
        keys = [name[len(bucket) + 1 :] for name in sorted(self.state.objects) if name.startswith(start)]
        inner = {key: key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "") for key in keys}
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.state.objects[f'{bucket}/{key}'])}</Size>"
            f"<ETag>{escape(etag(self.state.objects[f'{bucket}/{key}']))}</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key, (_, divided, _) in inner.items() if not divided
        )
        folders = sorted({prefix + head + delimiter for head, divided, _ in inner.values() if divided})
        entries += "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        body = (f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<Name>{bucket}</Name><KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>{entries}"
                "</ListBucketResult>")
        self._answer(200, body.encode(), {"Content-Type": "application/xml"})

    def _fail(self, status: int, code: str) -> None:
        body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>as told</Message></Error>'.encode()
        self._answer(status, body, {"Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str], cut: bool = False) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.state.cut -= 1
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving_s3() -> Iterator[S3Server]:
    """A server for as long as the block runs."""
    state = S3Server()
    server = Quiet(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    state.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
