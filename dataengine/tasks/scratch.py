"""Arrays of a task that may be larger than its memory: held while they fit, else in mapped files.

A mapped file counts as memory only as far as its pages are held. While there is one, a thread looks fifty times a
second at what the process holds, and lets go of all mapped pages when that is too much: compiled loops run on beside
it. What was written stays with the system, in its cache or on the disk, and comes back when it is looked at again.
"""

from __future__ import annotations

import mmap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil

BEAT = 0.02
LITTLE = 1 << 12
"""Arrays of fewer bytes are always held: a page is no less."""


class Scratch:
    """Gives arrays for as long as it is open: `memory` bytes of them in memory, the others in files in `folder`."""

    def __init__(self, folder: Path, name: str, memory: int, ceiling: int) -> None:
        """`ceiling`: the whole process lets go of mapped pages when it holds more bytes than this."""
        self.folder, self.name, self.memory, self.ceiling, self.held = folder, name, memory, ceiling, 0
        self.maps: list[mmap.mmap] = []
        self._files: list[Path] = []
        self._done = threading.Event()
        self._keeper: threading.Thread | None = None

    def array(self, size: int, kind: Any) -> np.ndarray:
        """An array of this size and type, of zeros."""
        wanted = size * np.dtype(kind).itemsize
        if wanted <= LITTLE or self.held + wanted <= self.memory:
            self.held += wanted
            return np.zeros(size, kind)
        path = self.folder / f"{self.name}.{len(self._files)}.tmp"
        mapped = np.memmap(path, kind, "w+", shape=(size,))
        self._files.append(path)
        self.maps.append(mapped._mmap)  # type: ignore[attr-defined]
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._keep, daemon=True)
            self._keeper.start()
        return np.asarray(mapped)

    def _keep(self) -> None:
        while not self._done.wait(BEAT):
            self.let_go()

    def let_go(self) -> None:
        """Hold no page of any mapped file, where the process holds more than the ceiling."""
        if psutil.Process().memory_info().rss > self.ceiling:
            for one in list(self.maps):
                one.madvise(mmap.MADV_DONTNEED)

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._keeper is not None:
            self._keeper.join()
        self.maps = []
        for path in self._files:
            path.unlink(missing_ok=True)
