"""Rows gathered into record batches of a bounded size, and the extra fields a recipe asks a reader to keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 1024
MOST_BYTES = 4 << 20
"""About how much text a batch holds. One longer record makes a batch of its own."""

VECTOR = "list<float>"
KeptType = Literal["string", "int64", "float64", "bool", "list<float>"]
RESERVED = frozenset({
    "id", "source", "origin", "url", "text", "html", "messages", "parent",
    "lane", "step", "stage", "reason", "detail", "duplicate_of", "band",
})
"""What the engine and its views call columns of their own."""


class Rows:
    """Collects rows; `take` makes a batch of them."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        from dataengine.shards import arrow_schema

        self.schema = arrow_schema({"origin": "string", **columns})
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0

    def add(self, size: int, *values: Any) -> bool:
        """One row, its values in the schema's order: the origin, then the columns. `size` is its length in bytes.

        True when there are enough rows for a batch.
        """
        self._rows.append(values)
        self._bytes += size
        return len(self._rows) >= MOST_ROWS or self._bytes >= MOST_BYTES

    def __len__(self) -> int:
        return len(self._rows)

    def take(self) -> pa.RecordBatch:
        """The rows so far, at least one, as a batch; the collection is empty afterwards."""
        import pyarrow as pa

        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self.schema, strict=True)]
        self._rows, self._bytes = [], 0
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def keep_columns(keep: tuple[str, ...] | Mapping[str, str]) -> dict[str, str]:
    """Column name -> field, for ``keep = ["title", "meta.date"]`` and for ``keep = { doc_id = "id" }``."""
    return dict(keep) if isinstance(keep, Mapping) else {field.rsplit(".", 1)[-1]: field for field in keep}


def check_keep(keep: tuple[str, ...] | Mapping[str, str], types: Mapping[str, str]) -> None:
    """Raises ValueError, in the words of the recipe, where the extra columns cannot be."""
    columns = keep_columns(keep)
    if len(columns) < len(keep):
        raise ValueError('two kept fields have the same name; write keep = { name = "field", ... }')
    for column, path in columns.items():
        if column in RESERVED:
            raise ValueError(f'no kept column can be called "{column}"; write keep = {{ source_{column} = "{path}" }}')
        if not column.isidentifier():
            raise ValueError(f'"{column}" cannot be a column name; write keep = {{ name = "{path}" }}')
    for column in types:
        if column not in columns:
            raise ValueError(f'types names "{column}", which keep does not')
