"""A run in Python: its rows as polars LazyFrames, its ledger as frames, SQL as DuckDB relations."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dataengine import sql
from dataengine.ledger import Ledger, Shard, require_regular
from dataengine.shards import HIDDEN

if TYPE_CHECKING:
    import duckdb
    import polars as pl


@dataclass(frozen=True)
class Run:
    """What `dataengine.open` returns. Reads nothing until asked."""

    ledger: Ledger

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.ledger.name

    def docs(self) -> pl.LazyFrame:
        """Rows at the end of every lane: id, lane, source, origin, url, text and all other columns."""
        return _scan(self.ledger.kept(), sql.FIRST)

    def dropped(self) -> pl.LazyFrame:
        """Rows that were dropped, with step, stage, reason and all measurements."""
        return _scan(self.ledger.dropped(), (*sql.FIRST, *sql.JUDGED))

    def quarantined(self) -> pl.LazyFrame:
        """Records that could not be read or processed, with step, stage, reason and detail."""
        return _scan(self.ledger.quarantined(), (*sql.FIRST, *sql.JUDGED, "detail"))

    def steps(self) -> pl.DataFrame:
        """One row per step: rows in, created, kept, dropped and quarantined, bytes, seconds."""
        import polars as pl

        columns = sql.TABLES["steps"]
        kinds = {"VARCHAR": pl.String, "BIGINT": pl.Int64, "DOUBLE": pl.Float64}
        return pl.DataFrame(sql.ROWS["steps"](self.ledger), {name: kinds[kind] for name, kind in columns.items()},
                            orient="row")

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """A reading query over the views of `dataengine.sql`, locked and read-only. Raises QueryRefused."""
        return sql.relation(self._connection, query)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return sql.connect(self.ledger)

    def __repr__(self) -> str:
        done = sum(self.ledger.done(segment) for segment in self.ledger.segments)
        total = sum(len(segment.tasks) for segment in self.ledger.segments)
        return f"<Run {self.name!r}: {self.ledger.state}, {done} of {total} tasks, in {str(self.ledger.folder)!r}>"

    def _repr_html_(self) -> str:
        """The funnel, for a notebook. Everything is escaped: names come from recipes and reasons from plugins."""
        heads = ("step", "stage", "in", "created", "kept", "dropped", "quarantined", "reasons")
        rows = []
        for account in self.ledger.steps:
            lost = account.dropped | account.quarantined
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(lost.items()))
            rows.append([account.step, account.stage, *(f"{count:,}" for count in (
                account.rows_in, account.rows_created, account.rows_kept, sum(account.dropped.values()),
                sum(account.quarantined.values()))), reasons])
        body = "".join(_html_row("td", row) for row in rows)
        return f"<p>{html.escape(repr(self))}</p><table>{_html_row('th', heads)}{body}</table>"


def _html_row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _scan(shards: Sequence[Shard], first: Sequence[str]) -> pl.LazyFrame:
    """The shards as one lazy frame: by segment, for one segment has one schema; types widened between segments."""
    import polars as pl

    for shard in shards:
        require_regular(shard)
    segments: dict[str, list[Shard]] = {}
    for shard in shards:
        segments.setdefault(shard.segment.name, []).append(shard)
    frames = [pl.LazyFrame(schema=dict.fromkeys(first, pl.String))]
    for members in segments.values():
        frame = pl.scan_parquet([shard.path for shard in members], glob=False, hive_partitioning=False)
        frame = frame.select(pl.exclude(f"^{HIDDEN}.*$"))
        frames.append(frame.with_columns(pl.lit(members[0].segment.lane).alias("lane")))
    return pl.concat(frames, how="diagonal_relaxed")
