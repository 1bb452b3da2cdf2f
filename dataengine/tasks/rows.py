"""A ``rows`` task: fused stages over one split or one shard, every row judged and accounted for.

head (a reader's pieces | a parent's shard with a gather's decisions)
  └─ batch ─> stage ─> stage ─> ... ─> kept.parquet
                └─> dropped.parquet, quarantined.parquet, one account per step
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from dataengine import shards
from dataengine import stage as stages
from dataengine.errors import DataEngineError, InputError, StageError
from dataengine.shards import Account, ShardWriter, content_bytes, cut
from dataengine.stage import BASE_COLUMNS, Piece, Refused, Stage, StageConfig
from dataengine.tasks import PROCESSING, READING, WRITING, Job, blank

QUARANTINE_COLUMNS = BASE_COLUMNS | {
    "step": "string",
    "stage": "string",
    "reason": "string",
    "detail": "string",
    "text": "string",
}
DROP_COLUMNS = {"step": "string", "stage": "string", "reason": "string"}
RAW_BYTES = 16 << 10
"""How much of a quarantined record's text is kept for the eye; the whole of it is at its origin."""
BATCH_ROWS, BATCH_BYTES = 1024, 4 << 20
"""Small enough that halving soon finds a bad row, large enough that a kernel's call costs nothing."""
FAILING_BATCH = 8
"""A stage that raises on each row of a batch of at least so many is broken; fewer may be bad luck with the data."""


@dataclass(frozen=True)
class FusedStep:
    """One stage of the segment with its config loaded."""

    name: str
    lane: str
    stage: Stage
    config: StageConfig
    duplicates: Mapping[str, Any] | None = None
    """gather: the decisions for this shard."""

    def account(self) -> Account:
        """An empty account."""
        return Account(self.name, self.lane, self.stage.name)


@dataclass
class Outcome:
    """What became of some rows: nothing is written before all of a batch has its outcome."""

    accounts: list[Account]
    kept: list[pa.RecordBatch] = field(default_factory=list)
    dropped: list[pa.RecordBatch] = field(default_factory=list)
    quarantined: list[pa.RecordBatch] = field(default_factory=list)
    running: int = 0
    """The step at work, to know whom to blame."""

    def add(self, other: Outcome) -> None:
        """Append what became of later rows."""
        for mine, others in zip(self.accounts, other.accounts, strict=True):
            mine.add(others)
        self.kept += other.kept
        self.dropped += other.dropped
        self.quarantined += other.quarantined


def run(job: Job, staging: Path | None, at: Callable[[int, int], None]) -> shards.Manifest:
    """Run the fused steps over the task's input. With a probe, over the probed row only, writing nothing."""
    steps = load_steps(job)
    manifest = blank(job)
    manifest.accounts = [step.account() for step in steps]
    called = [step for step in steps if step.stage.kind not in ("read", "gather")]
    warm_up(called, job.body["columns_in"] | job.body["columns_out"])
    cursor = Cursor(at)
    with Outputs(staging, job.body) as outputs:
        items = head(job, steps, cursor)
        while job.probe is None or cursor.batch <= job.probe[0]:
            started = time.perf_counter()
            item = next(items, None)
            if item is None:
                break
            outcome = Outcome([step.account() for step in steps])
            outcome.accounts[0].seconds += time.perf_counter() - started
            if isinstance(item, list):
                refuse(item, steps[0], outcome)
            elif job.probe is None or cursor.batch == job.probe[0]:
                process(item, steps, job, outcome, cursor)
            cursor.report(WRITING)
            for mine, others in zip(manifest.accounts, outcome.accounts, strict=True):
                mine.add(others)
            outputs.write(outcome)
            if not isinstance(item, list):
                cursor.advance(item.num_rows)
        cursor.report(WRITING)
    for account in manifest.accounts:
        account.seconds = round(account.seconds, 4)
    return manifest


def warm_up(steps: list[FusedStep], columns: Mapping[str, str]) -> None:
    """Let each stage see one harmless row before the clock of the first record runs: kernels compile, models load.

    Whatever a stage makes of this row is thrown away, errors too: they come again with a real row, or never.
    """
    columns = BASE_COLUMNS | columns
    row = {name: WARM_VALUES.get(kind) for name, kind in columns.items()}
    batch = pa.RecordBatch.from_pylist([row], shards.arrow_schema(columns))
    for step in steps:
        with contextlib.suppress(Exception):
            step.stage.function(batch, step.config)


WARM_VALUES = {
    "string": "One row to begin with.\n",
    "binary": b"<p>One row to begin with.</p>",
    "int64": 1,
    "float64": 1.0,
    "bool": True,
}


class Cursor:
    """Where the task is in its input. The driver watches it: a killed or stalled worker points at its record."""

    def __init__(self, at: Callable[[int, int], None]) -> None:
        self._at = at
        self.reads = 0
        """Things the reader has given so far."""
        self.batch = 0
        """Number of the batch that is worked on."""
        self.base = 0
        """Rows before this batch in the task's input."""
        self.rows = np.empty(0, np.int64)
        """Positions in the task's input of the rows that the running stage sees."""

    def report(self, row: int) -> None:
        """Tell the driver which row of the batch is worked on, or `PROCESSING` for all of it, `READING`, `WRITING`."""
        self._at(self.reads if row == READING else self.batch, row)

    def begin(self, rows: np.ndarray) -> None:
        """A stage begins on these rows, given by their positions in the task's input. A single one is named."""
        self.rows = rows
        alone = len(rows) and rows[0] == rows[-1]
        self.report(int(rows[0]) - self.base if alone else PROCESSING)

    def advance(self, rows: int) -> None:
        """The batch is done."""
        self.batch += 1
        self.base += rows

    def __call__(self, row: int) -> None:
        """Called by stages through `dataengine.stage.at_row`, with their own row number."""
        self.report(int(self.rows[row]) - self.base)


class Outputs:
    """The three shards of a task; writes nowhere if `staging` is None."""

    def __init__(self, staging: Path | None, body: Mapping[str, Any]) -> None:
        self.writers: dict[str, ShardWriter] = {}
        if staging is not None:
            schemas = {
                "kept": body["columns_out"],
                "dropped": body["columns_all"] | DROP_COLUMNS,
                "quarantined": QUARANTINE_COLUMNS,
            }
            for name, columns in schemas.items():
                self.writers[name] = ShardWriter(staging / f"{name}.parquet", shards.arrow_schema(columns))

    def write(self, outcome: Outcome) -> None:
        for name, writer in self.writers.items():
            for batch in getattr(outcome, name):
                writer.write(batch)

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        for writer in self.writers.values():
            writer.abandon() if kind else writer.close()


# --- the head ---------------------------------------------------------------------------------------------------------


def load_steps(job: Job) -> list[FusedStep]:
    """The segment's stages, with their configs typed again and the files made for them in place."""
    steps = []
    for spec in job.body["steps"]:
        stage = stages.load(spec["stage"])
        made = {name: str(job.run / path) for name, path in spec["made"].items()}
        config = stage.config.model_validate(spec["config"] | made)
        decisions = load_decisions(job) if stage.kind == "gather" else None
        steps.append(FusedStep(spec["step"], spec["lane"], stage, config, decisions))
    return steps


def load_decisions(job: Job) -> dict[str, Any]:
    """Which rows of this shard go, and for whom: arrays ``row``, ``duplicate_of``, ``band``, sorted by row."""
    folder = job.folder(job.body["cluster"])
    ranges = np.load(folder / "ranges.npy", allow_pickle=False)
    first, end = (int(ranges[job.body["shard"] + offset]) for offset in (0, 1))
    with pa.memory_map(str(folder / "decisions.arrow")) as source:
        table = pa.ipc.open_file(source).read_all().slice(first, end - first)
        return {
            "row": table["row"].to_numpy(),
            "band": table["band"].combine_chunks(),
            "duplicate_of": table["duplicate_of"].combine_chunks(),
        }


def head(job: Job, steps: list[FusedStep], cursor: Cursor) -> Iterator[pa.RecordBatch | list[Refused]]:
    """The task's rows, in the same batches however often it is asked: poison is named by batch and row.

    Refused records come in lists, in their order among themselves: a file of nothing else is not slow for that.
    """
    body = job.body
    cursor.report(READING)
    if "parent" in body:
        schema = shards.arrow_schema(body["columns_in"])
        for batch in shards.read_batches(
            job.folder(body["parent"]) / shards.KEPT, max_rows=BATCH_ROWS, max_bytes=BATCH_BYTES
        ):
            yield shards.conform(batch, schema)
            cursor.report(READING)
        return
    schema = shards.arrow_schema(BASE_COLUMNS | dict(steps[0].stage.adds(steps[0].config)))
    waiting: list[pa.RecordBatch] = []
    refused: list[Refused] = []
    rows = size = raw = 0
    for item in read_split(job, steps[0], schema, cursor):
        if isinstance(item, Refused):
            refused.append(item)
            raw += len(item.raw)
            if len(refused) == BATCH_ROWS or raw > BATCH_BYTES:
                yield refused
                refused, raw = [], 0
            continue
        more = content_bytes(item)
        if waiting and (rows + item.num_rows > BATCH_ROWS or size + more > BATCH_BYTES):
            yield merged(waiting)  # as many as fit: a thousand small files are one batch, not a thousand
            waiting, rows, size = [], 0, 0
        waiting.append(item)
        rows, size = rows + item.num_rows, size + more
    if refused:
        yield refused
    if waiting:
        yield merged(waiting)


def merged(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Several batches of one schema as one."""
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def read_split(job: Job, reader: FusedStep, schema: pa.Schema, cursor: Cursor) -> Iterator[pa.RecordBatch | Refused]:
    """What the reader gives, piece after piece. Where it is known to die, the rest of the piece is refused."""
    for spec in job.body["split"]:
        piece = Piece(**spec)
        items = read_piece(piece, reader, schema)
        while True:
            cursor.report(READING)
            if (reason := job.poison.get(str(cursor.reads))) is not None:
                cursor.reads += 1
                yield Refused(
                    f"{piece.origin}:{piece.start}",
                    reason,
                    "the reader died in this part of the file; the rest of it was not read",
                )
                break
            if (item := next(items, None)) is None:
                break
            cursor.reads += 1
            yield item


def read_piece(piece: Piece, reader: FusedStep, schema: pa.Schema) -> Iterator[pa.RecordBatch | Refused]:
    """The rows of one piece with their ids, and its refused records."""
    stage = reader.stage
    for item in said(stage.function(piece, reader.config), stage, piece):
        if isinstance(item, Refused):
            if item.reason not in stage.refuses:
                raise StageError(
                    f"refused a record as {item.reason!r}, which it does not declare",
                    where=stage.name,
                    expected=f"one of {', '.join(stage.refuses)}",
                )
            yield item
        else:
            for first in range(0, item.num_rows, BATCH_ROWS):
                for part in cut(item.slice(first, BATCH_ROWS), BATCH_BYTES):
                    yield with_identity(part, reader, schema)
    changed(piece)


def said(items: Iterator[Any], stage: Stage, piece: Piece) -> Iterator[Any]:
    """What the reader gives; if it raises, the error names reader and piece. What it cannot read it must refuse."""
    try:
        yield from items
    except (DataEngineError, OSError, MemoryError):
        raise
    except Exception as error:
        raise StageError(
            f"raised {type(error).__name__}: {error}"[:2000],
            where=f"{stage.name} on {piece.origin}:{piece.start}",
            expected="rows, or a refused record with a declared reason",
        ) from error


def changed(piece: Piece) -> None:
    """Raise InputError if the file is not the one that was planned: its rows would be neither the old nor the new."""
    if piece.path and piece.stamp:
        found = os.stat(piece.path)
        if piece.stamp != f"{found.st_size}-{found.st_mtime_ns}":
            raise InputError(
                "changed while it was being read",
                where=piece.origin,
                expected="input that stays as it is during a run",
                write="the same command again: the changed file is read anew",
            )


def with_identity(batch: pa.RecordBatch, reader: FusedStep, schema: pa.Schema) -> pa.RecordBatch:
    """The rows with ``id`` and ``source``. The id is xxh3-128 of lane, origin and content: about 0.4 µs a row."""
    content = batch.column(reader.stage.content)
    salt = reader.lane.encode() + b"\0"
    ids = [
        xxhash.xxh3_128_hexdigest(b"".join((salt, origin.encode(), b"\0", value)))
        for origin, value in zip(batch.column("origin").to_pylist(), as_bytes(content), strict=True)
    ]
    batch = batch.append_column("id", pa.array(ids, pa.string()))
    batch = batch.append_column("source", constant(reader.lane, len(ids)))
    unknown = set(batch.schema.names) - set(schema.names)
    if unknown:
        raise StageError(f"gave columns it does not declare: {', '.join(sorted(unknown))}", where=reader.stage.name)
    return shards.conform(batch, schema)


def as_bytes(column: pa.Array) -> Iterator[bytes]:
    """Each value of a text or binary column as bytes; other columns by their text."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.binary() if pa.types.is_string(column.type) else pa.large_binary())
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return (value or b"" for value in column.to_pylist())
    return (str(value).encode() for value in column.to_pylist())


# --- one batch --------------------------------------------------------------------------------------------------------


def process(batch: pa.RecordBatch, steps: list[FusedStep], job: Job, outcome: Outcome, cursor: Cursor) -> None:
    """All steps over one batch, without the records known to be poison (with a probe, over the probed row only)."""
    first, reading = steps[0], steps[0].stage.kind == "read"
    chosen = np.arange(batch.num_rows)
    if job.probe:
        chosen = chosen[job.probe[1] : job.probe[1] + 1]
    poison = {row: reason for row in chosen.tolist() if (reason := job.poison.get(f"{cursor.batch}:{row}")) is not None}
    healthy = np.array([row for row in chosen.tolist() if row not in poison], dtype=np.int64) if poison else chosen
    if poison:
        sick = batch.take(pa.array(sorted(poison)))
        outcome.accounts[0].rows_in += len(poison)
        outcome.accounts[0].bytes_in += content_bytes(sick)
        quarantine(sick, first, [poison[row] for row in sorted(poison)], "it killed or stalled its worker", outcome, 0)
    if len(healthy) < batch.num_rows:
        batch = batch.take(pa.array(healthy))
    if reading:
        account, size = outcome.accounts[0], content_bytes(batch)
        account.rows_in += batch.num_rows
        account.rows_kept += batch.num_rows
        account.bytes_in += size
        account.bytes_out += size
    result = Outcome([step.account() for step in steps])
    size = 1 if cursor.batch in job.careful or -1 in job.careful else batch.num_rows
    for begin in range(0, batch.num_rows, max(size, 1)):
        part = slice(begin, begin + size)
        result.add(attempt(batch.slice(begin, size), cursor.base + healthy[part], steps, 1 if reading else 0, cursor))
    broken_stage(result)
    outcome.add(result)


def broken_stage(result: Outcome) -> None:
    """Raise StageError if a stage raised on every row it saw of a batch: then it is the stage, not the data."""
    for account in result.accounts:
        if account.rows_in >= FAILING_BATCH and account.quarantined.get("error", 0) == account.rows_in:
            detail = next(
                batch["detail"][0].as_py() for batch in result.quarantined if batch["step"][0].as_py() == account.step
            )
            raise StageError(
                f"raised on every row: {detail}",
                where=f"step {account.step} ({account.stage})",
                expected="an answer for each row, or a declared reason to refuse it",
            )


def refuse(refused: list[Refused], reader: FusedStep, outcome: Outcome) -> None:
    """Records that the reader could not read: in and quarantined."""
    account = outcome.accounts[0]
    account.rows_in += len(refused)
    lane = reader.lane.encode()
    rows = []
    for record in refused:
        account.quarantined[record.reason] = account.quarantined.get(record.reason, 0) + 1
        rows.append(
            {
                "id": xxhash.xxh3_128_hexdigest(b"\0".join((lane, record.origin.encode(), record.raw))),
                "source": reader.lane,
                "origin": record.origin,
                "url": None,
                "step": reader.name,
                "stage": reader.stage.name,
                "reason": record.reason,
                "detail": record.detail,
                "text": record.raw[:RAW_BYTES].decode("utf-8", "replace"),
            }
        )
    outcome.quarantined.append(pa.RecordBatch.from_pylist(rows, shards.arrow_schema(QUARANTINE_COLUMNS)))


def attempt(batch: pa.RecordBatch, rows: np.ndarray, steps: list[FusedStep], todo: int, cursor: Cursor) -> Outcome:
    """The outcome of a batch. If a stage raises, its halves are tried, down to the one record that is at fault."""
    outcome = Outcome([step.account() for step in steps])
    try:
        through(batch, rows, steps, todo, outcome, cursor)
        return outcome
    except DataEngineError:
        raise
    except MemoryError as error:
        fault, reason = error, "out_of_memory"
    except Exception as error:  # a stage is anyone's code, and one record must not end the run
        fault, reason = error, "error"
    if batch.num_rows == 1:
        return blamed(batch, steps, todo, outcome.running, reason, fault)
    middle = batch.num_rows // 2
    both = Outcome([step.account() for step in steps])
    both.add(attempt(batch.slice(0, middle), rows[:middle], steps, todo, cursor))
    both.add(attempt(batch.slice(middle), rows[middle:], steps, todo, cursor))
    return both


def blamed(
    batch: pa.RecordBatch, steps: list[FusedStep], todo: int, failing: int, reason: str, fault: BaseException
) -> Outcome:
    """The outcome of one row on which a stage raised: it went well before `failing` and is quarantined there."""
    outcome = Outcome([step.account() for step in steps])
    size = content_bytes(batch)
    for index in range(todo, failing):
        account = outcome.accounts[index]
        account.rows_in, account.rows_kept, account.bytes_in, account.bytes_out = 1, 1, size, size
    outcome.accounts[failing].rows_in = 1
    outcome.accounts[failing].bytes_in = size
    quarantine(batch, steps[failing], [reason], f"{type(fault).__name__}: {fault}"[:2000], outcome, failing)
    return outcome


def through(
    batch: pa.RecordBatch, rows: np.ndarray, steps: list[FusedStep], todo: int, outcome: Outcome, cursor: Cursor
) -> None:
    """The batch through all steps from `todo` on; what is left is kept."""
    for index in range(todo, len(steps)):
        step, account = steps[index], outcome.accounts[index]
        outcome.running = index
        started = time.perf_counter()
        account.rows_in += batch.num_rows
        account.bytes_in += content_bytes(batch)
        stages.watch_rows(cursor)
        if batch.num_rows:
            cursor.begin(rows)
            batch, rows = APPLY[step.stage.kind](batch, rows, step, outcome, index)
        account.rows_kept += batch.num_rows
        account.bytes_out += content_bytes(batch)
        account.seconds += time.perf_counter() - started
    if batch.num_rows:
        outcome.kept.append(batch)


def apply_map(
    batch: pa.RecordBatch, rows: np.ndarray, step: FusedStep, outcome: Outcome, index: int
) -> tuple[pa.RecordBatch, np.ndarray]:
    """Columns added or replaced; refused rows quarantined."""
    result = dict(step.stage.function(batch, step.config))
    refused = result.pop("refused", None)
    after = with_columns(batch, result, step)
    if refused is None:
        return after, rows
    reasons = refused.to_pylist() if isinstance(refused, pa.Array) else list(refused)
    undeclared = {reason for reason in reasons if reason} - set(step.stage.refuses)
    if undeclared or len(reasons) != batch.num_rows:
        raise StageError(
            f"refused rows as {', '.join(sorted(undeclared)) or 'an array of another length'}",
            where=step.stage.name,
            expected=f"for each row None or one of {', '.join(step.stage.refuses)}",
        )
    sick = np.array([row for row, reason in enumerate(reasons) if reason], dtype=np.int64)
    if not len(sick):
        return after, rows
    quarantine(batch.take(sick), step, [reasons[row] for row in sick], "", outcome, index)
    well = np.array([row for row, reason in enumerate(reasons) if not reason], dtype=np.int64)
    return after.take(well), rows[well]


def apply_filter(
    batch: pa.RecordBatch, rows: np.ndarray, step: FusedStep, outcome: Outcome, index: int
) -> tuple[pa.RecordBatch, np.ndarray]:
    """Measurements added, then judged: the first broken rule is a row's reason."""
    after = with_columns(batch, dict(step.stage.function(batch, step.config)), step)
    verdict = judge(after, step.stage.rules, step.config)
    if (verdict < 0).all():
        return after, rows
    reasons = np.array([rule.reason for rule in step.stage.rules])
    out = np.flatnonzero(verdict >= 0)
    drop(after.take(out), reasons[verdict[out]].tolist(), step, outcome, index)
    stay = np.flatnonzero(verdict < 0)
    return after.take(stay), rows[stay]


def judge(batch: pa.RecordBatch, rules: tuple[stages.Rule, ...], config: StageConfig) -> np.ndarray:
    """For each row the index of the first rule it breaks, or -1."""
    verdict = np.full(batch.num_rows, -1, dtype=np.int64)
    for number in reversed(range(len(rules))):
        column = batch.column(rules[number].measure)
        values = column.to_numpy(zero_copy_only=False)
        broken = np.asarray(rules[number].broken(values, config), dtype=bool)
        if column.null_count:
            broken &= column.is_valid().to_numpy(zero_copy_only=False)
        verdict[broken] = number
    return verdict


def apply_expand(
    batch: pa.RecordBatch, rows: np.ndarray, step: FusedStep, outcome: Outcome, index: int
) -> tuple[pa.RecordBatch, np.ndarray]:
    """One row becomes k: the new rows have the parent's other columns, its id as ``parent`` and an id of their own."""
    columns, parents = step.stage.function(batch, step.config)
    parents = np.asarray(parents, dtype=np.int64)
    if len(parents) and (np.diff(parents) < 0).any():
        raise StageError("gave new rows out of the order of their parents", where=step.stage.name)
    kept = [name for name in batch.schema.names if name not in columns]  # a text that is replaced is not copied k times
    after = with_columns(batch.select(kept).take(pa.array(parents)), dict(columns), step)
    numbers = np.arange(len(parents)) - np.searchsorted(parents, parents)
    ids = batch.column("id").take(parents)
    fresh = [
        xxhash.xxh3_128_hexdigest(f"{parent}\0{step.name}\0{number}".encode())
        for parent, number in zip(ids.to_pylist(), numbers.tolist(), strict=True)
    ]
    after = set_column(after, "id", pa.array(fresh, pa.string()))
    account = outcome.accounts[index]
    childless = batch.num_rows - len(np.unique(parents))
    account.rows_created += len(parents) - (batch.num_rows - childless)
    if childless:
        gone = np.setdiff1d(np.arange(batch.num_rows), parents)
        drop(batch.take(gone), ["no_children"] * childless, step, outcome, index)
    return set_column(after, "parent", ids), rows[parents]


def apply_gather(
    batch: pa.RecordBatch, rows: np.ndarray, step: FusedStep, outcome: Outcome, index: int
) -> tuple[pa.RecordBatch, np.ndarray]:
    """The decisions for this shard: rows that have a double before them in the lane go."""
    decided = step.duplicates
    assert decided is not None, "a gather's segment is planned with its cluster task"
    if not len(decided["row"]):
        return batch, rows
    place = np.minimum(np.searchsorted(decided["row"], rows), len(decided["row"]) - 1)
    goes = decided["row"][place] == rows
    out, stay = np.flatnonzero(goes), np.flatnonzero(~goes)
    if len(out):
        gone = batch.take(out)
        for name in ("duplicate_of", "band"):
            gone = set_column(gone, name, decided[name].take(pa.array(place[out])))
        drop(gone, [step.stage.reason] * len(out), step, outcome, index)
    return batch.take(stay), rows[stay]


APPLY = {"map": apply_map, "filter": apply_filter, "expand": apply_expand, "gather": apply_gather}


# --- columns, drops, quarantine ---------------------------------------------------------------------------------------


def with_columns(batch: pa.RecordBatch, columns: dict[str, Any], step: FusedStep) -> pa.RecordBatch:
    """The batch with a stage's columns, which must be just those it declares, one value a row."""
    declared = dict(step.stage.adds(step.config))
    if columns.keys() != declared.keys():
        raise StageError(
            f"gave the columns {', '.join(sorted(columns)) or '(none)'}",
            where=f"step {step.name} ({step.stage.name})",
            expected=f"just those it declares: {', '.join(sorted(declared))}",
        )
    for name, kind in declared.items():
        values = columns[name]
        wanted = shards.arrow_type(kind)
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if not isinstance(values, pa.Array):
            values = pa.array(values, wanted)
        if len(values) != batch.num_rows:
            raise StageError(
                f'gave {len(values)} values of "{name}" for {batch.num_rows} rows',
                where=f"step {step.name} ({step.stage.name})",
            )
        batch = set_column(batch, name, values if values.type == wanted else values.cast(wanted))
    return batch


def set_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """The batch with this column replaced, or appended."""
    position = batch.schema.get_field_index(name)
    if position < 0:
        return batch.append_column(name, values)
    return batch.set_column(position, name, values)


def constant(value: str, rows: int) -> pa.Array:
    """A column of one text."""
    return pa.repeat(pa.scalar(value, pa.string()), rows)


def drop(batch: pa.RecordBatch, reasons: list[str], step: FusedStep, outcome: Outcome, index: int) -> None:
    """Count the rows as dropped at this step and put them aside with their reasons."""
    account = outcome.accounts[index]
    for reason in reasons:
        account.dropped[reason] = account.dropped.get(reason, 0) + 1
    rows = batch.num_rows
    for name, values in (
        ("step", constant(step.name, rows)),
        ("stage", constant(step.stage.name, rows)),
        ("reason", pa.array(reasons, pa.string())),
    ):
        batch = set_column(batch, name, values)
    outcome.dropped.append(batch)


def quarantine(
    batch: pa.RecordBatch, step: FusedStep, reasons: list[str], detail: str, outcome: Outcome, index: int
) -> None:
    """Count the rows as quarantined at this step and put them aside with reasons and the beginning of their content."""
    account = outcome.accounts[index]
    for reason in reasons:
        account.quarantined[reason] = account.quarantined.get(reason, 0) + 1
    rows = batch.num_rows
    content = next((name for name in ("text", "html") if name in batch.schema.names), None)
    if content is None:
        text = pa.nulls(rows, pa.string())
    else:
        values = batch.column(content).cast(pa.binary())
        text = pa.array(
            [
                (value.as_py() or b"")[:RAW_BYTES].decode("utf-8", "replace")
                for value in pc.binary_slice(values, 0, RAW_BYTES)
            ],
            pa.string(),
        )
    columns = {name: batch.column(name) for name in BASE_COLUMNS}
    columns |= {
        "step": constant(step.name, rows),
        "stage": constant(step.stage.name, rows),
        "reason": pa.array(reasons, pa.string()),
        "detail": constant(detail, rows),
        "text": text,
    }
    outcome.quarantined.append(pa.RecordBatch.from_pydict(columns, schema=shards.arrow_schema(QUARANTINE_COLUMNS)))
