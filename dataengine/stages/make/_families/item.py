"""A problem with its worked solution."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    problem: str
    steps: list[str]
    """One line each. Every ``=`` in them is a claim that is checked."""
    answer: str
    """A number: ``-12``, ``7/3`` or ``4.50``."""
    unknown: str = ""
    """The letter that stands for the answer in the steps, if one does."""
