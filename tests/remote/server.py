"""A server of files on 127.0.0.1 that misbehaves as it is told: the whole network of the test suite."""

from __future__ import annotations

import hashlib
import random
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dataengine.remote import NetworkConfig


@dataclass
class Server:
    """What the server has, how it behaves, and what it was asked."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[int]] = field(default_factory=dict)
    """Path -> answers to give first, one a request."""
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """Path -> headers that replace the right ones; an empty value leaves one out."""
    ranges: bool = True
    cut: int = 0
    """Cut every body behind at most so many bytes, at a place drawn by chance."""
    cuts: int = 1_000_000
    """So many bodies are cut, then no more."""
    slow: float = 0.0
    """Seconds before each byte."""
    slow_head: float = 0.0
    """Seconds before each byte of an endless head."""
    pause: float = 0.0
    """Seconds before each answer for `paused`."""
    paused: str = ""
    chunked: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(path, Range) of every request."""
    connections: int = 0
    seen: list[dict[str, str]] = field(default_factory=list)
    served: Counter[str] = field(default_factory=Counter)
    """Path -> bytes of bodies sent."""
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def put(self, path: str, data: bytes) -> str:
        self.objects[path] = data
        return self.url(path)

    def policy(self, **more: object) -> NetworkConfig:
        """One that lets this server be read, without long waits."""
        given = {"allow": [self.host], "allow_private": True, "first_wait": 0.001, "timeout": 2.0, "retries": 4}
        return NetworkConfig.model_validate(given | more)

    def toml(self) -> str:
        return (f'[network]\nallow = ["{self.host}"]\nallow_private = true\nfirst_wait = 0.001\ntimeout = 5.0\n'
                "retries = 4\n")


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def setup(self) -> None:
        super().setup()
        self.state.connections += 1

    def do_GET(self) -> None:
        state, path = self.state, self.path
        state.asked.append((path, self.headers.get("Range", "")))
        state.seen.append(dict(self.headers))
        if state.slow_head:
            self._drip()
            return
        if path == state.paused:
            time.sleep(state.pause)
        if state.errors.get(path):
            status = state.errors[path].pop(0)
            self._head(status, {"Content-Length": "0"} | state.headers.get(path, {}))
            return
        if path in state.redirects:
            self._head(302, {"Location": state.redirects[path], "Content-Length": "0"})
            return
        if path not in state.objects:
            self._head(404, {"Content-Length": "0"})
            return
        self._give(path, state.objects[path])

    def _drip(self) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 90:
            time.sleep(self.state.slow_head)
            self.wfile.write(bytes([byte]))

    def _give(self, path: str, data: bytes) -> None:
        state = self.state
        headers = {"ETag": etag(data), "Last-Modified": formatdate(0, usegmt=True), "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", self.headers.get("Range", ""))
        status, body = 200, data
        if state.ranges and asked and self.headers.get("If-Range", headers["ETag"]) == headers["ETag"]:
            start = int(asked[1])
            end = min(int(asked[2] or len(data)) + 1, len(data))
            if start >= len(data):
                self._head(416, headers | {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
                return
            status, body = 206, data[start:end]
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
        headers |= {"Transfer-Encoding": "chunked"} if state.chunked else {"Content-Length": str(len(body))}
        self._head(status, headers | state.headers.get(path, {}))
        self._send(path, body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _send(self, path: str, body: bytes) -> None:
        state = self.state
        cut = state.cut and state.cuts > 0 and len(body) > 1
        if cut:
            state.cuts -= 1
            body = body[: state.rng.randint(0, min(state.cut, len(body) - 1))]
        state.served[path] += len(body)
        if state.slow:
            for byte in body:
                time.sleep(state.slow)
                self.wfile.write(bytes([byte]))
        elif state.chunked:
            for start in range(0, len(body), 1000):
                part = body[start : start + 1000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"" if cut else b"0\r\n\r\n")
        else:
            self.wfile.write(body)
        if cut:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is no news."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server for as long as the block runs."""
    state = Server()
    handler = type("Bound", (Handler,), {"state": state})
    server = Quiet(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
