"""Workers on Linux are forks of a process that has loaded what they need: what they are, and what if that fails."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dataengine import stage
from dataengine.executors import processes
from dataengine.executors.local import Event, Failed, LocalExecutor, Lost
from dataengine.executors.processes import Born, Program
from dataengine.tasks import loaded
from dataengine.threads import NO_THREADS
from tests.engine.test_driver import event

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are programs of their own")

JOB = {"segment": "web", "address": "0" * 32, "kind": "rows", "inputs": [], "body": {"steps": [], "columns_all": {}}}
"""It fails in the worker, behind its imports, with an error in words."""


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[LocalExecutor]:
    (tmp_path / "tmp").mkdir()
    executor = LocalExecutor(tmp_path, 2, 2 << 30, 20.0)
    yield executor
    executor.cancel()


def nursery(executor: LocalExecutor) -> psutil.Process:
    assert executor.nursery is not None
    return psutil.Process(executor.nursery.process.pid)


def test_a_worker_is_a_fork_of_the_nursery_in_a_session_of_its_own(pool: LocalExecutor) -> None:
    pool.submit(0, JOB)
    assert isinstance(event(pool), Failed)
    (worker,) = pool.workers
    assert isinstance(worker.process, Born) and worker.process.known
    assert worker.watch.ppid() == nursery(pool).pid and nursery(pool).ppid() == os.getpid()
    assert "dataengine.nursery" in worker.watch.cmdline()
    assert os.getsid(worker.process.pid) == worker.process.pid != os.getsid(0)


def test_a_death_and_a_birth_that_come_at_once_do_not_stop_the_driver(pool: LocalExecutor) -> None:
    pool.submit(0, JOB)
    event(pool)
    (dying,) = pool.workers
    dying.process.kill()
    select.select([dying.answers], [], [])
    pool._start(0, JOB)
    assert pool.nursery is not None
    select.select([pool.nursery.link], [], [])
    polling = threading.Thread(target=pool.poll, args=(1.0,), daemon=True)
    polling.start()
    polling.join(30)
    assert not polling.is_alive()
    (born,) = pool.workers
    assert born is not dying and born.process.known


def test_a_worker_holds_no_pipe_of_another(pool: LocalExecutor) -> None:
    for number in range(2):
        pool.submit(number, JOB)
    while not all(worker.number is None for worker in pool.workers):
        pool.poll(0.2)
    first, second = (pipes(worker.process.pid) for worker in pool.workers)
    assert len(first) == len(second) == 2, "tasks and answers"
    assert not first & second and not (first | second) & pipes(nursery(pool).pid)


def pipes(pid: int) -> set[str]:
    """The pipes and sockets that a process has open."""
    links = (os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd"))
    return {link for link in links if link.startswith(("pipe:", "socket:"))}


def test_a_nursery_with_a_second_thread_forks_nobody(pool: LocalExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "NO_THREADS", {"JE_ARROW_MALLOC_CONF": "background_thread:true"})
    pool.submit(0, JOB)
    assert isinstance(event(pool), Failed)
    if nursery(pool).num_threads() == 1:
        pytest.skip("this build of Arrow starts no thread")
    (worker,) = pool.workers
    assert worker.watch.ppid() == nursery(pool).pid and "dataengine.worker" in worker.watch.cmdline()


def test_the_pool_goes_on_without_a_nursery_that_was_killed(pool: LocalExecutor) -> None:
    pool.submit(0, JOB)
    event(pool)
    (worker,) = pool.workers
    watched = worker.watch
    os.kill(watched.pid, signal.SIGSTOP)  # at work for ever
    pool.submit(1, JOB)
    nursery(pool).kill()
    lost = event(pool)
    assert isinstance(lost, Lost) and (lost.number, lost.reason) == (1, "crash")
    assert not watched.is_running() and not pool.workers
    pool.submit(2, JOB)
    assert isinstance(event(pool), Failed)
    assert isinstance(pool.workers[0].process, Program)


def test_a_worker_that_is_never_born_is_lost_like_one_that_died(pool: LocalExecutor) -> None:
    pool.submit(0, JOB)
    event(pool)
    os.kill(nursery(pool).pid, signal.SIGSTOP)
    pool.submit(1, JOB)
    pool.submit(2, JOB)
    assert [worker.process.known for worker in pool.workers] == [True, False]
    nursery(pool).kill()
    found: list[Event] = []
    while len(found) < 2:
        found += pool.poll(0.2)
    unborn = next(one for one in found if one.number == 2)
    assert isinstance(unborn, Lost) and unborn.reason == "crash"


def test_a_pool_cancelled_before_a_birth_waits_for_nobody(pool: LocalExecutor) -> None:
    pool.submit(0, JOB)
    event(pool)
    all_of_it = [nursery(pool), pool.workers[0].watch]
    os.kill(all_of_it[0].pid, signal.SIGSTOP)
    pool.submit(1, JOB)
    pool.submit(2, JOB)
    pool.cancel()
    assert psutil.wait_procs(all_of_it, timeout=5)[1] == []
    pool.selector = type(pool.selector)()  # for the second cancel, of the fixture


def test_the_time_of_workers_is_counted_with_the_driver(tmp_path: Path) -> None:
    script = f"""
import os, pathlib, psutil, resource
from dataengine.executors.local import LocalExecutor
pool = LocalExecutor(pathlib.Path({str(tmp_path)!r}), 1, 2 << 30, 20.0)
pool.submit(0, {JOB!r})
while not pool.poll(1.0): pass
worker, nursery = (psutil.Process(pid).cpu_times() for pid in (pool.workers[0].process.pid, pool.nursery.process.pid))
pool.cancel()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
assert used.ru_utime + used.ru_stime >= worker.user + worker.system + nursery.user + nursery.system
"""
    (tmp_path / "tmp").mkdir()
    subprocess.run([sys.executable, "-c", script], check=True)


FORKING = f"""
import os, pathlib, psutil, sys, threading
from dataengine.executors.local import LocalExecutor

pool = LocalExecutor(pathlib.Path(sys.argv[1]), 1, 2 << 30, 20.0, fork=True)
lock = open(pathlib.Path(sys.argv[1]) / "lock", "w")
if sys.argv[2] == "threads":
    threading.Thread(target=threading.Event().wait, daemon=True).start()
pool.submit(0, {JOB!r})
while not pool.poll(1.0): pass
processes = (os.getpid(), pool.nursery.process.pid, pool.workers[0].process.pid)
me, nursery, worker = map(psutil.Process, processes)
assert nursery.ppid() == me.pid and worker.ppid() == nursery.pid
assert os.getsid(nursery.pid) == nursery.pid
assert ("dataengine.nursery" in nursery.cmdline()) == (sys.argv[2] == "threads")
holders = [process for process in (me, nursery, worker) if lock.name in [file.path for file in process.open_files()]]
assert holders == [me]
if sys.argv[2] == "killed":
    print(nursery.pid, worker.pid, flush=True)
    os.kill(me.pid, 9)
pool.cancel()
assert not nursery.is_running() and not worker.is_running()
"""
"""What the command does that leaves its workers what it has loaded."""


@pytest.mark.parametrize("how", ["alone", "threads"])
def test_a_driver_with_one_thread_is_forked_and_its_files_stay_its_own(tmp_path: Path, how: str) -> None:
    assert forking(tmp_path, how).returncode == 0


def test_nobody_outlives_a_driver_that_was_forked(tmp_path: Path) -> None:
    done = forking(tmp_path, "killed")
    assert done.returncode == -signal.SIGKILL
    left = [psutil.Process(pid) for pid in map(int, done.stdout.split()) if psutil.pid_exists(pid)]
    assert psutil.wait_procs(left, timeout=5)[1] == []


def forking(folder: Path, how: str) -> subprocess.CompletedProcess[str]:
    (folder / "tmp").mkdir()
    command = [sys.executable, "-c", FORKING, str(folder), how]
    return subprocess.run(command, env=os.environ | NO_THREADS, stdout=subprocess.PIPE, text=True, check=False)


def test_a_driver_that_has_imported_a_plugin_or_a_database_is_not_forked() -> None:
    assert loaded.forkable(["read.parquet", "dedup.minhash"])
    assert not loaded.forkable(["read.parquet", "filter.shouting"])
    assert not loaded.forkable(["read.parquet", "filter.where"])


def test_the_nursery_loads_no_plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def load(name: str) -> Any:
        raise AssertionError(name)

    monkeypatch.setattr(stage, "load", load)
    for name in ("filter.shouting", "filter.where"):
        loaded.load(tmp_path, {"kind": "rows", "steps": [{"stage": name, "config": {}}], "columns": {}})


def test_the_stages_that_most_recipes_use_leave_the_nursery_with_one_thread(tmp_path: Path) -> None:
    script = f"""
import json, pathlib
from dataengine import stage
from dataengine.tasks.loaded import load
from dataengine.threads import alone
run = pathlib.Path({str(tmp_path)!r})
for kind, name in (("rows", "filter.gopher"), ("rows", "filter.language"), ("sketch", "dedup.minhash")):
    config = json.loads(stage.load(name).config().model_dump_json())
    step = {{"step": "web.1", "lane": "web", "stage": name, "config": config, "made": {{}}}}
    load(run, {{"kind": kind, "steps": [step], "columns": {{"text": "string"}}}})
    assert alone(), name
"""
    variables = os.environ | NO_THREADS
    subprocess.run([sys.executable, "-c", script], check=True, env=variables)
