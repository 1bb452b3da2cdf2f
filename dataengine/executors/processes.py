"""How a worker's process comes to be: born in the nursery on Linux, started as a program elsewhere.

Both kinds have the same face: `pid`, `known` (whether there is a process yet), `stdin`, `kill`, `wait`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import psutil

from dataengine.nursery import PACKET, UNHEARD, begin
from dataengine.tasks.loaded import wanted
from dataengine.threads import NO_THREADS, alone

GRACE = 5.0
"""Seconds for workers to follow a nursery that died: the system kills them."""


def environment() -> dict[str, str]:
    """Of workers: one thread each, and our own module path."""
    return os.environ | NO_THREADS | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


class Program:
    """A worker started as a program of its own."""

    known = True

    def __init__(self, arguments: list[str], answers: int, log: IO[bytes]) -> None:
        run, cursor, memory = arguments
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dataengine.worker", run, str(answers), cursor, memory],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(answers,),
            start_new_session=True,
            text=True,
            env=environment(),
        )
        self.pid = self._process.pid
        self.stdin = self._process.stdin

    def kill(self) -> None:
        """With all that it started."""
        _kill(self.pid)

    def wait(self) -> int:
        return self._process.wait()


class Born:
    """A worker that the nursery forks, as soon as it gets to it."""

    def __init__(self, nursery: Nursery, stdin: IO[str]) -> None:
        self.nursery, self.stdin = nursery, stdin
        self.number = 0
        self._status: int | None = None

    @property
    def known(self) -> bool:
        return self.number != 0

    @property
    def pid(self) -> int:
        """Waits for the birth. Raises ProcessLookupError where there will be none."""
        while not self.number and self.nursery.receive():
            pass
        if not self.number:
            raise ProcessLookupError("the nursery died before this worker was born")
        return self.number

    def kill(self) -> None:
        """With all that it started."""
        with contextlib.suppress(ProcessLookupError):
            _kill(self.pid)

    def wait(self) -> int:
        if self._status is None:
            try:
                self._status = self.nursery.wait(self.pid)
            except ProcessLookupError:
                self._status = -signal.SIGKILL
        return self._status


def _kill(pid: int) -> None:
    """Kill a worker and its process group, which it may not have made yet."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


class Fork:
    """A nursery that is a fork of this process."""

    def __init__(self, link: int, log: IO[bytes]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, UNHEARD)  # no handler of ours may run in the fork
        self.pid = os.fork()
        if not self.pid:
            begin(link, log.fileno(), parent, environment())
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        with contextlib.suppress(ChildProcessError):  # waited for before
            os.waitpid(self.pid, 0)


def _program(link: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """A nursery as a program of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "dataengine.nursery", str(link)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=(link,),
        start_new_session=True,
        env=environment(),
    )


class Nursery:
    """The driver's side of `dataengine.nursery`. With `fork` it is a fork of this process, if that has one thread."""

    def __init__(self, log: Path, *, fork: bool = False) -> None:
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, log.open("wb") as output:
            self.process = (Fork if fork and alone() else _program)(theirs.fileno(), output)
        self.alive = True
        self._unborn: deque[Born] = deque()
        self._ended: int | None = None

    def bear(self, arguments: list[str], answers: int, log: IO[bytes], task: Mapping[str, Any]) -> Born:
        """A worker for this task, the first of those it will get. Raises OSError where the nursery is dead."""
        read_end, write_end = os.pipe()
        born = Born(self, os.fdopen(write_end, "w"))
        try:
            message = {"worker": arguments, "prepare": wanted(task)}
            if len(packet := json.dumps(message).encode()) > PACKET:
                packet = json.dumps(message | {"prepare": None}).encode()
            socket.send_fds(self.link, [packet], [read_end, answers, log.fileno()])
        except BaseException:
            born.stdin.close()
            raise
        finally:
            os.close(read_end)
        self._unborn.append(born)
        return born

    def receive(self, wait: bool = True) -> bool:
        """Take one message in, if need be waiting for it. False where the nursery is dead."""
        packet = b""
        if self.alive:
            try:
                packet = self.link.recv(PACKET, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            except ConnectionError:
                pass
            self.alive = bool(packet)
        if packet:
            message = json.loads(packet)
            if "born" in message:
                self._unborn.popleft().number = message["born"]
            else:
                self._ended = message["ended"]
        return self.alive

    def wait(self, pid: int) -> int:
        """Wait for the end of a worker; its exit status, negative the signal that killed it."""
        self._ended = None
        with contextlib.suppress(ConnectionError):
            self.link.send(json.dumps({"wait": pid}).encode())
            while self._ended is None and self.receive():
                pass
        if self._ended is not None:
            return self._ended
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).wait(GRACE)
        return -signal.SIGKILL

    def close(self) -> None:
        """End the process, which has no workers any more."""
        self.link.close()
        self.process.wait()

    def kill(self) -> None:
        """End the process, whatever it is doing; its workers die with it."""
        self.process.kill()
        self.alive = False
