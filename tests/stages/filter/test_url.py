"""Addresses: hosts as browsers read them, lists of any size from files, and nothing that a long address can stall."""

from __future__ import annotations

import gzip
import re
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataengine import stage
from dataengine.errors import InputError
from dataengine.kernels import hosts
from dataengine.stages.filter import _lists
from dataengine.stages.filter._hosts import split
from tests.stages import laws

URL = stage.load("filter.url")


def measured(*urls: str | None, **config: object) -> dict[str, list]:
    batch = pa.RecordBatch.from_pydict({"url": pa.array(urls, pa.string())})
    settings = URL.config.model_validate(config)
    return {name: pa.array(column).to_pylist() for name, column in URL(batch, settings).items()}


def reason(url: str, **config: object) -> str | None:
    case = laws.Case(URL, URL.config.model_validate(config), {"url": url, "text": ""}, {})
    return next((row["reason"] for row in laws.rows_of(laws.apply(case, laws.batch_of([case])))["dropped"]), None)


PIECES = ["http://", "HTTPS://", "//", "://", ":", "/", "\\", "?", "#", "@", ".", "..", "a", "Example", ".com", "xn--",
          "ü", "ß", "。", "%61", "%", "%FF", "[::1]", "]", ":80", ":8x", "-", "_", " ", "\t", "\n", "\0", "1",
          "é\u0301", "a" * 64, "mailto:", "localhost"]
SOUP = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=12).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(SOUP, max_size=4))
@example(["http:example.com", "a.b:", ":", "http://", "a..b", ".a.b", "a.b.", "a.b..", "x:80", "a.b:80x"])
def test_the_kernel_and_the_full_parser_find_the_same_host(urls: list[str]) -> None:
    parsed = _lists.Parsed(pa.array(urls, pa.string()))
    assert [name or "" for name in parsed.names.to_pylist()] == [split(url)[0] for url in urls]


WORDS = ["a", "example", "com", "1", "ü", "x80"]


@settings(max_examples=300, deadline=None)
@given(st.lists(SOUP, min_size=1, max_size=3))
def test_lists_and_words_are_met_as_python_meets_them(urls: list[str]) -> None:
    found = measured(*urls, domains=["example.com", "a.b"], hosts=["a.example.com"], words=WORDS,
                     substrings=["aexample"], patterns=["a+b|Ex"])
    names = [split(url)[0] for url in urls]
    assert found["url_domain_listed"] == [f".{name}".endswith((".example.com", ".a.b")) for name in names]
    assert found["url_host_listed"] == [name == "a.example.com" for name in names]
    words = [re.split(r"[\x00-/:-@\[-`{-\x7f]+", ascii_lower(url)) for url in urls]
    assert found["url_words"] == [len(set(each) & set(WORDS)) for each in words]
    assert found["url_substring_listed"] == ["aexample" in "".join(each) for each in words]
    assert found["url_pattern_matches"] == [re.search("a+b|Ex", url) is not None for url in urls]


def ascii_lower(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_utf8_harm_nothing(raw: bytes) -> None:
    parsed = _lists.Parsed(pa.array([b"http://a.example/", raw, b"b.example"], pa.binary()))
    assert parsed.names.to_pylist()[::2] == ["a.example", "b.example"]
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    answers = []
    for find in (hosts.find_hosts, hosts.find_hosts.py_func):
        out, ends = np.zeros(len(raw), np.uint8), np.zeros(2, np.int64)
        rest, plain = np.zeros(1, np.int64), np.zeros(1, np.bool_)
        find(data, offsets, out, ends, rest, plain)
        answers.append((out[: ends[-1]].tolist(), rest.tolist(), plain.tolist()))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(("url", "host"), [
    ("http://user:pass@example.com:8080/x", "example.com"),
    ("http://good.example@evil.example/", "evil.example"),
    ("http://evil.example\\@good.example/", "evil.example"),
    ("  https:evil.example  ", "evil.example"),
    ("https:////evil.example", "evil.example"),
    ("ht\ntp://ev\til.example", "evil.example"),
    ("//evil.example/x", "evil.example"),
    ("evil.example:8080/x", "evil.example"),
    ("http://EVIL\u00ad.example", "evil.example"),
    ("http://faß.example", "xn--fa-hia.example"),
    ("http://日本語。ＪＰ", "xn--wgv71a119e.jp"),
    ("http://[::FFFF:1.2.3.4]:80/", "[::ffff:102:304]"),
    ("http://localhost:5000/", "localhost"),
    ("ftp://files.example/a", "files.example"),
    *((bad, "") for bad in ("", "/only/a/path", "mailto:a@b.example", "javascript:alert(1)", "http://", "http://[::1",
                            "http://a b.example", "http://-", "http://a..example", "http://%FF.example", "word",
                            "http://" + "a" * 64 + ".example", "http://" + "a." * 200 + "example")),
])
def test_a_host_is_what_a_browser_would_ask(url: str, host: str) -> None:
    found = split(url)[0]
    assert found.replace("[::ffff:1.2.3.4]", "[::ffff:102:304]") == host


DATATROVE = [
    ("https://blocked.com/some-sub-url?with=stuff", "blocked_domain"),
    ("https://hey.danger.org/some-sub-url?with=stuff", "blocked_domain"),
    ("http://hey.danger.org/some-sub-url?with=stuff", "blocked_domain"),
    ("http://www.danger.org/some-sub-url?with=stuff", "blocked_domain"),
    ("https://nice.com/some-sub-url?with=stuff", None),
    ("https://badsubdomain.nice.com/some-sub-url?with=stuff", "blocked_host"),
    ("https://sdsd.badsubdomain.nice.com/some-sub-url?with=stuff", None),
    ("https://blocke.dcom/some-sub-url?with=stuff", None),
]
"""The table of datatrove's tests (facts; Apache-2.0): a registered domain there blocks all below it, a host itself."""


@pytest.mark.parametrize(("url", "expected"), DATATROVE)
def test_decides_as_datatroves_own_table_does(url: str, expected: str | None) -> None:
    assert reason(url, domains=["blocked.com", "danger.org"], hosts=["badsubdomain.nice.com"]) == expected


def test_lists_come_from_plain_and_packed_files_and_from_hosts_files(tmp_path: Path) -> None:
    lines = ("# comment", "", "One.example  \r", "*.two.example", "no host here", "0.0.0.0 three.example #x", "")
    (tmp_path / "plain").write_text("\n".join(lines))
    (tmp_path / "packed.gz").write_bytes(gzip.compress("bücher.example\nfour.example".encode()))
    found = measured("http://a.one.example", "http://two.example", "http://three.example/x", "http://four.example",
                     "http://xn--bcher-kva.example", "http://five.example", "http://here",
                     domain_files=[str(tmp_path / "plain"), str(tmp_path / "packed.gz")])
    assert found["url_domain_listed"] == [True] * 5 + [False] * 2


@settings(max_examples=150, deadline=None)
@given(st.lists(SOUP.filter(lambda text: not set("\n\r") & set(text)), max_size=6), st.sampled_from(["\n", "\r\n"]))
@example(["a.example", "", "b.example/x/", "c.example"], "\n")
@example(["localhost\x1f"], "\n")
def test_whole_chunks_of_a_list_hash_as_its_lines_do(lines: list[str], newline: str) -> None:
    data = newline.join(lines).encode()
    for kind in ("host", "page"):
        apart = [_lists.hashes([line], kind)[0] for line in lines]
        assert set(_lists._hashes_of(data, kind).tolist()) - {0} == {int(value) for value in apart} - {0}


def test_words_and_substrings_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("Casino\n# not this\npoker\n")
    files = [str(tmp_path / "words")]
    found = measured("http://casino.example/poker/casino", "http://not.example/this", word_files=files)
    assert found["url_words"] == [2, 0]
    found = measured("http://ca-si-no.example/", "http://x.example", substring_files=files)
    assert found["url_substring_listed"] == [True, False]


def test_a_changed_file_is_loaded_anew(tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text("a.example\n")
    assert measured("http://a.example", domain_files=[str(file)])["url_domain_listed"] == [True]
    file.write_text("somewhere.else.example\n")
    assert measured("http://a.example", domain_files=[str(file)])["url_domain_listed"] == [False]


def test_a_list_that_is_cut_or_missing_is_an_error_in_words(tmp_path: Path) -> None:
    file = tmp_path / "cut.gz"
    file.write_bytes(gzip.compress(b"a.example\n" * 1000)[:-9])
    with pytest.raises(InputError, match="the file ends at byte"):
        measured("http://a.example", domain_files=[str(file)])
    with pytest.raises(InputError, match="cannot be read"):
        measured("http://a.example", domain_files=[str(tmp_path / "nowhere")])


def test_a_list_of_a_million_costs_eight_bytes_an_entry_and_finds_all_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "many"
    file.write_text("".join(f"site{number}.example\n" for number in range(300_000)))
    assert _lists.table((), (str(file),), "host").nbytes == 8 * 300_000
    listed = [f"http://www.site{number}.example/" for number in range(0, 300_000, 997)]
    others = [f"http://site{number}.example.org/" for number in range(0, 300_000, 997)]
    found = measured(*listed, *others, domain_files=[str(file)])["url_domain_listed"]
    assert found == [True] * len(listed) + [False] * len(others)


def test_many_and_long_substrings_are_looked_for_too() -> None:
    many = [f"word{number}x" for number in range(2_000)] + ["y" * 1_000_000, "z" * 201]
    found = measured("http://a.example/word-1999-x", "http://a.example/" + "z" * 201, "http://a.example/" + "z" * 200,
                     substrings=many)
    assert found["url_substring_listed"] == [True, True, False]


@pytest.mark.parametrize("pattern", [r"(a)\1", "(?=x)", "(", "*"])
def test_a_pattern_that_is_not_linear_is_said_before_any_data_moves(pattern: str) -> None:
    assert URL.check is not None
    assert "RE2" in str(URL.check(URL.config(patterns=[pattern]), {}))
    assert URL.check(URL.config(patterns=["(a+)+$"]), {}) is None
    assert "nothing to drop" in str(URL.check(URL.config(), {}))


@pytest.mark.parametrize("config", [{"domains": ["no host"]}, {"domains": ["a.example/x"]}, {"words": ["two words"]},
                                    {"substrings": ["-."]}, {"urls": ["mailto:x@y.example"]}])
def test_what_could_never_match_is_refused(config: dict) -> None:
    with pytest.raises(ValidationError):
        URL.config.model_validate(config)


def test_long_addresses_cost_linear_time() -> None:
    nasty = ["http://" + "a" * 2_000_000, "http://" + "a." * 1_000_000 + "b", "http://" + "e\u0301\u0323" * 500_000,
             "http://a.example/" + "casino-" * 300_000, "http://" + "@" * 1_000_000, "http://" + ":1" * 1_000_000,
             "\u0301" * 1_000_000, "http://%" + "%25" * 500_000]
    config = {"domains": ["b.example"], "words": ["casino"], "soft_words": ["x"], "substrings": ["qq"],
              "patterns": ["(a+)+$", "(.*a){9}z"]}
    measured(*nasty[:1], **config)
    started = time.process_time()
    measured(*nasty, **config)
    assert time.process_time() - started < 3
