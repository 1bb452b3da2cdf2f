"""How the pieces of a kernel are compiled."""

from numba import njit

entry = njit(cache=True, nogil=True, no_cfunc_wrapper=True)
"""For what Python calls; and compiled code, but not as a pointer to a function of C."""

part = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For what is called from compiled code only: compiled into its callers, and cached with them.

It has no face towards Python: called from there it crashes, so its own source run as Python is ``f.py_func``."""

bare = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
"""For a `part` that makes no array, and is called for every tag or text: it counts no references to its arguments,
which its caller holds. Two atomic additions a call less: 14 % of the time from the tree of a page to its text."""
