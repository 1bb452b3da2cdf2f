"""dedup.exact: which rows meet, held against a plain ``group by`` of the texts."""

from __future__ import annotations

import time
import unicodedata
from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataengine import stage
from dataengine.stages.dedup._url import canonical
from tests.gathering import gathered

EXACT = stage.load("dedup.exact")
TEXTS = st.lists(st.one_of(st.none(), st.text("aA \n\t\u00a0ÉE\u0301+-。", max_size=4)), max_size=12)


def normal(text: str) -> str:
    """What the docstring says, with Python's own tables."""
    lower = unicodedata.normalize("NFC", text.lower())
    return " ".join("".join(" " if unicodedata.category(c)[0] == "P" else c for c in lower).split())


def batch(texts: list[str | None], kind: pa.DataType | None = None) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, kind or pa.string()), "url": pa.array(texts, pa.string())})


def groups(texts: list[str | None], of: str = "text", kind: pa.DataType | None = None) -> list[list[int]]:
    """Rows that meet, as lists of two or more."""
    sketch = EXACT(batch(texts, kind), EXACT.config(of=of))
    assert sketch.same.shape == (len(texts), 2) and sketch.alone.shape == (len(texts),)
    met = defaultdict(list)
    for row in range(len(texts)):
        if not sketch.alone[row]:
            met[tuple(sketch.same[row].tolist())].append(row)
    return sorted(rows for rows in met.values() if len(rows) > 1)


def expected(texts: list[str | None], normal) -> list[list[int]]:
    met = defaultdict(list)
    for row, text in enumerate(texts):
        if text is not None and text.strip() and normal(text):
            met[normal(text)].append(row)
    return sorted(rows for rows in met.values() if len(rows) > 1)


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_rows_meet_exactly_where_a_group_by_puts_them_together(texts):
    assert groups(texts) == expected(texts, str)
    assert groups(texts, "url") == expected(texts, str.strip)
    assert groups(texts, kind=pa.large_string()) == expected(texts, str)
    assert groups(texts, "normalized") == expected(texts, normal)


def test_normalized_sees_through_case_spaces_punctuation_and_composition_but_not_symbols():
    texts = ["Hello,  World\n", "hello world!", "hello-world", "HELLO,\u2003WORLD\x0c", "helloworld", "hello+world"]
    assert groups(texts, "normalized") == [[0, 1, 2, 3]]
    assert groups(texts) == []
    assert groups(["\u00c9t\u00e9", "e\u0301te\u0301", "ete"], "normalized") == [[0, 1]]


def test_a_megabyte_of_combining_marks_takes_linear_time():
    start = time.process_time()
    texts = ["e\u0301 cafe\u0301", "\u00e9 caf\u00e9", "e" + "\u0301\u0323" * 250_000, None]
    assert groups(texts, "normalized") == [[0, 1]]
    assert time.process_time() - start < 5


def test_rows_without_text_are_no_duplicates():
    assert groups(["", "", None, None, " \n", " \n", "\u3000", "x"], "normalized") == []
    assert groups(["", "", None, None, " \n", " \n", "\u3000\u3000", "x"]) == []


def test_url_mode_reads_the_address_and_not_the_text():
    assert EXACT.reads(EXACT.config(of="url")) == ("url",)
    assert EXACT.reads(EXACT.config(of="url", keep="best", column="score")) == ("url", "score")
    assert EXACT.reads(EXACT.config(of="url", keep="longest")) == ("url", "text")
    assert EXACT.reads(EXACT.config()) == EXACT.reads(EXACT.config(of="normalized")) == ("text",)


@pytest.mark.parametrize("of", ["text", "normalized"])
def test_the_answer_does_not_depend_on_how_rows_are_cut(of):
    texts = ["one", None, "Two  two", "", "é" * 1000, "x\x00y", "one"]
    whole = batch(texts)
    sketch = EXACT(whole, EXACT.config(of=of))
    for start in range(len(texts)):
        part = EXACT(whole.slice(start, 2), EXACT.config(of=of))
        assert part.same.tolist() == sketch.same[start : start + 2].tolist()
        assert part.alone.tolist() == sketch.alone[start : start + 2].tolist()
    assert whole.equals(batch(texts))


def test_an_empty_batch_has_an_empty_sketch():
    for of in ("text", "normalized"):
        sketch = EXACT(batch([]), EXACT.config(of=of))
        assert sketch.same.shape == (0, 2) and sketch.alone.shape == (0,)


def test_hashes_are_xxh3_of_the_bytes():
    from xxhash import xxh3_128_hexdigest

    sketch = EXACT(batch(["zero", "Grüße\x00"]).slice(1), EXACT.config())
    assert "".join(f"{int(half):016x}" for half in sketch.same[0]) == xxh3_128_hexdigest("Grüße\x00".encode())


def test_an_unknown_way_to_compare_is_refused():
    with pytest.raises(ValidationError, match="'text', 'normalized' or 'url'"):
        EXACT.config(of="words")


def test_sql_finds_the_same_duplicates(tmp_path):
    import duckdb

    texts = [f"text number {n * n % 97}" for n in range(500)] + ["", "", " "]
    gone = gathered(tmp_path, texts, "dedup.exact", files=5)
    with duckdb.connect() as connection:
        table = pa.table({"row": range(len(texts)), "text": texts})
        connection.register("given", table)
        found = connection.execute(
            "SELECT row, first FROM (SELECT row, min(row) OVER (PARTITION BY text) AS first, text FROM given)"
            " WHERE row <> first AND trim(text) <> ''"
        ).fetchall()
    assert {row: one.stays for row, one in gone.items()} == dict(found)
    assert {(one.similarity, one.band) for one in gone.values()} == {(1.0, None)}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("http://Example.org/a", "https://www.example.org:443/a/"),
        ("https://example.org", "https://example.org/#top"),
        ("https://example.org/a/./b/../c", "https://example.org/a//c"),
        ("https://example.org/%7Euser/%c3%a9", "https://example.org/~user/%C3%A9"),
        ("https://example.org/?b=2&a=1", "https://example.org?a=1&utm_source=x&b=2&fbclid=9"),
        (" https://user:word@example.org./x ", "https://example.org/x"),
    ],
)
def test_spellings_of_one_address_are_the_same(one, two):
    assert canonical(one) == canonical(two) == canonical(canonical("http:" + canonical(one)))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("https://example.org/a", "https://example.org/A"),
        ("https://example.org/a", "https://example.org:8080/a"),
        ("https://example.org/?a=1", "https://example.org/?a=2"),
        ("https://example.org/a%2Fb", "https://example.org/a/b"),
        ("ftp://example.org/a", "http://example.org/a"),
        ("https://example.org/?a=1&a=2", "https://example.org/?a=1"),
    ],
)
def test_different_addresses_stay_different(one, two):
    assert canonical(one) != canonical(two)


@pytest.mark.parametrize("text", ["", "no address", "http://[bad/", "http://host:port/", "mailto:a@b.c", "a\x00b"])
def test_what_is_no_address_stays_as_it_is(text):
    assert canonical(text) == text
