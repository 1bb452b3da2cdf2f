"""The folder of a run before the first task: is it ours, can it be written, does nobody else write it?"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from dataengine import shards
from dataengine.errors import InputError, RunFailed, RunLocked


def refuse_strangers(out: Path) -> None:
    """Raise InputError for a folder that is not empty and not a run: a run removes what it finds in its ``tmp/``."""
    try:
        found = set(os.listdir(out))
    except OSError:  # not there yet, or no folder: said later
        return
    begun = "lock" in found and found <= {"lock", "tmp"}
    if found and not begun and "run.json" not in found:
        raise InputError(
            f"this folder holds other things: {', '.join(sorted(found)[:3])}",
            where=str(out),
            expected="a folder of its own for the run: an empty one, a new one, or a run made before",
            write=f"--out {out / 'run'}",
        )


def make_writable(out: Path) -> None:
    try:
        os.path.abspath(out).encode()
    except UnicodeEncodeError:
        raise InputError(
            "the folder of a run must have a name in UTF-8", where=ascii(str(out)), write="--out with another folder"
        ) from None
    refuse_strangers(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / f".writable.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"the run cannot be written here: {error.strerror}", where=str(out), write="--out with another folder"
        ) from error


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the run's lock: an OS lock, so that it is gone when its process is, however it died."""
    with (out / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise RunLocked(
                f"another process is writing this run: {file.read().strip() or 'its name is not known'}",
                where=str(out),
                write="wait for it, stop it, or choose another --out",
            ) from None
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        file.flush()
        yield


def empty(folder: Path) -> None:
    """Make it an empty folder, whatever stands there; a link is removed, never followed."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RunFailed(f"cannot be made: {error.strerror}", where=str(folder), write="remove it by hand") from error


def refuse_other_format(out: Path) -> None:
    path = out / "run.json"
    if not path.exists():
        return
    try:
        found = shards.load_json(path).get("format")
    except (OSError, ValueError, AttributeError) as error:
        raise RunFailed(
            f"run.json cannot be read: {error}", where=str(path), write="--out with another folder, or remove this one"
        ) from error
    if found != shards.FORMAT:
        raise RunFailed(
            f"this run has format {found}",
            where=str(path),
            expected=f"format {shards.FORMAT}",
            write="--out with another folder, or remove this one",
        )
