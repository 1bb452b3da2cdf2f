"""What the fixture of `filter.gopher` cannot say."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from dataengine import stage
from dataengine.tasks.fused import judge

DECISIONS = Path(__file__).parents[4] / "shared" / "data" / "filters" / "datatrove_decisions.jsonl.xz"


@pytest.mark.parametrize("words", [["of the"], ["don't!"], [""], ["the", "the"], [f"w{i}" for i in range(65)], ["..."]])
def test_stop_words_that_could_never_match_are_refused(words: list[str]) -> None:
    with pytest.raises(ValidationError):
        stage.load("filter.gopher").config(stop_words=words)


def test_a_language_of_its_own_may_have_stop_words_with_accents_and_vowel_signs() -> None:
    found = stage.load("filter.gopher")
    config = found.config(stop_words=["और", "की", "où"])
    batch = pa.RecordBatch.from_pydict({"text": ["नदी और मिल की ओर, où?"]})
    assert found(batch, config)["stop_words"].tolist() == [3]


def test_measures_that_divide_by_nothing_are_zero() -> None:
    found = stage.load("filter.gopher")
    for values in found(pa.RecordBatch.from_pydict({"text": ["", "..."]}), found.config()).values():
        assert np.isfinite(values).all()


@pytest.mark.skipif(not DECISIONS.exists(), reason="recorded decisions of datatrove are not on this machine")
@pytest.mark.parametrize(
    ("name", "theirs", "least"),
    [
        ("filter.gopher", "gopher_quality", 0.95),
        ("filter.repetition", "gopher_repetition", 0.97),
    ],
)
def test_decisions_agree_with_datatrove(name: str, theirs: str, least: float) -> None:
    with lzma.open(DECISIONS, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    found = stage.load(name)
    config = found.config()
    measures = found(pa.RecordBatch.from_pydict({"text": [row["text"] for row in rows]}), config)
    verdict = judge(
        pa.RecordBatch.from_pydict({key: pa.array(values) for key, values in measures.items()}), found.rules, config
    )
    kept = [row["datatrove"][theirs]["keep"] for row in rows]
    assert np.mean((verdict < 0) == kept) >= least
