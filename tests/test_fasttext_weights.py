"""A model file from anywhere: whatever its bytes say, it is refused or predicts, within the memory of its size."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dataengine.errors import InputError
from dataengine.fasttext_file import SUPERVISED, labels_of, layout
from dataengine.fasttext_model import Model, language_model
from dataengine.fasttext_weights import fault_of

PLAIN = Path(__file__).parent / "stages" / "score" / "tiny.bin"
TEXTS = pa.array(["the proof of the lemma", "buy cheap watches", "", "日本語", "</s>"])

DIMENSION, NGRAMS, LOSS, MODEL, BUCKETS, SHORTEST, LONGEST, WORDS = 8, 28, 32, 36, 40, 44, 48, 64


def survives(data: bytes, path: Path) -> str:
    """``refused``, or ``predicts``; anything else is a failure."""
    path.write_bytes(data)
    fault = fault_of(path)
    try:
        model = Model(path)
    except InputError as error:
        return f"refused: {error}"
    assert fault is None, "what can be known without the numbers is known by both"
    numbers, chances = model.likeliest(TEXTS)
    assert ((numbers >= -1) & (numbers < len(model.labels))).all()
    assert (chances >= 0).all() and (chances <= 1).all()
    return "predicts"


@pytest.mark.parametrize("source", [PLAIN, language_model()], ids=["plain", "quantised"])
def test_flipped_bytes_are_refused_or_predict(source: Path, tmp_path: Path) -> None:
    data, rng = source.read_bytes(), random.Random(source.name)
    places = [*range(0, 92), *rng.choices(range(92, len(data)), k=60)]
    seen = set()
    for place in rng.sample(places, 100 if source == PLAIN else 30):
        damaged = bytearray(data)
        damaged[place] ^= rng.choice([1, 0x40, 0x80, 0xFF])
        seen.add(survives(bytes(damaged), tmp_path / "model").partition(":")[0])
    assert seen == {"refused", "predicts"}


def test_no_number_in_the_header_makes_it_take_more_memory_than_the_file_is_worth(tmp_path: Path) -> None:
    data = PLAIN.read_bytes()
    survives(data, tmp_path / "model")
    tracemalloc.start()
    for place in range(DIMENSION, WORDS + 28, 4):
        for value in (2**31 - 1, 2**20, -1):
            survives(data[:place] + struct.pack("<i", value) + data[place + 4 :], tmp_path / "model")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32e6


def test_cuts_are_refused(tmp_path: Path) -> None:
    data = language_model().read_bytes()
    for size in random.Random(1).sample(range(len(data)), 20):
        assert survives(data[:size], tmp_path / "model").startswith("refused")


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (MODEL, 1, "makes word vectors only"),
        (LOSS, 9, "has a loss"),
        (LONGEST, 2**30, "n-grams of 1,073,741,824"),
        (NGRAMS, 2**30, "n-grams of 1,073,741,824"),
        (DIMENSION, 5, "matrices of 4 and 4 columns"),
        (NGRAMS, 2, "and 0 buckets"),
        (WORDS, 2**31 - 1, "cannot be"),
    ],
)
def test_a_setting_that_leads_nowhere_is_said(place: int, value: int, told: str, tmp_path: Path) -> None:
    damaged = bytearray(PLAIN.read_bytes())
    damaged[place : place + 4] = struct.pack("<i", value)
    assert told in survives(bytes(damaged), tmp_path / "model")
    assert told in str(fault_of(tmp_path / "model"))


def test_buckets_without_rows_are_said(tmp_path: Path) -> None:
    damaged = bytearray(PLAIN.read_bytes())
    damaged[NGRAMS : NGRAMS + 4], damaged[BUCKETS : BUCKETS + 4] = struct.pack("<i", 2), struct.pack("<i", 2**31 - 1)
    assert "rows where words and buckets need" in survives(bytes(damaged), tmp_path / "model")


def test_numbers_that_are_not_finite_are_said(tmp_path: Path) -> None:
    data = PLAIN.read_bytes()
    for number in (np.nan, np.inf):
        damaged = bytearray(data)
        damaged[layout(data).inputs.at : layout(data).inputs.at + 4] = np.float32(number).tobytes()
        assert "not finite" in survives(bytes(damaged), tmp_path / "model")


def test_counts_that_make_no_tree_are_said(tmp_path: Path) -> None:
    data = language_model().read_bytes()
    damaged = bytearray(data)
    for _, end, _ in layout(data).labels:
        damaged[end + 1 : end + 9] = struct.pack("<q", 2**62)
    assert "make no tree" in survives(bytes(damaged), tmp_path / "model")


def test_labels_are_read_without_the_numbers() -> None:
    assert labels_of(PLAIN) == ["__label__negative", "__label__positive"] == Model(PLAIN).labels
    assert labels_of(language_model())[:3] == ["__label__en", "__label__ru", "__label__de"]
    assert layout(PLAIN.read_bytes()).settings.model == SUPERVISED
