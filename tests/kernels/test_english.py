"""The English splitter: cases of every rule by hand, what holds for any text, and spaCy where it is installed."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.buffers import utf8
from dataengine.kernels.english import split_english
from dataengine.kernels.english_exceptions import UNITS, exceptions
from dataengine.kernels.sentences import english_sentences
from dataengine.kernels.token_arrays import CHARACTERS, SIZE, word_hash

PIECES = [
    *exceptions(), *UNITS.split(),
    *"ab zA9.,;:!?()[]{}<>_#*&'\"`’“”‘-–—~=+/%$€£°²³@|\\^§…。、，！？·«»「」",
    *"の漢字éßñЖяαΩ한ไا١😀🙂✓→•©™",
    "...", "..", "--", "---", "——", "……", "http://",
    "https://", "www.", "foo.com", "a.b.co.uk", ":80", "/x/y?z=1", "me@",
    "US$", "C$", "A$", "10", "3", "km/h", "'s", "’s", "n't",
    " ", "  ", "\n", "\n\n", "\t", "\r\n", "\x1c", "\x85", "\u2028",
    "1.2.3.4", "192.168.0.1", "255.1", "the", "Word", "MIX", "x",
]  # fmt: skip
SOUP = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def split(*texts: str) -> list[list[str]]:
    found = split_english(*utf8(pa.array(texts)))
    contents = [text.encode() for text in texts]
    return [
        [
            contents[row][start:end].decode()
            for start, end in found.tokens[slice(*found.rows[row : row + 2, 0]), :2].tolist()
        ]
        for row in range(len(texts))
    ]


@cache
def spacy_english():
    return pytest.importorskip("spacy", reason="spaCy is not installed").blank("en")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t", []),
        ("word", ["word"]),
        ("Hello, (dear) world!", ["Hello", ",", "(", "dear", ")", "world", "!"]),
        ("don't we'll it's Shouldn't've", ["do", "n't", "we", "'ll", "it", "'s", "Should", "n't", "'ve"]),
        ("dont its cannot gonna", ["do", "nt", "its", "can", "not", "gon", "na"]),
        ("Don’t “quote”", ["Do", "n’t", "“", "quote", "”"]),
        ("the dog's bone", ["the", "dog", "'s", "bone"]),
        ("U.S. e.g. Mr. Smith. J. R. USA.", ["U.S.", "e.g.", "Mr.", "Smith", ".", "J.", "R.", "USA", "."]),
        ("a. b. (c.)", ["a.", "b.", "(", "c.", ")"]),
        (
            "10km 5% 3m² $5 5$ US$10 20°C 7pm 8a.m.",
            ["10", "km", "5", "%", "3", "m²", "$", "5", "5", "$", "US$", "10", "20", "°", "C", "7", "pm", "8", "a.m."],
        ),
        ("10kmx 5pm. 7km/h", ["10kmx", "5", "pm", ".", "7", "km/h"]),
        (
            "well-known and/or his/her 3-4 -foo foo- a--b",
            ["well", "-", "known", "and/or", "his", "/", "her", "3", "-", "4", "-foo", "foo-", "a", "--", "b"],
        ),
        ("end.Next one,two 1,000 3.14 e.end", ["end", ".", "Next", "one", ",", "two", "1,000", "3.14", "e.end"]),
        ("wait... and…then ..", ["wait", "...", "and", "…", "then", ".."]),
        ("http://foo.com/a-b?c=d. see foo-bar.org/x-y", ["http://foo.com/a-b?c=d", ".", "see", "foo-bar.org/x-y"]),
        ("me@foo-bar.com foo-bar", ["me@foo-bar.com", "foo", "-", "bar"]),
        ("8.8.8.8/a-b 10.0.0.1/a-b", ["8.8.8.8/a-b", "10.0.0.1", "/", "a", "-", "b"]),
        (":) text:) : ) (8) </3", [":)", "text", ":)", ":", ")", "(", "8)", "</3"]),
        ("``foo''", ["`", "`", "foo", "''"]),
        ("+1 1+ c++ C++ x=y", ["+1", "1", "+", "c++", "C++", "x", "=", "y"]),
        ("日本語です。次", ["日本語です。次"]),
        ("日本語です。", ["日本語です", "。"]),
        ("x😀y ✓", ["x", "😀", "y", "✓"]),
        ("a\u00a0b\u2028c", ["a", "b", "c"]),
    ],
)
def test_every_rule(text: str, expected: list[str]) -> None:
    assert split(text) == [expected]


@settings(max_examples=300, deadline=None)
@given(st.lists(SOUP | st.text(max_size=30), min_size=1, max_size=4))
def test_tokens_are_all_that_is_not_white_space_in_order_and_each_row_is_alone(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    found = split(*texts)
    for text, tokens in zip(texts, found, strict=True):
        assert "".join(tokens) == "".join(text.split())
        assert all(tokens)
        assert split(text) == [tokens]


@settings(max_examples=50, deadline=None)
@given(SOUP)
def test_hashes_and_sizes_are_those_of_the_tokens(text: str) -> None:
    arrays, tokens = split_english(*utf8(pa.array([text]))), split(text)[0]
    assert arrays.hashes[: len(tokens)].tolist() == [word_hash(token) for token in tokens]
    assert arrays.tokens[: len(tokens), SIZE].tolist() == [len(token) for token in tokens]
    assert arrays.counts[0].tolist() == [len(text), text.count("#"), text.count("...") + text.count("…")]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", 3),
        ("One... Two.", 1),
        ('"One." "Two."', 2),
        ("One. two 3. Four", 3),
        ("Mr. Smith met e.g. J. R. Jones.", 1),
        ("One line\nand a second.\r\nThird. Fourth.", 4),
        ("One.  Two.", 2),
        ("One.  ! Two.", 3),
        ("One. ! Two.", 2),
        ("!? ...", 1),
        ("", 0),
    ],
)
def test_sentences(text: str, sentences: int) -> None:
    assert english_sentences(split_english(*utf8(pa.array([text])))).tolist() == [sentences]


def test_bytes_that_are_no_utf8_harm_nothing() -> None:
    data = np.random.default_rng(1).integers(0, 256, 30_000, np.uint8)
    offsets = np.array([0, 0, 1, 3, 9_999, 30_000], np.int64)
    assert (split_english(data, offsets).counts[:, CHARACTERS] <= np.diff(offsets)).all()


def test_time_grows_with_the_text_and_no_faster() -> None:
    hostile = (
        "a",
        "a-",
        "(",
        ".",
        "..a",
        "@a.b",
        "a@",
        "://",
        "1.",
        ":)",
        ": ",
        "'",
        "''",
        "a.b/",
        "don't",
        "10k",
        "a--",
        "\n",
    )

    def seconds(size: int) -> float:
        columns = [utf8(pa.array([text * size])) for text in hostile]
        started = time.process_time()
        for column in columns:
            split_english(*column)
        return time.process_time() - started

    seconds(1000)
    small = min(seconds(20_000) for _ in range(3))
    assert seconds(160_000) < 40 * small


@settings(max_examples=300, deadline=None)
@given(SOUP)
def test_spacy_cuts_the_same(text: str) -> None:
    nlp = spacy_english()
    assert split(text) == [[token.text for token in nlp(text) if not token.is_space]]
