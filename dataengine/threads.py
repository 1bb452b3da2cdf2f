"""What all our processes have in common: one thread each, and none outlives the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)
"""Set to 1 for workers: parallelism comes from processes; threads that spin for each other cost more than they give."""


def die_with_parent(parent: int = 0) -> None:
    """On Linux ask for SIGKILL when the process that started this one dies; elsewhere the end of its input must do.

    Who was forked knows its `parent`, and so whether that is dead already.
    """
    if sys.platform == "linux":
        parent = parent or os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(0)
