"""Word and n-gram hashes against a splitter written with the `re` module, and kernels against their plain twins."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.shingles import FOLD, character_class, mix, shingles, words

ALONE = "[\u0e00-\u0eff\u1000-\u10bf\u1780-\u17ff\u3040-\u9fff\uf000-\uffff]"
"""Thai, Lao; Burmese; Khmer; kana, Han; full width."""
BETWEEN = "[\\x00-/:-@\\[-`{-\\x9f\u00a0-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u2000-\u206f\u3000-\u303f]"
WORD = re.compile(f"{ALONE}|(?:(?!{ALONE}|{BETWEEN}).)+", re.DOTALL)
"""What the docstring of the module says, in the language of regular expressions."""

SAMPLES = "aZ09 .,-\n\x00\u00a0«ªéßŁ“”…—日本語、カ한국ไทยကខម！😀\ufeff"
TEXTS = st.text(st.one_of(st.sampled_from(SAMPLES), st.characters(codec="utf-8")), max_size=60)


def split(text: str) -> list[str]:
    return [found.translate({c: c + 32 for c in range(65, 91)}) for found in WORD.findall(text)]


def hashes(text: str, capacity: int = 500) -> list[int]:
    """Word hashes of a text, asked for in portions of `capacity`."""
    data, found, at = np.frombuffer(text.encode(), np.uint8), [], 0
    out = np.empty(capacity, np.uint64)
    while at < len(data):
        count, at = words(data, at, len(data), FOLD, out)
        found += out[:count].tolist()
    return found


def fnv(word: str) -> int:
    h = 0xCBF29CE484222325
    for byte in word.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_words_are_those_of_the_regular_expression(text):
    assert hashes(text) == [fnv(word) for word in split(text)]


@given(TEXTS, st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_a_full_buffer_goes_on_where_it_stopped(text, capacity):
    assert hashes(text, capacity) == hashes(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 3.14!", ["it", "s", "3", "14"]),
        ("“Quoted” — dashed…", ["quoted", "dashed"]),
        ("no\u00a0break", ["no", "break"]),
        ("ÉCOLE été", ["École", "été"]),
        ("日本語、テスト", ["日", "本", "語", "テ", "ス", "ト"]),
        ("한국어 문서", ["한국어", "문서"]),
        ("abc日def", ["abc", "日", "def"]),
        ("\x00\x01 \t", []),
    ],
)
def test_what_a_word_is(text, expected):
    assert hashes(text) == [fnv(word) for word in expected]


@given(st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_no_utf8_stay_within_the_document(raw):
    """The same bytes followed by others give the same words: nothing is read beyond the end."""
    data = np.frombuffer(raw + b"\x80\x80\x80tail", np.uint8)
    out, again = np.zeros(99, np.uint64), np.zeros(99, np.uint64)
    count, at = words(data, 0, len(raw), FOLD, out)
    with np.errstate(over="ignore"):
        plain = words.py_func(np.frombuffer(raw, np.uint8), 0, len(raw), FOLD, again)
    assert (count, at) == plain and at == len(raw)
    assert out[:count].tolist() == again[:count].tolist()


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.integers(1, 7))
@settings(max_examples=100, deadline=None)
def test_rolling_shingles_equal_shingles_from_scratch_and_the_plain_twin(values, ngram):
    hashed = np.array(values, np.uint64)
    out, plain = np.zeros(40, np.uint32), np.zeros(40, np.uint32)
    count = shingles(hashed, len(values), ngram, out)
    with np.errstate(over="ignore"):
        assert shingles.py_func(hashed, len(values), ngram, plain) == count
    assert out.tolist() == plain.tolist()
    base, expected = 0x9E3779B97F4A7C15, []
    for i in range(len(values) - ngram + 1):
        rolled = sum(h * base ** (ngram - 1 - j) for j, h in enumerate(values[i : i + ngram])) % 2**64
        expected.append(murmur(rolled) % 2**32)
    assert out[:count].tolist() == expected


def murmur(h: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        h = (h ^ h >> 33) * factor % 2**64
    return h ^ h >> 33


def test_mixing_is_murmurs_finaliser():
    for h in (0, 1, 0xDEADBEEF, 2**64 - 1):
        assert int(mix(np.uint64(h))) == murmur(h)


def test_classes_of_characters_cover_every_lead_byte_of_the_table():
    for lead in np.flatnonzero(FOLD == 1).tolist():
        size, role = character_class(lead, 0x81, 0x81)
        assert size == (2 if lead < 0xE0 else 3) and role in (0, 1, 2)
