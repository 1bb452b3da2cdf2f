"""What all our processes have in common: one thread each, and none outlives the one that started it."""

from __future__ import annotations

import gc
import os
import signal
import sys

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)
"""Set to 1 for workers: parallelism comes from processes; threads that spin for each other cost more than they give."""
NO_THREADS = dict.fromkeys(THREAD_VARIABLES, "1") | {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Environment in which libraries start no threads when they are loaded, Arrow's second allocator, which nobody uses,
among them."""


def collect_seldom() -> None:
    """Have the garbage collector look once in 100,000 new objects, not in 700: what is imported makes many, and all
    stay. It takes a quarter off the time of imports.
    """
    gc.set_threshold(100_000, 20, 100)


def alone() -> bool:
    """Whether this process has one thread, so that a fork of it is whole. Known on Linux only; elsewhere False."""
    return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1


def die_with_parent(parent: int = 0) -> None:
    """On Linux ask for SIGKILL when the process that started this one dies; elsewhere the end of its input must do.

    Who was forked knows its `parent`, and so whether that is dead already.
    """
    if sys.platform == "linux":
        import ctypes  # here: the command line starts without it

        parent = parent or os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(0)
