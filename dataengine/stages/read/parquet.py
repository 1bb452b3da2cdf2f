"""Read Parquet files: one document a row, from a column of strings (parquet.apache.org).

Large files are cut into groups of row groups of about `split_bytes`. Page checksums are checked where the file has
them. The first file's schema is looked at before anything runs; a file that lacks the columns is then quarantined as
`wrong_schema`, one that cannot be read as `corrupt_parquet`, a null text as `no_text`, bytes that are not UTF-8 as
`bad_unicode`, and the others go on. Dots reach into structs: `text = "content.body"`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ByteSize, Field, model_validator

from dataengine.errors import InputError
from dataengine.stage import Piece, Refused, read
from dataengine.stages.read._files import FileConfig, Found, Size, files, whole
from dataengine.stages.read._found import cheap_again
from dataengine.stages.read._open import Damage, opened, refusal
from dataengine.stages.read._rows import MOST_BYTES, MOST_ROWS, VECTOR, KeptType, check_keep, keep_columns

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


class Config(FileConfig):
    """Which files, and which of their columns."""

    text: str = "text"
    """The column that holds the document."""
    url: str = "url"
    """The column that holds its address; null where there is none."""
    keep: tuple[str, ...] | dict[str, str] = ()
    """More columns to keep: `["title"]`, or `{ column = "field" }` to name them anew."""
    types: dict[str, KeptType] = Field(default={})
    """Types of kept columns; the others are scalars and become strings. A value that does not fit becomes null."""
    split_bytes: Size = ByteSize(64 * 2**20)
    """About how many packed bytes of row groups are read as one piece."""

    @model_validator(mode="after")
    def _keep_is_possible(self) -> Self:
        check_keep(self.keep, self.types)
        return self


def _pieces(config: Config, base: Path) -> Iterator[Piece]:
    checked = False
    for file in files(config, base, (".parquet", ".pq", ".parq")):
        piece = whole(file)
        if not file.ranges:
            if file.mark:
                raise InputError("the server does not serve byte ranges, which Parquet needs", where=file.origin,
                                 expected="a server that does, or a file on disk")
            yield piece  # a list names it: its footer is looked at when it is read
            continue
        try:
            with opened(piece) as opened_file:
                footer = opened_parquet(opened_file).metadata
        except Damage:
            yield piece  # reading it will say so
            continue
        schema = footer.schema.to_arrow_schema()
        wrong = mismatch(schema, config)
        if wrong and not checked:
            raise InputError(wrong, where=file.origin, expected=_expected(config),
                             write=_suggestion(schema, config))
        checked = True
        yield from [piece] if wrong else row_groups(file, footer, config.split_bytes)


def row_groups(file: Found, footer: pq.FileMetaData, size: int) -> Iterator[Piece]:
    """Runs of row groups of about `size` bytes once unpacked."""
    start, weight = 0, 0
    for group in range(footer.num_row_groups):
        columns = footer.row_group(group)
        weight += sum(columns.column(index).total_uncompressed_size for index in range(footer.num_columns))
        if weight >= size or group == footer.num_row_groups - 1:
            yield Piece(file.path, file.origin, start, group + 1, weight, file.stamp)
            start, weight = group + 1, 0


def _columns(config: Config) -> dict[str, str]:
    kept = {name: config.types.get(name, "string") for name in keep_columns(config.keep)}
    return {"url": "string", "text": "string"} | kept


REFUSES = ("not_regular_file", "io_error", "too_large", "corrupt_parquet", "wrong_schema", "no_text", "bad_unicode",
           "unreachable")


@read(pieces=_pieces, columns=_columns, version=2, refuses=REFUSES, again=lambda piece, config: cheap_again(piece))
def parquet(piece: Piece, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """The rows of a piece's row groups. Origins count the rows of the file: ``a.parquet#17``."""
    try:
        with opened(piece) as raw:
            file = opened_parquet(raw)
            if wrong := mismatch(file.schema_arrow, config):
                yield Refused(piece.origin, "wrong_schema", f"{wrong}; expected {_expected(config)}")
                return
            groups = list(range(piece.start, file.num_row_groups if piece.end < 0 else piece.end))
            row = sum(file.metadata.row_group(group).num_rows for group in range(piece.start))
            for batch in _batches(file, groups, config):
                yield from _rows(batch, row, piece.origin, config)
                row += batch.num_rows
    except Damage as damage:
        yield refusal(piece.origin, damage)


def opened_parquet(raw: Any) -> pq.ParquetFile:
    """An open file as Parquet, its checksums to be verified. Raises Damage ``corrupt_parquet``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(raw, page_checksum_verification=True, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise Damage("corrupt_parquet", f"the footer cannot be read: {_first_line(error)}") from None


def _batches(file: pq.ParquetFile, groups: list[int], config: Config) -> Iterator[pa.RecordBatch]:
    fields = [config.text, config.url, *keep_columns(config.keep).values()]
    names = list(dict.fromkeys(found[0] for field in fields if (found := _path(file.schema_arrow, field))))
    yield from batches_of(file, groups, names)


def batches_of(file: pq.ParquetFile, groups: list[int], names: list[str]) -> Iterator[pa.RecordBatch]:
    """These columns of these row groups. Raises Damage ``corrupt_parquet``."""
    import pyarrow as pa

    try:
        yield from file.iter_batches(MOST_ROWS, row_groups=groups, columns=names, use_threads=False)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise Damage("corrupt_parquet", f"a page cannot be read: {_first_line(error)}") from None


def _rows(batch: pa.RecordBatch, row: int, origin: str, config: Config) -> Iterator[pa.RecordBatch | Refused]:
    """A batch in our columns, in slices of a bounded size, without the rows that are refused."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    raw = _bytes(_column(batch, config.text))
    text = _text(raw)
    size = pc.fill_null(pc.binary_length(raw), 0).to_numpy(zero_copy_only=False)
    if text is None or raw.null_count or (size > config.max_record_bytes).any():
        good = np.ones(batch.num_rows, dtype=bool)
        for index, refused in _refused(raw, size, row, origin, config):
            good[index] = False
            yield refused
        chosen = np.flatnonzero(good)
        batch, size, text = batch.take(chosen), size[chosen], _text(raw.take(chosen))
        assert text is not None, "what is not UTF-8 was refused"
    else:
        chosen = np.arange(batch.num_rows)
    names = pc.binary_join_element_wise(origin, pa.array(row + chosen).cast(pa.string()), "#")
    columns = {"origin": names}
    sources = {"url": config.url, **keep_columns(config.keep)}
    for name, kind in _columns(config).items():
        if name == "text":
            columns[name] = text
        else:
            kept = _vectors if kind == VECTOR else _scalar
            columns[name] = kept(_column(batch, sources[name]), kind, batch.num_rows)
    rows = pa.RecordBatch.from_pydict(columns)
    starts = np.searchsorted(np.cumsum(size) // MOST_BYTES, np.arange(_slices(size) + 1))
    place = rows.schema.get_field_index("text")
    for first, end in pairwise(starts.tolist()):
        if end > first:
            part = rows.slice(first, end - first)
            yield part.set_column(place, "text", part.column(place).cast(pa.string()))


def _slices(size: Any) -> int:
    return int(size.sum() // MOST_BYTES) + 1


def _refused(raw: pa.Array, size: Any, row: int, origin: str, config: Config) -> Iterator[tuple[int, Refused]]:
    """The rows of a batch that are no documents, and why, each once."""
    for index, value in enumerate(raw):
        place = f"{origin}#{row + index}"
        if not value.is_valid:
            yield index, Refused(place, "no_text", f'"{config.text}" is null')
        elif size[index] > config.max_record_bytes:
            yield index, Refused(place, "too_large",
                                 f"{size[index]} bytes; max_record_bytes is {config.max_record_bytes}",
                                 value.as_py()[:1000])
        elif not _is_utf8(value.as_py()):
            yield index, Refused(place, "bad_unicode", "not UTF-8", value.as_py()[:1000])


def _bytes(column: pa.Array) -> pa.Array:
    """Strings of any kind as binary, whose bytes nothing has vouched for: Parquet files may hold any."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    small = pa.types.is_string(column.type) or pa.types.is_binary(column.type)
    return column.cast(pa.binary() if small else pa.large_binary())


def _text(raw: pa.Array) -> pa.Array | None:
    """Bytes as text, looked at but not copied; None where some are not UTF-8."""
    import pyarrow as pa

    try:
        return raw.cast(pa.string() if pa.types.is_binary(raw.type) else pa.large_string())
    except pa.ArrowInvalid:
        return None


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _scalar(column: pa.Array | None, kind: str, rows: int) -> pa.Array:
    """A column in its declared type; what does not fit is null."""
    import pyarrow as pa

    target = pa.type_for_alias(kind)
    if column is None or pa.types.is_nested(column.type):
        return pa.nulls(rows, target)
    try:
        return column.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_cast(value, target) for value in column], target)


def _vectors(column: pa.Array | None, kind: str, rows: int) -> pa.Array:
    """A column of lists of numbers, of any kind and precision, as lists of float32."""
    import pyarrow as pa

    if column is None or not _is_vector(column.type):
        return pa.nulls(rows, pa.list_(pa.float32()))
    return column.cast(pa.list_(pa.float32()), safe=False)


def _is_vector(kind: pa.DataType) -> bool:
    import pyarrow as pa

    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in lists) and (
        pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    )


def _cast(value: pa.Scalar, target: pa.DataType) -> Any:
    import pyarrow as pa

    try:
        return value.cast(target).as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None


# --- schemas ----------------------------------------------------------------------------------------------------------


def _path(schema: pa.Schema, name: str) -> list[str] | None:
    """The column of this name, or the one its dots lead to through structs."""
    import pyarrow as pa

    if name in schema.names:
        return [name]
    parts = name.split(".")
    if parts[0] not in schema.names:
        return None
    kind = schema.field(parts[0]).type
    for part in parts[1:]:
        if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
            return None
        kind = kind.field(part).type
    return parts


def _type(schema: pa.Schema, name: str) -> pa.DataType | None:
    path = _path(schema, name)
    if path is None:
        return None
    kind = schema.field(path[0]).type
    for part in path[1:]:
        kind = kind.field(part).type
    return kind


def _column(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    import pyarrow.compute as pc

    path = _path(batch.schema, name)
    if path is None:
        return None
    column = batch.column(path[0])
    return pc.struct_field(column, path[1:]) if len(path) > 1 else column


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary,
                                       pa.types.is_large_binary, pa.types.is_string_view, pa.types.is_binary_view))


def mismatch(schema: pa.Schema, config: Config) -> str | None:
    """What is wrong with a file's schema, in a sentence, or None."""
    import pyarrow as pa

    here = ", ".join(f"{field.name}: {field.type}" for field in list(schema)[:30])
    kind = _type(schema, config.text)
    if kind is None:
        return f'no column "{config.text}" among {here}'
    if not _is_text(kind):
        return f'column "{config.text}" is {kind}, not string, among {here}'
    for name, field in keep_columns(config.keep).items():
        kind = _type(schema, field)
        if kind is None:
            return f'no column "{field}" among {here}'
        vector = config.types.get(name) == VECTOR
        if vector and not _is_vector(kind):
            return f'column "{field}" is {kind}, not a list of numbers'
        if pa.types.is_nested(kind) and not vector:
            return f'column "{field}" is {kind}, not a scalar'
    if config.url != "url" and _path(schema, config.url) is None:
        return f'no column "{config.url}" among {here}'
    return None


def _expected(config: Config) -> str:
    kept = [f"{field}: {config.types.get(name, 'string')}" for name, field in keep_columns(config.keep).items()]
    return ", ".join([f"{config.text}: string", *kept])


def _suggestion(schema: pa.Schema, config: Config) -> str:
    texts = [field.name for field in schema if _is_text(field.type)]
    if texts and _type(schema, config.text) is None:
        return f'text = "{texts[0]}"'
    for name, field in keep_columns(config.keep).items():
        kind = _type(schema, field)
        if kind is not None and _is_vector(kind) and config.types.get(name) != VECTOR:
            return f'types = {{ {name} = "{VECTOR}" }}'
    return ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
