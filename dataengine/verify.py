"""Read a run back: every committed file hashed against its manifest, every page checksum, every sum again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dataengine.errors import AccountingError, CorruptShard
from dataengine.ledger import Ledger, Segment, Shard, require_regular
from dataengine.shards import DROPPED, KEPT, MANIFEST, QUARANTINED, Manifest, read_batches, sha256_of, task_folder
from dataengine.terminal import plural, safe_text, say, size


@dataclass
class Report:
    """What was read and what is wrong: (place, what) pairs."""

    files: int = 0
    bytes: int = 0
    rows: int = 0
    tasks: int = 0
    waiting: int = 0
    """Tasks of the plan that are not done: no fault, the run is just not complete."""
    problems: list[tuple[str, str]] = field(default_factory=list)


def verify(ledger: Ledger) -> Report:
    """Check all that is committed. Reads every byte twice: once for the hash, once through the page checksums."""
    report = Report()
    for segment in ledger.segments:
        for task in segment.tasks:
            _verify_task(ledger, segment, task, report)
    for shard in ledger_shards(ledger, report):
        report.files += 1
        report.bytes += shard.record.bytes
        report.rows += shard.record.rows or 0
        problem = wrong_with(shard) or miscounted(shard, ledger.manifest(shard.segment, shard.task))
        if problem:
            report.problems.append((shard.path.relative_to(ledger.folder).as_posix(), problem))
    return report


def ledger_shards(ledger: Ledger, report: Report) -> list[Shard]:
    """All shards; a manifest that names a file outside its folder is a problem, not an end."""
    try:
        return list(ledger.shards())
    except CorruptShard as error:
        report.problems.append((error.where, error.found))
        return []


def _verify_task(ledger: Ledger, segment: Segment, task: str, report: Report) -> None:
    """The task's manifest and what it says of itself."""
    try:
        manifest = ledger.manifest(segment, task)
    except CorruptShard as error:
        report.problems.append((error.where, error.found))
        return
    if manifest is None:
        report.waiting += 1
        return
    report.tasks += 1
    folder = task_folder(ledger.folder, segment.name, task)
    place = (folder.relative_to(ledger.folder) / MANIFEST).as_posix()
    report.problems += [(place, problem) for problem in unequal(segment, task, manifest)]
    report.problems += [(folder.relative_to(ledger.folder).as_posix(), f"{name} is in no manifest")
                        for name in _strangers(folder, manifest)]


def unequal(segment: Segment, task: str, manifest: Manifest) -> list[str]:
    """What does not add up: names, each account, each against the next, and all against the rows in the files."""
    problems = []
    if (manifest.task, manifest.segment) != (task, segment.name):
        problems.append(f"it is the manifest of {manifest.segment}/{manifest.task}")
    for account in manifest.accounts:
        try:
            account.check()
        except AccountingError as error:
            problems.append(f"{error.where}: {error.found}")
    if segment.kind != "rows":
        return problems
    for before, after in zip(manifest.accounts, manifest.accounts[1:], strict=False):
        if before.rows_kept != after.rows_in:
            problems.append(f"{before.step} kept {before.rows_kept} rows, but {after.rows_in} came into {after.step}")
    if manifest.accounts:
        counted = {KEPT: manifest.accounts[-1].rows_kept,
                   DROPPED: sum(sum(account.dropped.values()) for account in manifest.accounts),
                   QUARANTINED: sum(sum(account.quarantined.values()) for account in manifest.accounts)}
        for name, rows in counted.items():
            record = manifest.files.get(name)
            if record is not None and record.rows != rows:
                problems.append(f"{name} has {record.rows} rows, the accounts say {rows}")
    return problems


def wrong_with(shard: Shard) -> str:
    """What is wrong with one committed file, or nothing."""
    try:
        require_regular(shard)
        if sha256_of(shard.path) != shard.record.sha256:
            return "its sha256 is not the one committed: the bytes have changed"
        if shard.path.suffix == ".parquet":
            rows = sum(batch.num_rows for batch in read_batches(shard.path, max_rows=1 << 20, max_bytes=1 << 40))
            if rows != shard.record.rows:
                return f"{rows} rows, committed were {shard.record.rows}"
    except CorruptShard as error:
        return f"{error.found}{f'; expected {error.expected}' if error.expected else ''}"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def miscounted(shard: Shard, manifest: Manifest | None) -> str:
    """Where the rows of a dropped or quarantined shard, counted by step and reason, are not what the accounts say."""
    import pyarrow as pa

    side = {DROPPED: "dropped", QUARANTINED: "quarantined"}.get(shard.name)
    if side is None or manifest is None or shard.segment.kind != "rows":
        return ""
    said = {(account.step, reason): rows for account in manifest.accounts
            for reason, rows in getattr(account, side).items() if rows}
    there: dict[tuple[str, str], int] = {}
    for batch in read_batches(shard.path, columns=["step", "reason"], max_rows=1 << 20):
        counted = pa.Table.from_batches([batch]).group_by(["step", "reason"]).aggregate([([], "count_all")])
        for group in counted.to_pylist():
            key = (str(group["step"]), str(group["reason"]))
            there[key] = there.get(key, 0) + group["count_all"]
    for step, reason in sorted(said.keys() | there.keys()):
        if said.get((step, reason), 0) != there.get((step, reason), 0):
            return (f"{there.get((step, reason), 0)} rows for {reason} in {step}, "
                    f"the accounts say {said.get((step, reason), 0)}")
    return ""


def _strangers(folder: Path, manifest: Manifest) -> list[str]:
    """Files that no manifest knows. Hidden ones are what a killed commit leaves behind, and harmless."""
    names = (file.relative_to(folder) for file in folder.rglob("*") if not file.is_dir())
    known = {*manifest.files, MANIFEST}
    return sorted(name.as_posix() for name in names if not name.name.startswith(".") and name.as_posix() not in known)


def show(report: Report) -> None:
    """Print it for people."""
    for place, problem in report.problems:
        say(f"{safe_text(place)}: {safe_text(problem, 500)}")
    say(f"{plural(report.tasks, 'task')}, {plural(report.files, 'file')}, {size(report.bytes)}, "
        f"{plural(report.rows, 'row')} read")
    if report.waiting:
        say(f"{plural(report.waiting, 'task')} of the plan not done yet")
    wrong = len(report.problems)
    if wrong:
        say(f"{plural(wrong, 'problem')}. Remove the folders of these tasks and run the recipe again: they are made "
            "anew, nothing else is")
    else:
        say("all hashes, checksums and sums are right")
