"""Web archives of our own making, whole and damaged."""

from __future__ import annotations

import base64
import gzip
import hashlib


def record(kind: str, block: bytes, url: str | None = None, **headers: str) -> bytes:
    """A WARC record; a header given as ``Content_Length="7"`` replaces the right one."""
    lines = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:x:{hashlib.md5(block).hexdigest()}>",
        "WARC-Date": "2024-01-01T00:00:00Z",
        "Content-Length": str(len(block)),
    }
    if url:
        lines["WARC-Target-URI"] = url
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"WARC/1.1\r\n{head}\r\n".encode() + block + b"\r\n\r\n"


def response(body: bytes, *headers: str, status: int = 200, mime: str = "text/html; charset=UTF-8") -> bytes:
    """An HTTP response."""
    lines = [f"HTTP/1.1 {status} OK", *([f"Content-Type: {mime}"] if mime else []), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def digest(block: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(block).digest()).decode()


def page(number: int) -> bytes:
    """The HTML of page `number`, 1 to 3 KB that do not compress to nothing."""
    words = " ".join(hashlib.md5(f"{number} {word}".encode()).hexdigest() for word in range(30 + number * 7 % 60))
    return f"<html><p>page {number}</p>{words}</html>".encode()


def url(number: int) -> str:
    return f"http://a.example/{number}"


def crawl(count: int = 12, digests: bool = True) -> list[bytes]:
    """A warcinfo, then a request and a response for every page."""
    records = [record("warcinfo", b"software: test\r\n")]
    for number in range(count):
        block = response(page(number))
        extra = {"WARC_Block_Digest": digest(block)} if digests else {}
        records += [
            record("request", b"GET / HTTP/1.1\r\n\r\n", url(number)),
            record("response", block, url(number), **extra),
        ]
    return records


def packed(records: list[bytes]) -> list[bytes]:
    """Each record as a gzip member."""
    return [gzip.compress(item, mtime=0) for item in records]
