"""Whole numbers added, subtracted, multiplied and divided by hand: carries, borrows, partial products, long division.

`make` computes digit by digit, as one does on paper; `solve` reads the two numbers and the sign or verb and lets
Python's integers say the answer. Level n: numbers of about n + 1 digits.
"""

from __future__ import annotations

import re

from dataengine.stages.make._families.draws import Draws
from dataengine.stages.make._families.item import Item

PLACES = ("ones", "tens", "hundreds", "thousands", "ten thousands", "hundred thousands", "millions", "ten millions")

ASK = {
    "+": ("What is {a} + {b}?", "Add {a} and {b}.", "Compute {a} + {b} by hand.", "Find the sum of {a} and {b}.",
          "{a} plus {b} makes what?", "Work out {a} + {b}.", "How much is {a} + {b}?",
          "Calculate the total of {a} and {b}.",
          "Evaluate {a} + {b}, column by column."),
    "-": ("What is {a} - {b}?", "Subtract {b} from {a}.", "Compute {a} - {b} by hand.", "{a} minus {b} leaves what?",
          "Find the difference between {a} and {b}.", "Work out {a} - {b}.", "How much is {a} - {b}?",
          "Take {b} away from {a}.", "Evaluate {a} - {b}, column by column."),
    "*": ("What is {a} * {b}?", "Multiply {a} by {b}.", "Compute {a} * {b} by hand.",
          "Find the product of {a} and {b}.",
          "{a} times {b} makes what?", "Work out {a} * {b}.", "How much is {a} * {b}?", "Evaluate {a} * {b} in parts."),
    "/": ("What is {a} / {b}?", "Divide {a} by {b}.", "Compute {a} / {b} by long division.",
          "Evaluate {a} / {b} by hand.",
          "How many times does {b} go into {a}?", "Work out {a} / {b}.",
          "Split {a} into groups of {b}: how many groups?",
          "Find the quotient of {a} and {b}."),
    "%": ("What remainder does {a} leave when divided by {b}?", "Find the remainder of {a} / {b}.",
          "Groups of {b} are taken from {a} for as long as it goes. What is left?",
          "Compute {a} mod {b} by long division.",
          "How far is {a} above the largest multiple of {b} in it?", "Work out the rest when {b} divides {a}."),
}
WORDS = (
    ("%", re.compile(r"remainder|left\?|mod |multiple|rest ")), ("-", re.compile(r"-|minus|Subtract|difference|Take")),
    ("*", re.compile(r"\*|times .* makes|Multiply|product")), ("/", re.compile(r"/|Divide|go into|groups|quotient")),
    ("+", re.compile(r"\+|plus|Add|sum|total")),
)
NUMBER = re.compile(r"\d+")


def make(draws: Draws, level: int) -> Item:
    sign = draws.pick("++--**/%")
    build = {"+": _add, "-": _subtract, "*": _multiply, "/": _divide, "%": _remainder}[sign]
    high = 10 ** (level + 1) - 1
    low = 10**level
    a, b = draws.between(low, high), draws.between(low, high)
    if sign in "-*" and a < b:
        a, b = b, a
    if sign == "*":
        b = draws.between(3, 9 if level == 1 else 99 if level < 4 else 999)
    if sign in "/%":
        a, b = draws.between(low, 10 * high), draws.between(3, 9 if level < 3 else 99)
        a -= a % b if sign == "/" else 0
    steps, answer = build(draws, a, b)
    return Item(draws.pick(ASK[sign]).format(a=a, b=b), steps, answer)


def solve(problem: str) -> str | None:
    """The answer to a problem, from its text alone."""
    a, b = map(int, NUMBER.findall(problem))
    sign = next((sign for sign, words in WORDS if words.search(problem)), None)
    if sign == "+":
        return str(a + b)
    if sign == "-":
        return str(max(a, b) - min(a, b))
    if sign == "*":
        return str(a * b)
    if sign == "/":
        return str(max(a, b) // min(a, b))
    if sign == "%":
        return str(max(a, b) % min(a, b))
    return None


def _digits(n: int, width: int = 0) -> list[int]:
    """Decimal digits, the ones first, at least `width` of them."""
    digits = [int(c) for c in reversed(str(n))]
    return digits + [0] * (width - len(digits))


def _spell(digits: list[int]) -> str:
    return "".join(map(str, reversed(digits))).lstrip("0") or "0"


def _add(draws: Draws, a: int, b: int) -> tuple[list[str], str]:
    width = max(len(str(a)), len(str(b)))
    style = draws.below(3)
    steps, written, carry = [], [], 0
    for place, (p, q) in enumerate(zip(_digits(a, width), _digits(b, width), strict=True)):
        total = p + q + carry
        terms = f"{p} + {q} + {carry} = {total}" if carry else f"{p} + {q} = {total}"
        carry, digit = divmod(total, 10)
        written.append(digit)
        name = PLACES[place]
        if style == 0:
            steps.append(f"{name.capitalize()}: {terms}, write {digit}" + (f", carry {carry}." if carry else "."))
        elif style == 1:
            steps.append(f"In the {name} {terms}; put down {digit}" + (f" and carry {carry}." if carry else "."))
        else:
            steps.append(f"{terms}, so the {name} digit is {digit}" + (f" and {carry} moves on." if carry else "."))
    if carry:
        written.append(carry)
        steps.append(f"The last carry, {carry}, comes in front.")
    answer = _spell(written)
    return [*steps, f"So {a} + {b} = {answer}."], answer


def _subtract(draws: Draws, a: int, b: int) -> tuple[list[str], str]:
    style = draws.below(3)
    steps, written, borrowed = [], [], 0
    for place, (p, q) in enumerate(zip(_digits(a), _digits(b, len(str(a))), strict=True)):
        top, name = p - borrowed, PLACES[place]
        lent = f"{p} - 1 = {top}, " if borrowed else ""
        borrowed = int(top < q)
        digit = top + 10 * borrowed - q
        written.append(digit)
        if borrowed and style == 0:
            line = f"{name.capitalize()}: {lent}{top} is less than {q}, borrow 10: {top + 10} - {q} = {digit}."
        elif borrowed and style == 1:
            line = f"In the {name} {lent}too small for {q}; with ten borrowed {top + 10} - {q} = {digit}."
        elif borrowed:
            line = f"{lent}{top} cannot give {q}: {top + 10} - {q} = {digit} in the {name}, one borrowed."
        elif style == 0:
            line = f"{name.capitalize()}: {lent}{top} - {q} = {digit}."
        elif style == 1:
            line = f"In the {name} {lent}{top} - {q} = {digit}."
        else:
            line = f"{lent}{top} - {q} = {digit} in the {name}."
        steps.append(line.replace(" -1 is", " minus one is").replace("-1 cannot", "Minus one cannot"))
    answer = _spell(written)
    steps.append(f"So {a} - {b} = {answer}.")
    if draws.below(2):
        steps.append(f"Check: {answer} + {b} = {a}.")
    return steps, answer


def _multiply(draws: Draws, a: int, b: int) -> tuple[list[str], str]:
    style = draws.below(3)
    steps, total = [], 0
    for place, digit in enumerate(_digits(b)):
        if not digit:
            continue
        shifted = digit * 10**place
        pieces = [p * 10**k for k, p in enumerate(_digits(a)) if p][::-1]
        parts = [piece * digit for piece in pieces]
        product = sum(parts)
        if len(pieces) > 1:
            split = " + ".join(f"{piece} * {digit}" for piece in pieces)
            steps.append(f"{a} * {digit} = {split} = {' + '.join(map(str, parts))} = {product}.")
        else:
            steps.append(f"{a} * {digit} = {product}.")
        if place:
            steps.append(f"{('Shifted', 'With its zeros', 'As tens')[style]}: {a} * {shifted} = {product * 10**place}.")
        product *= 10**place
        if total:
            lead = ("Together", "Sum so far", "Add the parts")[style]
            steps.append(f"{lead}: {total} + {product} = {total + product}.")
        total += product
    return [*steps, f"So {a} * {b} = {total}."], str(total)


def _divide(draws: Draws, a: int, b: int) -> tuple[list[str], str]:
    steps, quotient, _ = _long_division(draws, a, b)
    return [*steps, f"Nothing is left, so {a} / {b} = {quotient}."], str(quotient)


def _remainder(draws: Draws, a: int, b: int) -> tuple[list[str], str]:
    steps, quotient, rest = _long_division(draws, a, b)
    return [*steps, f"The digits give {quotient} and {rest} is left: {quotient} * {b} + {rest} = {a}."], str(rest)


def _long_division(draws: Draws, a: int, b: int) -> tuple[list[str], int, int]:
    """(steps, quotient, remainder), the digits of `a` brought down one by one."""
    style = draws.below(3)
    steps, quotient, rest = [], "", 0
    for digit in str(a):
        current = 10 * rest + int(digit)
        times, after = 0, current
        while after >= b:
            times, after = times + 1, after - b
        if times:
            often = ("once", "twice", f"{times} times")[min(times, 3) - 1]
            lead = (f"{b} goes {often} into {current}", f"From {current} take {b} {often}",
                    f"Bring down {digit} to make {current}, which holds {b} {often}")[style]
            steps.append(f"{lead}: {times} * {b} = {times * b}, {current} - {times * b} = {after}.")
        elif quotient:
            steps.append(f"{current} is less than {b}: write 0.")
        quotient = quotient + str(times) if quotient or times else ""
        rest = after
    return steps, int(quotient or "0"), rest
