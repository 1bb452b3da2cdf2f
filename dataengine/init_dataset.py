"""What `dataengine init` says of a folder that is a dataset in the layout of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from dataengine.errors import InputError

SAMPLED = 100
CHATS = ("messages", "conversations", "conversation")


@dataclass(frozen=True)
class Dataset:
    """The split a first recipe reads."""

    split: str
    splits: tuple[str, ...]
    sizes: Mapping[str, int]
    """Bytes of its files, by their paths."""
    records: list[dict[str, Any]]
    """A few of its first records, without columns of bytes."""
    chat: str
    """The column that holds conversations, if there is one, or nothing."""


def find_dataset(where: str, base: Path) -> Dataset | None:
    """The dataset in a folder; None where only names of files could tell that it is one."""
    from dataengine.stages.read import _hub

    try:
        files = _hub.tree(where, base)
        if not _hub.is_marked(files):
            return None
        splits = _hub.splits(files, "")
    except InputError:  # the readers of single formats make of it what they can
        return None
    split = "train" if "train" in splits else next(iter(splits))
    records = _sample(splits[split][0])
    chat = next((name for name in CHATS if any(isinstance(record.get(name), list) for record in records)), "")
    return Dataset(split, tuple(splits), {file.path: file.size for file in splits[split]}, records, chat)


def _sample(file: Any) -> list[dict[str, Any]]:
    from dataengine.stages.read import _hub
    from dataengine.stages.read._found import whole
    from dataengine.stages.read._records import records

    form = _hub.format_of(file.path)
    if not form:
        return []
    found = (entry for entry in records(whole(file), form, _light(file, form), 1 << 20) if isinstance(entry, tuple))
    return [record for _, _, record in islice(found, SAMPLED)]


def _light(file: Any, form: str) -> list[str]:
    """The columns of Parquet or Arrow that hold no pictures and the like. (Other formats give all they have.)"""
    import pyarrow as pa

    from dataengine.stages.read._found import whole
    from dataengine.stages.read._open import Damage, opened
    from dataengine.stages.read._records import schema_of
    from dataengine.stages.read.parquet import opened_parquet

    if form not in ("parquet", "arrow"):
        return []
    try:
        with opened(whole(file)) as raw:
            schema = opened_parquet(raw).schema_arrow if form == "parquet" else schema_of(raw)
    except (Damage, pa.ArrowException, OSError, ValueError):
        return []  # the run will say so
    return [field.name for field in schema if "binary" not in str(field.type)]
