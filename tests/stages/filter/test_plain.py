"""Conditions read without DuckDB: whatever is found good there, DuckDB finds good too, with the same columns."""

from __future__ import annotations

from unittest import mock

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.stages.filter import _plain, where

COLUMNS = {"text": "string", "language": "string", "words": "int64", "size": "uint64", "score": "float64",
           "spam": "bool", "tags": "list<string>"}

PLAIN = [
    "language = 'python' and length(text) between 200 and 100_000", "explains >= 0.2",
    "family = 'arithmetic' and level <= 2", "NOT (words > 5 OR spam) AND score IS NOT NULL", "words in (1, 2, -3)",
    "text not like 'a%' and language <> 'de'", "spam = false", "not spam", "0.5 < score", "words is null",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_recipes_say_most_needs_no_duckdb(text: str) -> None:
    columns = COLUMNS | {"explains": "float64", "family": "string", "level": "int64"}
    with mock.patch.object(where, "_connection", side_effect=AssertionError("DuckDB was asked")):
        config = where.Config(where=text)
        assert where.check(config, columns) is None
        plain = where.reads(config)
    assert plain == tuple(sorted(where._column_names(where._parsed(text))))


@pytest.mark.parametrize("text", [
    "", "words", "words >", "words > 5 words", "text > 5", "words = 'a'", "tags = 'a'", "nothing > 5",
    "words + 1 > 5", "lower(text) = 'a'", "order > 5", "true", "1 = 1", "text = 'it''s'", "words > 1e5", "Words > 5",
    "words > 5 -- not", "score between 1 and 'a'", "(" * 50 + "spam" + ")" * 50, "words not > 5", "words = 1_0",
])
def test_everything_else_is_left_to_duckdb(text: str) -> None:
    plain = _plain.read(text)
    assert plain is None or not plain.binds(COLUMNS)


def test_all_words_that_cannot_be_columns_are_known() -> None:
    connection, wrong = duckdb.connect(), []
    for (word,) in connection.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall():
        try:
            query = f'SELECT ({word} > 5 AND {word} IS NOT NULL) AS matched FROM (SELECT 17 AS "{word}") AS rows'
            fine = connection.execute(query).fetchall() == [(True,)]
        except duckdb.Error:
            fine = False
        if not fine and word not in _plain.KEYWORDS:
            wrong.append(word)
    assert wrong == []


TOKENS = ["words", "text", "score", "spam", "size", "language", "tags", "length(", "(", ")", "and", "or", "not", "in",
          "between", "like", "is", "null", "=", "<>", "<=", ">", ",", "5", "-3", "100_000", "0.25", "'a%'", "''",
          "true", "FALSE", "date", "user", "999999999999999"]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=12).map(" ".join)
       | st.lists(st.sampled_from(["words > 5", "not", "spam", "(", ")", "and", "or", "score between 1 and size",
                                   "language in ('a', 'b')", "text like '%b'", "spam is null"]), max_size=9)
       .map(" ".join))
def test_what_is_found_good_duckdb_finds_good_too(text: str) -> None:
    plain = _plain.read(text)
    if plain is not None and plain.binds(COLUMNS):
        with mock.patch.object(_plain, "read", return_value=None):
            config = where.Config(where=text)
            assert where.check(config, COLUMNS) is None
            assert set(where.reads(config)) == plain.columns
