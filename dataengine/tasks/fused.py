"""What fused stages make of one batch: every row kept, dropped or quarantined, and counted.

Nothing is written here. A stage that raises is caught, and the row at fault is found (`tasks.poison`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from dataengine import shards
from dataengine import stage as stages
from dataengine.errors import StageError
from dataengine.shards import PLACE, PLACES, Account, content_bytes
from dataengine.stage import BASE_COLUMNS, Refused, StageConfig
from dataengine.tasks import PROCESSING, READING, poison
from dataengine.tasks.columns import FusedStep, constant, set_column, visible, with_columns, with_copies
from dataengine.tasks.decided import Decided
from dataengine.tasks.pruned import pruned
from dataengine.tasks.scrubbed import scrubbed

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
CHILD_BITS = 32
"""The place of a parent's n-th child is ``parent's place << 32 | n``."""


@dataclass
class Outcome:
    """What became of some rows: nothing is written before all of a batch has its outcome."""

    accounts: list[Account]
    kept: list[pa.RecordBatch] = field(default_factory=list)
    dropped: list[pa.RecordBatch] = field(default_factory=list)
    quarantined: list[pa.RecordBatch] = field(default_factory=list)
    whole: list[pa.RecordBatch] = field(default_factory=list)
    """The rows that steps quarantined, with all their columns: see `shards.WHOLE`."""
    audited: list[pa.RecordBatch] = field(default_factory=list)
    """The audit sample: see `tasks.audit`."""
    running: int = 0
    """The step at work, to know whom to blame."""
    working: pa.RecordBatch | None = None
    """The rows it works on."""

    def add(self, other: Outcome) -> None:
        """Append what became of later rows."""
        for mine, others in zip(self.accounts, other.accounts, strict=True):
            mine.add(others)
        self.kept += other.kept
        self.dropped += other.dropped
        self.quarantined += other.quarantined
        self.whole += other.whole
        self.audited += other.audited


def nothing(steps: list[FusedStep]) -> Outcome:
    """The outcome of no rows."""
    return Outcome([step.account() for step in steps])


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


def broken_stage(result: Outcome) -> None:
    """Raise StageError if a stage raised on every row it saw of a batch: then it is the stage, not the data."""
    for account in result.accounts:
        if account.rows_in >= poison.FAILING_BATCH and account.quarantined.get("error", 0) == account.rows_in:
            detail = next(
                batch["detail"][0].as_py() for batch in result.quarantined if batch["step"][0].as_py() == account.step
            )
            expected = "an answer for each row, or a declared reason to refuse it"
            raise poison.broken(account.step, account.stage, detail, expected)


def refuse(refused: list[tuple[int, Refused]], reader: FusedStep, outcome: Outcome) -> None:
    """Records that the reader could not read, each with its place: in and quarantined."""
    account = outcome.accounts[0]
    account.rows_in += len(refused)
    lane = reader.lane.encode()
    rows = []
    for place, record in refused:
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
                PLACE: place,
            }
        )
    outcome.quarantined.append(pa.RecordBatch.from_pylist(rows, shards.arrow_schema(QUARANTINE_COLUMNS | PLACES)))


def attempt(batch: pa.RecordBatch, rows: np.ndarray, steps: list[FusedStep], todo: int, cursor: Cursor) -> Outcome:
    """The outcome of a batch. The one record on which a stage raises is quarantined at that stage's step."""
    found = tried = nothing(steps)

    def work(part: pa.RecordBatch, numbers: np.ndarray) -> Outcome:
        nonlocal tried
        tried = nothing(steps)
        through(part, numbers, steps, todo, tried, cursor)
        return tried

    for outcome, part, _ in poison.halved(batch, rows, work):
        if isinstance(outcome, poison.Fault):
            row = tried.working if tried.working is not None and tried.working.num_rows == 1 else part
            outcome = blamed(row, steps, todo, tried.running, outcome)
        found.add(outcome)
    return found


def blamed(
    batch: pa.RecordBatch, steps: list[FusedStep], todo: int, failing: int, fault: poison.Fault
) -> Outcome:
    """The outcome of one row, as it came to the step that raised: it went well before, and is quarantined there."""
    outcome = Outcome([step.account() for step in steps])
    size = content_bytes(batch)
    for index in range(todo, failing):
        account = outcome.accounts[index]
        account.rows_in, account.rows_kept, account.bytes_in, account.bytes_out = 1, 1, size, size
    outcome.accounts[failing].rows_in = 1
    outcome.accounts[failing].bytes_in = size
    quarantine(batch, steps[failing], [fault.reason], fault.detail, outcome, failing)
    return outcome


def through(
    batch: pa.RecordBatch, rows: np.ndarray, steps: list[FusedStep], todo: int, outcome: Outcome, cursor: Cursor
) -> None:
    """The batch through all steps from `todo` on; what is left is kept."""
    for index in range(todo, len(steps)):
        step, account = steps[index], outcome.accounts[index]
        outcome.running, outcome.working = index, batch
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
    result = dict(step.stage.function(visible(batch), step.config))
    refused = result.pop("refused", None)
    after = with_columns(batch, result, step)
    if step.stage.scrubs:
        after = scrubbed(after, step.stage, step.config, leave=result.keys())
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
    """Measurements added, then judged: the first broken rule is a row's reason.

    A filter that gives a column it reads edits it, in the rows that stay: what is dropped is put aside as it came.
    """
    after = with_columns(with_copies(batch, step), dict(step.stage.function(visible(batch), step.config)), step)
    return judged(batch, after, rows, step, outcome, index)


def apply_prune(
    batch: pa.RecordBatch, rows: np.ndarray, step: FusedStep, outcome: Outcome, index: int
) -> tuple[pa.RecordBatch, np.ndarray]:
    """The cuts of this shard made, measured, and judged as a filter's measurements are. Rows whose parts could not be
    found are quarantined.
    """
    assert step.cuts is not None, "a prune's segment is planned with its cuts task"
    if step.cuts.refused:
        batch, rows = without_refused(batch, rows, step, step.cuts.refused, outcome, index)
        if not batch.num_rows:
            return batch, rows
    after = with_columns(batch, pruned(batch, rows, step.stage, step.config, step.cuts), step)
    return judged(batch, after, rows, step, outcome, index)


def judged(
    batch: pa.RecordBatch, after: pa.RecordBatch, rows: np.ndarray, step: FusedStep, outcome: Outcome, index: int
) -> tuple[pa.RecordBatch, np.ndarray]:
    """The rows of `after`, measured, that break no rule; of the others the columns that were edited are as before."""
    verdict = judge(after, step.stage.rules, step.config)
    if (verdict < 0).all():
        return after, rows
    reasons = np.array([rule.reason for rule in step.stage.rules])
    out = np.flatnonzero(verdict >= 0)
    gone = after.take(out)
    for column in set(step.stage.reads(step.config)) & set(step.stage.adds(step.config)):
        gone = set_column(gone, column, batch.column(column).take(out))
    drop(gone, reasons[verdict[out]].tolist(), step, outcome, index)
    stay = np.flatnonzero(verdict < 0)
    return after.take(stay), rows[stay]


def judge(batch: pa.RecordBatch, rules: tuple[stages.Rule, ...], config: StageConfig) -> np.ndarray:
    """For each row the index of the first rule it breaks, or -1."""
    verdict = np.full(batch.num_rows, -1, dtype=np.int64)
    for number, broken in reversed(list(enumerate(broken_rules(batch, rules, config)))):
        verdict[broken] = number
    return verdict


def broken_rules(batch: pa.RecordBatch, rules: tuple[stages.Rule, ...], config: StageConfig) -> list[np.ndarray]:
    """For each rule which rows break it: bool, shape (rows,)."""
    found = []
    for rule in rules:
        column = batch.column(rule.measure)
        broken = np.asarray(rule.broken(column.to_numpy(zero_copy_only=False), config), dtype=bool)
        if column.null_count:
            broken = broken & column.is_valid().to_numpy(zero_copy_only=False)
        found.append(broken)
    return found


def apply_expand(
    batch: pa.RecordBatch, rows: np.ndarray, step: FusedStep, outcome: Outcome, index: int
) -> tuple[pa.RecordBatch, np.ndarray]:
    """One row becomes k: the new rows have the parent's other columns, its id as ``parent`` and an id of their own.

    An expand begins its segment, so that the place of a child can be made of its parent's place and its number.
    """
    columns, parents = step.stage.function(visible(batch), step.config)
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
    batch = set_column(batch, PLACE, pa.array(batch.column(PLACE).to_numpy() << CHILD_BITS))
    after = set_column(after, PLACE, pa.array(batch.column(PLACE).to_numpy()[parents] + numbers))
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
    """The decisions for this shard: rows that have a double before them in the lane go, as do those that could not be
    sketched.
    """
    decided = step.decided
    assert decided is not None, "a gather's segment is planned with its cluster task"
    if decided.refused:
        batch, rows = without_refused(batch, rows, step, decided.refused, outcome, index)
    if not len(decided.row):
        return counted(batch, rows, step, decided), rows
    place = np.minimum(np.searchsorted(decided.row, rows), len(decided.row) - 1)
    goes = decided.row[place] == rows
    out, stay = np.flatnonzero(goes), np.flatnonzero(~goes)
    if len(out):
        gone = batch.take(out)
        for name, values in decided.because.items():
            gone = set_column(gone, name, values.take(pa.array(place[out])))
        drop(gone, [step.stage.reason] * len(out), step, outcome, index)
    return counted(batch.take(stay), rows[stay], step, decided), rows[stay]


def counted(batch: pa.RecordBatch, rows: np.ndarray, step: FusedStep, decided: Decided) -> pa.RecordBatch:
    """The rows that stay, with how many each stands for, where that is asked for."""
    name = step.stage.count(step.config)
    if not name:
        return batch
    of, others = decided.for_others
    _, mine, theirs = np.intersect1d(rows, of, assume_unique=True, return_indices=True)
    count = np.ones(len(rows), np.int64)
    count[mine] += others[theirs]
    return set_column(batch, name, pa.array(count))


def without_refused(
    batch: pa.RecordBatch, rows: np.ndarray, step: FusedStep, refused: Mapping[int, tuple[str, str]], outcome: Outcome,
    index: int,
) -> tuple[pa.RecordBatch, np.ndarray]:
    """The rows but for those that a gather's or a prune's stage gave no answer about, which are quarantined."""
    sick = np.array([row in refused for row in rows.tolist()], bool)
    for place in np.flatnonzero(sick).tolist():
        reason, detail = refused[int(rows[place])]
        quarantine(batch.slice(place, 1), step, [reason], detail, outcome, index)
    stay = np.flatnonzero(~sick)
    return batch.take(stay), rows[stay]


APPLY = {"map": apply_map, "filter": apply_filter, "expand": apply_expand, "gather": apply_gather, "prune": apply_prune}


# --- drops, quarantine ------------------------------------------------------------------------------------------------


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
    columns = {name: batch.column(name) for name in (*BASE_COLUMNS, PLACE)}
    columns |= {
        "step": constant(step.name, rows),
        "stage": constant(step.stage.name, rows),
        "reason": pa.array(reasons, pa.string()),
        "detail": constant(detail, rows),
        "text": text,
    }
    schema = shards.arrow_schema(QUARANTINE_COLUMNS | PLACES)
    outcome.quarantined.append(pa.RecordBatch.from_pydict(columns, schema=schema))
    outcome.whole.append(set_column(batch, "step", columns["step"]))
