"""Clean pieces of a text: the kernel against regular expressions, and what it leaves out, told by example."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.kernels import prose
from dataengine.kernels.buffers import utf8

PARTS = ["the ", "Old ", "MILL", "Ärger ", "İ", "ẞ", "Ⱥ", "Дом ", "日本 ", "が", "한국 ", "e\u0301", "\n", "\r\n",
         "\u2028", " ", "\t", "\xa0", "\u3000", "<b>", "<br/", ">", "<", "</p>", "&amp;", "&", ";", "#tag", "#",
         "me@x.org", "@", "http://a.b", "://", "www.a.b", "WWW.", "{", "x_y", "--", "-", "•", "😀", "3.14", "5",
         "a" * 61, "é" * 70, "\0"]
SOUP = st.lists(st.sampled_from(PARTS) | st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=40).map("".join)

TAG = re.compile(r"<[A-Za-z/!?][^<>]{0,254}>|&[A-Za-z#][0-9A-Za-z]{0,9};", re.ASCII)
LINES = re.compile("[\n\r\x0b\x0c\x85\u2028\u2029]")


def is_space(letter: str) -> bool:
    kind = unicodedata.category(letter)
    return kind[0] in "ZC" and kind != "Cf"


def lowered(letter: str) -> str:
    small = letter.lower()[0]
    fits = unicodedata.category(letter) in ("Lu", "Lt") and len(small.encode()) <= len(letter.encode())
    return small if fits else letter


def cut(word: str) -> list[str]:
    """Long words: cut every 60 characters, but never before the first that is not ASCII."""
    found = []
    while word:
        size = prose.LONGEST
        while size < len(word) and word[:size].isascii():
            size += 1
        found.append(word[:size])
        word = word[size:]
    return found


def is_prose(word: str) -> bool:
    kinds = [unicodedata.category(letter)[0] for letter in word]
    if len(word) > prose.LONGEST or set(word) & set(prose.CODE_SIGNS):
        return False
    if not set(kinds) & set("LMN") and len(word.encode()) > 1:
        return False
    if (word[0] == "#" and len(word) > 1) or (word.lower().startswith("www.") and len(word) > 4):
        return False
    return "@" not in word and "://" not in word


def slowly(text: str) -> str:
    """All words that are left of a short text, or those of its long lines, a blank behind each."""
    lines = []
    for line in LINES.split(TAG.sub(" ", text)):
        spaced = "".join(" " if is_space(letter) else letter for letter in line)
        words = [part for word in spaced.split(" ") for part in cut(word) if is_prose(part)]
        letters = sum(unicodedata.category(letter)[0] in "LM" for word in words for letter in word)
        lines.append(("".join("".join(map(lowered, word)) + " " for word in words), len(words), letters))
    long = [line for line in lines if line[1] >= prose.SHORT_WORDS and line[2] >= prose.SHORT_LETTERS]
    enough = sum(line[2] for line in long) >= prose.ENOUGH_LETTERS
    return "".join(line[0] for line in (long if enough else lines))


def read(*texts: str, characters: int = 100_000, lower_case: bool = True) -> list[list[str]]:
    found = prose.pieces(*utf8(pa.array(texts, pa.string())), characters, lower_case)
    rows: list[list[str]] = [[] for _ in texts]
    for number, row in enumerate(found.rows):
        rows[row].append(bytes(found.text[found.offsets[number] : found.offsets[number + 1]]).decode())
    return rows


def scripts(*texts: str) -> list[str]:
    return [prose.SCRIPTS[script] for script in prose.pieces(*utf8(pa.array(texts)), 1000, True).row_scripts]


def simple(text: str) -> bool:
    """Whether the twin, which takes tags out of a whole text before it is a line, can be asked."""
    return all(not LINES.search(tag.group()) for tag in TAG.finditer(text)) and len(text) < 190


@settings(max_examples=300, deadline=None)
@given(SOUP.filter(simple))
def test_the_kernel_keeps_what_regular_expressions_keep(text: str) -> None:
    assert "".join(read(text)[0]) == slowly(text)


@settings(max_examples=30, deadline=None)
@given(st.lists(SOUP, min_size=1, max_size=5))
def test_rows_do_not_see_each_other(texts: list[str]) -> None:
    assert read(*texts) == [read(text)[0] for text in texts]


def test_addresses_tags_code_and_rows_of_marks_are_left_out() -> None:
    text = "See <b class='x y'>this</b>&nbsp;page https://a.b/c?d=e or me@x.org #tag {x} a_b ---- •• 😀 - 3,14 www.a.b"
    assert read(text) == [["see this page or - 3,14 "]]
    assert read("a < b & c > d") == [["a b & c d "]], "what only begins like a tag is none"


def test_menus_are_left_out_only_where_there_is_other_text() -> None:
    menu = "Home\nSign in\nAbout us\n"
    line = "the children walked along the river to the old mill and came back before dark\n"
    assert read(menu + line + menu) == [[line.replace("\n", " ")]]
    assert read(menu) == [["home sign in about us "]]


def test_case_stays_where_it_is_asked_to() -> None:
    assert read("The OLD Ärger İstanbul", lower_case=False) == [["The OLD Ärger İstanbul "]]
    assert read("The OLD Ärger İstanbul") == [["the old ärger istanbul "]]


def test_pieces_are_of_two_hundred_letters_and_whole_words() -> None:
    [found] = read("abcdefghi " * 100)
    assert [len(piece) for piece in found] == [230, 230, 230, 230, 80]
    assert set("".join(found).split()) == {"abcdefghi"}


def test_of_a_long_text_places_evenly_spread_are_read() -> None:
    words = [f"word{number:06d}" for number in range(40_000)]
    [found] = read(" ".join(words), characters=1000)
    seen = [words.index(word) for word in "".join(found).split()]
    assert len("".join(found)) == pytest.approx(1000, abs=60)
    for quarter in range(prose.WINDOWS):
        inside = [place for place in seen if 10_000 * quarter <= place < 10_000 * (quarter + 1)]
        assert len(inside) in (22, 23) and inside[0] - 10_000 * quarter < 10


def test_what_nothing_is_left_of_has_no_pieces() -> None:
    assert read("", "https://a.b", " \n\t", "{}", "a" * 5000, "😀😀", "<" * 300, "ok") == [[]] * 7 + [["ok "]]


def test_the_script_is_that_of_most_letters() -> None:
    assert scripts("Привет world", "ひらがなと漢字", "漢字", "한국어", "abc αβγ δ", "12 34", "", "ab вг") == [
        "Cyrl", "Kana", "Hani", "Hang", "Grek", "", "", ""
    ]


def test_blocks_are_whole_and_name_known_scripts() -> None:
    classes = prose.table().classes
    named = [letter for letter in map(chr, range(0x10000)) if classes[ord(letter)] > prose.LETTER]
    assert len(named) > 45_000 and all(unicodedata.category(letter)[0] in "LM" for letter in named)
    for name, letter in {"LATIN": "Latn", "GREEK": "Grek", "CYRILLIC": "Cyrl", "ARABIC": "Arab", "THAI": "Thai",
                         "HANGUL": "Hang", "GEORGIAN": "Geor", "KATAKANA": "Kana"}.items():
        for each in named:
            if unicodedata.name(each, "").startswith(name + " LETTER"):
                assert prose.SCRIPTS[classes[ord(each)] - prose.LETTER] == letter, each
