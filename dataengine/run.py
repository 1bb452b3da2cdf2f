"""Plan -> committed shards: gives ready tasks to an executor until all are done, resumes, isolates poison.

What is done is what has a manifest; this module remembers nothing else between two runs. So a killed run is repeated,
finds what was committed, and makes the rest, byte for byte as if it had never been killed.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import json
import os
import shutil
import signal
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dataengine import errors, going_on, index, shards
from dataengine.errors import QuarantineExceeded, RunFailed
from dataengine.executors.local import Done, Event, Failed, LocalExecutor, Lost
from dataengine.faults import fault
from dataengine.going_on import Start
from dataengine.plan import Plan, Task, TaskRef
from dataengine.run_folder import empty, locked, make_writable, refuse_other_format
from dataengine.tasks import READING, STARTING, WAITING, WRITING
from dataengine.tasks.loaded import forkable

DRAIN_SECONDS = 10
"""After the first Ctrl-C, running tasks get so long to finish."""
DISK_RETRIES = 3
NETWORK_RETRIES = 2
"""How often a task is done again whose server did not answer, when others had their turn: with the default patience
after 20 and 80 seconds, beside half a minute within the task."""
POISON_LIMIT = 64
"""A task with more killing records than this is not bad luck; the run stops and says so."""
TRIES = 3
"""How often a task may be lost at a place where no record can be blamed."""
CAREFUL_BATCHES = 4
"""When so many batches of a task had to be worked on row by row, the rest of them are too."""
FEW_TASKS = 10_000
"""What a larger plan takes would count as memory of every worker that is a fork, which saves a long run nothing."""
TRACED = frozenset({"rows", "sketch", "units", "smaller"})
"""Kinds of task that work record by record, so that the one which kills a worker can be found."""
UNLIMITED = frozenset({"train", "classifier", "tokenizer"})
"""Kinds of task that work on a whole, not record by record: no deadline for a record, no cap on memory."""


class Executor(Protocol):
    """What an executor must do; see `executors.local`."""

    @property
    def free(self) -> int: ...
    def submit(self, number: int, task: dict[str, Any], *, unlimited: bool = False) -> None: ...
    def poll(self, timeout: float) -> list[Event]: ...
    def interrupt(self) -> None: ...
    def cancel(self) -> None: ...


class Watcher(Protocol):
    """Who is told how the run goes; see `progress`."""

    def started(self, totals: dict[str, tuple[int, int]], going_on: int = 0) -> None: ...
    def task_done(self, segment: str, manifest: dict[str, Any]) -> None: ...
    def interrupted(self) -> None: ...
    def finished(self) -> None: ...


@dataclass
class Search:
    """The hunt for the record that kills a task's worker.

    A loss on a whole batch has the batch repeated row by row, so that the next loss names its row. A row that is named
    is tried alone in a worker, which writes nothing; if it kills that too, it is poison.
    """

    task: Task
    poison: dict[str, str] = field(default_factory=dict)
    """``"batch:row"``, or ``"read"`` for the reader, -> reason; see `tasks.Job`."""
    careful: set[int] = field(default_factory=set)
    losses: Counter[tuple[int, int]] = field(default_factory=Counter)
    """How often the task was lost at this batch and row: once may be an accident."""
    suspect: tuple[int, int] | None = None
    """(batch, row) that is to be tried alone."""
    probing: tuple[int, int] | None = None
    """The suspect, while it is tried."""
    acquitted: Counter[tuple[int, int]] = field(default_factory=Counter)
    disk_errors: int = 0
    stored: Start | None = None
    """Where the task goes on from stored rows. Where that did not work it begins at its input."""
    unreachable: int = 0
    """How often a server did not answer."""


def run(
    plan: Plan, *, workers: int | None = None, watcher: Watcher | None = None, own_process: bool = False
) -> int:
    """Run what is to do of the plan. Returns how many tasks were run. Raises the errors of `dataengine.errors`.

    `own_process` says that this process has done nothing but make the plan: then workers are forks of it, which has
    loaded half of what they need.
    """
    out = plan.out
    make_writable(out)
    with locked(out):
        refuse_other_format(out)
        tmp = out / "tmp"
        empty(tmp)
        starts = going_on.starts(plan)
        shards.replace_atomically(out / "run.json", json.dumps(plan.record("running"), indent=1))
        fault("run_json")
        going_on.remember(plan)
        settings = plan.recipe.run
        size = workers or settings.workers or os.cpu_count() or 1
        fork = own_process and _forkable(plan)
        executor = LocalExecutor(out, size, settings.memory_per_worker, settings.record_deadline, fork=fork)
        driver = Driver(plan, executor, watcher, starts)
        try:
            if driver.waiting:
                executor.begin()
            count = driver.drive()
        finally:
            executor.cancel()
            shutil.rmtree(tmp, ignore_errors=True)
        index.publish_all(plan.indexes)
        shards.replace_atomically(out / "run.json", json.dumps(plan.record("complete"), indent=1))
    return count


def _forkable(plan: Plan) -> bool:
    """Whether workers may be forks of the process that made the plan."""
    stages = {block.stage.name for lane in plan.recipe.lanes.values() for block in lane}
    return forkable(stages) and sum(len(segment.tasks) for segment in plan.segments) <= FEW_TASKS


@dataclass
class Group:
    """Tasks that wait for one and the same tuple of inputs, such as all match tasks of a gather."""

    missing: int
    """How many of the inputs are not committed yet."""
    members: list[int] = field(default_factory=list)


class Driver:
    """Hands out tasks whose inputs are committed, in the order of the plan."""

    def __init__(
        self, plan: Plan, executor: Executor, watcher: Watcher | None, starts: Mapping[str, Start] | None = None
    ) -> None:
        self.plan, self.executor, self.watcher, self.starts = plan, executor, watcher, starts or {}
        self.tasks = list(plan.tasks)
        self.waiting: set[int] = set()
        """Tasks that are not done."""
        self.children: dict[TaskRef, list[Group]] = {}
        self.ready: deque[int] = deque()
        self.running: dict[int, Search] = {}
        self.searches: dict[int, Search] = {}
        self.again: deque[int] = deque()
        self.later: list[tuple[float, int]] = []
        """(time, task) to be tried again after the disk had a rest."""
        self.interrupts = 0
        groups: dict[int, Group] = {}
        for number, task in enumerate(self.tasks):
            if task.ref in plan.committed:
                continue
            self.waiting.add(number)
            if (group := groups.get(id(task.inputs))) is None:
                needs = set(task.inputs) - plan.committed
                group = groups[id(task.inputs)] = Group(len(needs))
                for ref in needs:
                    self.children.setdefault(ref, []).append(group)
            group.members.append(number)
            if not group.missing:
                self.ready.append(number)

    def drive(self) -> int:
        """Run until nothing is left. Returns the number of tasks run."""
        count = len(self.waiting)
        if self.watcher:
            self.watcher.started(
                {
                    segment.name: (sum(task.ref in self.plan.committed for task in segment.tasks), len(segment.tasks))
                    for segment in self.plan.segments
                },
                len(self.starts),
            )
        with self._interrupts():
            while self.waiting and not self.interrupts:
                self._submit()
                if not self.running and not self.later:
                    raise RunFailed("no task can start: the plan waits for itself", where=str(self.plan.out))
                for event in self.executor.poll(1.0):
                    self._handle(event)
            if self.interrupts:
                self._drain()
                raise KeyboardInterrupt
        if self.watcher:
            self.watcher.finished()
        return count

    def _submit(self) -> None:
        while self.later and self.later[0][0] <= time.monotonic():
            self.again.append(heapq.heappop(self.later)[1])
        while self.executor.free > 0 and not self._exclusive_running():
            queue = self.again or self.ready
            if not queue or not self._may_start(queue[0]):
                return
            self._start(queue.popleft())

    def _exclusive_running(self) -> bool:
        return any(_exclusive(search.task) for search in self.running.values())

    def _may_start(self, number: int) -> bool:
        """A task that uses all cores starts when nothing else runs."""
        return not (_exclusive(self.tasks[number]) and self.running)

    def _start(self, number: int) -> None:
        task = self.tasks[number]
        search = self.searches.get(number) or Search(task, stored=self.starts.get(task.ref.address))
        search.probing = search.suspect
        self.running[number] = search
        everywhere = len(search.careful) >= CAREFUL_BATCHES
        job = {
            "segment": task.ref.segment,
            "address": task.ref.address,
            "kind": task.kind,
            "inputs": [ref.address for ref in task.inputs],
            "body": dict(task.body),
            "poison": search.poison,
            "careful": [-1] if everywhere else sorted(search.careful),
            "probe": search.probing,
            "stored": astuple(search.stored) if search.stored else None,
        }
        self.executor.submit(number, job, unlimited=_unlimited(task))

    # --- what happened ---

    def _handle(self, event: Event) -> None:
        search = self.running.pop(event.number, None)
        if search is None:
            return
        match event:
            case Done(manifest=manifest) if search.probing is None:
                self._done(event.number, dict(manifest or {}))
            case Done():
                self._acquitted(event.number, search)
            case Failed(error=error):
                self._failed(event.number, search, dict(error))
            case Lost():
                self._lost(event, search)

    def _done(self, number: int, manifest: dict[str, Any]) -> None:
        self.waiting.discard(number)
        self.searches.pop(number, None)
        task = self.tasks[number]
        for group in self.children.pop(task.ref, []):
            group.missing -= 1
            if not group.missing:
                self.ready.extend(group.members)
        if self.watcher:
            self.watcher.task_done(task.ref.segment, manifest)

    def _failed(self, number: int, search: Search, error: dict[str, Any]) -> None:
        """An error in words: disk and network get a few tries, everything else ends the run."""
        kind = error.pop("failed")
        if search.stored and kind == "CorruptShard":
            self._from_its_input(number, search)
            return
        if kind == "Unreachable" and search.unreachable < NETWORK_RETRIES:
            search.unreachable += 1
            self.searches[number] = search
            rest = 10 * self.plan.recipe.network.first_wait * 4**search.unreachable
            heapq.heappush(self.later, (time.monotonic() + rest, number))
            return
        if (
            kind == "OSError"
            and error.get("errno") not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
            and search.disk_errors < DISK_RETRIES
        ):
            search.disk_errors += 1
            self.searches[number] = search
            heapq.heappush(self.later, (time.monotonic() + 0.1 * 4**search.disk_errors, number))
            return
        raise _as_error(kind, error, self.plan.out)

    def _lost(self, event: Lost, search: Search) -> None:
        """A worker died. Once may be an accident; twice at one record is a record to be quarantined."""
        number, place = event.number, (event.batch, event.row)
        if search.stored:
            self._from_its_input(number, search)
            return
        self.searches[number] = search
        self.again.append(number)
        search.losses[place] += 1
        if sum(search.losses.values()) > 5 * POISON_LIMIT or len(search.poison) > POISON_LIMIT:
            raise _hopeless(search, event)
        if search.probing is not None and place == search.probing:
            search.poison[f"{event.batch}:{event.row}"] = event.reason
            search.suspect = None
        elif search.task.kind not in TRACED or not self._traced(event, search):
            self._lost_whole(search, event)

    def _from_its_input(self, number: int, search: Search) -> None:
        """Going on from stored rows failed: the task is done whole, as if there had been none."""
        search.stored = None
        self.searches[number] = search
        self.again.append(number)

    def _traced(self, event: Lost, search: Search) -> bool:
        """Go after the record at which the worker was lost. False where the cursor names neither record nor batch."""
        if event.row >= 0:
            search.suspect = (event.batch, event.row)
        elif event.row == READING and "split" in search.task.body:
            if search.losses[event.batch, READING] > 1:
                search.poison[str(event.batch)] = event.reason
        elif event.row in (READING, STARTING, WAITING, WRITING) or event.batch in search.careful:
            return False
        else:
            search.careful.add(event.batch)
        return True

    def _acquitted(self, number: int, search: Search) -> None:
        """The suspect does no harm alone: an accident, or the harm was done by a row before it."""
        assert search.probing is not None
        search.acquitted[search.probing] += 1
        search.careful.add(search.probing[0])
        search.suspect = None
        if search.acquitted[search.probing] >= TRIES:
            batch, row = search.probing
            raise RunFailed(
                f"its worker was lost again and again at row {row} of batch {batch}, which does no harm alone",
                where=f"{search.task.ref.segment}/{search.task.ref.address}",
                expected="stages that leave nothing behind from one row to the next",
            )
        self.again.append(number)

    def _lost_whole(self, search: Search, event: Lost) -> None:
        """No record can be blamed: three tries."""
        one_place = search.task.kind in TRACED
        if (search.losses[event.batch, event.row] if one_place else search.losses.total()) >= TRIES:
            raise _hopeless(search, event)

    # --- interruption ---

    @contextlib.contextmanager
    def _interrupts(self) -> Iterator[None]:
        """First Ctrl-C or SIGTERM: let running tasks finish, for a while. Second: stop at once.

        Either way KeyboardInterrupt follows.
        """

        def interrupted(signum: int, frame: Any) -> None:
            self.interrupts += 1  # the first is seen between two events, where nothing is half done
            if self.interrupts > 1:
                raise KeyboardInterrupt

        try:
            before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: the caller sees to signals
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _drain(self) -> None:
        if self.watcher and self.running:
            self.watcher.interrupted()
        self.executor.interrupt()
        limit = time.monotonic() + DRAIN_SECONDS
        while self.running and time.monotonic() < limit:
            for event in self.executor.poll(0.2):
                search = self.running.pop(event.number, None)
                if search and isinstance(event, Done) and search.probing is None:
                    self._done(event.number, dict(event.manifest or {}))


def _hopeless(search: Search, event: Lost) -> RunFailed:
    advice = {"out_of_memory": "a larger [run] memory_per_worker", "timeout": "a longer [run] record_deadline"}
    return RunFailed(
        f"its worker was lost again and again ({event.reason}); {event.detail}"[:3000],
        where=f"{search.task.ref.segment}/{search.task.ref.address}",
        write=advice.get(event.reason, ""),
    )


def _unlimited(task: Task) -> bool:
    """Whether the task needs a worker of its own. A tokenizer that there is already is copied by any."""
    return task.kind in UNLIMITED and not (task.kind == "tokenizer" and "model" in task.body)


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


# --- when all is done -------------------------------------------------------------------------------------------------


def check_quarantine(plan: Plan) -> None:
    """Raise QuarantineExceeded where more records were quarantined than the recipe allows. What was made stays."""
    read = bad = 0
    for segment in plan.segments:
        if segment.kind != "rows":
            continue
        for task in segment.tasks:
            accounts = shards.read_manifest(task.ref.folder(plan.out)).accounts
            read += accounts[0].rows_in if "split" in task.body else 0
            bad += sum(sum(account.quarantined.values()) for account in accounts)
    limit = plan.recipe.run.max_quarantined
    if bad > limit * max(read, 1):
        raise QuarantineExceeded(
            f"{bad} of {read} records were quarantined ({bad / max(read, 1):.1%})",
            where=str(plan.out),
            expected=f"at most {limit:.1%} ([run] max_quarantined)",
            write=f'dataengine sql {plan.out} "select step, reason, detail, origin from quarantined" shows them',
        )
