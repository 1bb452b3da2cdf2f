"""dedup.exact: which rows meet, held against a plain ``group by`` of the texts."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataengine import stage

EXACT = stage.load("dedup.exact")
TEXTS = st.lists(st.one_of(st.none(), st.text("aA \n\t\u00a0É+-", max_size=4)), max_size=12)


def batch(texts: list[str | None], kind: pa.DataType | None = None) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, kind or pa.string()), "url": pa.array(texts, pa.string())})


def groups(texts: list[str | None], of: str = "text", kind: pa.DataType | None = None) -> list[list[int]]:
    """Rows that meet, as lists of two or more."""
    sketch = EXACT(batch(texts, kind), EXACT.config(of=of))
    assert sketch.keys.shape == sketch.check.shape == (len(texts), 1) and sketch.alone.shape == (len(texts),)
    met = defaultdict(list)
    for row in range(len(texts)):
        if not sketch.alone[row]:
            met[int(sketch.keys[row, 0]), int(sketch.check[row, 0])].append(row)
    return sorted(rows for rows in met.values() if len(rows) > 1)


def expected(texts: list[str | None], normal) -> list[list[int]]:
    met = defaultdict(list)
    for row, text in enumerate(texts):
        if text is not None and text.strip():
            met[normal(text)].append(row)
    return sorted(rows for rows in met.values() if len(rows) > 1)


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_rows_meet_exactly_where_a_group_by_puts_them_together(texts):
    assert groups(texts) == expected(texts, str)
    assert groups(texts, "url") == expected(texts, str)
    assert groups(texts, kind=pa.large_string()) == expected(texts, str)
    assert groups(texts, "normalized") == expected(texts, lambda text: " ".join(text.lower().split()))


def test_normalized_sees_through_case_and_white_space_but_not_punctuation():
    texts = ["Hello,  World\n", "hello, world", "hello world", "HELLO,\u2003WORLD\x0c", "helloworld"]
    assert groups(texts, "normalized") == [[0, 1, 3]]
    assert groups(texts) == []


def test_rows_without_text_are_no_duplicates():
    assert groups(["", "", None, None, " \n", " \n", "\u3000", "x"], "normalized") == []
    assert groups(["", "", None, None, " \n", " \n", "\u3000\u3000", "x"]) == []


def test_url_mode_reads_the_address_and_not_the_text():
    assert EXACT.reads(EXACT.config(of="url")) == ("url",)
    assert EXACT.reads(EXACT.config()) == EXACT.reads(EXACT.config(of="normalized")) == ("text",)


@pytest.mark.parametrize("of", ["text", "normalized"])
def test_the_answer_does_not_depend_on_how_rows_are_cut(of):
    texts = ["one", None, "Two  two", "", "é" * 1000, "x\x00y", "one"]
    whole = batch(texts)
    sketch = EXACT(whole, EXACT.config(of=of))
    for start in range(len(texts)):
        part = EXACT(whole.slice(start, 2), EXACT.config(of=of))
        assert part.keys.tolist() == sketch.keys[start : start + 2].tolist()
        assert part.check.tolist() == sketch.check[start : start + 2].tolist()
        assert part.alone.tolist() == sketch.alone[start : start + 2].tolist()
    assert whole.equals(batch(texts))


def test_an_empty_batch_has_an_empty_sketch():
    for of in ("text", "normalized"):
        sketch = EXACT(batch([]), EXACT.config(of=of))
        assert sketch.keys.shape == sketch.check.shape == (0, 1) and sketch.alone.shape == (0,)


def test_hashes_are_xxh3_of_the_bytes():
    from xxhash import xxh3_128_hexdigest

    sketch = EXACT(batch(["zero", "Grüße\x00"]).slice(1), EXACT.config())
    assert f"{int(sketch.keys[0, 0]):016x}{int(sketch.check[0, 0]):016x}" == xxh3_128_hexdigest("Grüße\x00".encode())


def test_an_unknown_way_to_compare_is_refused():
    with pytest.raises(ValidationError, match="'text', 'normalized' or 'url'"):
        EXACT.config(of="words")
