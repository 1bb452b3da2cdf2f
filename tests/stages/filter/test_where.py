"""SQL expressions: what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from dataengine import stage
from dataengine.stage import BASE_COLUMNS, MESSAGES

WHERE = stage.load("filter.where")
COLUMNS = BASE_COLUMNS | {"text": "string", "words": "int64", "ok": "bool", "messages": MESSAGES, "html": "binary"}


def wrong(expression: str) -> str | None:
    assert WHERE.check is not None
    return WHERE.check(WHERE.config(where=expression), COLUMNS)


def matched(expression: str, batch: pa.RecordBatch) -> list[bool]:
    return WHERE(batch, WHERE.config(where=expression))["matched"].to_pylist()


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "is empty"),
        ("words >", "not an expression"),
        ("wrods > 3", 'did you mean "words"?'),
        ("current_date > '2020-01-01'", 'names column "current_date"'),
        ("words", "gives BIGINT, not true or false"),
        ("words > 3; drop table rows", "not an expression"),
        ("true) as matched, (false", "more than one expression"),
        ("true) from rows union select (true", "more than one expression"),
        ("(select true)", "subquery"),
        ("text in (from read_text('/etc/passwd') select content)", "subquery"),
        ("count(*) > 1", "more than the values of one row"),
        ("sum(words) over () > 1", "window"),
        ("random() > 0.5", "random()"),
        ("now() is null", "now()"),
        ("geomean(words) > 1", "geomean()"),
        ("unnest([true])", "unnest()"),
        ("current_setting('threads') = '1'", "current_setting()"),
        ("columns(*) > 1", "holds *"),
        ("? > 1", "parameter"),
        ("#1 > 1", "by number"),
        ("no_such_function(words)", "no_such_function"),
        ("words > text[", "not an expression"),
        ("ok /* and", "not an expression"),
        ("not " * 5000 + "ok", "not an expression"),
    ],
)
def test_what_is_wrong_is_said_before_any_data_moves(expression: str, words: str) -> None:
    assert words in str(wrong(expression))


@pytest.mark.parametrize(
    "expression",
    [
        "ok",
        "ok -- a remark",
        "words between 1 and 2 or url is null",
        "rows.words > 1",
        "case when ok then words > 3 end",
        "messages[1].role = 'user'",
        "regexp_matches(text, '(a+)+$')",
        "list_sum([words, 2]) > 3",
        "true",
        "html is not null",
    ],
)
def test_what_looks_at_one_row_is_allowed(expression: str) -> None:
    assert wrong(expression) is None


def test_it_reads_the_columns_that_it_names() -> None:
    reads = "rows.words > 1 and len(list_filter(messages, lambda m: m.role = url)) > 0 and \"text\" <> ''"
    assert WHERE.reads(WHERE.config(where=reads)) == ("messages", "text", "url", "words")
    assert WHERE.reads(WHERE.config(where="true")) == ()


def test_a_config_that_was_never_checked_reaches_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("x")
    batch = pa.RecordBatch.from_pydict({"text": ["x"]})
    with pytest.raises(ValueError, match="subquery"):
        matched(f"text = (select content from read_text('{secret}'))", batch)


def test_rows_come_back_in_their_order_and_python_variables_are_no_tables() -> None:
    count = 100_000
    batch = pa.RecordBatch.from_pydict({"words": range(count), "text": ["x"] * count})
    assert matched("words % 3 = 0", batch) == [number % 3 == 0 for number in range(count)]
    assert matched("words % 3 = 0", batch.slice(50_000, 10)) == [number % 3 == 0 for number in range(50_000, 50_010)]
    assert matched("true", batch.slice(5, 2)) == [True, True]
    assert matched("true", batch.slice(0, 0)) == []


def test_a_null_is_not_a_match() -> None:
    batch = pa.RecordBatch.from_pydict({"words": [1, None, 5], "ok": [None, True, None]})
    assert matched("words > 3", batch) == [False, False, True]
    assert matched("ok", batch) == [False, True, False]
