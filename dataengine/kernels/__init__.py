"""Compiled loops over Arrow buffers and arrays of numbers, one idea a file.

Whoever imports one of them finds numba ready to load what it has compiled before.
"""

import sys

from numba.core.event import Event, Listener, register
from numba.core.registry import cpu_target

from dataengine import compiling

BLAS = "scipy.linalg.cython_blas"


def _load_registries() -> None:
    """Let numba load what it knows of types and functions, without SciPy's linear algebra: 0.16 CPU s instead of 0.31.

    It does so once, before it loads its first compiled function, and then looks for a BLAS to use in sums of products.
    No loop of ours multiplies matrices; a plugin's that does has numba look for the BLAS again when it is compiled.
    """
    if BLAS in sys.modules:
        cpu_target.target_context.refresh()
        return
    sys.modules[BLAS] = None  # type: ignore[assignment]  # to import it fails, as where there is no SciPy
    try:
        cpu_target.target_context.refresh()
    finally:
        del sys.modules[BLAS]


class _Compiling(Listener):  # type: ignore[misc]  # numba has no types
    """Passes on when numba compiles."""

    def on_start(self, event: Event) -> None:
        compiling.begins()

    def on_end(self, event: Event) -> None:
        compiling.ends()


_load_registries()
register("numba:compile", _Compiling())
