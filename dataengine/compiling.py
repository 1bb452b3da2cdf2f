"""Whoever runs a clock over records is told while a loop is compiled: that is no record's time.

numba compiles a loop when it is first called with arguments of new types, which may take seconds, and keeps it on the
disk; so it happens in a fresh installation, in whichever task comes first.
"""

from __future__ import annotations

from collections.abc import Callable

_watcher: Callable[[bool], None] | None = None
_depth = 0


def watch_compiling(watcher: Callable[[bool], None] | None) -> None:
    """From now on call `watcher` with True when compiling begins and with False when it has ended."""
    global _watcher
    _watcher = watcher


def begins() -> None:
    """A loop is to be compiled, maybe for another one that is being compiled."""
    global _depth
    _depth += 1
    if _depth == 1 and _watcher is not None:
        _watcher(True)


def ends() -> None:
    """It has been, or could not be."""
    global _depth
    _depth -= 1
    if _depth == 0 and _watcher is not None:
        _watcher(False)
