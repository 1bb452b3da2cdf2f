"""Words and their hashes against a splitter written with the `re` module, and kernels against their plain twins."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from dataengine.kernels.byte_vectors import eight_bytes, lowest, word_bits
from dataengine.kernels.word_hashes import LEADS, character_class, hash_word, words
from tests.kernels import interpreted as plain
from tests.kernels.interpreted import interpreted

ALONE = "[\u0e00-\u0eff\u1000-\u10bf\u1780-\u17ff\u3040-\u9fff\uf000-\uffff]"
"""Thai, Lao; Burmese; Khmer; kana, Han; full width."""
BETWEEN = "[\\x00-/:-@\\[-`{-\\x9f\u00a0-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u2000-\u206f\u3000-\u303f]"
WORD = re.compile(f"{ALONE}|(?:(?!{ALONE}|{BETWEEN}).)+", re.DOTALL)
"""What the docstring of the module says, in the language of regular expressions."""

SAMPLES = "aZ09 .,-\n\x00\u00a0«ªéßŁ“”…—日本語、カ한국ไทยကខម！😀\ufeff"
TEXTS = st.text(st.one_of(st.sampled_from(SAMPLES), st.characters(codec="utf-8")), max_size=150)
MULTIPLIER = 0x9FB21C651E98DF25


def split(text: str) -> list[str]:
    return [found.translate({c: c + 32 for c in range(65, 91)}) for found in WORD.findall(text)]


def padded(raw: bytes) -> np.ndarray:
    """The bytes, and what they need after them to be long enough for the kernel: letters, which are not part of it."""
    return np.frombuffer(raw.ljust(64, b"x"), np.uint8)


def hashes(text: str, capacity: int = 500, before: str = "") -> list[int]:
    """Word hashes of a text, asked for in portions of `capacity`, with other text in front of it in the array."""
    first, raw = len(before.encode()), (before + text).encode()
    data, found, at, out = padded(raw), [], first, np.empty(capacity, np.uint64)
    while at < len(raw):
        count, at = words(data, at, len(raw), out)
        found += out[:count].tolist()
    return found


def hash_of(word: str) -> int:
    raw, h = word.encode(), 0
    for at in range(0, len(raw), 8):
        h = (h ^ int.from_bytes(raw[at : at + 8], "little")) * MULTIPLIER % 2**64
        h ^= h >> 32
    return h


@njit
def vectors(data, at, bits):
    return eight_bytes(data, at), word_bits(data, at), lowest(bits)


@given(TEXTS, st.text("a \u2014日", max_size=70))
@settings(max_examples=400, deadline=None)
def test_words_are_those_of_the_regular_expression_wherever_the_text_lies(text, before):
    assert hashes(text, before=before) == [hash_of(word) for word in split(text)]


@given(st.lists(st.sampled_from(["a", "Zz9", "\u2014", " ", "é", "日", "x" * 63, " " * 62]), max_size=90).map("".join),
       st.integers(128, 140))
@settings(max_examples=200, deadline=None)
def test_a_full_buffer_goes_on_where_it_stopped(text, capacity):
    """Characters that separate, stand alone or are letters, across the edges of blocks and portions."""
    text *= 4
    assert hashes(text, capacity) == [hash_of(word) for word in split(text)]


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
        ("INTERNATIONALIZATION-of-12345678 and 123456789", ["internationalization", "of", "12345678", "and",
                                                            "123456789"]),
    ],
)
def test_what_a_word_is(text, expected):
    assert hashes(text) == [hash_of(word) for word in expected]


@given(st.binary(max_size=200), st.binary(max_size=70))
@settings(max_examples=300, deadline=None)
def test_bytes_that_are_no_utf8_stay_within_the_document(raw, before):
    """The same bytes among others give the same words, and the plain twin finds them too."""
    data = padded(before + raw + b"\x80\x80\x80tail")
    out, again, third = np.zeros(300, np.uint64), np.zeros(300, np.uint64), np.zeros(300, np.uint64)
    count, stop = words(data, len(before), len(before + raw), out)
    assert words(padded(raw), 0, len(raw), again) == (count, len(raw)) and stop == len(before + raw)
    assert interpreted(words)(data, len(before), len(before + raw), third) == (count, stop)
    assert out.tolist() == again.tolist() == third.tolist()


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_the_kernel_and_its_plain_twin_agree(text):
    data, out, again = padded(text.encode()), np.zeros(600, np.uint64), np.zeros(600, np.uint64)
    size = len(text.encode())
    assert words(data, 0, size, out) == interpreted(words)(data, 0, size, again)
    assert out.tolist() == again.tolist()


def test_words_of_up_to_eight_bytes_have_different_hashes():
    """A chunk's way through the hash can be gone back, step by step."""
    back = pow(MULTIPLIER, -1, 2**64)
    for word in ("a", "z9", "abcdefgh", "été", "日"):
        h = hash_of(word)
        chunk = (h ^ h >> 32) * back % 2**64
        assert chunk.to_bytes(8, "little").rstrip(b"\0").decode() == word
        assert int(interpreted(hash_word)(padded(word.encode()), 0, len(word.encode()))) == h


@given(st.binary(min_size=64, max_size=100), st.integers(0, 36), st.integers(0, 2**64 - 1))
@settings(max_examples=200, deadline=None)
def test_vectors_of_bytes_are_what_their_plain_twins_say(raw, at, bits):
    data, at = np.frombuffer(raw, np.uint8), min(at, len(raw) - 64)
    made = vectors(data, at, np.uint64(bits))
    assert made == (plain.eight_bytes(data, at), plain.word_bits(data, at), plain.lowest(np.uint64(bits)))


def test_every_byte_has_its_class():
    data = np.arange(256, dtype=np.uint8)
    for at in range(0, 256, 64):
        assert vectors(data, at, np.uint64(0))[1] == plain.word_bits(data, at)


def test_classes_of_characters_cover_every_byte_that_must_be_looked_at():
    leads = {byte for byte in range(256) if plain.word_bits(np.full(64, byte, np.uint8), 0)[1]}
    assert leads == LEADS
    for lead in leads:
        size, role = character_class(lead, 0x81, 0x81)
        assert size == (2 if lead < 0xE0 else 3) and role in (0, 1, 2)
