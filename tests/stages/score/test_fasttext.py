"""Scores of a tiny model: ``tiny.bin`` knows a proof from an advertisement, in 16 words of 4 numbers each."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from dataengine import stage
from dataengine.errors import InputError

SCORE = stage.load("score.fasttext")
TINY = str(Path(__file__).parent / "tiny.bin")


def scored(*texts: str | None, **config: object) -> list[float]:
    settings = SCORE.config(**{"model": TINY} | config)
    return SCORE(pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())}), settings)[
        settings.column
    ].to_pylist()


def test_probabilities_of_the_two_labels_add_up_to_one() -> None:
    texts = ("the proof of the lemma", "buy cheap watches now", "unknown")
    pairs = zip(scored(*texts), scored(*texts, label="__label__negative"), strict=True)
    assert all(abs(wanted + unwanted - 1) < 1e-3 for wanted, unwanted in pairs)


def test_a_model_has_one_source() -> None:
    for wrong in (
        {},
        {"model": "a", "classifier": "b"},
        {"model": "a", "column": "text"},
        {"model": "a", "column": "id"},
    ):
        with pytest.raises(ValidationError):
            SCORE.config(**wrong)


def test_the_column_is_the_one_asked_for() -> None:
    assert SCORE.adds(SCORE.config(model="a", column="spam")) == {"spam": "float64"}


def test_a_label_the_model_does_not_have_is_said() -> None:
    with pytest.raises(InputError, match="__label__positive"):
        scored("x", label="__label__edu")


def test_a_cut_model_is_said_before_any_data_moves(tmp_path: Path) -> None:
    assert SCORE.check is not None
    cut = tmp_path / "cut.bin"
    cut.write_bytes(Path(TINY).read_bytes()[:-40])
    assert "cut or damaged" in str(SCORE.check(SCORE.config(model=str(cut)), {}))
    assert SCORE.check(SCORE.config(model=TINY), {}) is None
    near = SCORE.check(SCORE.config(model=TINY, label="__label__positiv"), {})
    assert near == f'{TINY} has no label "__label__positiv"; did you mean "__label__positive"?'
    with pytest.raises(InputError, match="cut or damaged"):
        scored("x", model=str(cut))
