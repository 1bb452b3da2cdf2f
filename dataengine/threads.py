"""One thread a process: libraries that would start a pool of their own are told so through their environment variables."""

from __future__ import annotations

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Set to 1 for workers: parallelism comes from processes, and threads that spin for each other cost more than they give."""
