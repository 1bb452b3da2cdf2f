"""Where a run stands: the funnel with every reason, what was quarantined, what was made and learnt of the rest."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dataengine import audit, show_funnel, show_learned
from dataengine.ledger import Ledger
from dataengine.terminal import clip, number, plural, safe_text, say, table, wrapped

HEAD = 5
"""Quarantined records that are shown."""
QUARANTINE_COLUMNS = ("origin", "step", "reason", "detail")


def summary(ledger: Ledger) -> dict[str, Any]:
    """The run in one dictionary, ready for JSON."""
    totals = show_funnel.totals(ledger)
    return {
        "name": ledger.name, "folder": str(ledger.folder), "recipe": ledger.recipe, "state": ledger.state,
        "segments": [{"name": segment.name, "kind": segment.kind, "lane": segment.lane, "done": ledger.done(segment),
                      "total": len(segment.tasks)} for segment in ledger.segments],
        "steps": [asdict(account) | {"rows_dropped": sum(account.dropped.values()),
                                     "rows_quarantined": sum(account.quarantined.values()),
                                     "equal": show_funnel.is_equal(account)}
                  for account in ledger.steps],
        "totals": asdict(totals) | {"equal": totals.equal},
        "reasons": [asdict(reason) for reason in ledger.reasons],
        "figures": [asdict(figure) for figure in ledger.figures],
        "mixtures": show_learned.mixtures(ledger),
        "trainings": show_learned.trainings(ledger),
        "quarantined": quarantine_head(ledger),
        "audit": [asdict(warning) for warning in audit.warnings(audit.rates(ledger))],
    }


def quarantine_head(ledger: Ledger) -> list[dict[str, Any]]:
    """Some quarantined records, of every reason one before any has a second. No database where there are none."""
    if not any(shard.record.rows for shard in ledger.quarantined()):
        return []
    from dataengine import sql

    rows = sql.connect(ledger).execute(
        f"SELECT {', '.join(QUARANTINE_COLUMNS)} FROM quarantined "
        "ORDER BY row_number() OVER (PARTITION BY step, reason ORDER BY origin, id), step, reason "
        f"LIMIT {HEAD}").fetchall()
    return [dict(zip(QUARANTINE_COLUMNS, row, strict=True)) for row in rows]


def show(ledger: Ledger) -> None:
    """Print it for people."""
    _show_head(ledger)
    say()
    show_funnel.show(ledger)
    _show_quarantined(ledger)
    audit.show_warnings(ledger)
    show_learned.show(ledger)


def _show_head(ledger: Ledger) -> None:
    """Name, state and place; of a run that is not complete, how far every unfinished segment has come."""
    done, all_tasks = sum(map(ledger.done, ledger.segments)), sum(len(segment.tasks) for segment in ledger.segments)
    tasks = plural(all_tasks, "task") if done == all_tasks else f"{number(done)} of {plural(all_tasks, 'task')} done"
    say(f"{safe_text(ledger.name)}: {safe_text(ledger.state)}, {tasks}  ({safe_text(ledger.folder)}, from "
        f"{safe_text(ledger.recipe)})")
    unfinished = [segment for segment in ledger.segments if ledger.done(segment) < len(segment.tasks)]
    if unfinished:
        say()
        table(["not finished", "kind", "done", "of"],
              [[segment.name, segment.kind, ledger.done(segment), len(segment.tasks)] for segment in unfinished],
              right=["done", "of"])
    if unfinished and ledger.state == "interrupted":
        say(f"to go on: dataengine run {safe_text(ledger.recipe)}" + _out(ledger))


def _out(ledger: Ledger) -> str:
    """The option that leads back to this folder, where it is not the recipe's own."""
    usual = ledger.folder.name == ledger.name and ledger.folder.parent.name == "runs"
    return "" if usual else f" --out {safe_text(ledger.folder)}"


def _show_quarantined(ledger: Ledger) -> None:
    head = quarantine_head(ledger)
    if not head:
        return
    total = sum(reason.rows for reason in ledger.reasons if reason.kind == "quarantined")
    say()
    say(f"quarantined: {plural(total, 'record')}" + (", such as" if total > len(head) else ""))
    for record in head:
        words = " ".join(clip(record[name] or "", 120) for name in QUARANTINE_COLUMNS)
        say(wrapped(words, first="    ", indent=" " * 8))
