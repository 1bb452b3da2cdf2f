"""The default executor: a pool of worker processes on this machine, watched for stalls and for memory.

begin()                get ready, while the driver has no other threads
submit(number, task)   give a task to a free worker
poll(timeout)          what has happened since: `Done`, `Failed` or `Lost` (the worker died or had to be killed)
interrupt()            ask long tasks to save what they have and to stop
cancel()               kill all workers

It decides nothing about retries or poison: that is `dataengine.run`, the same for every executor.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import psutil

from dataengine.executors.processes import Born, Nursery, Program
from dataengine.tasks import STARTING, WAITING
from dataengine.worker import CURSOR

BEAT = 0.2
"""Seconds between two looks at the workers."""
IDLE_PATIENCE = 6
"""A record may take so many times its deadline of wall time, for a worker that waits or a machine that is busy."""


@dataclass(frozen=True)
class Done:
    """The task is committed (`manifest` is None for a probe)."""

    number: int
    manifest: Mapping[str, Any] | None


@dataclass(frozen=True)
class Failed:
    """The task ended with an error, said in words."""

    number: int
    error: Mapping[str, Any]


@dataclass(frozen=True)
class Lost:
    """The worker died or was killed: `reason` is ``crash``, ``timeout`` or ``out_of_memory``; the cursor says where."""

    number: int
    reason: str
    batch: int
    row: int
    detail: str = ""


Event = Done | Failed | Lost


@dataclass
class Worker:
    """One process, its pipes and what it is doing."""

    process: Born | Program
    answers: int
    cursor: Path
    number: int | None = None
    job: int = 0
    """Counts what was submitted, so that a cursor left by an earlier job is never taken for this one's."""
    capped: bool = True
    patience: float | None = None
    seen: tuple[int, int] = (0, STARTING)
    since_cpu: float = 0.0
    since: float = 0.0
    buffer: bytes = b""
    killed_for: str = ""
    log: Path = field(default_factory=Path)

    @cached_property
    def watch(self) -> psutil.Process:
        """What the system says of it."""
        return psutil.Process(self.process.pid)

    def place(self) -> tuple[int, int]:
        """(batch, row) as the worker last wrote them for the job it has."""
        job, batch, row = CURSOR.unpack(self.cursor.read_bytes()[: CURSOR.size])
        return (batch, row) if job == self.job else (0, STARTING)


class LocalExecutor:
    """A pool of at most `size` workers, started when needed and replaced when lost.

    With `fork` what this process has loaded is theirs too, where the system can do that.
    """

    def __init__(self, run: Path, size: int, memory: int, deadline: float, *, fork: bool = False) -> None:
        self.run, self.size, self.memory, self.deadline, self.fork = run, size, memory, deadline, fork
        self.workers: list[Worker] = []
        self.nursery: Nursery | None = None
        self.selector = selectors.DefaultSelector()
        self._last_beat = 0.0
        self._started = self._submitted = 0
        _open_standard_files()

    def begin(self) -> None:
        """Start the nursery, where there is one. Done before threads are started it may be a fork of this process."""
        if sys.platform == "linux" and self.nursery is None:
            self.nursery = Nursery(self.run / "tmp" / f"nursery.{os.getpid()}.log", fork=self.fork)
            self.selector.register(self.nursery.link, selectors.EVENT_READ, self.nursery)

    @property
    def free(self) -> int:
        """How many more tasks can be submitted now."""
        return self.size - sum(worker.number is not None for worker in self.workers)

    def submit(self, number: int, task: Mapping[str, Any], *, unlimited: bool = False) -> None:
        """Give the task to a free worker; `unlimited`: to a new one without a deadline and a cap on memory."""
        worker = next((worker for worker in self.workers if worker.number is None), None)
        if worker is not None and (unlimited or not worker.capped):
            self._remove(worker)
            worker = None
        if worker is None:
            worker = self._start(0 if unlimited else self.memory, task)
            worker.capped = not unlimited
        self._submitted += 1
        worker.number, worker.job, worker.patience = number, self._submitted, None if unlimited else self.deadline
        worker.seen, worker.since_cpu, worker.since = (0, STARTING), _cpu(worker), time.monotonic()
        assert worker.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died just now: poll will say so
            worker.process.stdin.write(json.dumps({"number": worker.job, **task}) + "\n")
            worker.process.stdin.flush()

    def poll(self, timeout: float) -> list[Event]:
        """Events since the last call; waits up to `timeout` seconds for the first."""
        events: list[Event] = []
        for key, _ in self.selector.select(min(timeout, BEAT)):
            if not isinstance(key.data, Nursery):
                events += self._read(key.data)
            elif not key.data.receive(wait=False):  # a worker buried just now may have taken the message in
                self.selector.unregister(key.fileobj)
        if time.monotonic() - self._last_beat >= BEAT:
            self._last_beat = time.monotonic()
            for worker in self.workers:
                self._watch(worker)
        return events

    def interrupt(self) -> None:
        """Ask what works without a deadline, such as a trainer, to save what it has. Workers do not listen."""
        for worker in self.workers:
            if worker.number is not None and not worker.capped:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.process.pid, signal.SIGTERM)

    def cancel(self) -> None:
        """Kill all workers and wait until they are gone."""
        if self.nursery and not all(worker.process.known for worker in self.workers):
            self.nursery.kill()
        for worker in list(self.workers):
            self._remove(worker)
        if self.nursery:
            self.nursery.close()
        self.selector.close()

    # --- one worker ---

    def _start(self, memory: int, task: Mapping[str, Any]) -> Worker:
        """A worker, made for this task."""
        self._started += 1
        cursor = self.run / "tmp" / f"cursor.{os.getpid()}.{self._started}"
        cursor.write_bytes(CURSOR.pack(0, 0, 0))
        log = self.run / "tmp" / f"worker.{os.getpid()}.{self._started}.log"
        with log.open("wb") as output:
            read_end, write_end = os.pipe()
            try:
                process = self._process([str(self.run), str(cursor), str(memory)], write_end, output, task)
            except BaseException:
                os.close(read_end)
                raise
            finally:
                os.close(write_end)
        worker = Worker(process, read_end, cursor, log=log)
        self.selector.register(read_end, selectors.EVENT_READ, worker)
        self.workers.append(worker)
        return worker

    def _process(self, arguments: list[str], answers: int, log: IO[bytes], task: Mapping[str, Any]) -> Born | Program:
        """The process of a worker. A nursery that died is not asked again."""
        self.begin()
        if self.nursery:
            with contextlib.suppress(ConnectionError):
                return self.nursery.bear(arguments, answers, log, task)
        return Program(arguments, answers, log)

    def _remove(self, worker: Worker) -> None:
        """Kill the worker with all it started; forget it."""
        worker.process.kill()
        worker.process.wait()
        with contextlib.suppress(KeyError):
            self.selector.unregister(worker.answers)
        os.close(worker.answers)
        with contextlib.suppress(OSError):
            assert worker.process.stdin is not None
            worker.process.stdin.close()
        worker.cursor.unlink(missing_ok=True)
        self.workers.remove(worker)
        if worker.process.known:
            for staging in (self.run / "tmp").glob(f"*.{worker.process.pid}"):
                shutil.rmtree(staging, ignore_errors=True)

    def _read(self, worker: Worker) -> list[Event]:
        """Answers of one worker; the end of its pipe means that it is dead."""
        data = os.read(worker.answers, 1 << 20)
        if not data:
            return self._bury(worker)
        worker.buffer += data
        *lines, worker.buffer = worker.buffer.split(b"\n")
        events: list[Event] = []
        for line in lines:
            answer = json.loads(line)
            number, worker.number = worker.number, None
            if number is None or answer.pop("number") != worker.job:
                continue
            if answer.get("failed") == "MemoryError":
                events.append(Lost(number, "out_of_memory", *worker.place()))
                self._remove(worker)  # what it still holds would be missing from the next task
            elif "failed" in answer:
                events.append(Failed(number, answer))
            else:
                events.append(Done(number, answer["done"]))
        return events

    def _bury(self, worker: Worker) -> list[Event]:
        """A dead worker: what it was on is lost, with the best reason we know."""
        number, (batch, row) = worker.number, worker.place()
        status = worker.process.wait()
        tail = _tail(worker.log)
        reason = worker.killed_for or "crash"
        self._remove(worker)
        if number is None:
            return []
        return [Lost(number, reason, batch, row, f"exit status {status}; {tail}".strip("; "))]

    def _watch(self, worker: Worker) -> None:
        """Kill a worker that is on one record for too long or holds too much memory."""
        if worker.number is None or worker.patience is None or worker.killed_for or not worker.process.known:
            return
        try:
            place, now, cpu = worker.place(), time.monotonic(), _cpu(worker)
            if place != worker.seen or place[1] in (STARTING, WAITING):
                worker.seen, worker.since, worker.since_cpu = place, now, cpu
            elif cpu - worker.since_cpu > worker.patience or now - worker.since > IDLE_PATIENCE * worker.patience:
                worker.killed_for = "timeout"
            if self.memory and worker.watch.memory_info().rss > self.memory:
                worker.killed_for = "out_of_memory"
        except psutil.Error:  # it is dying: its pipe will say so
            return
        if worker.killed_for:
            worker.process.kill()


def _cpu(worker: Worker) -> float:
    """Seconds of CPU the worker has used; a busy machine does not make a record look slow."""
    if not worker.process.known:
        return 0.0
    try:
        times = worker.watch.cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


def _tail(log: Path, size: int = 2000) -> str:
    """The end of a worker's log."""
    try:
        with log.open("rb") as file:
            file.seek(-min(size, file.seek(0, os.SEEK_END)), os.SEEK_END)
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _open_standard_files() -> None:
    """Point standard files that are closed at nothing, so that no pipe to a worker gets their numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
