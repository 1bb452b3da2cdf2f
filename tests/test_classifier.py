"""A classifier learnt from documents of our own: what it finds, and that it is the same every time."""

from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path

import numpy as np
import pytest

from dataengine import classifier, fasttext_model
from dataengine.errors import RunFailed
from dataengine.tables import ClassifierConfig


def config(**settings: object) -> ClassifierConfig:
    small = {"dimension": 8, "buckets": 1000, "epochs": 5, "holdout": 0.2}
    return ClassifierConfig(**{"positive": ["a"], "negative": ["b"]} | small | settings)


def documents(kind: str, count: int) -> list[tuple[str, str]]:
    rng = random.Random(kind)
    own = {"proof": "lemma theorem axiom proof holds", "shop": "buy cheap watch now offer"}[kind].split()
    shared = ["the", "of", "and", "to", "a", "in", "that", "it", "is", "was"]
    return [
        (f"{kind}-{number}", " ".join(rng.choice(own if rng.random() < 0.3 else shared) for _ in range(40)))
        for number in range(count)
    ]


def sha256(folder: Path) -> str:
    return hashlib.sha256((folder / "model.bin").read_bytes()).hexdigest()


def test_it_tells_apart_what_can_be_told_apart_and_measures_it_on_unseen_documents(tmp_path: Path) -> None:
    figures = classifier.train(documents("proof", 200), documents("shop", 300), config(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.bin"]
    assert figures["training_documents"] + figures["heldout_documents"] == 500
    assert 60 < figures["heldout_documents"] < 140
    assert min(figures["precision"], figures["recall"], figures["f1"], figures["auc"]) > 0.95
    model = fasttext_model.load(tmp_path / "model.bin")
    assert (
        model.probability("the lemma holds", classifier.POSITIVE)
        > 0.9
        > 0.1
        > model.probability("buy now", classifier.POSITIVE)
    )


def test_sides_that_are_the_same_cannot_be_told_apart(tmp_path: Path) -> None:
    first, second = documents("proof", 400), [(f"other-{identity}", text) for identity, text in documents("proof", 400)]
    random.Random(1).shuffle(second)
    assert 0.3 < classifier.train(first, second, config(), tmp_path)["auc"] < 0.7


def test_order_changes_nothing_and_neither_does_what_the_process_did_before(tmp_path: Path) -> None:
    hashes = set()
    for number in range(3):
        used = [np.full(size, 1e30, np.float32) for size in (1_000_000, 300_000, 40_000, 1000)]
        del used  # fastText would take such memory as it is for the untrained part of its matrix
        sides = [documents("proof", 60), documents("shop", 60)]
        for side in sides:
            random.Random(number).shuffle(side)
        folder = tmp_path / str(number)
        folder.mkdir()
        classifier.train(*sides, config(), folder)
        hashes.add(sha256(folder))
    assert len(hashes) == 1


def test_the_cap_takes_the_lowest_hashes_however_many_come_and_from_however_many_shards() -> None:
    everything = documents("proof", 500)
    few = [classifier.choose(rows, 50, io.BytesIO()) for rows in (everything, everything[::-1])]
    all_of_them = classifier.choose(everything, 1000, io.BytesIO())
    assert (
        [line.order for line in few[0]] == [line.order for line in few[1]] == [line.order for line in all_of_them][:50]
    )
    lots = [line.lot for line in few[0]]
    assert min(lots) < 0.2 and max(lots) > 0.8, "the hash of the cap says nothing about who is held out"


def test_both_parts_of_a_side_have_documents_whatever_the_share() -> None:
    lines = classifier.choose(documents("proof", 12), 100, io.BytesIO())
    for holdout in (1e-9, 0.5, 1 - 1e-9):
        training, heldout = classifier.split(lines, holdout)
        assert training and heldout
        assert sorted(training + heldout) == lines


@pytest.mark.parametrize("shop", [[], documents("shop", 9), [(f"{i}", " \n\0") for i in range(50)]])
def test_too_few_documents_are_said_with_what_to_do(shop: list[tuple[str, str]], tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"negative side has [09] documents") as raised:
        classifier.train(documents("proof", 50), shop, config(), tmp_path)
    assert "at least 10" in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_a_text_cannot_say_what_it_is(tmp_path: Path) -> None:
    shop = [(identity, f"__label__positive\n__label__positive {text}") for identity, text in documents("shop", 100)]
    classifier.train(documents("proof", 100), shop, config(), tmp_path)
    assert fasttext_model.load(tmp_path / "model.bin").probability("buy cheap now", classifier.POSITIVE) < 0.5


def test_figures_weigh_both_sides_the_same_and_ties_count_half() -> None:
    figures = classifier.measure([0.9, 0.8, 0.2, 0.6], [0.1, 0.6] * 50)
    assert figures["recall"] == 0.75
    assert figures["precision"] == 0.75 / (0.75 + 0.5)
    pairs = [(p > n) + 0.5 * (p == n) for p in (0.9, 0.8, 0.2, 0.6) for n in (0.1, 0.6)]
    assert figures["auc"] == pytest.approx(sum(pairs) / len(pairs))
    assert classifier.measure([0.1], [0.2])["f1"] == 0


def test_a_module_that_only_predicts_is_said_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fasttext

    monkeypatch.delattr(fasttext, "train_supervised")
    with pytest.raises(RunFailed, match="cannot train") as raised:
        classifier.train(documents("proof", 20), documents("shop", 20), config(), tmp_path)
    assert "fasttext-numpy2" in str(raised.value)
