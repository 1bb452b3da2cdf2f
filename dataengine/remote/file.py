"""A remote object as a file: read forwards or at any place, resumed at the byte where a connection broke.

Bytes are asked for in ranges. Behind a `seek` the first range is what the reader asks for; while it reads on, each
range is four times as long as the one before, up to 64 MiB, so that a stream costs few requests and a look costs few
bytes. The object's ETag (else its date of change) and size are pinned by the first answer, or by the plan, and checked
with each further one, so that no two versions of an object are ever mixed.
"""

from __future__ import annotations

import io
import random
import time
from typing import NamedTuple

from dataengine.errors import InputError, Unreachable
from dataengine.remote.http import Body, Broken, Client, Refused, Said
from dataengine.remote.policy import Address, NetworkConfig, current, parse
from dataengine.remote.s3 import Chunk, Store
from dataengine.stage import waiting

SMALL, LARGE = 64 << 10, 64 << 20
"""Bytes of the first range behind a `seek`, at least, and of the longest."""
READ = 1 << 20
MOST_BREAKS = 1000
"""Of one object, however much each attempt brought."""
LONGEST_WAIT = 60.0


class Facts(NamedTuple):
    """What a server says of an object."""

    size: int
    """In bytes; 0 where it is not known."""
    stamp: str
    """Changes when the content does. `RemoteFile` checks it."""
    ranges: bool
    """Whether parts of it can be asked for, and its size is known."""


_clients: dict[str, Client | Store] = {}


def _client(address: Address, policy: NetworkConfig) -> Client | Store:
    """This process's client for a policy, so that one object after the other comes over one connection."""
    kind = "s3" if address.scheme == "s3" else "http"
    kept = _clients.get(kind)
    if kept is None or kept.policy is not policy:
        if kept is not None:
            kept.close()
        kept = _clients[kind] = Store(policy) if kind == "s3" else Client(policy)
    return kept


class Patience:
    """Rests before the next attempt, twice as long each time, and an end of it."""

    def __init__(self, policy: NetworkConfig, where: str) -> None:
        self.policy, self.where = policy, where
        self.failures = self.breaks = self.drips = 0

    def wait(self, broken: Broken) -> None:
        """Rest before the next attempt. Raises Unreachable after `retries` of them in a row that brought nothing."""
        self.failures += 1
        self.breaks += 1
        self.drips += broken.slow  # a few bytes are no reward here
        self.failures = max(self.failures, self.drips)
        if self.failures > self.policy.retries or self.breaks > MOST_BREAKS:
            raise Unreachable(
                f"{broken.why} ({self.failures} attempts in a row brought nothing)",
                where=self.where, expected="a server that answers",
                write="the same command again, when it does: what is done is kept") from None
        pause = self.policy.first_wait * 2 ** (self.failures - 1) * random.uniform(0.8, 1.2)
        time.sleep(min(LONGEST_WAIT, max(broken.wait, pause)))

    def rewarded(self) -> None:
        """An attempt brought something."""
        self.failures = 0


class RemoteFile(io.RawIOBase):
    """An object, for reading.

    Raises Refused for a server's final word about it, InputError where it is not the one that was planned with,
    changed meanwhile or is out of bounds, Unreachable after all retries.
    """

    def __init__(self, address: str | Address, stamp: str = "", policy: NetworkConfig | None = None) -> None:
        self.address = parse(address) if isinstance(address, str) else address
        self.policy = policy or current()
        self._client = _client(self.address, self.policy)
        self._body: Body | Chunk | None = None
        size, _, self._validator = stamp.partition(" ")
        self._size = int(size) if size else None
        self._planned = bool(stamp)
        self._at = 0
        self._range = SMALL
        self._last: int | None = None
        self._sought = False
        """Whether the position is one that only a server of ranges can give."""
        self._patience = Patience(self.policy, self.address.shown)

    def facts(self) -> Facts:
        """Size and stamp, from the first byte's header: a question that every server of files answers."""
        with waiting():
            said = self._first()
        known = self._size is not None
        stamp = f"{self._size if known else ''} {said.validator}" if known or said.validator else ""
        return Facts(self._size or 0, stamp, said.partial and known)

    # --- the file ---

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence)
        target = offset + (self._length() if base is None else base)
        if target < 0:
            raise ValueError(f"no place before the beginning: {target}")
        if target != self._at:
            self._drop()
            self._sought = target > 0
        self._at, self._range = target, SMALL
        return target

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes; fewer at the end alone."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(READ), b""))
        parts = []
        with waiting():
            while size and (part := self._some(size)):
                parts.append(part)
                size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[:len(data)] = data
        return len(data)

    def ask_up_to(self, end: int) -> None:
        """Say that nothing behind byte `end` will be read: no more than that is asked for."""
        self._last = end

    def close(self) -> None:
        self._drop()
        super().close()

    # --- inside ---

    def _length(self) -> int:
        if self._size is None:
            with waiting():
                self._first()
        if self._size is None:
            raise Refused("unreachable", "the server does not say how large it is")
        return self._size

    def _first(self) -> Said:
        """The header of an answer to a question for the first byte."""
        while True:
            self._drop()
            try:
                body = self._client.get(self.address, 0, 1)
                self._pin(body.said)
                while body.said.partial and body.read(READ):
                    pass  # so that the connection stays good
                if not body.said.partial:
                    self._client.close()
                return body.said
            except Broken as broken:
                self._patience.wait(broken)

    def _some(self, size: int) -> bytes:
        """Up to `size` of the next bytes, nothing at the end of the object alone."""
        while self._size is None or self._at < self._size:
            try:
                if self._body is None:
                    self._body = self._open(size)
                    continue
                data = self._body.read(min(size, READ))
                if data:
                    return self._took(data)
                end, self._body = self._body.said.end, None
                if end is None and self._size is None:
                    self._size = self._at  # no length was ever said: the end of the body is that of the object
                elif end is None or self._at < end:
                    raise Broken("the connection ended early")
            except Broken as broken:
                self._drop()
                self._patience.wait(broken)
        return b""

    def _open(self, size: int) -> Body | Chunk:
        end = self._at + max(size, self._range)
        if self._last is not None and self._at < self._last:
            end = min(end, self._last)
        self._range = min(4 * self._range, LARGE)
        body = self._client.get(self.address, self._at, min(end, self._size or end), self._validator)
        self._pin(body.said)
        skip = self._at - body.said.start
        if skip and self._sought:
            raise Refused("unreachable", "the server does not serve byte ranges, which reading this needs")
        while skip:  # the whole object again, because the server cannot resume
            data = body.read(min(skip, READ))
            if not data:
                raise Broken("the connection ended early")
            skip -= len(data)
        return body

    def _took(self, data: bytes) -> bytes:
        self._at += len(data)
        self._patience.rewarded()
        if self._at > self.policy.max_bytes:
            raise self._too_large(self._at)
        return data

    def _pin(self, said: Said) -> None:
        """Hold every answer to the first one, or to the plan."""
        resized = None not in (self._size, said.size) and said.size != self._size
        rewritten = bool(self._validator and said.validator) and said.validator != self._validator
        if resized or rewritten:
            when = "since the run was planned" if self._planned else "while it was being read"
            raise InputError(f"the object changed {when}", where=self.address.shown,
                             expected="input that stays as it is during a run",
                             write="run again: the plan is made anew")
        self._validator = self._validator or said.validator
        self._size = said.size if self._size is None else self._size
        if self._size is not None and self._size > self.policy.max_bytes:
            raise self._too_large(self._size)

    def _too_large(self, size: int) -> Refused:
        self._drop()
        return Refused("too_large", f"{size} bytes or more; [network] max_bytes is {self.policy.max_bytes}")

    def _drop(self) -> None:
        """Give up what is on its way."""
        if self._body is not None:
            if not self._finished(self._body):
                self._client.close()
            self._body = None

    def _finished(self, body: Body | Chunk) -> bool:
        """Whether nothing more of a body is to come, so that its connection is good for another request."""
        return isinstance(body, Chunk) or (body.said.end == self._at and body.at_end())
