"""The rows of a query on standard output: as a table, as one JSON array, as CSV. All but the table are streamed."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dataengine.terminal import plural, safe_text, say, table, to_json

if TYPE_CHECKING:
    import duckdb

CHUNK = 1000
NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL")


def rows_of(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    """The rows, a thousand at a time."""
    while rows := result.fetchmany(CHUNK):
        yield from rows


def as_table(result: duckdb.DuckDBPyConnection, limit: int) -> None:
    """At most `limit` rows (0: all), each on one line that fits the terminal, and how many rows there are."""
    columns = [column[0] for column in result.description]
    kinds = [str(column[1]) for column in result.description]
    rows = result.fetchall() if not limit else result.fetchmany(limit + 1)
    more = bool(limit) and len(rows) > limit
    shown = [list(map(_shown, row)) for row in (rows[:limit] if more else rows)]
    if columns == ["explain_key", "explain_value"]:
        say("\n".join(str(row[1]) for row in shown))
        return
    table(columns, shown, right=[name for name, kind in zip(columns, kinds, strict=True) if _is_number(kind)],
          clipped=True)
    say(("the first " if more else "") + plural(len(shown), "row") + ("; --limit 0 shows all" if more else ""))


def as_json(result: duckdb.DuckDBPyConnection) -> None:
    """One JSON array, an object per row, a row per line. Plain ASCII; no value is changed but NaN, which is null."""
    columns = [column[0] for column in result.description]
    first = True
    for row in rows_of(result):
        sys.stdout.write(("[" if first else ",\n ") + to_json(dict(zip(columns, row, strict=True))))
        first = False
    sys.stdout.write("[]\n" if first else "]\n")


def as_csv(result: duckdb.DuckDBPyConnection) -> None:
    """CSV with a header. Control characters become visible escapes; what a spreadsheet would run gets a quote."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([_cell(column[0]) for column in result.description])
    for row in rows_of(result):
        writer.writerow([_cell(value) for value in row])


def _shown(value: Any) -> Any:
    """A value of the table: nested ones as JSON, floats with six digits."""
    if isinstance(value, dict | list | tuple):
        return to_json(value)
    return f"{value:.6g}" if isinstance(value, float) else value


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else to_json(value).strip('"')
    shown = safe_text(text, multiline=True)
    return f"'{shown}" if shown[:1] in {"=", "+", "-", "@", "\t"} else shown


def _is_number(kind: str) -> bool:
    return any(word in kind.upper() for word in NUMBERS) and "[" not in kind and "(" not in kind.partition("DECIMAL")[0]
