"""Plan -> committed shards: gives ready tasks to an executor until all are done, resumes, isolates poison.

What is done is what has a manifest; this module remembers nothing else between two runs. So a killed run is repeated,
finds what was committed, and makes the rest, byte for byte as if it had never been killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dataengine import errors, shards
from dataengine.errors import InputError, QuarantineExceeded, RunFailed, RunLocked
from dataengine.executors.local import Done, Event, Failed, LocalExecutor, Lost
from dataengine.faults import fault
from dataengine.plan import Plan, Task, TaskRef

DRAIN_SECONDS = 10
"""After the first Ctrl-C, running tasks get so long to finish."""
DISK_RETRIES = 3
POISON_LIMIT = 64
"""A task with more killing records than this is not bad luck; the run stops and says so."""
READING = -1
"""What the cursor says in place of a row while the next batch is read; see `tasks.rows`."""
PROBE_ROWS = 1024
"""Rows in the largest batch; see `tasks.rows`."""
UNLIMITED = frozenset({"train", "classifier", "tokenizer"})
"""Kinds of task that work on a whole, not record by record: no deadline for a record, no cap on memory."""


class Executor(Protocol):
    """What an executor must do; see `executors.local`."""

    @property
    def free(self) -> int: ...
    def submit(self, number: int, task: dict[str, Any], *, fresh: bool = False, unlimited: bool = False) -> None: ...
    def poll(self, timeout: float) -> list[Event]: ...
    def cancel(self) -> None: ...


class Watcher(Protocol):
    """Who is told how the run goes; see `progress`."""

    def started(self, totals: dict[str, tuple[int, int]]) -> None: ...
    def task_done(self, segment: str, manifest: dict[str, Any]) -> None: ...
    def finished(self) -> None: ...


@dataclass
class Search:
    """The hunt for the record that kills a task's worker."""

    task: Task
    poison: dict[str, str] = field(default_factory=dict)
    losses: dict[tuple[int, int], int] = field(default_factory=dict)
    """How often the task was lost at this batch and row: once may be an accident."""
    ranges: deque[tuple[int, int, int]] = field(default_factory=deque)
    """(batch, first row, end row) still to be probed."""
    probing: tuple[int, int, int] | None = None
    confirmed: dict[int, int] = field(default_factory=dict)
    """Row -> how often it killed a worker alone."""
    found: int = 0
    disk_errors: int = 0


def run(plan: Plan, *, workers: int | None = None, watcher: Watcher | None = None) -> int:
    """Run what is to do of the plan. Returns how many tasks were run. Raises the errors of `dataengine.errors`."""
    out = plan.out
    _make_writable(out)
    with locked(out):
        _refuse_other_format(out)
        tmp = out / "tmp"
        shutil.rmtree(tmp, ignore_errors=True)
        tmp.mkdir(parents=True)
        shards.replace_atomically(out / "run.json", json.dumps(plan.record("running"), indent=1))
        fault("run_json")
        settings = plan.recipe.run
        size = workers or settings.workers or os.cpu_count() or 1
        executor = LocalExecutor(out, size, settings.memory_per_worker, settings.record_deadline)
        driver = Driver(plan, executor, watcher)
        try:
            count = driver.drive()
        finally:
            executor.cancel()
            shutil.rmtree(tmp, ignore_errors=True)
        shards.replace_atomically(out / "run.json", json.dumps(plan.record("complete"), indent=1))
    return count


class Driver:
    """Hands out tasks whose inputs are committed, in the order of the plan."""

    def __init__(self, plan: Plan, executor: Executor, watcher: Watcher | None) -> None:
        self.plan, self.executor, self.watcher = plan, executor, watcher
        self.tasks = list(plan.tasks)
        self.waiting: dict[int, set[TaskRef]] = {}
        self.children: dict[TaskRef, list[int]] = {}
        self.ready: deque[int] = deque()
        self.running: dict[int, Search] = {}
        self.searches: dict[int, Search] = {}
        self.again: deque[int] = deque()
        self.interrupts = 0
        for number, task in enumerate(self.tasks):
            if task.ref in plan.committed:
                continue
            needs = {ref for ref in task.inputs if ref not in plan.committed}
            self.waiting[number] = needs
            for ref in needs:
                self.children.setdefault(ref, []).append(number)
            if not needs:
                self.ready.append(number)

    def drive(self) -> int:
        """Run until nothing is left. Returns the number of tasks run."""
        count = len(self.waiting)
        if self.watcher:
            self.watcher.started(
                {
                    segment.name: (sum(task.ref in self.plan.committed for task in segment.tasks), len(segment.tasks))
                    for segment in self.plan.segments
                }
            )
        with self._interrupts():
            while self.waiting:
                self._submit()
                if not self.running:
                    raise RunFailed("no task can start: the plan waits for itself", where=str(self.plan.out))
                for event in self.executor.poll(1.0):
                    self._handle(event)
        if self.watcher:
            self.watcher.finished()
        return count

    def _submit(self) -> None:
        while self.executor.free > 0 and not self._exclusive_running():
            if self.again:
                number = self.again.popleft()
            elif self.ready and self._may_start(self.ready[0]):
                number = self.ready.popleft()
            else:
                return
            self._start(number)

    def _exclusive_running(self) -> bool:
        return any(_exclusive(search.task) for search in self.running.values())

    def _may_start(self, number: int) -> bool:
        """A task that uses all cores starts when nothing else runs."""
        return not (_exclusive(self.tasks[number]) and self.running)

    def _start(self, number: int) -> None:
        task = self.tasks[number]
        search = self.searches.get(number) or Search(task)
        search.probing = search.ranges.popleft() if search.ranges else None
        self.running[number] = search
        job = {
            "segment": task.ref.segment,
            "address": task.ref.address,
            "kind": task.kind,
            "inputs": [ref.address for ref in task.inputs],
            "body": dict(task.body),
            "poison": search.poison,
            "probe": search.probing,
        }
        self.executor.submit(number, job, fresh=bool(search.losses), unlimited=task.kind in UNLIMITED)

    # --- what happened ---

    def _handle(self, event: Event) -> None:
        search = self.running.pop(event.number, None)
        if search is None:
            return
        match event:
            case Done(manifest=manifest) if search.probing is None:
                self._done(event.number, dict(manifest or {}))
            case Done():
                self.again.append(event.number)
            case Failed(error=error):
                self._failed(event.number, search, dict(error))
            case Lost():
                self._lost(event, search)

    def _done(self, number: int, manifest: dict[str, Any]) -> None:
        del self.waiting[number]
        self.searches.pop(number, None)
        task = self.tasks[number]
        for child in self.children.get(task.ref, []):
            self.waiting[child].discard(task.ref)
            if not self.waiting[child]:
                self.ready.append(child)
        if self.watcher:
            self.watcher.task_done(task.ref.segment, manifest)

    def _failed(self, number: int, search: Search, error: dict[str, Any]) -> None:
        """An error in words: the disk gets a few tries, everything else ends the run."""
        kind = error.pop("failed")
        if (
            kind == "OSError"
            and error.get("errno") not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
            and search.disk_errors < DISK_RETRIES
        ):
            search.disk_errors += 1
            self.searches[number] = search
            time.sleep(0.1 * 4**search.disk_errors)
            self.again.append(number)
            return
        raise _as_error(kind, error, self.plan.out)

    def _lost(self, event: Lost, search: Search) -> None:
        """A worker died. Once may be an accident; the same place twice is a record to be found and quarantined."""
        number, place = event.number, (event.batch, event.row)
        self.searches[number] = search
        self.again.append(number)
        if search.task.kind != "rows" or (event.row == READING and "split" not in search.task.body):
            self._lost_whole(event, search)
        elif search.probing is not None:
            self._lost_probe(event, search, search.probing)
        else:
            search.losses[place] = search.losses.get(place, 0) + 1
            if sum(search.losses.values()) > 3 * POISON_LIMIT or len(search.poison) > POISON_LIMIT:
                raise self._hopeless(search, event)
            if event.reason == "crash" and search.losses[place] < 2:
                return
            if event.row == READING:
                search.poison[str(event.batch)] = event.reason
            elif event.row >= 0:
                search.ranges.append((event.batch, event.row, event.row + 1))
            else:
                search.ranges.extend(_halves((event.batch, 0, PROBE_ROWS)))

    def _lost_probe(self, event: Lost, search: Search, probed: tuple[int, int, int]) -> None:
        batch, first, end = probed
        if end - first > 1:
            if event.row >= 0:
                search.ranges.appendleft((batch, event.row, event.row + 1))
                return
            search.ranges.extendleft(reversed(_halves(probed)))
            return
        search.confirmed[first] = search.confirmed.get(first, 0) + 1
        if event.reason == "crash" and search.confirmed[first] < 2:
            search.ranges.appendleft(probed)
            return
        search.poison[f"{batch}:{first}"] = event.reason
        search.confirmed.clear()

    def _lost_whole(self, event: Lost, search: Search) -> None:
        """A task with no records to isolate gets three tries."""
        search.losses[0, 0] = search.losses.get((0, 0), 0) + 1
        if search.losses[0, 0] >= 3:
            raise self._hopeless(search, event)

    def _hopeless(self, search: Search, event: Lost) -> RunFailed:
        advice = {"out_of_memory": "a larger [run] memory_per_worker", "timeout": "a longer [run] record_deadline"}
        return RunFailed(
            f"its worker was lost again and again ({event.reason}); {event.detail}"[:3000],
            where=f"{search.task.ref.segment}/{search.task.ref.address}",
            write=advice.get(event.reason, ""),
        )

    # --- interruption ---

    @contextlib.contextmanager
    def _interrupts(self) -> Iterator[None]:
        """First Ctrl-C or SIGTERM: let running tasks finish, for a while. Second: stop at once. Then KeyboardInterrupt."""

        def interrupted(signum: int, frame: Any) -> None:
            self.interrupts += 1
            if self.interrupts > 1:
                raise KeyboardInterrupt
            raise _Drain

        try:
            before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: the caller sees to signals
            before = {}
        try:
            yield
        except _Drain:
            self._drain()
            raise KeyboardInterrupt from None
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _drain(self) -> None:
        limit = time.monotonic() + DRAIN_SECONDS
        while any(search.task.kind not in UNLIMITED for search in self.running.values()) and time.monotonic() < limit:
            for event in self.executor.poll(0.2):
                search = self.running.pop(event.number, None)
                if search and isinstance(event, Done) and search.probing is None:
                    self._done(event.number, dict(event.manifest or {}))


class _Drain(BaseException):
    """The first interrupt."""


def _halves(place: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    batch, first, end = place
    middle = (first + end) // 2
    return [(batch, first, middle), (batch, middle, end)]


def _exclusive(task: Task) -> bool:
    """Whether the task uses all cores by itself."""
    return task.kind == "train" and task.body["config"].get("threads") != 1


def _as_error(kind: str, error: dict[str, Any], out: Path) -> Exception:
    """A worker's answer as the exception it was."""
    if kind == "Fault":
        trace = out / "fault.txt"
        trace.write_text(error.get("trace", ""), encoding="utf-8")
        return RunFailed(
            f"{error['found']} (this is a fault of dataengine or of a stage; the details are in {trace})",
            where=error["where"],
        )
    if kind == "OSError":
        free = shutil.disk_usage(out).free
        hint = f"{free / 1e6:,.0f} MB are free in {out}" if error.get("errno") in (errno.ENOSPC, errno.EDQUOT) else ""
        return RunFailed(
            f"the system refused: {error['found']}",
            where=error["where"],
            expected=hint,
            write="run again when it is put right; nothing committed is lost",
        )
    cls = getattr(errors, kind, RunFailed)
    return cls(error["found"], where=error["where"], expected=error["expected"], write=error["write"])


# --- the run's folder -------------------------------------------------------------------------------------------------


def _make_writable(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"the run cannot be written here: {error.strerror}", where=str(out), write="--out with another folder"
        ) from error


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the run's lock: an OS lock, so that it is gone when its process is, however it died."""
    with (out / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise RunLocked(
                f"another process is writing this run: {file.read().strip() or 'its name is not known'}",
                where=str(out),
                write="wait for it, stop it, or choose another --out",
            ) from None
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        file.flush()
        yield


def _refuse_other_format(out: Path) -> None:
    path = out / "run.json"
    if not path.exists():
        return
    try:
        found = shards.load_json(path).get("format")
    except (OSError, ValueError, AttributeError) as error:
        raise RunFailed(
            f"run.json cannot be read: {error}", where=str(path), write="--out with another folder, or remove this one"
        ) from error
    if found != shards.FORMAT:
        raise RunFailed(
            f"this run has format {found}",
            where=str(path),
            expected=f"format {shards.FORMAT}",
            write="--out with another folder, or remove this one",
        )


def check_quarantine(plan: Plan) -> None:
    """Raise QuarantineExceeded where more records were quarantined than the recipe allows. What was made stays."""
    read = bad = 0
    for segment in plan.segments:
        if segment.kind != "rows":
            continue
        for task in segment.tasks:
            for account in shards.read_manifest(task.ref.folder(plan.out)).accounts:
                read += account.rows_in if account.stage.startswith(("read.", "make.")) else 0
                bad += sum(account.quarantined.values())
    limit = plan.recipe.run.max_quarantined
    if bad > limit * max(read, 1):
        raise QuarantineExceeded(
            f"{bad} of {read} records were quarantined ({bad / max(read, 1):.1%})",
            where=str(plan.out),
            expected=f"at most {limit:.1%} ([run] max_quarantined)",
            write=f'dataengine sql {plan.out} "select step, reason, detail, origin from quarantined" shows them',
        )
