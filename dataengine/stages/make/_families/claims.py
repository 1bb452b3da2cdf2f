"""Every equation written in a text, found and re-evaluated in exact fractions.

An expression is made of numbers, one unknown, ``+ - * /`` and brackets; ``3x`` and ``2(x + 1)`` multiply. A claim is
two or more of them with ``=`` between. Without the unknown both sides must be equal. With it, they must be equal for
every value of the unknown (``2(x + 1) = 2x + 2``), or for the answer and nothing else (``2x = 6``).
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

Number = int | Fraction
Linear = tuple[Number, Number]
"""(a, b) of a * unknown + b."""

PLAIN = re.compile(r"(\d+) ([-+*]) (\d+)")
OPERATIONS = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]|[-+*/()]")
MARKS = "0123456789+-*/(). "
"""What expressions are made of, besides the unknown."""


def false_claim(text: str, unknown: str = "", answer: str = "") -> str | None:
    """The first claim of `text` that does not hold, in a sentence; None if all hold. No ``=`` goes unchecked."""
    value = number(answer) if unknown else 0
    for line in text.split("\n"):
        parts = line.split("=")
        for before, after in pairwise(parts):
            left, right = _tail(before, unknown), _head(after, unknown)
            if not _holds(left, right, value):
                return f"false: {left} = {right}"
    return None


def _tail(text: str, unknown: str) -> str:
    """The expression that ends `text`. The unknown inside a word (the x of ``box``) is none."""
    start = len(text.rstrip(MARKS + unknown))
    if unknown and start and text[start - 1].isalpha():
        start += len(text[start:]) - len(text[start:].lstrip(unknown))
    return text[start:].strip(" .")


def _head(text: str, unknown: str) -> str:
    """The expression that begins `text`."""
    end = len(text) - len(text.lstrip(MARKS + unknown))
    if unknown and end < len(text) and text[end].isalpha():
        end = len(text[:end].rstrip(unknown))
    return text[:end].strip(" .")


def _holds(left: str, right: str, value: Number) -> bool:
    plain = PLAIN.fullmatch(left)
    if plain and right.isdigit():
        return OPERATIONS[plain[2]](int(plain[1]), int(plain[3])) == int(right)
    return _agree(linear(left), linear(right), value)


def _agree(left: Linear | None, right: Linear | None, value: Number) -> bool:
    if left is None or right is None:
        return False
    slope, constant = left[0] - right[0], left[1] - right[1]
    return constant == 0 if slope == 0 else slope * value + constant == 0


def number(text: str) -> Number:
    """``-12``, ``7/3`` or ``4.50`` as an exact number."""
    return int(text) if text.lstrip("-").isdigit() else Fraction(text)


@lru_cache(maxsize=1024)  # a side is written in several steps: half of the calls
def linear(expression: str) -> Linear | None:
    """The expression as a * unknown + b; None if it is malformed, divides by the unknown or by 0, or is not linear."""
    tokens = TOKEN.findall(expression)
    if not tokens or sum(map(len, tokens)) != len(expression) - expression.count(" "):
        return None
    value, at = _sum(tokens, 0)
    return value if at == len(tokens) else None


def _sum(tokens: list[str], at: int) -> tuple[Linear | None, int]:
    sign = 1
    if tokens[at] == "-":
        sign, at = -1, at + 1
    a: Number = 0
    b: Number = 0
    while True:
        term, at = _product(tokens, at)
        if term is None:
            return None, at
        a, b = a + sign * term[0], b + sign * term[1]
        if at == len(tokens) or tokens[at] not in "+-":
            return (a, b), at
        sign, at = (1 if tokens[at] == "+" else -1), at + 1


def _product(tokens: list[str], at: int) -> tuple[Linear | None, int]:
    left, at = _factor(tokens, at)
    while left is not None and at < len(tokens) and tokens[at] not in "+-)":
        operation = "*"
        if tokens[at] in "*/":
            operation, at = tokens[at], at + 1
        right, at = _factor(tokens, at)
        left = None if right is None else _divided(left, right) if operation == "/" else _times(left, right)
    return left, at


def _factor(tokens: list[str], at: int) -> tuple[Linear | None, int]:
    if at == len(tokens):
        return None, at
    token = tokens[at]
    if token == "(":
        if at + 1 == len(tokens):
            return None, at
        inner, at = _sum(tokens, at + 1)
        return (inner, at + 1) if at < len(tokens) and tokens[at] == ")" else (None, at)
    if token == "-":
        inner, at = _factor(tokens, at + 1)
        return (None if inner is None else (-inner[0], -inner[1])), at
    if token.isalpha():
        return (1, 0), at + 1
    if token in "+*/)":
        return None, at
    return (0, _decimal(token)), at + 1


def _decimal(digits: str) -> Number:
    whole, _, part = digits.partition(".")
    return _quotient(int(whole + part), 10 ** len(part)) if part else int(whole)


def _times(left: Linear, right: Linear) -> Linear | None:
    if left[0] and right[0]:
        return None
    return left[0] * right[1] + right[0] * left[1], left[1] * right[1]


def _divided(left: Linear, right: Linear) -> Linear | None:
    if right[0] or not right[1]:
        return None
    return _quotient(left[0], right[1]), _quotient(left[1], right[1])


def _quotient(a: Number, b: Number) -> Number:
    """a / b, an int where it can be: fractions cost ten times as much."""
    fraction = Fraction(a, b) if a else 0
    return fraction.numerator if fraction and fraction.denominator == 1 else fraction
