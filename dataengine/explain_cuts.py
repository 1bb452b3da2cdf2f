"""What a prune cut out of one document: the text that went, and the document that holds the copy that stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dataengine.judged import load
from dataengine.ledger import Ledger, Shard, Step
from dataengine.prune import SPANS
from dataengine.shards import KEPT
from dataengine.sql import PLAINLY
from dataengine.terminal import clip, plural, safe_text, say

if TYPE_CHECKING:
    import duckdb

MOST = 20
"""Cuts of one document that are shown."""
BEGINNING = 300
"""Bytes of a cut that are shown."""
Place = tuple[Shard, int, dict[str, Any]]
"""A shard, the number of the document's row in it, and the row."""


def cuts(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, places: Sequence[Place], here: Place, step: Step
) -> list[dict[str, Any]]:
    """The first cuts that this step made in the document's row here: start, end, kept_in, and the text that went.

    The text as it came lies in the task's input, or with the row, where the step dropped it.
    """
    stage = load(step.stage)
    shard, _, row = here
    if stage is None or stage.kind != "prune" or not row.get(stage.counts + SPANS):
        return []
    manifest = ledger.manifest(shard.segment, shard.task)
    came = [here] if row.get("step") == step.step else [
        place for place in places if place[0].name == KEPT and manifest and place[0].task in manifest.inputs]
    text = _whole(connection, came[0]).encode() if came else b""
    return [dict(cut) | {"text": text[cut["start"] : cut["end"]][:BEGINNING].decode("utf-8", "replace")}
            for cut in row[stage.counts + SPANS][:MOST]]


def _whole(connection: duckdb.DuckDBPyConnection, place: Place) -> str:
    shard, number, _ = place
    query = f"SELECT text FROM read_parquet(?, file_row_number = true, {PLAINLY}) WHERE file_row_number = ?"
    (text,) = connection.execute(query, [str(shard.path), number]).fetchall()[0]
    return text or ""


def show(found: Sequence[Mapping[str, Any]]) -> None:
    """A line for every cut."""
    for cut in found:
        size = plural(cut["end"] - cut["start"], "byte")
        say(f"      cut {size} from {cut['start']} on, kept in {safe_text(cut['kept_in'])}: {clip(cut['text'], 80)}")
