"""Whom a rule hits: each rule's drop rate by content, source and language, from the audit sample of a run.

A rate is over all documents of the sample that the rule's filter measured, whatever earlier filters thought of them,
and stands with its 95 % interval (Wilson, 1927). A rule hits math or code out of proportion when the lower end of the
interval there lies above twice the rate of all other content: it may delete what one wanted, as the rule against curly
brackets deleted pages of LaTeX.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from dataengine.content import KINDS
from dataengine.ledger import Ledger, Segment
from dataengine.terminal import number, plural, safe_text, say, table, wrapped

Z = 1.96
OUT_OF_PROPORTION = 2.0
FEWEST_HITS = 5
SLICES = ("content", "source", "language")
PROTECTED = ("math", "code")
MOST_SLICES = 5
"""Sources or languages that are shown, those with most documents."""


@dataclass(frozen=True)
class Rate:
    """How many documents of one slice break one rule."""

    segment: str
    step: str
    stage: str
    reason: str
    by: str
    """``all``, ``content``, ``source`` or ``language``."""
    slice: str
    documents: int
    hits: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Warned:
    """A rule that hits one kind of content out of proportion."""

    there: Rate
    rest_documents: int
    rest_hits: int

    @property
    def rest(self) -> float:
        """The rate of all other content."""
        return self.rest_hits / max(self.rest_documents, 1)


def wilson(hits: int, documents: int) -> tuple[float, float]:
    """The 95 % interval of a share: E. B. Wilson, JASA 22 (1927). (0, 1) of no documents."""
    if not documents:
        return 0.0, 1.0
    share, spread = hits / documents, Z * Z / documents
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / documents + spread / (4 * documents)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def rates(ledger: Ledger) -> list[Rate]:
    """Every rule that any document of the sample breaks, in the plan's order, by every slice."""
    segments = list(dict.fromkeys(shard.segment.name for shard in ledger.audited() if shard.record.rows))
    if not segments:
        return []
    from dataengine import sql

    connection = sql.connect(ledger)
    columns = {row[0] for row in connection.execute("DESCRIBE audit").fetchall()}
    language = "language" if "language" in columns else "NULL"
    slices = f"content, source, CAST({language} AS VARCHAR) AS language"
    counted = connection.execute(f"SELECT segment, {slices}, count(*) FROM audit GROUP BY ALL").fetchall()
    hit = connection.execute(
        "SELECT segment, content, source, language, broken.step, broken.reason, count(*) FROM "
        f"(SELECT segment, {slices}, unnest(would_drop) AS broken FROM audit) GROUP BY ALL").fetchall()
    found = []
    for segment in ledger.segments:
        if segment.name in segments:
            documents = _by_slice((row[1:4], row[4]) for row in counted if row[0] == segment.name)
            found += _rates(segment, documents, [row[1:] for row in hit if row[0] == segment.name])
    return found


def _by_slice(rows: Any) -> Counter[tuple[str, str]]:
    """(slice's kind, its name) -> documents."""
    counts: Counter[tuple[str, str]] = Counter()
    for names, documents in rows:
        counts["all", ""] += documents
        for by, name in zip(SLICES, names, strict=True):
            if name is not None:
                counts[by, name] += documents
    return counts


def _rates(segment: Segment, documents: Counter[tuple[str, str]], hit: list[Any]) -> list[Rate]:
    """The rates of the rules of one segment; what steps before it said is counted there."""
    found = []
    for step in segment.steps:
        reasons = sorted({row[4] for row in hit if row[3] == step.step})
        for reason in reasons:
            hits = _by_slice((row[:3], row[5]) for row in hit if row[3:5] == (step.step, reason))
            order = sorted(documents, key=lambda key: (["all", *SLICES].index(key[0]), -documents[key], key[1]))
            for by, name in order:
                broken, total = hits[by, name], documents[by, name]
                found.append(Rate(segment.name, step.step, step.stage, reason, by, name, total, broken, broken / total,
                                  *wilson(broken, total)))
    return found


def warnings(found: list[Rate]) -> list[Warned]:
    """The rules that hit math or code out of proportion."""
    whole = {(rate.segment, rate.step, rate.reason): rate for rate in found if rate.by == "all"}
    warned = []
    for rate in found:
        if rate.by == "content" and rate.slice in PROTECTED and rate.hits >= FEWEST_HITS:
            all_of_it = whole[rate.segment, rate.step, rate.reason]
            rest = Warned(rate, all_of_it.documents - rate.documents, all_of_it.hits - rate.hits)
            if rest.rest_documents and rate.low > OUT_OF_PROPORTION * rest.rest:
                warned.append(rest)
    return warned


# --- for people -------------------------------------------------------------------------------------------------------


def show(ledger: Ledger, found: list[Rate], by: str = "content") -> None:
    """Print the rates, a line for every rule, a column for every slice, and the warnings."""
    if not ledger.audited():
        say("this run has no audit sample: write audit = 0.01 under [run] of its recipe and run it again")
        return
    if not found:
        say("no document of the audit sample breaks a rule")
        return
    slices = Counter[str]()
    for rate in found:
        if rate.by == by:
            slices[rate.slice] = max(slices[rate.slice], rate.documents)
    most = [name for name, _ in slices.most_common(MOST_SLICES)]
    names = [kind for kind in KINDS if kind in slices] if by == "content" else most
    rules: dict[tuple[str, str, str], list[Rate]] = {}
    for rate in found:
        rules.setdefault((rate.segment, rate.step, rate.reason), []).append(rate)
    rows = []
    for (_, step, reason), rule in rules.items():
        shares = {rate.slice: _share(rate) for rate in rule if rate.by == by}
        rows.append([step, reason, number(rule[0].documents), _share(rule[0]),
                     *(shares.get(name, "-") for name in names)])
    heads = [safe_text(name, 20) or "(empty)" for name in names]
    table(["step", "rule", "sample", "all", *heads], rows, right=["sample", "all", *heads])
    show_warnings(ledger, found)


def show_warnings(ledger: Ledger, found: list[Rate] | None = None) -> None:
    """Print a warning for each step and kind of content that rules of the step hit out of proportion."""
    groups: dict[tuple[str, str, str], list[Warned]] = {}
    for each in warnings(rates(ledger) if found is None else found):
        groups.setdefault((each.there.segment, each.there.step, each.there.slice), []).append(each)
    if groups:
        say()
    for (segment, step, kind), warned in groups.items():
        warned.sort(key=lambda each: -each.there.rate)
        said = ", ".join(
            f"{safe_text(each.there.reason)} {_share(each.there)} against {each.rest:.1%}" for each in warned
        )
        first = warned[0].there
        look = (f"SELECT text FROM audit WHERE content = '{kind}' AND segment = '{segment}' AND "
                f"list_contains(would_drop, {{'step': '{step}', 'reason': '{first.reason}'}})")
        say(wrapped(
            f"WARNING: {safe_text(step)} ({safe_text(first.stage)}) would drop {kind} out of proportion, by the "
            f"{plural(first.documents, 'document')} of it in the audit sample: {said} of everything else; to see them: "
            f'dataengine sql {safe_text(ledger.folder)} "{safe_text(look)}"', first="! ", indent="    "))


def _share(rate: Rate | None) -> str:
    """``12.0% (8.1-17.3)``."""
    return f"{rate.rate:.1%} ({100 * rate.low:.1f}-{100 * rate.high:.1f})" if rate else "-"
