"""Simple SQL conditions, read without DuckDB: comparisons of columns with constants, joined by and, or and not.

    condition   any        = both ("or" both)*
                both       = one ("and" one)*
                one        = "not" one | "(" any ")" | column | operand test
                test       = ("=" "!=" "<>" "<" "<=" ">" ">=") operand | ["not"] "between" operand "and" operand
                             | ["not"] "in" "(" constant ("," constant)* ")" | ["not"] "like" text | "is" ["not"] "null"
                operand    = constant | column | "length(" column ")"

Loading DuckDB takes 0.15 seconds of CPU, as much as all else that ``dataengine check`` does. What is written so and
binds to the types below is what DuckDB would accept too; everything else, and every complaint, is DuckDB's. Rows are
always judged by DuckDB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"\s*(?:(?P<number>-?[0-9]{1,15}(?:_[0-9]{3}){0,3}(?:\.[0-9]{1,6})?)(?![\w.])|(?P<text>'[^'\\\x00-\x1f]*')(?!')"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<mark><=|>=|<>|!=|[=<>(),]))"
)
NUMBERS = frozenset(
    {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float", "float64", "double"}
)
KINDS = {"string": "text", "large_string": "text", "bool": "truth"} | dict.fromkeys(NUMBERS, "number")
KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
    all analyse analyze and anti any array as asc asof asymmetric at authorization between bigint binary bit boolean
    both by case cast char character check coalesce collate collation column columns concurrently constraint create
    cross dec decimal default deferrable desc describe distinct do else end except exists extract false fetch float
    for foreign freeze from full generated glob grant group grouping grouping_id having ilike in initially inner inout
    int integer intersect interval into is isnull join lambda lateral leading left like limit map match national
    natural nchar none not notnull null nullif numeric offset on only or order out outer overlaps overlay pivot
    pivot_longer pivot_wider placing position positional precision primary qualify real references returning right row
    rows select semi setof show similar smallint some struct substring summarize symmetric table tablesample then time
    timestamp to trailing treat trim true try_cast union unique unpack unpivot using values varchar variadic verbose
    when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
        """,
    )
)
"""What no column may be called without quotes in DuckDB, and ``rows``, which is what `where` calls its batch."""
LONGEST = 2000
"""Characters of a condition that is looked at."""
DEEPEST = 20


class NotPlain(Exception):
    """Ask DuckDB."""


@dataclass
class Condition:
    """What a simple condition says of its columns."""

    columns: set[str] = field(default_factory=set)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    """What must be of one kind: columns as ``"column NAME"``, else a kind."""

    def binds(self, columns: Mapping[str, str]) -> bool:
        """Whether all columns are there with types that fit."""
        if len({name.lower() for name in columns}) < len(columns) or not self.columns <= columns.keys():
            return False
        kinds = {f"column {name}": KINDS.get(columns[name]) for name in self.columns}
        return all(kinds.get(one, one) == kinds.get(other, other) is not None for one, other in self.pairs)


def read(text: str) -> Condition | None:
    """The condition, or None where it is not a simple one."""
    try:
        return _Reader(text).condition()
    except NotPlain:
        return None


class _Reader:
    """One walk over the tokens."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        self.at = self.depth = 0
        self.found = Condition()
        text, place = text.rstrip(), 0
        if len(text) > LONGEST:
            raise NotPlain
        while place < len(text):
            match = TOKEN.match(text, place)
            if match is None or match.lastgroup is None:
                raise NotPlain
            said = match[match.lastgroup]
            self.tokens.append((match.lastgroup, said))
            place = match.end()
        self.tokens.append(("end", ""))

    def condition(self) -> Condition:
        self._any()
        if self.tokens[self.at][0] != "end" or not self.found.columns:
            raise NotPlain
        return self.found

    def _take(self, *said: str) -> str:
        """The next token, if it is one of these words or marks; else nothing."""
        kind, token = self.tokens[self.at]
        if kind in ("word", "mark") and token.lower() in said:
            self.at += 1
            return token.lower()
        return ""

    def _need(self, *said: str) -> None:
        if not self._take(*said):
            raise NotPlain

    def _joined(self, inner: Callable[[], None], word: str) -> None:
        inner()
        while self._take(word):
            inner()

    def _any(self) -> None:
        self._joined(self._both, "or")

    def _both(self) -> None:
        self._joined(self._one, "and")

    def _one(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise NotPlain
        if self._take("not"):
            self._one()
        elif self._take("("):
            self._any()
            self._need(")")
        else:
            self._test(self._operand())
        self.depth -= 1

    def _test(self, left: str) -> None:
        if self._take("=", "!=", "<>", "<", "<=", ">", ">="):
            self._same(left, self._operand())
        elif self._take("is"):
            self._take("not")
            self._need("null")
        else:
            negated = self._take("not")
            if self._take("between"):
                self._same(left, self._operand())
                self._need("and")
                self._same(left, self._operand())
            elif self._take("in"):
                self._need("(")
                self._same(left, self._constant())
                while self._take(","):
                    self._same(left, self._constant())
                self._need(")")
            elif self._take("like"):
                self._same(left, "text")
                self._same(self._constant(), "text")
            elif negated or not left.startswith("column "):
                raise NotPlain
            else:
                self._same(left, "truth")

    def _same(self, one: str, other: str) -> None:
        self.found.pairs.append((one, other))

    def _constant(self) -> str:
        kind, token = self.tokens[self.at]
        self.at += 1
        if kind in ("number", "text"):
            return kind
        if kind == "word" and token.lower() in ("true", "false"):
            return "truth"
        raise NotPlain

    def _operand(self) -> str:
        kind, token = self.tokens[self.at]
        if kind != "word" or token.lower() in ("true", "false"):
            return self._constant()
        self.at += 1
        if token.lower() == "length" and self._take("("):
            inner = self._operand()
            if not inner.startswith("column "):
                raise NotPlain
            self._same(inner, "text")
            self._need(")")
            return "number"
        if token.lower() in KEYWORDS:
            raise NotPlain
        self.found.columns.add(token)
        return f"column {token}"
