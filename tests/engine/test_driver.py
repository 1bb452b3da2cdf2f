"""The driver against an executor that loses workers: every order, every accident, every poison; and the real pool."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from dataengine.errors import RunFailed
from dataengine.executors.local import Done, Event, LocalExecutor, Lost
from dataengine.plan import Plan, Segment, Task, TaskRef
from dataengine.run import Driver
from dataengine.tasks import PROCESSING, READING, STARTING, WRITING
from tests.engine.projects import dataengine, project

BATCH, BATCHES = 8, 3


@dataclass
class Data:
    """What is wrong with the input of one task, and how its stage reports."""

    killers: dict[tuple[int, int], str] = field(default_factory=dict)
    """(batch, row) -> how it kills."""
    dead_reads: frozenset[int] = frozenset()
    says_rows: bool = False


def outcome(job: dict[str, Any], data: Data) -> tuple[str, int, int] | None:
    """What a worker would do with the job: None where it lives, else (reason, batch, row) as its cursor says."""
    for batch in range(BATCHES):
        if batch in data.dead_reads and str(batch) not in job["poison"]:
            return "crash", batch, READING
        if job["probe"] and job["probe"][0] != batch:
            continue
        for row in [job["probe"][1]] if job["probe"] else range(BATCH):
            if (batch, row) in data.killers and f"{batch}:{row}" not in job["poison"]:
                named = data.says_rows or job["probe"] or batch in job["careful"] or -1 in job["careful"]
                return data.killers[batch, row], batch, row if named else PROCESSING
        if job["probe"]:
            return None
    return None


class Simulated:
    """An executor in which workers finish in any order and now and then die for no reason."""

    def __init__(self, data: dict[int, Data], seed: int, accidents: float) -> None:
        self.data, self.random, self.accidents = data, random.Random(seed), accidents
        self.running: dict[int, dict[str, Any]] = {}
        self.finished: list[int] = []
        self.last: dict[int, dict[str, Any]] = {}

    @property
    def free(self) -> int:
        return 3 - len(self.running)

    def submit(self, number: int, task: dict[str, Any], *, unlimited: bool = False) -> None:
        assert number not in self.running
        self.running[number] = task

    def poll(self, timeout: float) -> list[Event]:
        number = self.random.choice(sorted(self.running))
        job = self.running.pop(number)
        if not job["probe"] and self.random.random() < self.accidents:
            place = self.random.choice([(0, STARTING), (1, WRITING), (2, PROCESSING), (0, 3), (2, READING)])
            return [Lost(number, "crash", *place)]
        if lost := outcome(job, self.data.get(number, Data())):
            return [Lost(number, *lost)]
        if job["probe"] is None:
            self.finished.append(number)
            self.last[number] = job
        return [Done(number, None if job["probe"] else {})]

    def interrupt(self) -> None: ...
    def cancel(self) -> None: ...


def plan(folder: Path, shape: list[list[int]]) -> Plan:
    """Tasks 0, 1, ...: `shape` says of each which ones it needs."""
    refs = [TaskRef("web", f"{number:032x}") for number in range(len(shape))]
    body = {"split": [], "config": {}}
    tasks = tuple(
        Task(ref, "rows", tuple(refs[other] for other in needs), body)
        for ref, needs in zip(refs, shape, strict=True)
    )
    return Plan(SimpleNamespace(), folder, (Segment("web", "rows", "web", (), tasks),))  # type: ignore[arg-type]


SHAPE: list[list[int]] = [[], [], [], [0], [1, 2], [3, 4], [3, 4], [5, 6], []]


@pytest.mark.parametrize("seed", range(150))
def test_whatever_is_lost_every_task_is_done_once_after_what_it_needs_and_only_the_guilty_are_poison(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    data = {
        number: Data(
            {
                (rng.randrange(BATCHES), rng.randrange(BATCH)): rng.choice(["crash", "timeout", "out_of_memory"])
                for _ in range(rng.randrange(4))
            },
            frozenset(rng.sample(range(BATCHES), rng.randrange(2))),
            rng.random() < 0.5,
        )
        for number in range(len(SHAPE))
    }
    executor = Simulated(data, seed, accidents=0.0)
    assert Driver(plan(tmp_path, SHAPE), executor, None).drive() == len(SHAPE)
    assert sorted(executor.finished) == list(range(len(SHAPE)))
    for number, needs in enumerate(SHAPE):
        assert all(executor.finished.index(other) < executor.finished.index(number) for other in needs)
        guilty = {f"{batch}:{row}": reason for (batch, row), reason in data[number].killers.items()}
        assert executor.last[number]["poison"] == guilty | {str(read): "crash" for read in data[number].dead_reads}


@pytest.mark.parametrize("seed", range(150))
def test_accidents_poison_nobody(tmp_path: Path, seed: int) -> None:
    executor = Simulated({}, seed, accidents=0.08)
    try:
        Driver(plan(tmp_path, SHAPE), executor, None).drive()
    except RunFailed as error:  # three accidents in one task at one place
        assert "again and again" in str(error)
        return
    blamed = [(number, job["poison"]) for number, job in executor.last.items() if job["poison"]]
    assert all(poison == {"2": "crash"} for _, poison in blamed), "twice in the same reading is taken for the reader"


def test_a_worker_that_never_gets_as_far_as_the_data_stops_the_run_and_blames_no_record(tmp_path: Path) -> None:
    class Broken(Simulated):
        def poll(self, timeout: float) -> list[Event]:
            return [Lost(self.running.popitem()[0], "crash", 0, STARTING, "exit status 1; no module named numpy")]

    with pytest.raises(RunFailed, match="no module named numpy"):
        Driver(plan(tmp_path, [[]]), Broken({}, 0, 0.0), None).drive()


def test_a_row_at_which_workers_die_but_which_is_harmless_alone_stops_the_run(tmp_path: Path) -> None:
    class Delayed(Simulated):
        def poll(self, timeout: float) -> list[Event]:
            number, job = self.running.popitem()
            return [Done(number, None) if job["probe"] else Lost(number, "crash", 1, 5)]

    with pytest.raises(RunFailed, match="row 5 of batch 1"):
        Driver(plan(tmp_path, [[]]), Delayed({}, 0, 0.0), None).drive()


def test_thousands_of_tasks_that_need_thousands_are_no_burden(tmp_path: Path) -> None:
    sketches = tuple(TaskRef("sketch", f"{number:032x}") for number in range(4000))
    first = tuple(Task(ref, "rows", (), {"split": []}) for ref in sketches)
    matches = tuple(Task(TaskRef("match", f"{number:032x}"), "rows", sketches, {"split": []}) for number in range(1500))
    segments = (Segment("sketch", "rows", "web", (), first), Segment("match", "rows", "web", (), matches))
    before = psutil.Process().memory_info().rss
    executor = Simulated({}, 0, 0.0)
    driver = Driver(Plan(SimpleNamespace(), tmp_path, segments), executor, None)  # type: ignore[arg-type]
    assert psutil.Process().memory_info().rss - before < 50 << 20
    assert driver.drive() == 5500
    assert min(map(executor.finished.index, range(4000, 4010))) >= 4000


# --- the pool ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pool(tmp_path: Path) -> Any:
    (tmp_path / "tmp").mkdir()
    executor = LocalExecutor(tmp_path, 1, 2 << 30, 20.0)
    yield executor
    executor.cancel()


def event(executor: LocalExecutor) -> Event:
    """The next thing that happens."""
    while True:
        if found := executor.poll(1.0):
            return found[0]


JOB = {"segment": "web", "address": "0" * 32, "kind": "nonsense", "inputs": [], "body": {}}


def test_workers_that_come_and_go_leave_no_process_and_no_open_file(pool: LocalExecutor, tmp_path: Path) -> None:
    me = psutil.Process()
    pool.submit(0, JOB)
    event(pool)
    files, children = me.num_fds(), len(me.children())
    for number in range(5):
        pool.workers[0].process.kill()
        while pool.workers:
            pool.poll(0.1)
        pool.submit(number, JOB)
        event(pool)
    assert (me.num_fds(), len(me.children())) == (files, children)
    assert len(list((tmp_path / "tmp").glob("cursor.*"))) == 1


def test_a_worker_killed_before_it_read_anything_says_that_it_was_starting(pool: LocalExecutor) -> None:
    for _ in range(2):  # the first job of all has number 0, and so had the cursor of a fresh worker
        pool.submit(0, JOB)
        os.kill(pool.workers[0].process.pid, 9)
        lost = event(pool)
        assert isinstance(lost, Lost) and (lost.reason, lost.batch, lost.row) == ("crash", 0, STARTING)


def test_what_a_dead_worker_left_in_the_staging_folder_is_removed(pool: LocalExecutor, tmp_path: Path) -> None:
    pool.submit(0, JOB)
    pid = pool.workers[0].process.pid
    (tmp_path / "tmp" / f"0f.{pid}").mkdir()
    os.kill(pid, 9)
    event(pool)
    assert not (tmp_path / "tmp" / f"0f.{pid}").exists()


def test_a_folder_of_other_things_is_not_made_a_run(tmp_path: Path) -> None:
    recipe = project(tmp_path / "project")
    precious = tmp_path / "elsewhere" / "tmp" / "precious"
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    done = dataengine("run", recipe, "--quiet", "--out", tmp_path / "elsewhere", cwd=tmp_path)
    assert done.returncode == 2 and "holds other things: tmp" in done.stderr
    assert precious.read_text() == "mine"


def test_a_reader_does_not_read_what_runs_have_made(tmp_path: Path) -> None:
    recipe = project(tmp_path, 'name = "here"\n[[data.all]]\nstage = "read.jsonl"\npaths = "."\n')
    for _ in range(2):
        done = dataengine("run", recipe, "--quiet", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    again = dataengine("plan", recipe, cwd=tmp_path)
    assert "0 of 1 task to run" in again.stdout
