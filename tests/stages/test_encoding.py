from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.stages._encoding import declared_in, decode, is_plain_utf8, looks_binary, web_encoding

SENTENCES = {
    "cp1252": "“Les élèves français étaient très fâchés”, a dit le garçon à sa mère. Où est-il allé ?",
    "cp1251": "Привет, мир. Это обычный русский текст, написанный для проверки.",
    "koi8-r": "Привет, мир. Это обычный русский текст, написанный для проверки.",
    "cp1250": "Zażółć gęślą jaźń i jeszcze trochę polskiego tekstu, który ma znaczenie.",
    "cp1254": "Ünlü şarkıcı İstanbul'da ığdır çok güzel bir şehir değil mi acaba",
    "shift_jis": "これは日本語の文章です。文字コードを調べるために書きました。",
    "euc_jp": "これは日本語の文章です。文字コードを調べるために書きました。",
    "gb18030": "我们今天去北京看朋友，天气很好。这是一个测试。",
    "utf-16-le": "plain words without a mark",
    "utf-16-be": "plain words without a mark",
}


@pytest.mark.parametrize("encoding", SENTENCES)
def test_an_encoding_that_nobody_declared_is_found(encoding: str) -> None:
    text, _, replaced = decode(SENTENCES[encoding].encode(encoding))
    assert (text, replaced) == (SENTENCES[encoding], 0.0)


@pytest.mark.parametrize("encoding", SENTENCES)
def test_a_declared_encoding_is_used(encoding: str) -> None:
    assert decode(SENTENCES[encoding].encode(encoding), encoding) == (SENTENCES[encoding], web_encoding(encoding), 0.0)


def test_seven_bit_encodings_are_used_where_declared() -> None:
    assert decode("日本語".encode("iso2022_jp"), "ISO-2022-JP")[0] == "日本語"
    assert decode(b"plain", "iso-2022-jp")[0] == "plain"


def test_valid_utf8_beyond_ascii_wins_over_a_declaration() -> None:
    assert decode("Grüße".encode(), "iso-8859-1")[:2] == ("Grüße", "utf-8")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_decides_and_is_removed(encoding: str) -> None:
    assert decode("aé".encode(encoding), "cp1252")[0] == "aé"


def test_a_wrong_declaration_is_not_followed_where_it_does_not_decode() -> None:
    assert decode("schön und größer".encode("cp1252"), "shift_jis")[2] == 0.0
    assert decode("schön und größer".encode("cp1252"), "utf-8")[0] == "schön und größer"


def test_utf8_with_a_few_broken_bytes_stays_utf8() -> None:
    data = ("Übergröße " * 30).encode()
    text, encoding, replaced = decode(data[:-2] + b"\xff " + data)
    assert encoding == "utf-8" and "Übergröße" in text and 0 < replaced < 0.05


@given(st.text())
def test_utf8_comes_back_as_it_was(text: str) -> None:
    data = text.encode()
    if "\0" not in text and not text.startswith("\ufeff"):
        assert decode(data)[:2] == (text, "utf-8")


@given(
    st.binary(max_size=200),
    st.none() | st.text(max_size=12) | st.sampled_from(["utf-16", "zlib", "rot13", "idna", "hz", "utf-7", "gbk"]),
)
def test_nothing_raises_and_nothing_is_left_undecoded(data: bytes, declared: str | None) -> None:
    text, _, replaced = decode(data, declared)
    text.encode("utf-8")
    assert 0.0 <= replaced <= 1.0


@pytest.mark.parametrize(
    ("page", "charset"),
    [
        (b'<meta charset="latin1">', "latin1"),
        (b"<META http-equiv=x content='text/html; charset=Shift_JIS'>", "Shift_JIS"),
        (b"<meta charset=utf-8/>", "utf-8"),
        (b"<p>charset=x", None),
        (b" " * 5000 + b"<meta charset=x1>", None),
    ],
)
def test_a_page_says_its_charset_in_a_meta(page: bytes, charset: str | None) -> None:
    assert declared_in(page) == charset


def test_labels_mean_what_the_web_means() -> None:
    assert [
        web_encoding(label) for label in ("ISO-8859-1", " 'gb2312' ", "x-sjis", "us-ascii", "nonsense", "", None)
    ] == ["cp1252", "gb18030", "cp932", "cp1252", None, None, None]


@settings(deadline=None)  # the first call imports Arrow
@given(st.binary(max_size=60) | st.text().map(str.encode), st.none() | st.sampled_from(["cp1252", "iso-2022-jp", "hz"]))
def test_plain_utf8_is_what_decoding_would_leave_as_it_is(data: bytes, declared: str | None) -> None:
    if is_plain_utf8(data):
        assert decode(data, declared)[0].encode() == data


def test_noise_and_other_kinds_of_files_look_binary_and_damaged_text_does_not() -> None:
    noise = random.Random(3).randbytes(5000)
    assert looks_binary(noise, decode(noise)[0].encode())
    assert looks_binary(b"%PDF-1.7 text", b"%PDF-1.7 text")
    for text in (b"", b"\0" * 1000 + b"text", b"a\x01b", "Übergröße".encode() * 100, b"line\r\n\tline\f"):
        assert not looks_binary(text, text)
