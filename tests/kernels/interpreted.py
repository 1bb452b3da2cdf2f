"""The plain-Python twin of a kernel: its own source, and that of all kernels it calls, run by the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher


def eight_bytes(data: np.ndarray, at: int) -> np.uint64:
    assert 0 <= at <= len(data) - 8
    return np.uint64(int.from_bytes(data[at : at + 8].tobytes(), "little"))


def word_bits(data: np.ndarray, at: int) -> tuple[np.uint64, np.uint64]:
    """By Python's own idea of letters and digits."""
    assert 0 <= at <= len(data) - 64
    word = lead = 0
    for place, byte in enumerate(data[at : at + 64].tolist()):
        word |= (byte >= 0x80 or chr(byte).isalnum()) << place
        lead |= (byte in (0xC2, 0xEF) or 0xE0 <= byte <= 0xE9) << place
    return np.uint64(word), np.uint64(lead)


def lowest(bits: np.uint64) -> int:
    return (int(bits) & -int(bits)).bit_length() - 1 if bits else 64


INTRINSICS = {"eight_bytes": eight_bytes, "word_bits": word_bits, "lowest": lowest}


def interpreted(kernel: Dispatcher) -> Callable[..., Any]:
    """`kernel` as plain Python throughout. What compiled code reads beyond an array is an error here."""
    source = kernel.py_func
    names = dict(source.__globals__)
    for name in source.__code__.co_names:
        if name in INTRINSICS:
            names[name] = INTRINSICS[name]
        elif isinstance(names.get(name), Dispatcher):
            names[name] = interpreted(names[name])
    twin = FunctionType(source.__code__, names, source.__name__, source.__defaults__)

    def run(*arguments: Any) -> Any:
        with np.errstate(over="ignore"):
            return twin(*arguments)

    return run
