"""Words of every script: the kernel against regular expressions, on text made to confuse it."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels.buffers import utf8
from dataengine.kernels.token_arrays import CHARACTERS, KIND, LETTERS, SIZE, UNSPACED, VISIBLE, TokenArrays, word_hash
from dataengine.kernels.words import split_chunks, split_words
from tests.kernels import plain

PIECES = [
    "the ", "be", "a-b", "don't", "--", "...", "…", "-",
    "•", "#", "\n", "\r\n", "\r", "\n\n", " ", "\t", "\u3000",
    "\u2028", "\x85", "\0", "é", "e\u0301", "日本", "ひらがな", "カタカナ",
    "ー", "हिन्दी", "👩\u200d💻", "😀", "𝒜", "𠀀", "3.14", "٣",
    "\u200b", "\ufeff", '"', ".", "\x1f", "ที่", "เ", "และ",
    "ໄທ", "ភាសា", "ខ្មែរ", "ကျွန်ုပ်", "က်", "\u103a", "བོད་", "།",
    "\u17d2", "々", "〇", "，", "。",
]  # fmt: skip
SOUP = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8", max_codepoint=0x1FFFF), max_size=40).map("".join)


def read(found: TokenArrays, texts: list[str]) -> list[list[plain.Token]]:
    """The tokens of each row."""
    rows = []
    for row, text in enumerate(texts):
        content, (first, end) = text.encode(), found.rows[row : row + 2, 0]
        rows.append(
            [
                plain.Token(
                    content[start:stop].decode(), bool(kind & VISIBLE), bool(kind & LETTERS), bool(kind & UNSPACED)
                )
                for start, stop, _, kind in found.tokens[first:end].tolist()
            ]
        )
    return rows


def words(*texts: str) -> list[list[str]]:
    return [[token.text for token in row] for row in read(split_words(*utf8(pa.array(texts))), list(texts))]


@settings(max_examples=300, deadline=None)
@given(st.lists(SOUP, min_size=1, max_size=4))
def test_the_kernel_finds_the_words_that_regular_expressions_find(texts: list[str]) -> None:
    found = split_words(*utf8(pa.array(texts)))
    assert read(found, texts) == [plain.tokens(text) for text in texts]
    assert found.counts[:, CHARACTERS].tolist() == [len(text) for text in texts]


@settings(max_examples=100, deadline=None)
@given(st.lists(SOUP, min_size=1, max_size=4))
def test_chunks_are_what_split_gives(texts: list[str]) -> None:
    assert read(split_chunks(*utf8(pa.array(texts))), texts) == [plain.chunks(text) for text in texts]


@settings(max_examples=50, deadline=None)
@given(SOUP)
def test_each_token_has_the_hash_of_its_text_and_its_size_in_characters(text: str) -> None:
    found = split_words(*utf8(pa.array([text])))
    for place, token in enumerate(read(found, [text])[0]):
        assert int(found.hashes[place]) == word_hash(token.text)
        assert found.tokens[place, SIZE] == len(token.text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"(well-known...)" --a/b-- #3. --', ["well-known", "a/b", "3", "--"]),
        ("don't, naïve e\u0301t 3.14%", ["don't", "naïve", "e\u0301t", "3.14"]),
        ("我在NHK看到10个", ["我", "在", "NHK", "看", "到", "10", "个"]),
        ("カタカナと平仮名", ["カタカナ", "と", "平", "仮", "名"]),
        ("ที่บ้านและเรา", ["ที่", "บ้า", "น", "และ", "เรา"]),
        ("ខ្មែរ", ["ខ្មែ", "រ"]),
        ("မြန်မာ", ["မြန်", "မာ"]),
        ("བོད་ཡིག་", ["བོད", "ཡིག"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어 문장", ["한국어", "문장"]),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]) -> None:
    assert words(text) == [expected]


def test_bytes_that_are_no_utf8_are_counted_and_harm_nothing() -> None:
    data = np.random.default_rng(1).integers(0, 256, 20_000, np.uint8)
    offsets = np.array([0, 0, 1, 3, 9_999, 20_000], np.int64)
    found = split_words(data, offsets)
    assert (found.counts[:, CHARACTERS] <= np.diff(offsets)).all()
    assert (found.tokens[: found.rows[-1, 0], 1] > found.tokens[: found.rows[-1, 0], 0]).all()


def test_ten_megabytes_without_a_space_are_one_word() -> None:
    found = split_words(*utf8(pa.array(["a" * 10_000_000])))
    assert found.rows[-1].tolist() == [1, 0]
    assert found.tokens[0, [SIZE, KIND]].tolist() == [10_000_000, VISIBLE | LETTERS]


def test_time_grows_with_the_text_and_no_faster() -> None:
    def seconds(size: int) -> float:
        columns = [utf8(pa.array([text * size])) for text in ("a ", "a", ".", "\n", "က်", "日本", "a-", "\u17d2ក")]
        started = time.process_time()
        for column in columns:
            split_words(*column)
        return time.process_time() - started

    seconds(1000)
    small = min(seconds(100_000) for _ in range(3))
    assert seconds(800_000) < 40 * small
