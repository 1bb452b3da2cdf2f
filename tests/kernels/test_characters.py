"""Counts of kinds of characters: the kernel against Python's own tables and decoders."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import characters as kernel
from dataengine.kernels.buffers import utf8

PIECES = ["a", "é", "Ã©", "â€™", "Â", "É»", "à\u00a0«", "Ð¿Ñ€", "ðŸ˜€", "ï»¿", "æ—¥", "日本", "ไทย\u200b", " ", "\n",
          "\t", "\r", "\0",
          "\x7f", "\x85", "\x92", "\u200b", "\u200d", "\u202e", "\ufeff", "\ufffd", "\ue000", "\U000e0041",
          "\U000f0000", "😀", "𝒜", "𠀀", "e\u0301", "!", "7", "½", "aaaa"]
SOUP = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=30).map("".join)


def counted(*texts: str | None) -> dict[str, list[int]]:
    return {name: values.tolist() for name, values in kernel.characters(*utf8(pa.array(texts, pa.string()))).items()}


def latin(text: str) -> bytes:
    """A text as the byte each character was read from; 0 for what neither windows-1252 nor Latin-1 knows."""
    single = {letter: byte for byte, letter in kernel.CP1252.items()}
    return bytes(single.get(char, ord(char) if 0x80 <= ord(char) < 0x100 else 0) for char in text)


def sequences(text: str) -> list[tuple[int, int, bool]]:
    """(begin, end, hardly ever meant) of what decodes as one UTF-8 character, its first byte a Latin letter."""
    raw = latin(text)
    found = []
    for match in re.finditer(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}", raw):
        strong = re.match(rb"[\xc2\xc3]|\xe2\x80|\xef\xbb|\xf0\x9f", match[0]) is not None
        found.append((match.start(), match.end(), strong))
    return found


def slowly(text: str) -> dict[str, int]:
    spans = sequences(text)
    joined = [any(other[1] == span[0] or other[0] == span[1] for other in spans) for span in spans]
    inside = {place for begin, end, _ in spans for place in range(begin, end)}
    visible = [char for char in text if not char.isspace() or char in "\x1c\x1d\x1e\x1f"]
    control = [place for place, char in enumerate(text)
               if unicodedata.category(char) == "Cc" and char not in "\t\n\r\f\v\x85" and place not in inside]
    category = [unicodedata.category(char) for char in text]
    return {
        "characters": len(text),
        "visible": len(visible),
        "controls": len(control),
        "replacements": text.count("\ufffd"),
        "private_use": category.count("Co"),
        "mojibake": sum(strong or beside for (_, _, strong), beside in zip(spans, joined, strict=True)),
        "longest_run": max((len(list(run)) for char, run in groupby(text)
                            if not char.isspace() or char in "\x1c\x1d\x1e\x1f"), default=0),
        "longest_line": max(map(len, text.split("\n"))),
    }


@settings(max_examples=400, deadline=None)
@given(SOUP)
def test_the_kernel_counts_what_pythons_own_tables_say(text: str) -> None:
    found = {name: values[0] for name, values in counted(text).items()}
    expected = slowly(text)
    assert {name: found[name] for name in expected} == expected
    assert found["letters"] + found["symbols"] <= found["visible"]


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=30))
def test_letters_and_symbols_are_those_of_unicode(text: str) -> None:
    found = counted(text)
    assert found["letters"] == [sum(unicodedata.category(char)[0] in "LM" for char in text)]
    assert found["symbols"] == [sum(unicodedata.category(char)[0] in "PS" or unicodedata.category(char) == "Cn"
                                    for char in text if char != "\ufffd")]


@settings(max_examples=60, deadline=None)
@given(st.lists(SOUP, min_size=1, max_size=5))
def test_rows_do_not_see_each_other_and_the_plain_twin_agrees(texts: list[str]) -> None:
    together = counted(*texts)
    data, offsets = utf8(pa.array(texts))
    plain = np.zeros((len(texts), len(kernel.COLUMNS)), np.int64)
    kernel.count_characters.py_func(data, offsets, kernel.classes(), kernel.latin_bytes(), plain)
    assert dict(zip(kernel.COLUMNS, plain.T.tolist(), strict=True)) == together
    for row, text in enumerate(texts):
        assert {name: values[0] for name, values in counted(text).items()} == {
            name: values[row] for name, values in together.items()}


@pytest.mark.parametrize("text", ["Ein Mädchen träumt – «ja»", "Привет, мир", "日本語テキスト", "हिन्दी",
                                  "C’est “ça” 😀", "Ελληνικά κείμενα", "שלום עולם"])
@pytest.mark.parametrize("wrong", ["cp1252", "latin-1"])
def test_text_read_in_the_wrong_encoding_is_found_and_in_the_right_one_not(text: str, wrong: str) -> None:
    damaged = "".join(bytes([byte]).decode(wrong, "ignore") or chr(byte) for byte in text.encode())
    foreign = sum(ord(char) > 0x7F for char in text)
    found = counted(text, damaged)["mojibake"]
    assert found[0] == 0 and found[1] >= foreign * 0.8


def test_bytes_that_are_no_utf8_harm_nothing_and_ten_megabytes_are_one_pass() -> None:
    data = np.random.default_rng(1).integers(0, 256, 50_000, np.uint8)
    found = kernel.characters(data, np.array([0, 0, 1, 3, 9_999, 50_000], np.int64))
    assert (found["characters"] <= [0, 1, 2, 9_996, 40_001]).all()
    assert counted("Ã" * 3_000_000, None)["longest_run"] == [3_000_000, 0]
