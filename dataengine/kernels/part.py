"""How the pieces of a kernel are compiled."""

from numba import njit

part = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For what is called from compiled code only: compiled into its callers, and cached with them.

It has no face towards Python: called from there it crashes, so its own source run as Python is ``f.py_func``."""
