"""Samples of what a run kept and dropped, by reason: the quickest way to see whether a filter does what it should.

A sample is chosen by a hash of (id, seed), so it is the same however the run was cut into shards, and another `seed`
shows other documents.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataengine import sql
from dataengine.errors import QueryRefused
from dataengine.judged import judge, measures, short
from dataengine.ledger import Ledger, Reason, Step
from dataengine.terminal import NO_BREAK, clip, plural, safe_text, say, wrapped

BEGINNING = 2000
"""Characters of a text that are read."""
MOST_NAMED = 12
"""Names that an error lists."""


@dataclass(frozen=True)
class Sample:
    """One document and why it is where it is."""

    group: str
    """``kept web`` (at the end of this lane) or ``dropped web.3.too_few_words``."""
    row: dict[str, Any]
    broken: list[str]
    """The rules that it breaks, in words."""
    measured: dict[str, Any]
    """What the step that dropped it measured; for a kept one, what all steps of its lane did."""


def choose(ledger: Ledger, why: str) -> list[Reason]:
    """The reasons meant by ``dropped:web.3.too_few_words``, ``quarantined:bad_json`` or ``gopher.too_few_words``.

    The step, the stage's name or its noun may stand before the reason, or nothing. Raises QueryRefused if none match.
    """
    kind, colon, rest = why.partition(":")
    if not colon:
        kind, rest = "", why
    found = [reason for reason in ledger.reasons if kind in {"", reason.kind} and rest in _names(reason)]
    if not found:
        known = [f"{reason.kind}:{reason.step}.{reason.reason}" for reason in ledger.reasons]
        nearest = near(why, {**{name.rpartition(".")[2]: name for name in known}, **{name: name for name in known}})
        raise QueryRefused("no document was lost to this reason", where=safe_text(why, 100),
                           expected=_one_of(known) if known else "a run that dropped something",
                           write=f"--why {nearest}" if nearest else "")
    return found


def near(given: str, known: Mapping[str, str]) -> str:
    """What the name nearest to the given one stands for, or nothing."""
    found = difflib.get_close_matches(given.rpartition(":")[2], known, n=1, cutoff=0.6)
    return known[found[0]] if found else ""


def _one_of(known: Sequence[str]) -> str:
    more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
    return f"one of {', '.join(known[:MOST_NAMED])}{more}"


def _require(given: str | None, noun: str, known: Sequence[str]) -> None:
    if given is not None and given not in known:
        nearest = near(given, {name: name for name in known})
        raise QueryRefused(f"this run has no such {noun}", where=safe_text(given, 100), expected=_one_of(known),
                           write=f"--{noun} {nearest}" if nearest else "")


def _names(reason: Reason) -> set[str]:
    before = {reason.step, reason.stage, reason.stage.rpartition(".")[2]}
    return {reason.reason} | {f"{name}.{reason.reason}" for name in before}


def samples(
    ledger: Ledger, *, reasons: list[Reason] | None = None, kept: bool = True, step: str | None = None,
    lane: str | None = None, n: int = 3, seed: int = 0,
) -> list[Sample]:
    """At most `n` documents of each group: the kept of each lane, if asked for, and each reason (None: all reasons).

    Raises QueryRefused for a step or a lane that the run does not have.
    """
    _require(step, "step", [account.step for account in ledger.steps])
    _require(lane, "lane", list(dict.fromkeys(account.lane for account in ledger.steps)))
    connection = sql.connect(ledger)
    wanted = [reason for reason in (ledger.reasons if reasons is None else reasons)
              if step in {None, reason.step} and lane in {None, reason.lane}]
    found = []
    if kept and step is None:
        for name in dict.fromkeys(shard.segment.lane for shard in ledger.kept()):
            if lane in {None, name}:
                found += _drawn(ledger, connection, f"kept {name}", "docs", "lane = $lane", {"lane": name}, n, seed)
    for reason in wanted:
        view = "dropped" if reason.kind == "dropped" else "quarantined"
        found += _drawn(ledger, connection, f"{reason.kind} {reason.step}.{reason.reason}", view,
                        "step = $step AND reason = $reason", {"step": reason.step, "reason": reason.reason}, n, seed)
    return found


def _drawn(
    ledger: Ledger, connection: Any, group: str, view: str, where: str, values: dict[str, Any], n: int, seed: int
) -> list[Sample]:
    """First the ids, by hash; then the rows of these ids, so that the text of all others is never read."""
    ids = connection.execute(f"SELECT id FROM {view} WHERE {where} ORDER BY md5(id || $seed), id LIMIT $n",
                             {**values, "seed": f":{seed}", "n": n}).fetchall()
    if not ids:
        return []
    names = ", ".join(f"'{identity}'" for (identity,) in ids if identity and identity.isalnum()) or "NULL"
    cursor = connection.execute(f"SELECT * REPLACE (left(text, {BEGINNING}) AS text) FROM {view} "
                                f"WHERE id IN ({names}) AND {where} ORDER BY md5(id || $seed), id LIMIT $n",
                                {**values, "seed": f":{seed}", "n": n})
    columns = [column[0] for column in cursor.description]
    rows = [{name: value for name, value in zip(columns, row, strict=True) if value is not None}
            for row in cursor.fetchall()]
    return [_sample(ledger, group, row) for row in rows]


def _sample(ledger: Ledger, group: str, row: dict[str, Any]) -> Sample:
    steps = _steps_of(ledger, row)
    broken = [str(rule) for step in steps for rule in judge(step, row) if rule.broken]
    measured = {name: value for step in steps for name, value in measures(step, row).items()}
    return Sample(group, row, broken, measured)


def _steps_of(ledger: Ledger, row: dict[str, Any]) -> list[Step]:
    """The step that took the row; for a kept row all steps of its lane and of the lane it was born in."""
    steps = {step.step: step for segment in ledger.segments for step in segment.steps if segment.kind == "rows"}
    if "step" in row:
        return [steps[row["step"]]] if row["step"] in steps else []
    return [step for step in steps.values() if step.lane in {row.get("lane"), row.get("source")}]


def show(ledger: Ledger, found: list[Sample], width: int = 400) -> None:
    """Print samples for people, grouped, text cut at `width` characters."""
    totals = {f"{reason.kind} {reason.step}.{reason.reason}": reason.rows for reason in ledger.reasons}
    for shard in ledger.kept():
        group = f"kept {shard.segment.lane}"
        totals[group] = totals.get(group, 0) + (shard.record.rows or 0)
    shown = ""
    for sample in found:
        if sample.group != shown:
            shown = sample.group
            say(f"== {safe_text(shown)}: {plural(totals.get(shown, 0), 'document')}")
        row = sample.row
        say("  ".join(safe_text(row[name], 200) for name in ("id", "origin", "url") if row.get(name)))
        for words in sample.broken:
            say(f"    {clip(words, 200)}")
        measured = {name: row[name] for name in ("duplicate_of", "detail") if row.get(name)} | sample.measured
        if measured:
            values = (f"{safe_text(name)} {short(value)}" for name, value in measured.items() if value is not None)
            say(wrapped(", ".join(value.replace(" ", NO_BREAK) for value in values), first="    ", indent="    "))
        say(wrapped(clip(row.get("text") or "", width), first="    | ", indent="    | "))
        say()
    if not found:
        say("nothing to show")
