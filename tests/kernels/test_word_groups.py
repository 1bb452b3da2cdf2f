"""Phrases found by an automaton, and by looking for each of them."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dataengine.kernels.word_groups import automaton, phrases_in

GROUPS = ["_ad_ advert", "comment _reply", "nav _navy_", "", "a_b _a_ ba"]


def by_kernel(text: bytes) -> int:
    return int(phrases_in(np.frombuffer(text, np.uint8), 0, len(text), *automaton(GROUPS)))


def by_search(text: bytes) -> int:
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text.decode("latin-1"))
    plain = re.sub(r"[^a-z]+", "_", f" {plain} ".lower().encode("ascii", "replace").decode())
    return sum(1 << bit for bit, group in enumerate(GROUPS) if any(phrase in plain for phrase in group.split()))


def test_phrases_stand_between_gaps_where_they_say_so() -> None:
    expected = {b"ad-slot": 1, b"topAd": 1, b"header": 0, b"wp-comments": 2, b"mainNav advertX": 5, b"": 0}
    assert {text: by_kernel(text) for text in expected} == expected


@given(st.lists(st.sampled_from([b"ad", b"Ad", b"comment", b"nav", b"y", b"a", b"B", b"b", b" ", b"-_", b"\xe9", b"1"]),
                max_size=12).map(b"".join))
def test_the_automaton_finds_what_a_search_finds(text: bytes) -> None:
    assert by_kernel(text) == by_search(text)
