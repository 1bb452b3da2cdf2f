"""What a dedup leaves for later corpora: an index, a folder that outlives its run and can be carried elsewhere.

    my-index/
      index.json              the stage, what its sketches were made with, the parts in order, the sha256 of their files
      parts/3f2a.../          one a shard: keys, sets and ids of the rows that stayed; see `tasks.index`

A run commits the parts like any other task and at its end publishes them here: parts first, under the hash of what is
in them, then ``index.json`` in one step. A reader sees the old index or the new one; a run repeated finds all in place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dataengine import shards
from dataengine.errors import InputError

INDEX, PARTS = "index.json", "parts"
FORMAT = 1


def read(folder: Path, stage: str, version: int, alike: Mapping[str, Any]) -> tuple[list[str], str]:
    """(the folders of the parts, the hash of all that is in them) of an index made by this stage in this way.

    Raises InputError where there is none, where it was made otherwise, or where a file is missing or has another size.
    """
    try:
        text = (folder / INDEX).read_bytes()
        found = json.loads(text)
        made = {"stage": found["stage"], "version": found["version"], **found["alike"]}
        parts, form = [(part["part"], part["files"]) for part in found["parts"]], found["format"]
    except FileNotFoundError:
        raise InputError("there is no index here", where=str(folder), expected=f"a folder with {INDEX}",
                         write="run the recipe whose dedup step has this folder as its index") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{INDEX} cannot be read: {error}", where=str(folder), write="make it anew") from None
    if form != FORMAT:
        raise InputError(f"an index of format {form}", where=str(folder), expected=f"format {FORMAT}")
    wanted = json.loads(json.dumps({"stage": stage, "version": version, **alike}))
    if made != wanted:
        differing = [name for name in {**wanted, **made} if made.get(name) != wanted.get(name)]
        raise InputError(
            "the index was made with " + ", ".join(f"{name} = {json.dumps(made.get(name))}" for name in differing),
            where=str(folder),
            expected=", ".join(f"{name} = {json.dumps(wanted.get(name))}" for name in differing),
            write="the settings of the index here, or make the index anew with these",
        )
    for part, files in parts:
        for name, record in files.items():
            path = folder / PARTS / part / name
            if not path.is_file() or path.stat().st_size != record["bytes"]:
                raise InputError("missing, or not of the size that index.json says", where=str(path),
                                 write="run the recipe that makes this index once more")
    return [str((folder / PARTS / part).absolute()) for part, _ in parts], shards.sha256_of(folder / INDEX)


def address(manifest: shards.Manifest) -> str:
    """32 hex digits of the hash of a part's files."""
    text = json.dumps({name: record.sha256 for name, record in sorted(manifest.files.items())})
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def publish(
    folder: Path, stage: str, version: int, alike: Mapping[str, Any], parts: Sequence[tuple[Path, shards.Manifest]]
) -> None:
    """Make the folder the index of these committed parts. Does nothing where it is that already.

    Files are linked where the disk can, else copied. Raises InputError where the folder holds other things.
    """
    if folder.is_dir() and not (folder / INDEX).exists() and not set(os.listdir(folder)) <= {PARTS}:
        raise InputError("this folder holds other things", where=str(folder), expected="an index, or a new folder")
    (folder / PARTS).mkdir(parents=True, exist_ok=True)
    for source, manifest in parts:
        place = folder / PARTS / address(manifest)
        if all((place / name).is_file() for name in manifest.files) and place.is_dir():
            continue
        staging = folder / PARTS / f".{place.name}.{os.getpid()}"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        for name in manifest.files:
            try:
                os.link(source / name, staging / name)
            except OSError:
                shutil.copyfile(source / name, staging / name)
                shards.sync(staging / name)
        shards.sync(staging)
        shutil.rmtree(place, ignore_errors=True)
        os.rename(staging, place)
    said = {
        "format": FORMAT, "stage": stage, "version": version, "alike": dict(alike),
        "parts": [
            {"part": address(manifest), "rows": int(manifest.figures["rows"]),
             "files": {name: asdict(record) for name, record in manifest.files.items()}}
            for _, manifest in parts
        ],
    }
    text = json.dumps(said, indent=1)
    with contextlib.suppress(OSError):
        if (folder / INDEX).read_text(encoding="utf-8") == text:
            return
    shards.sync(folder / PARTS)
    shards.replace_atomically(folder / INDEX, text)
    current = {address(manifest) for _, manifest in parts}
    for old in (folder / PARTS).iterdir():
        if old.name not in current:
            shutil.rmtree(old, ignore_errors=True)


def publish_all(segments: Sequence[tuple[str, int, Sequence[tuple[Path, Mapping[str, Any]]]]]) -> None:
    """The indexes of a run: for each segment that makes one its stage, version, and (folder, body) of its tasks."""
    for stage, version, tasks in segments:
        if tasks:
            body = tasks[0][1]
            parts = [(folder, shards.read_manifest(folder)) for folder, _ in tasks]
            publish(Path(body["index"]), stage, version, body["alike"], parts)
