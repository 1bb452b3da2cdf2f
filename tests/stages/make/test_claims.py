"""The checker of written equations: what it accepts, what it must not."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.stages.make._families.claims import false_claim, linear


@pytest.mark.parametrize(
    "text",
    [
        "Ones: 7 + 9 = 16, write 6, carry 1.",
        "2 + 3 * 4 = 14. Then (2 + 3) * 4 = 20.",
        "20 / 8 = 5/2 = 2.5",
        "60 * 5 + 6 * 5 = 300 + 30 = 330.",
        "3(4 - 1) = 9 and -3 + 5 = 2",
        "12.50 * 2 = 25",
        "no claim at all, 17 of 3",
    ],
)
def test_true_claims_pass(text):
    assert false_claim(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "7 + 9 = 15",
        "1 + 1 = 2, so 2 + 2 = 5, and 3 + 3 = 6",
        "2 + 3 = 5 = 6",
        "5 = 2 + 4",
        "x = 3",
        "1 / 0 = 0",
        "(1 + 2 = 3",
        "1 + = 1",
        "that = this",
        "= 3",
        "0.1 + 0.2 = 0.30000000000000004",
    ],
)
def test_false_and_malformed_claims_are_found(text):
    assert false_claim(text)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("2(x + 1) = 2x + 2", True),
        ("2(x + 1) = 2x + 3", False),
        ("4x - 11 = 9", True),
        ("4x - 11 = 8", False),
        ("x = 20/4 = 5", True),
        ("x = 20/4 = 6", False),
        ("6 = 6 and 2 * (5) + 1 = 11", True),
        ("x * x = 25", False),
        ("10 / x = 2", False),
        ("y = 5", False),
        ("extra box = 5", False),
    ],
)
def test_claims_about_the_unknown_hold_always_or_for_the_answer(text, holds):
    assert (false_claim(text, "x", "5") is None) == holds


EXPRESSION = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=8,
)


def by_hand(text: str) -> Fraction | None:
    """Value of a fully bracketed expression, by splitting at the sign of its outermost bracket."""
    if text.isdigit():
        return Fraction(int(text))
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 1 and character in "+-*/":
            left, right = by_hand(text[1:at].strip()), by_hand(text[at + 1 : -1].strip())
            if left is None or right is None or (character == "/" and right == 0):
                return None
            return {"+": left + right, "-": left - right, "*": left * right}.get(character, left / (right or 1))
    raise AssertionError(text)


@given(EXPRESSION)
@settings(max_examples=150, deadline=None)
def test_expressions_evaluate_as_split_by_hand(text):
    value = linear(text)
    assert (None if value is None else Fraction(value[1])) == by_hand(text)


@given(st.text("0123456789x+-*/() .", max_size=15))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_value_or_refused_without_an_exception(text):
    value = linear(text)
    assert value is None or len(value) == 2
