"""Keep rows for which a SQL expression over their columns is true (DuckDB's SQL).

``where = "words between 100 and 20_000 and quality >= 0.5"``. A null counts as not true. One row is seen at a time:
aggregates, windows and subqueries are refused, and so is whatever is not the same tomorrow (``random()``, ``now()``).
No file, network or setting can be reached. Regular expressions are RE2's and run in linear time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from dataengine.stage import Columns, Rule, StageConfig, filter
from dataengine.stages.filter import _plain

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROWS = "rows"
"""What the batch is called inside the query."""

REFUSED_SYNTAX = {
    "SUBQUERY": "holds a subquery, but sees one row at a time",
    "WINDOW": "holds a window function, but sees one row at a time",
    "STAR": "holds *, but must name its columns",
    "PARAMETER": "holds a parameter ($1 or ?), but there is nothing to fill it with",
    "POSITIONAL_REFERENCE": "refers to a column by number; write its name",
    "DEFAULT": "holds DEFAULT, which means nothing here",
}
"""Classes of DuckDB's syntax tree that an expression may not hold, and why."""

PURE_MACROS = frozenset({"fdiv", "fmod", "if", "ifnull", "nullif", "split_part", "days_in_month"})


class Config(StageConfig):
    where: str
    """The expression: true for rows to keep."""

    wanted: ClassVar[bool] = True
    """What `matched` must be."""


def reads(config: Config) -> tuple[str, ...]:
    """The columns named in the expression; none where it cannot be read, which `check` then says."""
    if plain := _plain.read(config.where):
        return tuple(sorted(plain.columns))
    try:
        return tuple(sorted(_column_names(_parsed(config.where))))
    except ValueError:
        return ()


def check(config: Config, columns: Columns) -> str | None:
    """Bind the expression to an empty table of these columns and say what is wrong with it."""
    if (plain := _plain.read(config.where)) and plain.binds(columns):
        return None
    import duckdb

    try:
        tree = _parsed(config.where)
        _refuse(tree)
        for name in sorted(_column_names(tree)):
            if name not in columns:
                raise ValueError(f'names column "{name}", which the rows do not have{_nearest(name, columns)}')
        nothing = ", ".join(
            f'NULL::{_sql_type(kind)} AS "{name.replace(chr(34), chr(34) * 2)}"' for name, kind in columns.items()
        )
        kind = str(_connection().sql(f"WITH {ROWS} AS (SELECT {nothing} WHERE false) {_query(config.where)}").types[0])
        if kind != "BOOLEAN":
            raise ValueError(f"gives {kind}, not true or false; compare it with something")
    except ValueError as error:
        return f"where = {config.where!r} {error}"
    except duckdb.Error as error:
        return f"where = {config.where!r} cannot be used: {_first_line(error)}"
    return None


@filter(
    reads=reads,
    measures={"matched": "bool"},
    rules=[Rule("not_matched", "matched", "!=", "wanted")],
    version=1,
    check=check,
)
def where(batch: pa.RecordBatch, config: Config) -> Mapping[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    tree = _parsed(config.where)
    _refuse(tree)  # a config may come here without a plan
    # A table without columns has no rows for DuckDB: an expression that names none sees the first one.
    names = sorted(_column_names(tree) & set(batch.schema.names)) or batch.schema.names[:1]
    try:
        matched = _select(config.where, pa.Table.from_batches([batch.select(names)])).to_arrow_table()["matched"]
    finally:
        _connection().unregister(ROWS)
    return {"matched": pc.fill_null(matched.combine_chunks(), False)}


# --- DuckDB -----------------------------------------------------------------------------------------------------------


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    """One connection per process that reaches nothing outside it."""
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "threads": "1",
        },
    )
    connection.execute("SET lock_configuration = true")
    return connection


def _query(where: str) -> str:
    return f"SELECT (\n{where}\n) AS matched FROM {ROWS}"  # the line breaks end a comment in it


def _select(where: str, table: pa.Table) -> duckdb.DuckDBPyRelation:
    """The expression for each row of `table`, in order."""
    connection = _connection()
    connection.register(ROWS, table)
    return connection.sql(_query(where))


SQL_TYPES = {
    "string": "VARCHAR",
    "large_string": "VARCHAR",
    "binary": "BLOB",
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float32": "FLOAT",
    "float": "FLOAT",
    "float64": "DOUBLE",
    "double": "DOUBLE",
}


def _sql_type(name: str) -> str:
    """A column's type as DuckDB calls it: by name, so that a check need not load Arrow."""
    name = name.strip()
    if name.startswith("list<"):
        return f"{_sql_type(name[5:-1])}[]"
    if name.startswith("struct<"):
        fields = (part.split(":", 1) for part in name[7:-1].split(","))
        return f"STRUCT({', '.join(f'{key.strip()} {_sql_type(kind)}' for key, kind in fields)})"
    return SQL_TYPES.get(name) or name.split("[")[0].upper()  # date32, timestamp[us] and such


@cache
def _impure_functions() -> frozenset[str]:
    """Functions that look at more than one row, at the clock, at chance or at the session."""
    found = (
        _connection()
        .execute("SELECT lower(function_name), function_type, stability FROM duckdb_functions()")
        .fetchall()
    )
    return frozenset(
        name
        for name, kind, stability in found
        if (kind == "macro" and name not in PURE_MACROS and not name.startswith(("list_", "array_")))
        or (kind != "macro" and (kind != "scalar" or stability != "CONSISTENT"))
    ) | {"unnest"}


# --- the syntax tree --------------------------------------------------------------------------------------------------


@cache
def _parsed(where: str) -> dict[str, Any]:
    """DuckDB's syntax tree of the one expression. Raises ValueError where it is not one expression."""
    if not where.strip():
        raise ValueError("is empty; write an expression such as words >= 100")
    node = _statement(where)
    rest, usual = dict(node), dict(_statement("true"))
    expressions = rest.pop("select_list", [])
    usual.pop("select_list")
    # What stands around the expression must be what stands around `true`: no second table, clause or union.
    if len(expressions) != 1 or _bare(rest) != _bare(usual):
        raise ValueError("is more than one expression")
    return expressions[0]


def _statement(where: str) -> dict[str, Any]:
    import json

    [(text,)] = _connection().execute("SELECT json_serialize_sql(?)", [_query(where)]).fetchall()
    tree = json.loads(text)
    if tree["error"]:
        raise ValueError(f"is not an expression: {tree['error_message']}")
    if len(tree["statements"]) != 1:
        raise ValueError("is more than one statement")
    return tree["statements"][0]["node"]


def _bare(value: Any) -> Any:
    """The tree without the places in the text."""
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items() if not key.startswith("query_location")}
    return [_bare(each) for each in value] if isinstance(value, list) else value


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of the tree, outermost first; a loop, as a long expression may nest deeper than Python's stack."""
    stack = [tree]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            yield value
            stack += value.values()
        elif isinstance(value, list):
            stack += value


def _refuse(tree: dict[str, Any]) -> None:
    """Raise ValueError for an expression that looks beyond its row."""
    for node in _nodes(tree):
        if why := REFUSED_SYNTAX.get(node.get("class", "")):
            raise ValueError(why)
        name = str(node.get("function_name", "")).lower()
        if name in _impure_functions():
            raise ValueError(f"calls {name}(), which needs more than the values of one row")


def _column_names(tree: dict[str, Any]) -> set[str]:
    """The columns the expression names; the parameters of its lambdas are none, ``rows.words`` is words."""
    names, parameters = set(), set()
    for node in _nodes(tree):
        if node.get("class") == "LAMBDA":
            parameters |= {each["column_names"][0] for each in _nodes(node["lhs"]) if "column_names" in each}
        elif node.get("class") == "COLUMN_REF":
            path = node["column_names"]
            names.add(path[1] if path[0] == ROWS and len(path) > 1 else path[0])
    return names - parameters


def _nearest(name: str, columns: Columns) -> str:
    import difflib

    near = difflib.get_close_matches(name.lower(), list(columns), n=1)
    return f'; did you mean "{near[0]}"?' if near else f": they have {', '.join(sorted(columns))}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
