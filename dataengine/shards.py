"""The data contract: Parquet shards, manifests and the commit that makes them exist.

A task writes into a private folder, the files are closed, synced and read back, the folder is renamed to the task's
address, and last its ``manifest.json`` is created. **A shard without a manifest does not exist**: readers follow
manifests, never list folders. The bytes of a shard follow from its rows alone, so a task done twice, anywhere, gives
the same sha256.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataengine.errors import AccountingError, CorruptShard, NotDeterministic
from dataengine.faults import fault

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
"""Of manifests and run.json. A run of another format is refused, never misread."""

MANIFEST = "manifest.json"
KEPT, DROPPED, QUARANTINED = "kept.parquet", "dropped.parquet", "quarantined.parquet"
WHOLE = "whole.parquet"
"""Quarantined rows with all their columns, as they came to the step that could not do with them; not there where no
step quarantined any."""

AUDITED = "audited.parquet"
"""The audit sample at the end of the segment; only there where the recipe asks for one."""

HIDDEN = "__"
"""With this begin the names of the engine's own columns: stored, but seen by no stage, view or data frame."""
PLACE = "__place"
"""Where a row stands in its task's input. The rows of all of a task's files are in this order."""
PLACES = {PLACE: "int64"}

GROUP_ROWS = 8192
GROUP_BYTES = 32 << 20
ZSTD_LEVEL = 1
"""The text column of three corpora, one core, MB of text a CPU second. Extracted Debian pages: level 1 wrote 310, level
2 253, level 3 185 MB/s; 21 and 9 % more bytes than level 3. The sentences of `benchmarks.dedup`: 287, 214, 150; 10 and
1 %. Python sources: level 1 296, level 3 252; 9 %. Writing is the most of what the engine adds to the stages of a
segment, and most of what it writes is dropped, or read once by the next segment. Reading is as fast at all levels.
"""

BIG_COLUMNS = frozenset({"text", "html", "id", "origin", "url", "title", "detail", "messages", "duplicate_of"})
"""Columns whose values hardly repeat: no dictionary and no statistics, which would cost time and help no reader."""


# --- columns ----------------------------------------------------------------------------------------------------------


def arrow_type(name: str) -> pa.DataType:
    """A type from its name: Arrow's own names, ``list<...>`` and ``struct<name: type, ...>``."""
    import pyarrow as pa

    name = name.strip()
    if name.startswith("list<") and name.endswith(">"):
        return pa.list_(arrow_type(name[5:-1]))
    if name.startswith("struct<") and name.endswith(">"):
        fields = (part.split(":", 1) for part in name[7:-1].split(","))
        return pa.struct([(key.strip(), arrow_type(kind)) for key, kind in fields])
    return pa.type_for_alias(name)


def hidden(name: str) -> bool:
    """Whether a column is the engine's own."""
    return name.startswith(HIDDEN)


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """Column names and types, in this order."""
    import pyarrow as pa

    return pa.schema([(name, arrow_type(kind)) for name, kind in columns.items()])


def content_bytes(batch: pa.RecordBatch) -> int:
    """Bytes of the batch's main column: ``text``, else ``html``; 0 where there is neither."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in ("text", "html"):
        if name in batch.schema.names:
            column = batch.column(name)
            if not column.null_count and (pa.types.is_string(column.type) or pa.types.is_binary(column.type)):
                return _span(column)
            return pc.sum(pc.binary_length(column)).as_py() or 0
    return 0


def _span(column: pa.Array) -> int:
    """Bytes between the first and last offset of a string column, without touching the text."""
    import numpy as np

    if not len(column):
        return 0
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)
    return int(offsets[column.offset + len(column)] - offsets[column.offset])


# --- writing and reading a shard --------------------------------------------------------------------------------------


class ShardWriter:
    """Writes rows of one schema to one Parquet file, whose row groups are cut by the rows alone."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self.path, self.schema, self.rows = path, schema, 0
        small = [name for name in schema.names if name not in BIG_COLUMNS and name != PLACE]
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=small or False,
            write_statistics=small or False,
            column_encoding={PLACE: "DELTA_BINARY_PACKED"} if PLACE in schema.names else None,
            write_page_checksum=True,
            version="2.6",
        )
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = self._pending_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows. Columns are put into the schema's order; those the batch lacks become null."""
        batch = conform(batch, self.schema)
        while batch.num_rows:
            room = GROUP_ROWS - self._pending_rows
            part, batch = batch.slice(0, room), batch.slice(room)
            self._append(part)

    def _append(self, part: pa.RecordBatch) -> None:
        size = content_bytes(part)
        if self._pending_bytes + size >= GROUP_BYTES and part.num_rows > 1:
            half = part.num_rows // 2
            self._append(part.slice(0, half))
            self._append(part.slice(half))
            return
        self._pending.append(part)
        self._pending_rows += part.num_rows
        self._pending_bytes += size
        if self._pending_rows >= GROUP_ROWS or self._pending_bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._pending:
            table = pa.Table.from_batches(self._pending, self.schema).combine_chunks()
            self._writer.write_table(table, row_group_size=GROUP_ROWS)
            self.rows += self._pending_rows
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0

    def close(self) -> None:
        """Write what is pending and the footer."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Close the file without caring what is in it."""
        self._pending = []
        self._writer.close()


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with exactly the schema's columns: in its order, cast to its types, null where missing."""
    import pyarrow as pa

    if batch.schema.equals(schema):
        return batch
    columns = []
    for column in schema:
        index = batch.schema.get_field_index(column.name)
        if index < 0:
            columns.append(pa.nulls(batch.num_rows, column.type))
        else:
            values = batch.column(index)
            columns.append(values if values.type == column.type else values.cast(column.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def read_batches(
    path: Path, columns: list[str] | None = None, max_rows: int = 1024, max_bytes: int = 4 << 20
) -> Iterator[pa.RecordBatch]:
    """Rows of a shard in order, page checksums verified, cut small enough that one bad row is soon found."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True, memory_map=False) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=columns, use_threads=False).combine_chunks()
                for batch in table.to_batches(max_chunksize=max_rows):
                    yield from cut(batch, max_bytes)
    except (OSError, pa.ArrowException) as error:
        raise CorruptShard(
            f"cannot be read: {error}",
            where=str(path),
            write="run `dataengine verify` on this run, remove the folder it names, and run again",
        ) from error


def cut(batch: pa.RecordBatch, max_bytes: int) -> Iterator[pa.RecordBatch]:
    """The batch in pieces of at most about `max_bytes` of text, halving by rows."""
    if batch.num_rows <= 1 or content_bytes(batch) <= max_bytes:
        yield batch
        return
    half = batch.num_rows // 2
    yield from cut(batch.slice(0, half), max_bytes)
    yield from cut(batch.slice(half), max_bytes)


# --- manifests --------------------------------------------------------------------------------------------------------


@dataclass
class Account:
    """What became of the rows that one step saw in one task. Bytes are of UTF-8 text (or of HTML before extraction)."""

    step: str
    lane: str
    stage: str
    rows_in: int = 0
    rows_created: int = 0
    rows_kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0

    def add(self, other: Account) -> None:
        """Sum `other` into this account."""
        for name in ("rows_in", "rows_created", "rows_kept", "bytes_in", "bytes_out", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("dropped", "quarantined"):
            mine = getattr(self, name)
            for reason, rows in getattr(other, name).items():
                mine[reason] = mine.get(reason, 0) + rows

    def check(self) -> None:
        """Raise AccountingError unless every row that came is kept, dropped or quarantined."""
        came = self.rows_in + self.rows_created
        went = self.rows_kept + sum(self.dropped.values()) + sum(self.quarantined.values())
        if came != went:
            raise AccountingError(
                f"{self.rows_in} rows in and {self.rows_created} created, but {self.rows_kept} kept, "
                f"{sum(self.dropped.values())} dropped and {sum(self.quarantined.values())} quarantined",
                where=f"step {self.step} ({self.stage})",
                expected="the two sides to be equal: nothing may be lost",
            )


@dataclass(frozen=True)
class FileRecord:
    """One committed file. `rows` is None where the file holds no rows."""

    bytes: int
    sha256: str
    rows: int | None = None


@dataclass
class Manifest:
    """What a task read, what it wrote and what became of every row. Written last; makes the task's files exist."""

    task: str
    segment: str
    kind: str
    inputs: list[str] = field(default_factory=list)
    files: dict[str, FileRecord] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    format: int = FORMAT

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Inverse of `to_json`."""
        data = json.loads(text)
        data["files"] = {name: FileRecord(**record) for name, record in data["files"].items()}
        data["accounts"] = [Account(**account) for account in data["accounts"]]
        return cls(**data)


def task_folder(run: Path, segment: str, address: str) -> Path:
    """Where the task of this address lives in the run."""
    return run.joinpath("steps", segment, address)


def is_committed(folder: Path) -> bool:
    """Whether the task of this folder is done."""
    return os.path.isfile(f"{folder}/{MANIFEST}")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a committed task."""
    try:
        with open(f"{folder}/{MANIFEST}", "rb") as file:
            return Manifest.from_json(file.read())
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorruptShard(
            f"the manifest cannot be read: {error}",
            where=str(folder / MANIFEST),
            write=f"remove {folder} and run the recipe again: only this task is remade",
        ) from error


# --- commit -----------------------------------------------------------------------------------------------------------


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)
"""On macOS fsync leaves the bytes in the disk's own cache; this does not."""


def sync(path: Path) -> None:
    """Make the file's or folder's bytes survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        if FULL_SYNC is not None and path.is_file():
            fcntl.fcntl(handle, FULL_SYNC)
        else:
            os.fsync(handle)
    finally:
        os.close(handle)


def _checked_record(path: Path) -> FileRecord:
    """Sync a finished file and read it back: its size, hash and, for Parquet, its row count."""
    sync(path)
    rows = None
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        rows = pq.read_metadata(path).num_rows
    return FileRecord(bytes=path.stat().st_size, sha256=sha256_of(path), rows=rows)


def commit(staging: Path, place: Path, manifest: Manifest) -> Manifest:
    """Make the files in `staging` those of `manifest`, at `place`, all or nothing. Returns the manifest that stands.

    Raises AccountingError if an account does not add up, NotDeterministic if the same task was committed before with
    other bytes, OSError if the disk fails (nothing is committed then).
    """
    names = sorted(path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file())
    manifest.files = {name: _checked_record(staging / name) for name in names}
    check_accounts(manifest)
    for folder in {(staging / name).parent for name in names} | {staging}:
        sync(folder)
    fault("before_rename")
    place.parent.mkdir(parents=True, exist_ok=True)
    if is_committed(place):
        return _agree(staging, place, manifest)
    try:
        os.rename(staging, place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        if is_committed(place):
            return _agree(staging, place, manifest)
        discard(place, staging.parent)
        os.rename(staging, place)
    sync(place.parent)
    fault("after_rename")
    try:
        create_exclusive(place / MANIFEST, manifest.to_json(), staging.parent)
    except FileExistsError:  # another driver, on a file system without locks, was faster
        return _agree(staging, place, manifest)
    fault("after_manifest")
    return manifest


def check_accounts(manifest: Manifest) -> None:
    """Raise AccountingError unless each account adds up, and for rows each follows the one before and the files hold
    just the rows that the accounts say.
    """
    for account in manifest.accounts:
        account.check()
    if manifest.kind != "rows":
        return
    for above, below in pairwise(manifest.accounts):
        _equal(above.rows_kept, below.rows_in, f"step {above.step} kept", f"step {below.step} got")
    counts = {
        KEPT: manifest.accounts[-1].rows_kept,
        DROPPED: sum(sum(account.dropped.values()) for account in manifest.accounts),
        QUARANTINED: sum(sum(account.quarantined.values()) for account in manifest.accounts),
    }
    for name, rows in counts.items():
        _equal(rows, manifest.files[name].rows or 0, "the accounts say", f"{name} holds")


def _equal(said: int, found: int, who: str, other: str) -> None:
    if said != found:
        raise AccountingError(
            f"{who} {said} rows, but {other} {found}", expected="the two to be equal: nothing may be lost"
        )


def _agree(staging: Path, place: Path, manifest: Manifest) -> Manifest:
    """A second result for a committed task: the same bytes are fine, others mean that a stage is not deterministic."""
    standing = read_manifest(place)
    shutil.rmtree(staging, ignore_errors=True)
    differing = sorted(
        name
        for name in standing.files.keys() | manifest.files.keys()
        if standing.files.get(name) != manifest.files.get(name)
    )
    if differing:
        stages = ", ".join(account.stage for account in manifest.accounts) or manifest.kind
        raise NotDeterministic(
            f"done twice, and {', '.join(differing)} differs",
            where=f"{manifest.segment}/{manifest.task}",
            expected=f"the same bytes from the same input; look at: {stages}",
        )
    return standing


def create_exclusive(path: Path, text: str, scratch: Path) -> None:
    """Create a file with all of its text, durably, or fail with FileExistsError. Never seen half written.

    `scratch` is a folder on the same disk. On a file system without hard links the run's lock alone keeps others away.
    """
    temporary = scratch / f"{path.parent.name}.{path.name}.{os.getpid()}"
    _write_durably(temporary, text)
    fault("before_manifest")
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
"""How file systems say that they have no hard links."""


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
    sync(path)


def replace_atomically(path: Path, text: str) -> None:
    """Write the file's new text, durably; a reader sees the old one or the new one, never a mixture."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write_durably(temporary, text)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


def discard(folder: Path, rubbish: Path) -> None:
    """Remove a folder, or what stands in its place, so that no reader sees it half removed: renamed, then deleted."""
    doomed = rubbish / f"discarded.{folder.name}.{os.getpid()}"
    os.rename(folder, doomed)
    if doomed.is_dir() and not doomed.is_symlink():
        shutil.rmtree(doomed)
    else:
        doomed.unlink()


@cache
def versions() -> dict[str, str]:
    """Versions of what can change bytes or counts; kept in every manifest for the reader, in no fingerprint."""
    from importlib.metadata import version
    from platform import python_version

    from dataengine.version import __version__

    libraries = ("numpy", "pyarrow", "numba", "resiliparse", "sentencepiece")
    return {"dataengine": __version__, "python": python_version()} | {name: version(name) for name in libraries}


def load_json(path: Path) -> Any:
    """The JSON text of a file."""
    return json.loads(path.read_text(encoding="utf-8"))
