"""The funnel: what came into every step, what it kept, what it lost to which reason, and whether that adds up.

Two roads lead to the sums and must meet: what came in is added up from the accounts of the readers, what is left from
the files at the ends of the lanes. A lane that two others take is counted in both, so its rows count again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dataengine.judged import load
from dataengine.ledger import GATHER_PHASES, Ledger
from dataengine.shards import Account
from dataengine.terminal import NO_BREAK, number, plural, safe_text, say, size, width_of, wrapped


@dataclass(frozen=True)
class Totals:
    """The whole run in one line: ``read + created + again = kept + dropped + quarantined + waiting``."""

    read: int = 0
    """Records that readers found or makers made."""
    created: int = 0
    """Rows that other steps made of one row."""
    again: int = 0
    """Rows of lanes that more than one other lane takes: every further time they are taken."""
    kept: int = 0
    """Rows in the files at the ends of lanes."""
    dropped: int = 0
    quarantined: int = 0
    waiting: int = 0
    """Rows on their way, of a run that is not complete."""
    unequal: list[str] = field(default_factory=list)
    """Steps whose rows in are not rows kept, dropped and quarantined."""

    @property
    def equal(self) -> bool:
        """Whether both roads lead to the same sum."""
        came = self.read + self.created + self.again
        return not self.unequal and came == self.kept + self.dropped + self.quarantined + self.waiting

    def __str__(self) -> str:
        came = _said((self.read, "in"), (self.created, "created"), (self.again, "taken by a second lane"))
        went = _said((self.kept, "kept"), (self.dropped, "dropped"), (self.quarantined, "quarantined"),
                     (self.waiting, "on their way"))
        where = f"   NOT EQUAL{' in ' + ', '.join(self.unequal) if self.unequal else ''}"
        sign = "=" if self.equal else "≠"
        return f"{came} {sign} {went}{'' if self.equal else where}"


def _said(*parts: tuple[int, str]) -> str:
    """A sum in words; what seldom happens is left out where it did not."""
    always = {"in", "kept", "dropped", "quarantined"}
    return " + ".join(f"{number(rows)} {word}" for rows, word in parts if rows or word in always)


def funnel(ledger: Ledger) -> list[Account]:
    """The accounts of the lanes' steps. Tokens are counted apart: they take rows and lose none."""
    steps = {step.step for segment in ledger.segments if segment.kind == "rows" or segment.kind in GATHER_PHASES
             for step in segment.steps}
    return [account for account in ledger.steps if account.step in steps]


def is_equal(account: Account) -> bool:
    """Whether rows in are rows kept, dropped and quarantined."""
    return account.rows_in + account.rows_created == account.rows_kept + _lost(account)


def totals(ledger: Ledger) -> Totals:
    """The run's sums."""
    accounts = funnel(ledger)
    readers = [account for account in accounts if _reads(account.stage)]
    others = [account for account in accounts if not _reads(account.stage)]
    ends = {segment.steps[-1].step for segment in ledger.segments if segment.final and segment.steps}
    passed_on = sum(account.rows_kept for account in accounts if account.step not in ends)
    left = passed_on - sum(account.rows_in for account in others)
    return Totals(
        read=sum(account.rows_in + account.rows_created for account in readers),
        created=sum(account.rows_created for account in others), again=max(-left, 0),
        kept=sum(shard.record.rows or 0 for shard in ledger.kept()),
        dropped=sum(sum(account.dropped.values()) for account in accounts),
        quarantined=sum(sum(account.quarantined.values()) for account in accounts), waiting=max(left, 0),
        unequal=[account.step for account in accounts if not is_equal(account)],
    )


def _reads(stage: str) -> bool:
    known = load(stage)
    return known.kind == "read" if known else stage.startswith("read.")


def _lost(account: Account) -> int:
    return sum(account.dropped.values()) + sum(account.quarantined.values())


# --- for people -------------------------------------------------------------------------------------------------------

Column = tuple[str, list[str]]
NAMES = {"step", "stage"}


def show(ledger: Ledger) -> None:
    """One line per step, under it the reasons; then the sums, which are equal or say where they are not."""
    accounts = funnel(ledger)
    columns = _fitting(_columns(accounts), width_of())
    widths = [max(map(len, (name, *cells)), default=0) for name, cells in columns]
    heads = [name for name, _ in columns]
    say(_line(heads, heads, widths))
    say("─" * (sum(widths) + 2 * (len(widths) - 1)))
    for index, account in enumerate(accounts):
        say(_line(heads, [cells[index] for _, cells in columns], widths))
        for kind in ("dropped", "quarantined"):
            reasons = _reasons(account, kind)
            if reasons:
                say(wrapped(reasons, first=f"    {kind}: ", indent=" " * 8))
    say()
    say(wrapped(str(totals(ledger)), indent="    "))
    _show_ends(ledger, accounts)
    _show_empty(ledger, accounts)


def _columns(accounts: list[Account]) -> list[Column]:
    counts: list[Column] = [
        ("in", [number(account.rows_in) for account in accounts]),
        ("created", [number(account.rows_created) for account in accounts]),
        ("kept", [number(account.rows_kept) for account in accounts]),
        ("dropped", [number(sum(account.dropped.values())) for account in accounts]),
        ("quarantined", [number(sum(account.quarantined.values())) for account in accounts]),
    ]
    always = {"in", "kept", "dropped"}
    return [
        ("step", [safe_text(account.step, 32) for account in accounts]),
        ("stage", [safe_text(account.stage, 32) for account in accounts]),
        *((name, cells) for name, cells in counts if name in always or set(cells) != {"0"}),
        ("text", [size(account.bytes_out) for account in accounts]),
        ("seconds", [f"{account.seconds:.1f}" for account in accounts]),
        ("MB/s", [_pace(account) for account in accounts]),
    ]


def _pace(account: Account) -> str:
    """Text in, or out of a reader, by the seconds that all workers together spent on it."""
    read = max(account.bytes_in, account.bytes_out if not account.bytes_in else 0)
    if account.seconds < 0.05:
        return ""
    pace = read / account.seconds / 1e6
    return f"{pace:.1f}" if pace < 100 else number(round(pace))


def _fitting(columns: list[Column], room: int) -> list[Column]:
    """Without the columns that can be missed, where the terminal is too narrow for all."""
    for name in ("text", "MB/s", "seconds", "quarantined", "created", "stage"):
        if sum(max(map(len, (head, *cells))) + 2 for head, cells in columns) - 2 <= room:
            break
        columns = [column for column in columns if column[0] != name]
    return columns


def _line(heads: list[str], cells: list[str], widths: list[int]) -> str:
    """Names to the left, numbers to the right."""
    return "  ".join(cell.ljust(width) if column in NAMES else cell.rjust(width)
                     for column, cell, width in zip(heads, cells, widths, strict=True)).rstrip()


def _reasons(account: Account, kind: str) -> str:
    counts = sorted(getattr(account, kind).items(), key=lambda item: (-item[1], item[0]))
    came = account.rows_in + account.rows_created
    said = [f"{safe_text(reason, 60)} {number(rows)}" + (f" ({rows / came:.1%})" if came else "")
            for reason, rows in counts if rows]
    return ", ".join(words.replace(" ", NO_BREAK) for words in said)


def _show_ends(ledger: Ledger, accounts: list[Account]) -> None:
    """What every lane that no other takes came to."""
    by_step = {account.step: account for account in accounts}
    ends: dict[str, Account] = {}
    for segment in ledger.segments:
        if segment.final and segment.steps and segment.steps[-1].step in by_step:
            ends[segment.lane] = by_step[segment.steps[-1].step]
    said = [f"{safe_text(lane)} {plural(end.rows_kept, 'document')}, {size(end.bytes_out)}"
            for lane, end in ends.items()]
    if said:
        say(wrapped("; ".join(said), first="left at the end: ", indent="    "))


def _show_empty(ledger: Ledger, accounts: list[Account]) -> None:
    """A step that loses everything is most often a mistake in the recipe, and nothing after it will complain."""
    for account in accounts:
        if account.rows_in and not account.rows_kept:
            kind, counts = next((kind, counts) for kind, counts in _sides(account) if counts)
            reason = max(counts, key=lambda name: (counts[name], name))
            look = f"dataengine inspect {ledger.folder} --why {kind}:{account.step}.{reason}"
            say(wrapped(f"{safe_text(account.step)} ({safe_text(account.stage)}) kept none of "
                        f"{plural(account.rows_in, 'row')}; to see some: {safe_text(look)}", first="! ", indent="    "))


def _sides(account: Account) -> list[tuple[str, dict[str, Any]]]:
    return [("dropped", account.dropped), ("quarantined", account.quarantined)]
