"""Named places where a test may make the process die or the disk fail. Without DATAENGINE_FAULT they do nothing.

``DATAENGINE_FAULT=after_rename:kill`` kills the process the first time it passes ``after_rename``; ``kill@3`` the third
time; ``enospc`` and ``eio`` raise the operating system's error instead.
"""

from __future__ import annotations

import errno
import os
import signal

_seen: dict[str, int] = {}

POINTS = ("task_started", "shard_written", "before_rename", "after_rename", "before_manifest", "after_manifest", "run_json")


def fault(point: str) -> None:
    """Fail here if the environment says so. `point` is one of `POINTS`."""
    armed = os.environ.get("DATAENGINE_FAULT", "")
    name, _, action = armed.partition(":")
    if name != point:
        return
    action, _, nth = action.partition("@")
    _seen[point] = _seen.get(point, 0) + 1
    if _seen[point] != int(nth or 1):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    number = {"enospc": errno.ENOSPC, "eio": errno.EIO}[action]
    raise OSError(number, os.strerror(number))
