"""Where workers are born on Linux: a process that has loaded what they need. Each worker is a fork of it.

    python -m dataengine.nursery SOCKET_FD

numba, Arrow, the compiled kernels and models of a segment take up to a CPU second to load; they are loaded here, once,
and a worker, or the one that replaces it, costs a few milliseconds. The command `dataengine run` forks this process
too, with what it has loaded itself (`begin`). A fork copies only the thread that asks for it, so this process must have
no other: it looks before every fork, and where it finds one it starts the worker as a program of its own instead. It
never sees a record: what it runs is the built-in stages of the segment, on one harmless row.

Messages are JSON, one a packet. ``{"prepare": {...} or null, "worker": [RUN, CURSOR_FILE, MEMORY_BYTES]}`` comes with
three open files, the worker's input, answers and log; ``{"born": PID}`` goes back. ``{"wait": PID}`` is answered by
``{"ended": STATUS}``, so that no other process gets the number of a worker before the driver has done with it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from dataengine.threads import alone, die_with_parent

PACKET = 1 << 16
"""Most bytes of a message."""
UNHEARD = (signal.SIGINT, signal.SIGTERM)
"""Signals on which the driver decides, as for a worker."""


def begin(link: int, log: int, parent: int, environment: Mapping[str, str]) -> NoReturn:
    """What a fork of the driver, `parent`, does: be a nursery like one that was started as a program.

    The driver has blocked what is `UNHEARD`.
    """
    try:
        os.environ.update(environment)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for file, number in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(file, number)
        for file in map(int, os.listdir("/proc/self/fd")):  # among them the lock of the run and the driver's end
            if file > 2 and file != link:
                with contextlib.suppress(OSError):  # the list was one of them
                    os.close(file)
        gc.freeze()  # what the driver has made stays as it is
        main(str(link), parent)
    except BaseException:  # into the log; nothing may come back into what the driver does
        traceback.print_exc()
    os._exit(1)


def main(link: str, parent: int = 0) -> None:
    """Serve until the driver has gone."""
    die_with_parent(parent)
    gc.disable()  # what is loaded here stays: looking at it again and again takes a third of the time of loading
    for number in UNHEARD:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, UNHEARD)
    with socket.socket(fileno=int(link)) as driver:
        while True:
            packet, files, _, _ = socket.recv_fds(driver, PACKET, 3)
            if not packet:
                os._exit(0)  # nothing to put away: taking all modules down would cost 0.05 s
            message = json.loads(packet)
            if "wait" in message:
                answer = {"ended": os.waitstatus_to_exitcode(os.waitpid(message["wait"], 0)[1])}
            else:
                answer = {"born": give_birth(driver, message["worker"], message["prepare"], files)}
                for file in files:
                    os.close(file)
            driver.send(json.dumps(answer).encode())


def give_birth(driver: socket.socket, arguments: list[str], task: Mapping[str, Any] | None, files: list[int]) -> int:
    """Start a worker; returns its process id."""
    prepare(Path(arguments[0]), task)
    if not alone():
        return start(arguments, files)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    if child := os.fork():
        return child
    try:
        driver.close()
        live(arguments, files, parent)
    except SystemExit as error:
        print(error, file=sys.stderr)
    except BaseException:  # written to the worker's log; nothing may come back into the nursery's loop
        traceback.print_exc()
    os._exit(1)  # nothing that this process has from the nursery is put away twice


def prepare(run: Path, task: Mapping[str, Any] | None) -> None:
    """Load what the task needs. What cannot be loaded the worker meets again, and says so."""
    try:
        from dataengine.tasks.loaded import load

        if task and alone():
            load(run, task)
            gc.freeze()  # no worker's collector looks at it again, and so copies no page of it
    except Exception:  # into the nursery's log: the worker meets the same, where the driver is told
        traceback.print_exc()


def live(arguments: list[str], files: list[int], parent: int) -> None:
    """What the forked process does: be a worker like one that was started as a program."""
    from dataengine import worker

    gc.enable()
    os.setsid()
    tasks, answers, log = files
    for file, number in ((tasks, 0), (log, 1), (log, 2)):
        os.dup2(file, number)
    os.close(tasks)
    os.close(log)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    run, cursor, memory = arguments
    sys.argv = [worker.__file__, run, str(answers), cursor, memory]
    worker.main(run, str(answers), cursor, memory, parent)


def start(arguments: list[str], files: list[int]) -> int:
    """Start a worker as a program of its own."""
    tasks, answers, log = files
    run, cursor, memory = arguments
    return subprocess.Popen(
        [sys.executable, "-m", "dataengine.worker", run, str(answers), cursor, memory],
        stdin=tasks, stdout=log, stderr=log, pass_fds=(answers,), start_new_session=True,
    ).pid


if __name__ == "__main__":
    main(*sys.argv[1:])
