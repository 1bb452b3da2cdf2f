"""Where a run stands: tasks done, the funnel with every reason, what was quarantined, what was measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dataengine.ledger import GATHER_PHASES, Ledger
from dataengine.shards import Account
from dataengine.terminal import clip, number, safe_text, say, size, table

HEAD = 5
"""Quarantined records that are shown."""


def summary(ledger: Ledger) -> dict[str, Any]:
    """The run in one dictionary, ready for JSON."""
    return {
        "name": ledger.name, "folder": str(ledger.folder), "recipe": ledger.recipe, "state": ledger.state,
        "segments": [{"name": segment.name, "kind": segment.kind, "lane": segment.lane, "done": ledger.done(segment),
                      "total": len(segment.tasks)} for segment in ledger.segments],
        "steps": [asdict(account) | {"rows_dropped": sum(account.dropped.values()),
                                     "rows_quarantined": sum(account.quarantined.values()), "equal": is_equal(account)}
                  for account in ledger.steps],
        "reasons": [asdict(reason) for reason in ledger.reasons],
        "figures": [asdict(figure) for figure in ledger.figures],
        "quarantined": quarantine_head(ledger),
    }


def is_equal(account: Account) -> bool:
    """Whether rows in are rows kept, dropped and quarantined."""
    went = account.rows_kept + sum(account.dropped.values()) + sum(account.quarantined.values())
    return account.rows_in + account.rows_created == went


def quarantine_head(ledger: Ledger) -> list[dict[str, Any]]:
    """The first quarantined records. Opens no database where there are none."""
    if not any(shard.record.rows for shard in ledger.quarantined()):
        return []
    from dataengine import sql

    columns = ("origin", "step", "reason", "detail")
    rows = sql.connect(ledger).execute(
        f"SELECT {', '.join(columns)} FROM quarantined ORDER BY step, reason, origin LIMIT {HEAD}").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def show(ledger: Ledger) -> None:
    """Print it for people."""
    place = f"{safe_text(ledger.folder)}, from {safe_text(ledger.recipe)}"
    say(f"{safe_text(ledger.name)}: {safe_text(ledger.state)}  ({place})")
    table(["segment", "kind", "done", "of"],
          [[segment.name, segment.kind, ledger.done(segment), len(segment.tasks)] for segment in ledger.segments],
          right=["done", "of"])
    _show_funnel(ledger)
    figures = totals(ledger)
    if figures:
        shown = [[*key, value if isinstance(value, str) else number(value)] for key, value in figures.items()]
        table(["step", "figure", "value"], shown, right=["value"], cell=100)
    head = quarantine_head(ledger)
    if head:
        total = sum(reason.rows for reason in ledger.reasons if reason.kind == "quarantined")
        say(f"quarantined: {number(total)} records, the first:")
        for record in head:
            say(f"  {safe_text(record['origin'], 120)}  {safe_text(record['step'])}  {safe_text(record['reason'])}  "
                f"{clip(record['detail'] or '', 120)}")


def totals(ledger: Ledger) -> dict[tuple[str, str], float | str]:
    """Figures by (step, name), without a gather's phases. Where a step has several tasks they are counts: summed."""
    found: dict[tuple[str, str], float | str] = {}
    for figure in ledger.figures:
        if figure.kind not in GATHER_PHASES:
            key = (figure.step, figure.name)
            before = found.get(key, 0.0)
            summed = figure.value is not None and not isinstance(before, str)
            found[key] = before + figure.value if summed else figure.text or ""
    return found


def _show_funnel(ledger: Ledger) -> None:
    """One line per step, one per reason under it, and the sums, which are equal or say so."""
    rows: list[list[object]] = []
    total = Account("", "", "")
    for account in ledger.steps:
        total.add(account)
        rows.append([account.step, account.stage, *_counts(account), size(account.bytes_out), f"{account.seconds:.1f}"])
        came = account.rows_in + account.rows_created
        for name, column in (("dropped", 3), ("quarantined", 4)):
            for reason, count in sorted(getattr(account, name).items(), key=lambda item: (-item[1], item[0])):
                counts: list[object] = [""] * 5
                counts[column] = number(count)
                rows.append(["", f"  {reason} ({count / came:.1%})" if came else f"  {reason}", *counts, "", ""])
    rows.append(["sum", "", *_counts(total), "", f"{total.seconds:.1f}"])
    table(["step", "stage", "in", "created", "kept", "dropped", "quarantined", "text out", "seconds"], rows,
          right=["in", "created", "kept", "dropped", "quarantined", "text out", "seconds"])
    came, went = _sides(total)
    unequal = [account.step for account in ledger.steps if not is_equal(account)]
    say(f"{came} {'=' if not unequal else '≠'} {went}" + (f"   NOT EQUAL in {', '.join(unequal)}" if unequal else ""))


def _counts(account: Account) -> list[object]:
    dropped, quarantined = sum(account.dropped.values()), sum(account.quarantined.values())
    return [number(count) for count in (account.rows_in, account.rows_created, account.rows_kept, dropped, quarantined)]


def _sides(total: Account) -> tuple[str, str]:
    came, created, kept, dropped, quarantined = _counts(total)
    return f"{came} in + {created} created", f"{kept} kept + {dropped} dropped + {quarantined} quarantined"
