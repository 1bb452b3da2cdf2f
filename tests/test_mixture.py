"""The order of training, as arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.errors import InputError
from dataengine.mixture import Mixture, build, describe, load, packed_windows, quotas, shuffled, text_windows


def mixtures(largest: int = 40) -> st.SearchStrategy[Mixture]:
    source = st.tuples(st.integers(1, largest), st.integers(0, largest))
    return st.builds(
        lambda sources, seed: Mixture(tuple(f"s{k}" for k in range(len(sources))), tuple(w for w, _ in sources),
                                      tuple(q for _, q in sources), seed),
        st.lists(source, min_size=1, max_size=6).filter(lambda sources: any(q for _, q in sources)), st.integers(0, 9))


@settings(max_examples=150, deadline=None)
@given(mixtures())
def test_the_order_is_that_of_positions_sorted_on_the_line(mixture: Mixture) -> None:
    places = [(Fraction(2 * j + 1, 2 * q), k, j) for k, q in enumerate(mixture.quotas) for j in range(q)]
    expected = [(k, j // mixture.windows[k]) for _, k, j in sorted(places)]
    assert [(draw.source, draw.epoch) for draw in map(mixture.draw, range(len(mixture)))] == expected


@settings(max_examples=100, deadline=None)
@given(mixtures(80))
def test_every_prefix_is_in_proportion(mixture: Mixture) -> None:
    sources, total = len(mixture.quotas), len(mixture)
    drawn = [0] * sources
    for n in range(total):
        drawn[mixture.draw(n).source] += 1
        for k, quota in enumerate(mixture.quotas):
            share = Fraction(quota, total)
            assert abs(drawn[k] - share * (n + 1)) <= (1 + share * max(0, sources - 2)) / 2


@settings(max_examples=100, deadline=None)
@given(mixtures())
def test_each_epoch_of_a_source_gives_every_window_once(mixture: Mixture) -> None:
    seen: dict[tuple[int, int], list[int]] = {}
    for n in range(len(mixture)):
        draw = mixture.draw(n)
        seen.setdefault((draw.source, draw.epoch), []).append(draw.window)
    for k, (windows, quota) in enumerate(zip(mixture.windows, mixture.quotas, strict=True)):
        epochs, rest = divmod(quota, windows)
        assert all(sorted(seen[k, epoch]) == list(range(windows)) for epoch in range(epochs))
        if rest:
            assert len(set(seen[k, epochs])) == len(seen[k, epochs]) == rest


def test_a_draw_does_not_depend_on_what_was_drawn_before() -> None:
    def mixture() -> Mixture:
        return Mixture(("a", "b", "c"), (50, 7, 300), (60, 14, 200), 3)

    forward = [mixture().draw(n) for n in range(274)]
    whole = mixture()
    assert [whole.draw(n) for n in reversed(range(274))][::-1] == forward


def test_draws_far_into_a_large_mixture_are_found_at_once() -> None:
    mixture = Mixture(("a", "b"), (10**12, 10**11), (10**12, 10**12 - 7), 1)
    assert [mixture.draw(n).source for n in range(4)] == [0, 1, 0, 1], "a stands a hair before b"
    last = [mixture.draw(n).source for n in range(2 * 10**12 - 9, 2 * 10**12 - 7)]
    assert sorted(last) == [0, 1]
    with pytest.raises(IndexError):
        mixture.draw(len(mixture))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600), st.integers(0, 2**64 - 1))
def test_a_shuffle_is_a_permutation(count: int, key: int) -> None:
    assert sorted(shuffled(i, count, key) for i in range(count)) == list(range(count))


def test_a_shuffle_spreads_and_differs_between_epochs_seeds_and_sources() -> None:
    orders = [[Mixture((name,), (1_000,), (2_000,), seed).draw(n).window for n in range(start, start + 1_000)]
              for name, seed, start in (("a", 1, 0), ("a", 1, 1_000), ("a", 2, 0), ("b", 1, 0))]
    assert len(set(map(tuple, orders))) == 4
    for order in orders:
        assert 400 < sum(order[:500]) / 500 < 600, "the first half is drawn from everywhere"
        assert sum(abs(a - b) == 1 for a, b in pairwise(order)) < 20, "neighbours are parted"


def test_a_new_source_leaves_the_windows_of_the_others_in_their_order() -> None:
    def windows(mixture: Mixture) -> list[int]:
        return [draw.window for draw in map(mixture.draw, range(len(mixture))) if mixture.names[draw.source] == "web"]

    assert windows(Mixture(("web",), (90,), (90,), 5)) == windows(Mixture(("code", "web"), (30, 90), (30, 90), 5))


# --- quotas -----------------------------------------------------------------------------------------------------------

@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.fractions(0, 5, max_denominator=20), st.integers(0, 60)), min_size=1, max_size=6),
       st.integers(0, 200))
def test_quotas_are_exact_capped_and_by_weight(sources: list[tuple[Fraction, int]], total: int) -> None:
    weights, caps = [weight for weight, _ in sources], [cap for _, cap in sources]
    given_ = quotas(weights, caps, total)
    assert all(0 <= quota <= cap for quota, cap in zip(given_, caps, strict=True))
    assert sum(given_) == min(total, sum(cap for weight, cap in sources if weight > 0))
    below = [k for k, weight in enumerate(weights) if weight > 0 and given_[k] < caps[k]]
    for a in below:
        for b in below:  # per weight, the sources that are not full got the same, to a draw
            assert abs(given_[a] / weights[a] - given_[b] / weights[b]) < 1 / weights[a] + 1 / weights[b]
        for full in set(range(len(caps))) - set(below):
            if weights[full] > 0:
                assert given_[full] / weights[full] <= (given_[a] + 1) / weights[a] + 1 / weights[full]


def test_what_a_full_source_cannot_give_goes_to_the_others_by_weight() -> None:
    assert quotas([Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)], [10, 100, 100], 100) == [10, 45, 45]
    assert quotas([Fraction(1, 3)] * 3, [100] * 3, 100) == [34, 33, 33]
    assert quotas([Fraction(1), Fraction(0)], [10, 100], 50) == [10, 0]


def mixture_json(**more: Any) -> dict[str, Any]:
    def source(name: str, weight: float | None, tokens: int, epochs: float = 1.0) -> dict[str, Any]:
        shards = [{"train": "x", "heldout": "y", "train_tokens": part, "heldout_tokens": 0, "heldout_bytes": 0}
                  for part in (tokens // 2, tokens - tokens // 2)]
        return {"name": name, "weight": weight, "max_epochs": epochs, "shards": shards}

    return {"format": 1, "name": "broad", "seed": 1729, "tokenizer": "t", "vocabulary": 300, "kind": "text",
            "tokens": None, "sources": [source(*row) for row in more.pop("sources")]} | more


def test_a_budget_is_shared_by_weight_and_told_exactly() -> None:
    told = describe(mixture_json(sources=[("code", 0.5, 1_001, 4.0), ("web", 0.5, 10_001)], tokens=6_400), 10)
    assert told == {
        "windows": 640, "tokens": 6_400, "missing_windows": 0,
        "sources": {"code": {"windows": 100, "draws": 320, "epochs": 3.2, "share": 0.5, "weight": 0.5},
                    "web": {"windows": 1_000, "draws": 320, "epochs": 0.32, "share": 0.5, "weight": 0.5}}}


def test_a_budget_that_cannot_be_met_shrinks_and_says_by_how_much() -> None:
    told = describe(mixture_json(sources=[("code", 0.5, 101), ("web", 0.5, 201)], tokens=1_000), 10)
    assert (told["windows"], told["missing_windows"]) == (30, 70)
    assert [source["draws"] for source in told["sources"].values()] == [10, 20]


def test_without_a_budget_weights_hold_or_everything_is_taken() -> None:
    weighted = describe(mixture_json(sources=[("a", 0.9, 901), ("b", 0.1, 901)]), 10)
    assert [source["draws"] for source in weighted["sources"].values()] == [90, 10]
    plain = describe(mixture_json(sources=[("a", None, 901), ("b", None, 101, 2.5)]), 10)
    assert [source["draws"] for source in plain["sources"].values()] == [90, 25]


def test_decimals_are_read_as_they_are_written() -> None:
    told = describe(mixture_json(sources=[("a", 0.1, 10_001, 0.3), ("b", 0.2, 10_001)], tokens=10_000), 10)
    assert told["sources"]["a"]["draws"] == 300, "0.3 epochs of 1,000 windows, not 299"


def test_a_source_smaller_than_a_window_is_not_drawn() -> None:
    told = describe(mixture_json(sources=[("a", 0.5, 10), ("b", 0.5, 1_001)], tokens=500), 10)
    assert told["sources"]["a"] == {"windows": 0, "draws": 0, "epochs": 0.0, "share": 0.0, "weight": 0.5}
    assert told["sources"]["b"]["draws"] == 50
    assert len(build(mixture_json(sources=[("a", None, 0)]), 10)) == 0


def test_weights_for_some_sources_only_are_refused() -> None:
    with pytest.raises(InputError, match="some have none"):
        build(mixture_json(sources=[("a", 0.5, 100), ("b", None, 100)]), 10)


# --- windows ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("tokens", "windows"), [(0, 0), (1, 0), (10, 0), (11, 1), (20, 1), (21, 2)])
def test_a_window_needs_one_token_more_than_its_length(tokens: int, windows: int) -> None:
    assert text_windows(tokens, 10) == windows


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 25), max_size=30))
def test_packing_is_greedy_whole_and_in_order(lengths: list[int]) -> None:
    firsts = packed_windows(lengths, 10)
    windows = [lengths[a:b] for a, b in pairwise(firsts)]
    assert sum(map(sum, windows)) == sum(lengths), "nothing is left out but empty documents"
    for window, following in zip(windows, [*windows, None][1:], strict=True):
        room = 11 - sum(min(length, 11) for length in window)
        assert room >= 0 and sum(window) > 0
        assert following is None or min(following[0], 11) > room, "the next document would not have fitted"


def test_a_file_that_is_no_mixture_is_refused(tmp_path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text('{"format": 2}')
    for name, said in (("a", "not JSON"), ("b", "format 1"), ("c", "No such file")):
        with pytest.raises(InputError, match=said):
            load(tmp_path / f"{name}.json")
