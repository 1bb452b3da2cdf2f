"""Remove what a run no longer needs: tasks that run.json does not name and what ``chains/`` says of their steps, what
killed tasks left in ``tmp/``, and the resumable state in ``work/`` of tasks that are done or no longer planned.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dataengine.errors import CorruptShard, RunLocked
from dataengine.ledger import Ledger, find_run
from dataengine.shards import discard
from dataengine.terminal import plural, safe_text, say, size


@dataclass(frozen=True)
class Rubbish:
    """One thing to remove, relative to the run."""

    path: str
    bytes: int


def collect(name: str | Path, *, dry_run: bool = False) -> list[Rubbish]:
    """Remove rubbish and say what it was; `dry_run` only says. Raises RunLocked while the run is being written.

    Only names found in this run's ``steps``, ``work``, ``chains`` and ``tmp`` are touched. A symbolic link is removed
    itself, never what it points to; where one of the four is a link, nothing is done.
    """
    run = find_run(name)
    with _locked(run):
        ledger = Ledger.open(run)
        for place in (run / "steps", run / "work", run / "tmp", run / "chains"):
            if place.is_symlink():
                raise CorruptShard("a symbolic link, which would lead out of the run", where=str(place))
        doomed = list(_rubbish(run, ledger))
        found = [Rubbish(path.relative_to(run).as_posix(), _bytes(path)) for path in doomed]
        if not dry_run:
            for path in doomed:
                _remove(path, run / "tmp")
        return found


def _rubbish(run: Path, ledger: Ledger) -> Iterator[Path]:
    """What is neither a current task, nor a segment's folder, nor the state of a current task that is not done."""
    current = {segment.name: set(segment.tasks) for segment in ledger.segments}
    for segment in _entries(run / "steps"):
        if segment.name not in current or not _is_folder(segment):
            yield segment
        else:
            yield from (task for task in _entries(segment) if task.name not in current[segment.name])
    planned = ((segment, task) for segment in ledger.segments for task in segment.tasks)
    unfinished = {task for segment, task in planned if ledger.manifest(segment, task) is None}
    yield from (state for state in _entries(run / "work") if state.name not in unfinished)
    chains = {f"{entry.get('chain')}.json" for entry in ledger.data.get("segments", ())}
    yield from (chain for chain in _entries(run / "chains") if chain.name not in chains)
    yield from _entries(run / "tmp")


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Hold the run's lock, so that no run starts while things are removed."""
    handle = os.open(run / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunLocked("another process is writing this run", where=str(run),
                            write="wait for it to end, or stop it, then try again") from error
        yield
    finally:
        os.close(handle)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path, tmp: Path) -> None:
    if not _is_folder(path):
        path.unlink(missing_ok=True)
    elif path.parent == tmp:
        shutil.rmtree(path)
    else:
        tmp.mkdir(exist_ok=True)
        discard(path, tmp)


def _bytes(path: Path) -> int:
    """Bytes under a path, links counted as themselves."""
    if not _is_folder(path):
        return path.lstat().st_size
    return sum((Path(folder) / name).lstat().st_size for folder, _, names in os.walk(path) for name in names)


def show(found: list[Rubbish], *, dry_run: bool) -> None:
    """Print it for people: by folder, for a run has thousands of tasks."""
    folders: dict[str, list[Rubbish]] = {}
    for rubbish in found:
        folders.setdefault(rubbish.path.rpartition("/")[0], []).append(rubbish)
    for folder, inside in folders.items():
        shown = safe_text(inside[0].path if len(inside) == 1 else f"{folder}/ ({len(inside):,} of its entries)", 300)
        say(f"{size(sum(rubbish.bytes for rubbish in inside)):>9}  {shown}")
    if not found:
        say("nothing to remove: all that is there belongs to the last plan")
    else:
        total = size(sum(rubbish.bytes for rubbish in found))
        say(f"{'would remove' if dry_run else 'removed'} {plural(len(found), 'thing')}, {total}")
