"""One GET over http(s), redirects followed under the policy: the standard library's client with our own connect.

Nothing is taken from the environment (no proxies, no .netrc), bodies are given as they are sent (never unpacked: what
is packed is told by its first bytes), and every connection goes to an address that `policy.resolve` has judged.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urljoin

from dataengine.errors import InputError, RunFailed, Unreachable
from dataengine.remote.policy import Address, NetworkConfig, in_table, parse, resolve
from dataengine.version import __version__

SLOWEST = 1000
"""Bytes a second, below which a connection is given up after `timeout` seconds."""

_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504, 509, 520, 521, 522, 523, 524)


class Broken(Exception):
    """A request that may do better when it is made again."""

    def __init__(self, why: str, wait: float = 0.0, slow: bool = False) -> None:
        self.why, self.wait, self.slow = why, wait, slow
        super().__init__(why)


class Refused(Exception):
    """The final word about one object: ``unreachable`` (it is not there, or not for us) or ``too_large``."""

    def __init__(self, reason: str, why: str) -> None:
        self.reason, self.why = reason, why
        super().__init__(why)


@dataclass(frozen=True)
class Said:
    """What a response's header says of the object."""

    size: int | None
    """All bytes of the object, where the server knows."""
    validator: str
    """Its ETag, else its date of change, else nothing."""
    start: int
    """Of the body's first byte, within the object."""
    end: int | None
    """Behind the body's last byte; None where it ends with the connection, or in chunks."""
    partial: bool
    """Whether the server gave the range it was asked for."""


class Body:
    """A part of an object on its way: `read` gives bytes as they come, `b""` at its end. Raises Broken."""

    def __init__(self, connection: _Connection, response: http.client.HTTPResponse, said: Said) -> None:
        self._connection, self._response, self.said = connection, response, said
        self._waited, self._got = 0.0, 0

    def read(self, size: int) -> bytes:
        began = time.monotonic()
        try:
            # a server could drip the heads of chunks for ever; other reads are one call each, with a time-out
            with self._connection.watched() if self._response.chunked else nullcontext():
                data = self._response.read1(size)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Broken(_why(error)) from None
        self._got += len(data)
        self._waited += time.monotonic() - began  # not the time that somebody works on what came
        if self._waited > self._connection.timeout and self._got < SLOWEST * self._waited:
            raise Broken(f"slower than {SLOWEST} bytes a second", slow=True)
        if self._response.length == 0:
            self._response.close()  # the connection is good for another request; http.client sees it one read later
        return data

    def at_end(self) -> bool:
        """Whether all of it was read."""
        return self._response.isclosed()


class Client:
    """Makes requests, and keeps the last connection to each host open for the next one."""

    def __init__(self, policy: NetworkConfig) -> None:
        self.policy = policy
        self._open: dict[tuple[str, str, int], _Connection] = {}

    def get(self, address: Address, start: int, end: int | None, validator: str = "") -> Body:
        """The object's bytes from `start` to `end`, or more of them where the server does not serve ranges.

        Raises Broken for trouble that may pass, Refused for the server's final word, InputError for a hop that is not
        allowed, RunFailed for a certificate that does not prove the host.
        """
        headers = {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        if start and validator.startswith('"'):  # RFC 9110, 13.1.5: weak ones are not for ranges
            headers["If-Range"] = validator
        here = address
        for _ in range(self.policy.max_redirects + 1):
            connection, response = self._request(here, headers)
            if response.status in _REDIRECTS and (target := response.headers.get("Location")):
                self._finish(connection, response)
                here = self._next(here, target)
                continue
            return self._answer(here, connection, response, start)
        raise Refused("unreachable", f"more than {self.policy.max_redirects} redirects, the last to {here.shown}")

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    # --- one hop ---

    def _request(self, address: Address, headers: dict[str, str]) -> tuple[_Connection, http.client.HTTPResponse]:
        """Send the request; once more where a connection kept open was closed on the other side meanwhile."""
        self.policy.check(address)
        kept = (address.scheme, address.host, address.port) in self._open
        try:
            return self._send(address, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise RunFailed(
                    f"the certificate does not prove that this is {address.host}: {error.verify_message}",
                    where=address.shown, expected="a certificate that this machine trusts",
                    write="SSL_CERT_FILE=... in the environment, for an authority of your own") from None
            if not kept:
                raise Broken(_why(error)) from None
        try:
            return self._send(address, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(_why(error)) from None

    def _send(self, address: Address, headers: dict[str, str]) -> tuple[_Connection, http.client.HTTPResponse]:
        connection = self._connection(address)
        target = address.path + (f"?{address.query}" if address.query else "")
        with connection.watched():
            connection.request("GET", target, headers=_FIXED | headers | self._token(address, connection))
            return connection, connection.getresponse()

    def _connection(self, address: Address) -> _Connection:
        key = (address.scheme, address.host, address.port)
        kept = self._open.get(key)
        if kept is not None and kept.idle:
            return kept
        if kept is not None:
            kept.close()
        try:
            machines = resolve(address, self.policy)
        except Unreachable as error:
            raise Broken(error.found) from None
        self._open[key] = _Connection(address, machines, self.policy.timeout)
        return self._open[key]

    def _token(self, address: Address, connection: _Connection) -> dict[str, str]:
        secret = self.policy.tokens.get(address.entry)
        if secret is None or (address.scheme != "https" and not connection.loopback):
            return {}
        return {"Authorization": f"Bearer {secret.reveal()}"}

    def _next(self, here: Address, target: str) -> Address:
        there = parse(urljoin(here.url, target), redirected=True)
        if there.scheme == "s3" or (here.scheme == "https" and there.scheme != "https"):
            raise InputError(f"redirects from {here.scheme} to {there.scheme}", where=here.shown,
                             expected="a redirect that stays with https")
        if not self.policy.allows(there):
            allowed = ", ".join(f'"{entry}"' for entry in (*self.policy.allow, there.entry))
            raise InputError(f"redirects to {there.entry}, which the recipe does not allow", where=here.shown,
                             expected="a redirect to a host that [network] allow names",
                             write=in_table(f"allow = [{allowed}]"))
        return there

    def _answer(
        self, address: Address, connection: _Connection, response: http.client.HTTPResponse, start: int
    ) -> Body:
        status = response.status
        if status in (200, 206, 416):
            said = _said(response, start)
            if said is not None:
                return Body(connection, response, said)
            self.close()
            raise Broken(f"answered {status} with a Content-Range that is not what was asked for")
        self.close()
        word = f"{status} {response.reason}".strip()[:100]
        if status in _TRANSIENT:
            after = response.headers.get("Retry-After", "")
            raise Broken(f"answered {word}", float(after) if re.fullmatch(r"[0-9]{1,5}", after) else 0.0)
        raise Refused("unreachable", f"{address.host} answered {word}")

    def _finish(self, connection: _Connection, response: http.client.HTTPResponse) -> None:
        """Read the few bytes of a redirect's body, so that the connection can be used again."""
        try:
            if not response.chunked and (response.length or 0) <= 64 << 10:
                response.read(64 << 10)
        except (OSError, http.client.HTTPException):
            connection.close()
        if not response.isclosed():
            connection.close()


_FIXED = {"User-Agent": f"dataengine/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}

_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/(?:([0-9]{1,18})|\*)")


def _said(response: http.client.HTTPResponse, start: int) -> Said | None:
    """What the header says; None where it contradicts the request."""
    headers = response.headers
    validator = headers.get("ETag") or headers.get("Last-Modified") or ""
    if response.status == 200:
        size = response.length
        return Said(size, validator, 0, size, False)
    found = _RANGE.fullmatch(headers.get("Content-Range", "").strip().lower())
    if response.status == 416:
        size = int(found[3]) if found and found[3] else None
        return Said(size, validator, start, start, True) if size is not None and start >= size else None
    if not found or not found[1] or int(found[1]) != start:
        return None
    end = int(found[2]) + 1
    size = int(found[3]) if found[3] else None
    if response.length is not None and response.length != end - start:
        return None
    return Said(size, validator, start, end, True)


class _Connection(http.client.HTTPConnection):
    """A connection to one of the addresses that were judged, with or without TLS."""

    def __init__(self, address: Address, machines: list[str], timeout: float) -> None:
        super().__init__(address.host, address.port, timeout=timeout)
        self._machines, self._secure = machines, address.scheme == "https"
        self._last: http.client.HTTPResponse | None = None
        self.loopback = all(machine == "::1" or machine.startswith("127.") for machine in machines)
        if self._secure:
            self.default_port = 443  # the Host header names any other

    def connect(self) -> None:
        error: OSError | None = None
        for machine in self._machines:
            try:
                self.sock: Any = socket.create_connection((machine, self.port), self.timeout)
                break
            except OSError as failed:
                error = failed
        else:
            raise error or OSError("no address")
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._secure:
            self.sock = _trust().wrap_socket(self.sock, server_hostname=self.host)

    def getresponse(self) -> http.client.HTTPResponse:
        self._last = super().getresponse()
        return self._last

    @contextmanager
    def watched(self) -> Iterator[None]:
        """End the connection where what follows takes twice the time-out: it is of many small reads, each in time."""
        watchdog = threading.Timer(2 * self.timeout, self._end)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _end(self) -> None:
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)

    @property
    def idle(self) -> bool:
        """Whether the last response was read to its end, so that the next request can go out."""
        return self.sock is not None and (self._last is None or self._last.isclosed())


@cache
def _trust() -> ssl.SSLContext:
    """The authorities this machine trusts; where it names none, those of certifi."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None and paths.capath is None:
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.IncompleteRead | http.client.RemoteDisconnected | ConnectionResetError):
        return "the connection was cut"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or error}"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)[:200]
