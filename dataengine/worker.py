"""A worker process: takes tasks as JSON lines on standard input, does them one by one, answers on a pipe of its own.

    python -m dataengine.worker RUN ANSWERS_FD CURSOR_FILE MEMORY_BYTES

It dies with the driver (end of input, and on Linux a death signal), has a cap on its memory, uses one thread, and
writes to the cursor file where it is, so that the driver can tell a stalled record from a slow task. What a stage
prints goes to the worker's log, never into the answers.
"""

from __future__ import annotations

import json
import mmap
import os
import queue
import resource
import signal
import struct
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from dataengine.compiling import watch_compiling
from dataengine.threads import die_with_parent

CURSOR = struct.Struct("<qqq")
"""Number of the job, batch, row: what the worker is on. A torn read is one missed beat, nothing more."""


ARENA = 1 << 30
"""Arrow's allocator (mimalloc) sets so many bytes of addresses aside at once; they count as data, used or not. What is
really used the driver watches."""


def main(run: str, answers: str, cursor: str, memory: str, parent: int = 0) -> None:
    """Serve until the input ends. `parent` is the nursery's process, where this one was born there."""
    die_with_parent(parent)
    cap_memory(int(memory))
    for number in (signal.SIGINT, signal.SIGTERM):  # the driver decides; what a task started may listen for itself
        signal.signal(number, signal.SIG_IGN)
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(tasks,), daemon=True).start()
    with (
        open(cursor, "r+b") as file,
        mmap.mmap(file.fileno(), CURSOR.size) as place,
        os.fdopen(int(answers), "w") as reply,
    ):
        at = Place(place)
        watch_compiling(at.compiling)
        while True:
            task = tasks.get()
            at.number = number = task.pop("number")
            answer = {"number": number} | do(Path(run), task, at)
            reply.write(json.dumps(answer) + "\n")
            reply.flush()


class Place:
    """Where the worker is, written to a file that the driver reads."""

    def __init__(self, file: mmap.mmap) -> None:
        self.file, self.number, self.batch, self.row = file, 0, 0, 0

    def __call__(self, batch: int, row: int) -> None:
        self.batch, self.row = batch, row
        CURSOR.pack_into(self.file, 0, self.number, batch, row)

    def compiling(self, begun: bool) -> None:
        """A loop is compiled where the worker is, and no clock runs; or that has ended, and the clock starts anew."""
        from dataengine.tasks import STARTING

        CURSOR.pack_into(self.file, 0, self.number, self.batch, STARTING if begun else self.row)


def listen(tasks: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Pass on tasks; leave at once when the driver is gone."""
    for line in sys.stdin:
        tasks.put(json.loads(line))
    os._exit(0)


def do(run: Path, task: dict[str, Any], at: Place) -> dict[str, Any]:
    """Do one task; the answer says what came of it, in words for the driver."""
    from dataclasses import asdict

    from dataengine.errors import DataEngineError
    from dataengine.tasks import STARTING, Job, execute

    try:
        at(0, STARTING)
        manifest = execute(Job(run=run, **task), at)
        return {"done": asdict(manifest) if manifest else None}
    except DataEngineError as error:
        return {
            "failed": type(error).__name__,
            "found": error.found,
            "where": error.where,
            "expected": error.expected,
            "write": error.write,
        }
    except MemoryError:
        return {"failed": "MemoryError"}
    except OSError as error:
        return {
            "failed": "OSError",
            "found": f"{error.strerror or error}",
            "where": str(error.filename or task["segment"]),
            "errno": error.errno,
        }
    except Exception as error:
        traceback.print_exc()
        return {
            "failed": "Fault",
            "found": f"{type(error).__name__}: {error}",
            "where": task["segment"],
            "trace": traceback.format_exc(),
        }


def cap_memory(limit: int) -> None:
    """Cap the heap, where the system can: what goes beyond it fails as MemoryError. No core files: they hold data."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limit and sys.platform == "linux":
        limit += ARENA
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    main(*sys.argv[1:])
