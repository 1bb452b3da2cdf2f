"""Repaired text: once is enough, nothing good is touched, and nothing makes it slow."""

from __future__ import annotations

import time
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import stage
from dataengine.kernels import unicode as kernel
from dataengine.kernels.buffers import utf8

UNICODE = stage.load("scrub.unicode")


def scrubbed(*texts: str | None, **config: object) -> dict[str, list]:
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
    return {name: pa.array(column).to_pylist() for name, column in UNICODE(batch, UNICODE.config(**config)).items()}


PIECES = ["a", " ", "\t", "\n", "\r\n", "\r", "\f", "\0", "\x7f", "\x85", "\x92", "é", "e\u0301", "\u0323", "\u0308",
          "Ã", "©", "Ã©", "â€™", "â€", "\ufffd", "ÃƒÂ©", "Ð¿Ñ€", "ðŸ˜€", "ï»¿",
          "Â\u00a0", "\u00a0", "\u200b", "\ufeff", "\xad",
          "\u202e", "\u200d", "ไทย", "한", "\u1112\u1161\u11ab", "日", "ﬁ", "²", "Å", "\u212b", "\u0958", "\ufffe",
          "\u2028", "\U000e0041", "😀", "\U0001d15e", "\U00011099\U000110ba"]
SOUP = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=20).map("".join)
FORMS = st.sampled_from(["NFC", "NFKC"])


@settings(max_examples=500, deadline=None)
@given(SOUP, FORMS)
def test_doing_it_twice_is_doing_it_once(text: str, form: str) -> None:
    once = scrubbed(text, form=form)["text"][0]
    again = scrubbed(once, form=form)
    assert (again["text"], again["unicode_changed"]) == ([once], [False])
    assert unicodedata.is_normalized(form, once)
    assert not set(once) & set("\0\x7f\x92\r\f\x85\ufeff\xad\u202e\ufffe\u2028\U000e0041")


@settings(max_examples=500, deadline=None)
@given(SOUP, FORMS)
def test_what_the_kernel_passes_is_in_normal_form(text: str, form: str) -> None:
    data, offsets = utf8(pa.array([text]))
    if not kernel.faults(data, offsets, form)[0] & kernel.SUSPECT:
        assert unicodedata.is_normalized(form, text)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_every_character_beside_every_mark_is_known(form: str) -> None:
    marks = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000
             and (unicodedata.combining(chr(code)) or not unicodedata.is_normalized(form, chr(code)))]
    found = kernel.faults(*utf8(pa.array(marks)), form)
    assert all(flags & kernel.SUSPECT for char, flags in zip(marks, found.tolist(), strict=True)
               if unicodedata.normalize(form, "a" + char) != "a" + char)
    every = [chr(code) for code in range(0x80, 0x110000) if not 0xD800 <= code < 0xE000]
    composed = [unicodedata.normalize("NFD", char) for char in every]
    apart = [text for text in composed if not unicodedata.is_normalized(form, text)]
    assert (kernel.faults(*utf8(pa.array(apart)), form) & kernel.SUSPECT).all()


@settings(max_examples=80, deadline=None)
@given(st.lists(SOUP, min_size=1, max_size=5))
def test_rows_do_not_see_each_other_and_the_plain_twin_agrees(texts: list[str]) -> None:
    together = scrubbed(*texts)
    for row, text in enumerate(texts):
        assert {name: values[0] for name, values in scrubbed(text).items()} == {
            name: values[row] for name, values in together.items()}
    data, offsets = utf8(pa.array(texts))
    plain = np.zeros(len(texts), np.uint8)
    tables = (kernel.bytes_at_fault(), kernel.classes("NFC"), kernel.latin_bytes())
    kernel.find_faults.py_func(data, offsets, *tables, plain)
    assert plain.tolist() == kernel.faults(data, offsets, "NFC").tolist()


GOOD = ["def f(x):\n\tif x:\n\t\treturn {'a': [1, 2]}\n    # é — «ok»\n", "Ação é não. Ärger & Öl; naïve café № 5 …",
        "Đây là tiếng Việt.", "Это русский текст.", "日本語の文章です。", "한국어 문장입니다.", "हिन्दी का वाक्य।",
        "ภาษาไทย", "هذا نص عربي.", "שלום עולם", "$\\int_0^\\infty e^{-x²}\\,dx = \\frac{√π}{2}$", "👩‍💻 🇪🇺 ❤️"]


@pytest.mark.parametrize("text", GOOD)
def test_good_text_of_any_kind_is_left_as_it_is(text: str) -> None:
    assert scrubbed(text)["text"] == [text]
    assert scrubbed(text)["unicode_changed"] == [False]


@pytest.mark.parametrize("text", ["Ein Mädchen träumt", "Это русский текст.", "日本語の文章です。", "C’est l’été à"])
def test_text_once_read_in_the_wrong_encoding_is_as_it_was(text: str) -> None:
    wrong = "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())
    assert scrubbed("clean line\n" + wrong)["text"] == ["clean line\n" + text]


def test_a_config_that_asks_for_nothing_changes_nothing() -> None:
    text = "".join(PIECES)
    nothing = dict.fromkeys(("repair_mojibake", "strip_controls", "strip_invisible", "normalize_newlines"), False)
    assert scrubbed(text, form="keep", **nothing)["text"] == [text]


def test_hostile_text_costs_linear_time() -> None:
    nasty = ["e" + "\u0301\u0323" * 300_000, ("a" + "\u0301\u0323" * 49) * 3_000, "Ã©" * 200_000, "\u200b" * 500_000,
             "\r" * 500_000, "\x92" * 200_000, "a\u200b" * 200_000, "Ã\u200b" * 100_000, "â€" * 100_000, "\0" * 500_000]
    scrubbed("Ã©")
    started = time.process_time()
    scrubbed(*nasty)
    assert time.process_time() - started < 10
