"""The HTTP message inside a response record: status, headers, and the body as the page's author wrote it (RFC 9112).

Archives hold what servers sent and what crawlers made of it, so this reads as browsers do: a body said to be chunked
or packed that is not is taken as it stands, and of one that breaks off the part before the break is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})\b")
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([A-Za-z0-9_:.\-]{1,40})""", re.IGNORECASE)
_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]{0,4096})?\r?\n")
_BLANK = re.compile(rb"\r?\n\r?\n")
_MOST_HEADERS = 64 << 10


class TooLarge(Exception):
    """The unpacked body is longer than the limit."""


class Undecodable(Exception):
    """Not one byte of the body could be unpacked."""


@dataclass(frozen=True)
class Response:
    """The head of a response, and where its body begins."""

    status: int
    headers: dict[str, str]
    """Lower-case names; of a header that comes twice, the first."""
    body_start: int

    @property
    def mime(self) -> str:
        """``text/html``, lower case, without parameters; empty where nothing is said."""
        return mime_of(self.headers.get("content-type", ""))

    @property
    def charset(self) -> str | None:
        """What the server says the encoding is."""
        found = _CHARSET.search(self.headers.get("content-type", ""))
        return found[1].lower() if found else None


def mime_of(content_type: str) -> str:
    """The media type of a Content-Type value."""
    return content_type.split(";", 1)[0].strip().lower()


def parse_headers(head: bytes) -> dict[str, str]:
    """``Name: value`` lines as a dict with lower-case names. Lines that are no header are passed over."""
    headers: dict[str, str] = {}
    for line in head.decode("utf-8", errors="replace").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return headers


def parse_response(block: bytes) -> Response | None:
    """The response at the beginning of a record's block, or None where there is none."""
    status = _STATUS.match(block)
    if status is None:
        return None
    blank = _BLANK.search(block, 0, _MOST_HEADERS)
    end, body = (blank.start(), blank.end()) if blank else (len(block), len(block))
    first = block.find(b"\n", 0, end)
    return Response(int(status[1]), parse_headers(block[first + 1:end]) if first >= 0 else {}, body)


def body(block: bytes, response: Response, limit: int) -> bytes:
    """The body with its transfer and content encodings undone. Raises TooLarge, Undecodable."""
    data = block[response.body_start:]
    if "chunked" in response.headers.get("transfer-encoding", "").lower():
        data = dechunk(data)
    codings = response.headers.get("content-encoding", "").lower().replace(" ", "").split(",")
    for coding in reversed(codings[-4:]):
        data = _unpacked(data, coding, limit)
    if len(data) > limit:
        raise TooLarge
    return data


def dechunk(data: bytes) -> bytes:
    """A chunked body put together. What does not follow the grammar is taken as it stands."""
    parts: list[bytes] = []
    at = 0
    while size := _CHUNK.match(data, at):
        start, length = size.end(), int(size[1], 16)
        if length == 0:
            return b"".join(parts)
        if start + length < len(data) and data[start + length] not in b"\r\n":
            break  # a line of text that happened to look like a length
        parts.append(data[start:start + length])
        at = start + length
        at += 2 if data.startswith(b"\r\n", at) else 1
    if at < len(data):
        parts.append(data[at:])
    return b"".join(parts)


def _unpacked(data: bytes, coding: str, limit: int) -> bytes:
    if coding in ("gzip", "x-gzip"):
        return _inflated(data, 31, limit) if data.startswith(b"\x1f\x8b") else data
    if coding == "deflate":
        # RFC 9110 means zlib's format; some servers send bare deflate. Text is neither.
        zlib_header = len(data) > 1 and data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
        return _inflated(data, 15 if zlib_header else -15, limit)
    if coding == "zstd" and data.startswith(b"\x28\xb5\x2f\xfd"):
        import io

        import zstandard

        return _read_all(zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read, data, limit)
    if coding == "br":
        import io

        from fastwarc.stream_io import BrotliReader

        return _read_all(BrotliReader(io.BytesIO(data)).read, data, limit)
    return data


def _inflated(data: bytes, wbits: int, limit: int) -> bytes:
    import zlib

    unpacker = zlib.decompressobj(wbits=wbits)
    parts: list[bytes] = []
    size = 0
    rest = data
    try:
        while not unpacker.eof:
            part = unpacker.decompress(rest, 64 << 10)
            rest = unpacker.unconsumed_tail
            parts.append(part)
            size += len(part)
            if size > limit:
                raise TooLarge
            if not part and not rest:
                return _kept(parts, data)
    except zlib.error:
        return _kept(parts, data)
    return b"".join(parts)


def _read_all(read: Callable[[int], bytes], data: bytes, limit: int) -> bytes:
    import zstandard

    parts: list[bytes] = []
    size = 0
    try:
        while part := read(64 << 10):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise TooLarge
    except (OSError, EOFError, ValueError, zstandard.ZstdError):
        return _kept(parts, data)
    return b"".join(parts)


def _kept(parts: list[bytes], data: bytes) -> bytes:
    """What was unpacked before the break; the bytes themselves where they look like text that was never packed."""
    if any(parts):
        return b"".join(parts)
    if b"<" in data[:1000] and b"\0" not in data[:1000]:
        return data
    raise Undecodable
