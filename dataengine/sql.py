"""Questions to a run in SQL: DuckDB views over its committed shards, locked and read-only.

    docs         rows at the end of every lane: id, lane, source, origin, url, text and all other columns
    dropped      rows a filter or a gather dropped: the same, with step, stage, reason and all measurements
    quarantined  records that could not be read or processed: with step, stage, reason, detail
    audit        the audit sample ([run] audit): one row per document and segment, with content (math, code or prose)
                 and would_drop: a list of {step, reason} for every rule that the document breaks, empty if it stayed
    duplicates   dropped rows that have a twin which stayed: id, duplicate_of, lane, step, reason,
                 similarity, band
    steps        one row per step: rows_in, rows_created, rows_kept, rows_dropped, rows_quarantined, bytes, seconds
    reasons      one row per step and reason: kind (dropped or quarantined), reason, rows
    figures      numbers measured beside rows, one row per task: step, name, value, kind of segment, task
    shards       committed files: segment, task, path, rows, bytes, sha256
    tokens       token files: mix, source, part (train or heldout), tokens, documents
    mixture      per mix and source: weight, max_epochs, shards, train_tokens, heldout_tokens

A query may read exactly the run's shards: no other file, no network, no extension, nothing is written. DuckDB reads
Parquet in this process; open only runs whose writer you trust.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine.errors import CorruptShard, QueryRefused
from dataengine.ledger import REPAIR, Ledger, Shard, require_regular
from dataengine.shards import hidden, load_json

if TYPE_CHECKING:
    import duckdb

DATABASE = "run.duckdb"

FIRST = ("id", "lane", "source", "origin", "url", "text")
"""Columns that come first in every view of rows, and are there even when no lane has them."""
JUDGED = ("step", "stage", "reason")

AUDIT = {"would_drop": "STRUCT(step VARCHAR, reason VARCHAR)[]", "content": "VARCHAR", "segment": "VARCHAR"}
"""Columns of the view `audit` beside those of the documents."""

PLAINLY = "hive_partitioning = false"
"""A folder called ``lang=en`` above the run is no column."""

TABLES: dict[str, dict[str, str]] = {
    "steps": {"lane": "VARCHAR", "step": "VARCHAR", "stage": "VARCHAR", "rows_in": "BIGINT", "rows_created": "BIGINT",
              "rows_kept": "BIGINT", "rows_dropped": "BIGINT", "rows_quarantined": "BIGINT", "bytes_in": "BIGINT",
              "bytes_out": "BIGINT", "seconds": "DOUBLE"},
    "reasons": {"step": "VARCHAR", "lane": "VARCHAR", "stage": "VARCHAR", "kind": "VARCHAR", "reason": "VARCHAR",
                "rows": "BIGINT"},
    "figures": {"step": "VARCHAR", "name": "VARCHAR", "value": "DOUBLE", "text": "VARCHAR", "kind": "VARCHAR",
                "task": "VARCHAR"},
    "shards": {"segment": "VARCHAR", "task": "VARCHAR", "path": "VARCHAR", "rows": "BIGINT", "bytes": "BIGINT",
               "sha256": "VARCHAR"},
    "tokens": {"segment": "VARCHAR", "mix": "VARCHAR", "source": "VARCHAR", "part": "VARCHAR", "path": "VARCHAR",
               "tokens": "BIGINT", "documents": "BIGINT"},
    "mixture": {"mix": "VARCHAR", "source": "VARCHAR", "weight": "DOUBLE", "max_epochs": "DOUBLE", "shards": "BIGINT",
                "train_tokens": "BIGINT", "heldout_tokens": "BIGINT", "budget": "BIGINT"},
}
"""What is known from manifests alone, without opening a shard."""


def connect(run: Ledger | str | Path, *, memory: str = "", threads: int = 2) -> duckdb.DuckDBPyConnection:
    """A connection in memory that has the views above and can reach nothing else.

    `memory` caps what a query may hold (half of the machine by default); nothing is spilled to disk. Raises
    CorruptShard if a committed shard is missing, changed its size or is a link.
    """
    import duckdb

    ledger = run if isinstance(run, Ledger) else Ledger.open(run)
    shards = [*ledger.kept(), *ledger.dropped(), *ledger.quarantined(), *ledger.audited()]
    for shard in shards:
        require_regular(shard)
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
                                        "allow_community_extensions": "false", "python_enable_replacements": "false"})
    _build(connection, ledger)
    allowed = sorted({_absolute(shard) for shard in shards})
    connection.execute("SET allowed_paths = [" + ", ".join(map(_quoted, allowed)) + "]")
    for setting in (f"threads = {int(threads)}", f"memory_limit = {_quoted(memory or _half_of_memory())}",
                    "temp_directory = ''", "allow_persistent_secrets = false", "enable_external_access = false",
                    "lock_configuration = true"):
        connection.execute(f"SET {setting}")
    return connection


def query(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Sequence[object] = ()
) -> duckdb.DuckDBPyConnection:
    """Run one reading statement; fetch from what is returned. Raises QueryRefused for anything else."""
    import duckdb

    try:
        statement = one_reading_statement(connection, text)
        return connection.execute(statement, list(parameters))
    except duckdb.Error as error:
        raise refused(connection, error, text) from error


def relation(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyRelation:
    """The query as a lazy DuckDB relation."""
    import duckdb

    try:
        return connection.sql(one_reading_statement(connection, text))
    except duckdb.Error as error:
        raise refused(connection, error, text) from error


# --- what may be asked ------------------------------------------------------------------------------------------------

_EXPLAIN = re.compile(r"\s*EXPLAIN\b\s*(?:ANALYZE\b|VERBOSE\b|\([^()]*\))?", re.IGNORECASE)


def one_reading_statement(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """The text, if it is one statement that only reads. DuckDB's own parser decides; raises QueryRefused."""
    import duckdb

    try:
        text.encode()
        statements = connection.extract_statements(text)
    except UnicodeEncodeError as error:
        raise QueryRefused("the query is not Unicode text", expected="UTF-8") from error
    except duckdb.Error as error:
        raise refused(connection, error, text) from error
    if not statements:
        raise QueryRefused("the query is empty", write='something like "SELECT step, reason, rows FROM reasons"')
    if len(statements) > 1:
        raise QueryRefused(f"{len(statements)} statements", expected="one statement at a time")
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN:
        start = _EXPLAIN.match(text)
        if start is None:
            raise QueryRefused("EXPLAIN with a comment before it", expected="EXPLAIN as the first word")
        inner = connection.extract_statements(text[start.end():])
        kind = inner[0].type if len(inner) == 1 else duckdb.StatementType.INVALID
    if kind == duckdb.StatementType.MULTI:
        raise QueryRefused("PIVOT without a list of values changes the catalogue",
                           write="PIVOT ... ON column IN ('a', 'b') USING ...")
    if kind != duckdb.StatementType.SELECT:
        raise QueryRefused(f"{kind.name} is not allowed: a run is read, never changed",
                           expected="SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN",
                           write=f"to export or attach, open {DATABASE} of the run's folder in the DuckDB client")
    return text


def refused(
    connection: duckdb.DuckDBPyConnection, error: Exception, text: str = ""
) -> QueryRefused | CorruptShard:
    """DuckDB's error in our words: with the names there are, where a name is wrong."""
    import duckdb

    if isinstance(error, duckdb.InterruptException):
        raise KeyboardInterrupt from error
    said = str(error).split("\n\nLINE ")[0].replace("\n", " ").strip()
    said = re.sub(r'Did you mean "[^"]*"\??', "", said).strip()
    if isinstance(error, duckdb.PermissionException):
        return QueryRefused(said, expected=f"only this run's views: {', '.join(_views(connection))}")
    if isinstance(error, duckdb.CatalogException) and "able with name" in said:
        return QueryRefused(said, expected=f"one of {', '.join(_views(connection))}")
    if isinstance(error, duckdb.BinderException):
        columns = _columns(connection)
        named = [f"{view} has {', '.join(columns[view])}" for view in _mentioned(text, columns)]
        return QueryRefused(said, expected="; ".join(named) or "a name that DESCRIBE docs or SHOW TABLES lists")
    if isinstance(error, duckdb.IOException | duckdb.InvalidInputException) and ".parquet" in said:
        return CorruptShard(said, write=f"dataengine verify, then {REPAIR}")
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryRefused("the query needs more memory than it may take", expected="fewer rows at once",
                            write="SELECT only the columns needed, or LIMIT; without text most queries fit")
    return QueryRefused(said)


def _views(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT table_name FROM information_schema.tables ORDER BY table_name").fetchall()
    return [name for (name,) in rows]


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns ORDER BY table_name, ordinal_position")
    found: dict[str, list[str]] = {}
    for view, column in rows.fetchall():
        found.setdefault(view, []).append(column)
    return found


def _mentioned(text: str, columns: Mapping[str, Iterable[str]]) -> list[str]:
    """The views whose names stand in the query."""
    words = set(re.findall(r"\w+", text.lower()))
    return [view for view in columns if view in words]


# --- the views --------------------------------------------------------------------------------------------------------


def _build(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
    """Create tables from manifests and views over shards."""
    for name, columns in TABLES.items():
        _table(connection, name, columns, ROWS[name](ledger))
    _view(connection, "docs", ledger.kept(), FIRST)
    _view(connection, "dropped", ledger.dropped(), (*FIRST, *JUDGED))
    _view(connection, "quarantined", ledger.quarantined(), (*FIRST, *JUDGED, "detail"))
    _view(connection, "audit", ledger.audited(), FIRST, AUDIT)
    dropped = {row[0] for row in connection.execute("DESCRIBE dropped").fetchall()}
    twin = "duplicate_of" if "duplicate_of" in dropped else "NULL::VARCHAR AS duplicate_of"
    similarity = "similarity" if "similarity" in dropped else "NULL::DOUBLE AS similarity"
    band = "band" if "band" in dropped else "NULL::BIGINT AS band"
    some = "duplicate_of IS NOT NULL" if "duplicate_of" in dropped else "false"
    columns = f"id, {twin}, lane, step, reason, {similarity}, {band}"
    connection.execute(f"CREATE VIEW duplicates AS SELECT {columns} FROM dropped WHERE {some}")


def _view(
    connection: duckdb.DuckDBPyConnection, name: str, shards: Sequence[Shard], first: Sequence[str],
    audit: Mapping[str, str] | None = None,
) -> None:
    """A view over shards, by segment: files of one segment have one schema, so only the first footer is read here.

    Segments are united by column name, types widened where they differ.
    """
    audit = audit or {}
    segments: dict[str, list[Shard]] = {}
    for shard in shards:
        segments.setdefault(shard.segment.name, []).append(shard)
    kinds = dict.fromkeys(first, "VARCHAR") | audit
    nothing = ", ".join(f"NULL::{kind} AS {column}" for column, kind in kinds.items())
    parts = [f"SELECT {nothing} WHERE false"]
    for members in segments.values():
        head = _columns_of(connection, members[0])
        columns = [f"{_quoted(members[0].segment.lane)} AS lane" if column == "lane"
                   else column if column in head else f"NULL::VARCHAR AS {column}" for column in first]
        if audit:
            segment = _quoted(members[0].segment.name)
            columns += ["__would_drop AS would_drop", "__kind AS content", f"{segment} AS segment"]
        others = [
            '"' + part.replace('"', '""') + '"' for part in head if part not in {*first, *audit} and not hidden(part)
        ]
        files = ", ".join(_quoted(_absolute(shard)) for shard in members)
        parts.append(f"SELECT {', '.join(columns + others)} FROM read_parquet([{files}], {PLAINLY})")
    connection.execute(f"CREATE VIEW {name} AS " + " UNION ALL BY NAME ".join(parts))


def _columns_of(connection: duckdb.DuckDBPyConnection, shard: Shard) -> list[str]:
    import duckdb

    source = f"read_parquet({_quoted(_absolute(shard))}, {PLAINLY})"
    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise CorruptShard(f"cannot be read: {said}", where=str(shard.path), write=REPAIR) from error
    return [row[0] for row in rows]


def _table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], rows: list[tuple[Any, ...]]
) -> None:
    """A table from rows: each column travels as one list, which is much quicker than a row at a time."""
    lists = list(zip(*rows, strict=True)) or [()] * len(columns)
    unnested = ", ".join(f"unnest(?::{kind}[]) AS {column}" for column, kind in columns.items())
    connection.execute(f"CREATE TABLE {name} AS SELECT {unnested}", [list(values) for values in lists])


def _steps(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [(a.lane, a.step, a.stage, a.rows_in, a.rows_created, a.rows_kept, sum(a.dropped.values()),
             sum(a.quarantined.values()), a.bytes_in, a.bytes_out, a.seconds) for a in ledger.steps]


def _shards(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [(s.segment.name, s.task, s.path.relative_to(ledger.folder).as_posix(), s.record.rows, s.record.bytes,
             s.record.sha256) for s in ledger.shards()]


def mixtures(ledger: Ledger) -> list[tuple[Path, dict[str, Any]]]:
    """Every ``mixture.json`` of the run with its path: what the trainer reads."""
    found = []
    for shard in ledger.shards(kind="mix"):
        if shard.path.name == "mixture.json":
            require_regular(shard)
            found.append((shard.path, load_json(shard.path)))
    return found


def _mixture(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [(mix["name"], source["name"], source.get("weight"), source.get("max_epochs"), len(source["shards"]),
             sum(shard.get("train_tokens", 0) for shard in source["shards"]),
             sum(shard.get("heldout_tokens", 0) for shard in source["shards"]), mix.get("tokens"))
            for _, mix in mixtures(ledger) for source in mix["sources"]]


def _tokens(ledger: Ledger) -> list[tuple[Any, ...]]:
    """One row per token file and mix that uses it; the source and the part are what the mixture says they are."""
    known: dict[str, list[tuple[str | None, str | None, str]]] = {}
    for path, mix in mixtures(ledger):
        for source in mix["sources"]:
            for shard in source["shards"]:
                for part in ("train", "heldout"):
                    if shard.get(part):
                        place = os.path.normpath(os.path.join(os.path.abspath(path.parent), shard[part]))
                        known.setdefault(place, []).append((mix["name"], source["name"], part))
    rows: list[tuple[Any, ...]] = []
    for shard in ledger.shards(kind="tokens"):
        if shard.path.suffix == ".bin":
            tokens, documents = _token_counts(shard)
            uses = known.get(_absolute(shard)[: -len(".bin")], [(None, None, shard.path.stem)])
            rows += [(shard.segment.name, *use, shard.path.relative_to(ledger.folder).as_posix(), tokens, documents)
                     for use in uses]
    return rows


_TOKEN_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 8: 2}
"""Bytes of a token by Megatron's type code."""


def _token_counts(shard: Shard) -> tuple[int | None, int | None]:
    """Tokens and documents of a .bin file, from the head of its .idx: magic, version, type code, sequences."""
    import struct

    try:
        with shard.path.with_suffix(".idx").open("rb") as file:
            magic, _, code, sequences, _ = struct.unpack("<9sQBQQ", file.read(34))
    except (OSError, struct.error):
        return None, None
    known = magic == b"MMIDIDX\x00\x00" and code in _TOKEN_BYTES
    return (shard.record.bytes // _TOKEN_BYTES[code], sequences) if known else (None, None)


ROWS = {
    "steps": _steps, "shards": _shards, "mixture": _mixture, "tokens": _tokens,
    "reasons": lambda ledger: [(r.step, r.lane, r.stage, r.kind, r.reason, r.rows) for r in ledger.reasons],
    "figures": lambda ledger: [(f.step, f.name, f.value, f.text, f.kind, f.task) for f in ledger.figures],
}


# --- a database for the plain client ----------------------------------------------------------------------------------


def write_database(run: Ledger | str | Path) -> Path:
    """Write ``run.duckdb``: the same tables and views for the DuckDB client, not locked.

    Shards are named by absolute paths, for DuckDB resolves relative ones against its working folder: after moving a run
    call this again (``dataengine run`` does). Written aside and renamed, so a reader never sees half of it.
    """
    import duckdb

    ledger = run if isinstance(run, Ledger) else Ledger.open(run)
    place = ledger.folder / DATABASE
    temporary = ledger.folder / f".{DATABASE}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(temporary), config={"threads": "1"}) as connection:
            connection.begin()  # one write to the disk, not one for each view
            _build(connection, ledger)
            connection.commit()
        os.replace(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)
    return place


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _absolute(shard: Shard) -> str:
    return os.path.abspath(shard.path)


def _half_of_memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 2 >> 20}MiB"
