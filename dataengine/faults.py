"""Named places where a test may make the process die or the disk fail. Without DATAENGINE_FAULT they do nothing.

``DATAENGINE_FAULT=after_rename:kill@2:/tmp/once`` kills the second time that a process passes ``after_rename``, but
only the process that is first to create ``/tmp/once``. ``enospc`` and ``eio`` raise the operating system's error
instead.
"""

from __future__ import annotations

import errno
import os
import signal

_passed = 0

POINTS = (
    "task_started",
    "shard_written",
    "before_rename",
    "after_rename",
    "before_manifest",
    "after_manifest",
    "run_json",
)


def fault(point: str) -> None:
    """Fail here if the environment says so. `point` is one of `POINTS`."""
    armed = os.environ.get("DATAENGINE_FAULT")
    if not armed:
        return
    name, action, once = armed.split(":", 2)
    if name != point:
        return
    global _passed
    _passed += 1
    action, _, nth = action.partition("@")
    if _passed != int(nth) or not _first(once):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    number = {"enospc": errno.ENOSPC, "eio": errno.EIO}[action]
    raise OSError(number, os.strerror(number))


def _first(marker: str) -> bool:
    """Whether no other process has failed yet."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
