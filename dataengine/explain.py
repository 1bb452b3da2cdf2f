"""What happened to one document: where it came from, every step's verdict with what it measured, where it is now."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dataengine import explain_cuts
from dataengine.errors import QueryRefused
from dataengine.judged import judge, load, measures
from dataengine.ledger import Ledger, Shard, Step, require_regular
from dataengine.prune import SPANS
from dataengine.shards import DROPPED, KEPT, QUARANTINED
from dataengine.sql import PLAINLY
from dataengine.terminal import clip, plural, safe_text, say, to_json, width_of, wrapped

if TYPE_CHECKING:
    import duckdb

OUTCOMES = {KEPT: "kept", DROPPED: "dropped", QUARANTINED: "quarantined"}
BEGINNING = 500
"""Characters of the text that are shown."""


@dataclass(frozen=True)
class Verdict:
    """What one step said."""

    step: str
    stage: str
    outcome: str
    """``passed``, ``dropped``, ``quarantined`` or ``not reached``."""
    reason: str = ""
    detail: str = ""
    rules: list[dict[str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """The rules in words."""
    measured: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the step at which the document's way ended: what the recipe told it."""
    cuts: list[dict[str, Any]] = field(default_factory=list)
    """What the step cut out of the text: see `explain_cuts`."""


@dataclass(frozen=True)
class Passage:
    """The document in one segment: the shard that holds it after, and what each step said."""

    segment: str
    lane: str
    outcome: str
    shard: str
    row: int
    final: bool
    verdicts: list[Verdict]


@dataclass(frozen=True)
class Explanation:
    """Everything a run knows of one document."""

    id: str
    source: str | None
    origin: str | None
    url: str | None
    text: str | None
    """Its beginning."""
    parent: str | None
    """The document it was made from, where a step made it."""
    duplicate_of: dict[str, Any] | None
    """The twin that stayed, where this one went: id, origin, url."""
    twins: list[str]
    """Ids of up to 20 documents that went because this one stayed."""
    passages: list[Passage]
    tokens: list[dict[str, Any]]
    """Where its tokens are: file, index of the document in it, how many tokens."""


def explain(ledger: Ledger, prefix: str) -> Explanation:
    """All about the document whose id begins with `prefix`. Raises QueryRefused if there is none, or several."""
    import duckdb

    with duckdb.connect(config={"threads": 2}) as connection:
        shards = {os.path.abspath(shard.path): shard for name in OUTCOMES for shard in ledger.shards(name, kind="rows")}
        for shard in shards.values():
            require_regular(shard)
        found = _locate(connection, list(shards), prefix)
        if not found:
            raise QueryRefused("no document has this id", where=safe_text(prefix, 64) or "''",
                               expected="an id, or its beginning, from this run's docs, dropped or quarantined",
                               write=f'dataengine sql {ledger.folder} "SELECT id, origin FROM docs LIMIT 5"')
        identities = sorted({identity for identity, _, _ in found})
        if len(identities) > 1:
            raise QueryRefused(f"{len(identities)} documents or more begin so", where=safe_text(prefix, 64),
                               expected=f"more digits, such as {', '.join(identities[:5])}")
        order = list(shards)
        found.sort(key=lambda place: _order(ledger, shards[place[1]], order.index(place[1])))
        rows = [(shards[path], number, _row(connection, path, number)) for _, path, number in found]
        last = rows[-1][2]
        partner = last.get("duplicate_of")
        return Explanation(
            identities[0], last.get("source"), last.get("origin"), last.get("url"), _text(rows), last.get("parent"),
            _partner(connection, list(shards), partner) if partner else None,
            _twins(connection, ledger, identities[0]), [_passage(connection, ledger, rows, place) for place in rows],
            _tokens(connection, ledger, identities[0]))


def _locate(connection: duckdb.DuckDBPyConnection, paths: Sequence[str], prefix: str) -> list[tuple[str, str, int]]:
    """(id, path, row number) of every row whose id begins so; reads the id columns only."""
    if not paths or not re.fullmatch(r"[0-9a-fA-F]{1,32}", prefix):
        return []
    prefix = prefix.lower()
    matches = "id = ?" if len(prefix) == 32 else "starts_with(id, ?)"
    return connection.execute(
        "SELECT id, filename, file_row_number "
        f"FROM read_parquet(?, filename = true, file_row_number = true, {PLAINLY}) "
        f"WHERE {matches} LIMIT 1000", [list(paths), prefix]).fetchall()


def _row(connection: duckdb.DuckDBPyConnection, path: str, number: int) -> dict[str, Any]:
    """One row, its text cut to its beginning."""
    source = f"read_parquet(?, file_row_number = true, {PLAINLY})"
    columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}", [path]).fetchall()]
    big = {"html", "messages", "file_row_number"} & set(columns)
    cut = f" REPLACE (left(text, {BEGINNING}) AS text)" if "text" in columns else ""
    query = f"SELECT * EXCLUDE ({', '.join(sorted(big))}){cut} FROM {source} WHERE file_row_number = ?"
    cursor = connection.execute(query, [path, number])
    names = [column[0] for column in cursor.description]
    return dict(zip(names, cursor.fetchall()[0], strict=True))


def _text(rows: Sequence[tuple[Shard, int, dict[str, Any]]]) -> str | None:
    return next((row["text"] for _, _, row in reversed(rows) if row.get("text")), None)


def _partner(connection: duckdb.DuckDBPyConnection, paths: Sequence[str], identity: str) -> dict[str, Any]:
    for _, path, number in _locate(connection, paths, identity)[:1]:
        row = _row(connection, path, number)
        return {"id": identity, "origin": row.get("origin"), "url": row.get("url")}
    return {"id": identity, "origin": None, "url": None}


def _twins(connection: duckdb.DuckDBPyConnection, ledger: Ledger, identity: str) -> list[str]:
    """Who went because this document stayed."""
    segments: dict[str, list[str]] = {}
    for shard in ledger.dropped():
        if shard.record.rows:
            segments.setdefault(shard.segment.name, []).append(os.path.abspath(shard.path))
    found: list[str] = []
    for paths in segments.values():
        columns = connection.execute(f"DESCRIBE SELECT * FROM read_parquet(?, {PLAINLY})", [paths[0]]).fetchall()
        if any(column[0] == "duplicate_of" for column in columns):
            query = f"SELECT id FROM read_parquet(?, {PLAINLY}) WHERE duplicate_of = ? ORDER BY id LIMIT 20"
            rows = connection.execute(query, [paths, identity]).fetchall()
            found += [row[0] for row in rows]
    return sorted(found)[:20]


def _tokens(connection: duckdb.DuckDBPyConnection, ledger: Ledger, identity: str) -> list[dict[str, Any]]:
    """The document in the token files, by the provenance that lies beside them."""
    places = {os.path.abspath(shard.path): shard for shard in ledger.shards("docs.parquet", kind="tokens")}
    for shard in places.values():
        require_regular(shard)
    if not places:
        return []
    rows = connection.execute(
        f"SELECT filename, part, document, tokens FROM read_parquet(?, filename = true, {PLAINLY}) "
        "WHERE id = ? ORDER BY ALL", [list(places), identity]).fetchall()
    return [{"file": (places[path].path.parent.relative_to(ledger.folder) / f"{part}.bin").as_posix(),
             "document": document, "tokens": tokens} for path, part, document, tokens in rows]


def _order(ledger: Ledger, shard: Shard, index: int) -> tuple[int, int]:
    return ledger.segments.index(shard.segment), index


def _passage(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, places: Sequence[explain_cuts.Place],
    here: explain_cuts.Place,
) -> Passage:
    shard, number, row = here
    outcome = OUTCOMES[shard.name]
    ended = None if outcome == "kept" else row.get("step")
    verdicts: list[Verdict] = []
    for step in shard.segment.steps:
        reached = ended is None or not any(verdict.step == ended for verdict in verdicts)
        said = _verdict(step, row, outcome if step.step == ended else "passed" if reached else "not reached")
        cuts = explain_cuts.cuts(connection, ledger, places, here, step) if reached else []
        measured = {name: value for name, value in said.measured.items() if not name.endswith(SPANS)}
        verdicts.append(replace(said, cuts=cuts, measured=measured) if cuts else said)
    place = shard.path.relative_to(ledger.folder).as_posix()
    return Passage(shard.segment.name, shard.segment.lane, outcome, place, number, shard.segment.final, verdicts)


def _verdict(step: Step, row: dict[str, Any], outcome: str) -> Verdict:
    if outcome == "not reached":
        return Verdict(step.step, step.stage, outcome)
    rules = judge(step, row)
    ruled = {rule.measure for rule in rules}
    measured = {name: value for name, value in measures(step, row).items() if name not in ruled}
    ended = outcome in {"dropped", "quarantined"}
    reason, detail = (row.get("reason") or "", row.get("detail") or "") if ended else ("", "")
    return Verdict(step.step, step.stage, outcome, reason, detail, [vars(rule) for rule in rules],
                   [str(rule) for rule in rules], measured, _settings(step) if ended else {})


def _settings(step: Step) -> dict[str, Any]:
    """The values of the step's config that are not the stage's defaults."""
    known = load(step.stage)
    defaults = {name: info.get_default(call_default_factory=True) for name, info in known.config.model_fields.items()
                if not info.is_required()} if known else {}
    return {name: value for name, value in step.config.items()
            if value is not None and to_json(value) != to_json(defaults.get(name))}


def ends(explanation: Explanation) -> list[str]:
    """What became of the document, a sentence for every lane in which its way ended."""
    found = []
    for passage in explanation.passages:
        last = next((verdict for verdict in passage.verdicts if verdict.reason), None)
        if last is not None:
            broken = [said for rule, said in zip(last.rules, last.said, strict=True)
                      if rule["broken"] and rule["reason"] == last.reason]
            twin = explanation.duplicate_of if "duplicate_of" in last.measured else None
            because = broken[0] if broken else last.detail or (f"{twin['id']} stayed" if twin else _said(last.settings))
            found.append(f"{passage.outcome} by {safe_text(last.step)} ({safe_text(last.stage)}) for "
                         f"{safe_text(last.reason)}" + (f": {clip(because, 160)}" if because else ""))
        elif passage.final:
            found.append(f"kept at the end of lane {safe_text(passage.lane)}")
    return found


def _said(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value if isinstance(value, str) else to_json(value)}"
                     for name, value in settings.items())


def show(explanation: Explanation) -> None:
    """Print it for people."""
    say(f"document  {explanation.id}")
    for name in ("source", "origin", "url", "parent"):
        value = getattr(explanation, name)
        if value:
            say(f"{name:<9} {safe_text(value, 300)}")
    if explanation.text:
        say(f"text      {clip(explanation.text, max(width_of() - 10, 40))}")
    for ended in ends(explanation):
        say(wrapped(ended, first="outcome   ", indent=" " * 10))
    for passage in explanation.passages:
        say()
        end = " at the end of its lane" if passage.final and passage.outcome == "kept" else ""
        say(f"{safe_text(passage.segment)}: {passage.outcome}{end}")
        for verdict in passage.verdicts:
            reason = f" for {safe_text(verdict.reason)}" if verdict.reason else ""
            say(f"  {safe_text(verdict.step):<12} {safe_text(verdict.stage):<20} {verdict.outcome}{reason}")
            if verdict.detail:
                say(f"      {clip(verdict.detail, 200)}")
            for words in verdict.said:
                say(f"      {clip(words, 200)}")
            for name, value in verdict.measured.items():
                if value not in (None, []) and name != "duplicate_of":
                    say(f"      {safe_text(name)} = {clip(value, 120)}")
            explain_cuts.show(verdict.cuts)
        say(f"  in {safe_text(passage.shard)}, row {passage.row}")
    for place in explanation.tokens:
        say()
        say(f"{plural(place['tokens'], 'token')}, document {place['document']} of {safe_text(place['file'])}")
    if explanation.duplicate_of:
        twin = explanation.duplicate_of
        say()
        say("its twin that stayed: " + "  ".join(safe_text(value, 200) for value in twin.values() if value))
    if explanation.twins:
        say()
        say(f"went because this one stayed: {', '.join(map(safe_text, explanation.twins))}")
