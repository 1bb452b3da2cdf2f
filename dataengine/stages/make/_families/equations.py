"""Linear equations in one unknown, solved step by step, with whole and fractional answers.

`make` chooses the answer first and dresses it up in brackets and terms on both sides; `solve` reads the equation off
the problem, evaluates its two sides as linear functions and intersects them. Levels: 1 ``ax + b = c``; 2 the unknown
on both sides; 3 a bracket; 4 and above brackets on both sides and answers that are fractions.
"""

from __future__ import annotations

import re
from fractions import Fraction

from dataengine.stages.make._families.claims import linear
from dataengine.stages.make._families.draws import Draws
from dataengine.stages.make._families.item import Item

LETTERS = "abcdhkmnpqrstuvwxyz"
ASK = (
    "Solve for {x}: {e}.", "Find {x} if {e}.", "Which value of {x} satisfies {e}?", "Solve the equation {e}.",
    "Given that {e}, what is {x}?", "Determine {x} from {e}.", "For what {x} does {e} hold?",
    "What number is {x} when {e}?",
    "Let {e}. Work out {x}.", "The equation {e} has one solution; find it.",
)
EQUATION = re.compile(r"(?<![a-z])[-(\d]?[-+*/() \d]*(?:(?:(?<![a-z])[a-z](?![a-z]))[-+*/() \d]*)+"
                      r"=[-+*/() \d]*(?:(?:(?<![a-z])[a-z](?![a-z]))[-+*/() \d]*)*", re.ASCII)


def make(draws: Draws, level: int) -> Item:
    x = draws.pick(LETTERS)
    size = 4 + 4 * level
    # Never 0, for which every wrong slope holds: the check of the steps would see less.
    answer = Fraction(draws.between(1, size) * draws.pick((1, -1)), draws.between(2, 3 + level) if level > 3 else 1)
    difference = answer.denominator * draws.between(2, 5 + level) * draws.pick((1, 1, -1))
    if level > 2:
        left = _bracketed(draws, x, level)
    else:
        left = _terms(x, draws.between(-9, 9) or 4, draws.between(-size, size))
    a, b = linear(left)
    c = a - difference
    if level == 1:
        a, c = a - c, 0
        left = _terms(x, a, b)
    d = int(b + difference * answer)
    right = _terms(x, c, d) if level < 4 else _spread(draws, x, c, d, level)
    problem = draws.pick(ASK).format(x=x, e=f"{left} = {right}")
    return Item(problem, _work(draws, x, left, right, answer), str(answer), x)


def _bracketed(draws: Draws, x: str, level: int) -> str:
    """``m(nx + r) + s``, whose slope is not 0."""
    m, n = draws.between(2, 4 + level) * draws.pick((1, 1, -1)), draws.between(1, 4)
    inner = _terms(x, n, draws.between(1, 9) * draws.pick((1, -1)))
    return f"{m}({inner}){_tail(draws.between(-20, 20))}"


def _spread(draws: Draws, x: str, c: int, d: int, level: int) -> str:
    """cx + d written with a bracket: ``u(x + w) + (c - u)x + (d - uw)``."""
    u, w = draws.between(2, 4 + level), draws.between(1, 9) * draws.pick((1, -1))
    rest = _terms(x, c - u, d - u * w)
    bracket = f"{u}({_terms(x, 1, w)})"
    return bracket if rest == "0" else f"{bracket} - {rest[1:]}" if rest[0] == "-" else f"{bracket} + {rest}"


def _tail(constant: int) -> str:
    return f" + {constant}" if constant > 0 else f" - {-constant}" if constant else ""


def _terms(x: str, a: int | Fraction, b: int | Fraction) -> str:
    """``ax + b`` as one writes it."""
    if not a:
        return str(b)
    return ("" if a == 1 else "-" if a == -1 else str(a)) + x + _tail(b)


def _work(draws: Draws, x: str, left: str, right: str, answer: Fraction) -> list[str]:
    """The steps from the equation to its answer, and a check."""
    (a, b), (c, d) = linear(left), linear(right)
    steps, flat, style = [], (_terms(x, a, b), _terms(x, c, d)), draws.below(3)
    for name, side, plain in (("left", left, flat[0]), ("right", right, flat[1])):
        if side != plain:
            steps.append((f"Expand the {name} side: {side} = {plain}.", f"On the {name}, {side} = {plain}.",
                          f"Multiply out and collect on the {name}: {side} = {plain}.")[style])
    if steps:
        steps.append(f"{('This leaves', 'Now', 'The equation reads')[style]} {flat[0]} = {flat[1]}.")
    if c:
        verb, term = ("Subtract", _terms(x, c, 0)) if c > 0 else ("Add", _terms(x, -c, 0))
        steps.append((f"{verb} {term} on both sides: ", f"Bring {_terms(x, c, 0)} over to the left: ",
                      f"{verb} {term} left and right, ")[style] + f"{_terms(x, a - c, b)} = {d}.")
    if b:
        verb = "Subtract" if b > 0 else "Add"
        lead = (f"{verb} {abs(b)} on both sides: ", f"Move {abs(b)} over: ", f"{verb} {abs(b)} left and right, ")[style]
        steps.append(lead + f"{_terms(x, a - c, 0)} = {d}{_tail(-b)} = {d - b}.")
    slope, constant = a - c, d - b
    if slope != 1:
        quotient = f"{constant}/{slope}" if slope > 0 else f"{constant}/({slope})"
        shown = "" if quotient == str(answer) else f" = {answer}"
        steps.append((f"Divide by {slope}: ", f"Hence, dividing by {slope}, ", f"Both sides over {slope}: ")[style]
                     + f"{x} = {quotient}{shown}.")
    value = f"({answer})"
    steps.append(f"Check: {_put(left, x, value)} = {a * answer + b} and {_put(right, x, value)} = {c * answer + d}.")
    return steps


def _put(side: str, x: str, value: str) -> str:
    """The side with the value in place of the unknown."""
    return re.sub(rf"(\d?){x}", lambda m: f"{m[1]} * {value}" if m[1] else value, side)


def solve(problem: str) -> str | None:
    """The root of the equation in a problem's text, where its two lines meet."""
    found = EQUATION.search(problem)
    if not found:
        return None
    left, right = (linear(side.strip()) for side in found[0].split("="))
    if left is None or right is None or left[0] == right[0]:
        return None
    return str(Fraction(right[1] - left[1], left[0] - right[0]))
