"""Rows about which a gather or a prune got no answer, as the task that asked leaves them for the one that decides.

They are quarantined where the decisions are applied (`tasks.fused`), so that every row is accounted for once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

REFUSED = "refused.json"
"""In the folder of a ``sketch``, ``units`` or ``smaller`` task, where there are any: ``reads`` and ``rows``."""
Refusals = dict[int, tuple[str, str]]
"""Row of the shard -> reason and detail."""


def write(folder: Path, rows: Refusals, reads: Mapping[str, str]) -> None:
    """Write them down, and where the reader died: number of a read -> reason. No file if there are none."""
    if reads or rows:
        said = {"reads": dict(reads), "rows": {str(row): list(why) for row, why in sorted(rows.items())}}
        (folder / REFUSED).write_text(json.dumps(said), encoding="utf-8")


def rows_of(folder: Path) -> Refusals:
    """The rows refused by the task with this folder."""
    return {int(row): (reason, detail) for row, (reason, detail) in _said(folder)["rows"].items()}


def reads_of(folder: Path) -> dict[str, str]:
    """Where the reader died in the task with this folder, and for which reason."""
    return _said(folder)["reads"]


def _said(folder: Path) -> dict[str, dict]:
    try:
        return json.loads((folder / REFUSED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"reads": {}, "rows": {}}
