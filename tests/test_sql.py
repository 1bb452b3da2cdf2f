from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time

import duckdb
import pyarrow as pa
import pytest

from dataengine import sql
from dataengine.errors import CorruptShard, QueryRefused
from dataengine.ledger import Ledger
from tests.fake_run import FakeRun, doc_id, row, small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("sql") / "it's [a] run*" / "id=7")


@pytest.fixture
def ask(run):
    connection = sql.connect(run)
    return lambda query: sql.query(connection, query).fetchall()


def test_docs_are_the_rows_at_the_ends_of_lanes_with_all_columns(ask):
    assert ask("SELECT id, lane, source, text, words, language FROM docs ORDER BY origin") == [
        (doc_id(1), "corpus", "web", "text of 1", 60, None), (doc_id(2), "corpus", "web", "text of 2", 60, None),
        (doc_id(7), "corpus", "code", "print(1)", 1, "python")]


def test_dropped_rows_have_step_stage_reason_and_measurements(ask):
    assert ask("SELECT lane, step, stage, reason, words FROM dropped ORDER BY origin") == [
        ("web", "web.1", "filter.gopher", "too_few_words", 10), ("corpus", "corpus.0", "dedup.exact", "same_text", 60),
        ("web", "web.1", "filter.gopher", "too_few_words", 20)]


def test_views_have_the_columns_that_are_promised(ask):
    columns = {}
    for view, column in ask("SELECT table_name, column_name FROM information_schema.columns ORDER BY ordinal_position"):
        columns.setdefault(view, []).append(column)
    assert columns["docs"][:6] == ["id", "lane", "source", "origin", "url", "text"]
    assert columns["dropped"][:9] == ["id", "lane", "source", "origin", "url", "text", "step", "stage", "reason"]
    assert columns["duplicates"] == ["id", "duplicate_of", "lane", "step", "reason", "similarity", "band"]
    assert columns["steps"] == ["lane", "step", "stage", "rows_in", "rows_created", "rows_kept", "rows_dropped",
                                "rows_quarantined", "bytes_in", "bytes_out", "seconds"]
    assert set(columns) == {"docs", "dropped", "quarantined", "audit", "duplicates", "steps", "reasons", "figures",
                            "shards", "tokens", "mixture"}


def test_sums_in_the_ledger_are_counts_over_the_rows(ask):
    assert ask("SELECT sum(rows_dropped) FROM steps") == ask("SELECT count(*) FROM dropped")
    assert ask("SELECT sum(rows_quarantined) FROM steps") == ask("SELECT count(*) FROM quarantined")
    assert ask("SELECT step, reason, rows FROM reasons WHERE kind = 'dropped' ORDER BY ALL") == ask(
        "SELECT step, reason, count(*) FROM dropped GROUP BY ALL ORDER BY ALL")
    assert ask("SELECT count(*) FROM steps WHERE rows_in + rows_created <> rows_kept + rows_dropped + rows_quarantined"
               ) == [(0,)]


def test_duplicates_name_the_twin_that_stayed(ask):
    assert ask("SELECT id, duplicate_of, lane, step, reason FROM duplicates") == [
        (doc_id(5), doc_id(1), "corpus", "corpus.0", "same_text")]
    assert ask("SELECT count(*) FROM duplicates JOIN docs ON docs.id = duplicates.duplicate_of") == [(1,)]


def test_shards_are_what_manifests_say_and_hash_to_it(ask, run):
    found = ask("SELECT path, bytes, sha256 FROM shards")
    files = {path.relative_to(run).as_posix() for path in run.glob("steps/*/*/*") if path.name != "manifest.json"}
    assert {path for path, _, _ in found} == files
    for path, size, digest in found:
        data = (run / path).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (size, digest)


def test_tokens_and_mixture_say_what_goes_to_the_trainer(ask):
    assert ask("SELECT mix, source, part, tokens, documents FROM tokens ORDER BY part") == [
        ("broad", "web", "heldout", 2, 1), ("broad", "web", "train", 7, 2)]
    assert ask("SELECT mix, source, weight, max_epochs, train_tokens, budget FROM mixture") == [
        ("broad", "web", 0.5, 2.0, 7, 1000)]


def test_a_run_with_nothing_in_it_has_all_views(tmp_path):
    connection = sql.connect(FakeRun(tmp_path / "empty").save())
    for view in ("docs", "dropped", "quarantined", "duplicates", *sql.TABLES):
        assert sql.query(connection, f"SELECT * FROM {view}").fetchall() == []
    assert sql.query(connection, "SELECT id, lane, text, reason FROM dropped").fetchall() == []


def test_lanes_may_differ_in_columns_and_types(tmp_path):
    fake = FakeRun(tmp_path / "r")
    for lane, kind, value in (("a", pa.int64(), 3), ("b", pa.float64(), 0.5), ("c", pa.string(), "x")):
        messages = pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
        segment = fake.segment(f"{lane}.0", lane, [(f"{lane}.0", "read.jsonl", {})])
        more = {"v": kind, "lane": pa.string(), 'odd "name': pa.int8()}
        more |= {"messages": messages} if lane == "c" else {}
        fake.task(segment, kept=[row(1, v=value, lane="no")], more=more)
    connection = sql.connect(fake.save())
    query = 'SELECT lane, CAST(v AS VARCHAR), "odd ""name" FROM docs ORDER BY lane'
    assert sql.query(connection, query).fetchall() == [("a", "3", None), ("b", "0.5", None), ("c", "x", None)]
    assert "messages" in [row[0] for row in sql.query(connection, "DESCRIBE docs").fetchall()]


def test_many_shards_open_quickly(tmp_path):
    fake = FakeRun(tmp_path / "many")
    segment = fake.segment("web.0", "web", [("web.0", "read.jsonl", {})])
    first = fake.task(segment, kept=[row(1)])
    for number in range(800):
        address = f"{number:032x}"
        folder = first.parent / address
        shutil.copytree(first, folder, copy_function=os.link)
        segment["tasks"].append(address)
    start = time.process_time()
    connection = sql.connect(fake.save())
    assert sql.query(connection, "SELECT count(*), count(DISTINCT id) FROM docs").fetchall() == [(801, 1)]
    assert time.process_time() - start < 3


ATTACKS = [
    "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_blob('/etc/passwd')", "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM glob('/*')", "SELECT * FROM read_text('{run}/run.json')",
    "SELECT * FROM read_parquet('{shard}/../../../../../secret.parquet')",
    "SELECT * FROM read_parquet('{run}/../secret.parquet')", "SELECT * FROM read_parquet('{run}/link.parquet')",
    "ATTACH '/tmp/x.duckdb'", "ATTACH '{run}/run.duckdb' AS r", "INSTALL httpfs", "LOAD httpfs",
    "SELECT * FROM 'https://example.org/x.parquet'", "COPY docs TO '{run}/new.parquet'", "COPY docs TO '{shard}'",
    "COPY (SELECT 1) TO '{shard}' (FORMAT parquet, USE_TMP_FILE false)",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{shard}' (FORMAT parquet, USE_TMP_FILE false)",
    "/* x */ EXPLAIN ANALYZE COPY (SELECT 1) TO '{shard}' (FORMAT parquet, USE_TMP_FILE false)",
    "EXPLAIN /* x */ ANALYZE COPY (SELECT 1) TO '{shard}' (FORMAT parquet, USE_TMP_FILE false)",
    "SELECT 1; COPY docs TO '{shard}' (FORMAT parquet, USE_TMP_FILE false)", "EXPORT DATABASE '{run}/out'",
    "IMPORT DATABASE '{run}/out'", "SET enable_external_access = true", "SET lock_configuration = false",
    "RESET lock_configuration", "PRAGMA enable_external_access", "SET threads = 64", "SELECT getenv('HOME')",
    "DROP VIEW docs", "CREATE TABLE x AS SELECT 1", "CREATE OR REPLACE VIEW docs AS SELECT 1", "DELETE FROM steps",
    "UPDATE steps SET rows_in = 0", "INSERT INTO steps (step) VALUES ('x')", "ALTER TABLE steps DROP COLUMN step",
    "WITH a AS (SELECT 1) INSERT INTO steps (step) SELECT 'x'", "BEGIN", "CHECKPOINT",
    "VACUUM", "CALL pragma_version()", "PREPARE x AS SELECT 1", "USE memory", "SET VARIABLE x = 1", "DETACH memory",
    "CREATE SECRET (TYPE s3)", "CREATE MACRO f(a) AS a", "SELECT * FROM secret_variable",
    "PIVOT docs ON source USING count(*)",
    "", "  -- nothing", "SELECT 'x", "SELECT \ud800", "nonsense",
]


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A run with a database, something to steal beside it, and a link that leads out."""
    run = small_run(tmp_path_factory.mktemp("target") / "r")
    sql.write_database(run)
    (run.parent / "secret.parquet").write_bytes((Ledger.open(run).kept()[0].path).read_bytes())
    (run / "link.parquet").symlink_to(run.parent / "secret.parquet")
    return run


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("attack", ATTACKS)
def test_whatever_is_not_reading_this_run_is_refused_and_changes_nothing(target, attack):
    run, shard = target, Ledger.open(target).kept()[0].path
    before = contents(run.parent)
    secret_variable = pa.table({"x": [1]})
    connection = sql.connect(run)
    with pytest.raises(QueryRefused):
        sql.query(connection, attack.format(run=run, shard=shard))
    with pytest.raises(QueryRefused):
        sql.relation(connection, attack.format(run=run, shard=shard))
    assert contents(run.parent) == before
    assert sql.query(connection, "SELECT count(*) FROM docs").fetchall() == [(3,)]
    del secret_variable


@pytest.mark.parametrize("query", [
    "SELECT 1", "WITH a AS (SELECT 1 AS x) FROM a", "FROM docs", "TABLE docs", "VALUES (1)", "DESCRIBE docs",
    "SHOW TABLES", "SUMMARIZE docs", "EXPLAIN SELECT * FROM docs", "EXPLAIN ANALYZE FROM docs",
    "explain (format json) from docs", "SELECT 1;", "-- a comment\nSELECT 1",
    "PIVOT docs ON source IN ('web', 'code') USING count(*)",
])
def test_whatever_reads_is_allowed(ask, query):
    assert ask(query)


def test_a_wrong_name_is_answered_with_the_names_there_are(run):
    connection = sql.connect(run)
    with pytest.raises(QueryRefused, match="nope") as caught:
        sql.query(connection, "SELECT nope FROM docs")
    assert "docs has id, lane, source, origin, url, text, words" in caught.value.expected
    with pytest.raises(QueryRefused, match="document") as caught:
        sql.query(connection, "SELECT * FROM document")
    assert "docs, dropped, duplicates" in caught.value.expected


def test_a_shard_changed_since_the_commit_is_found_before_it_is_read(tmp_path):
    run = small_run(tmp_path / "r")
    path = Ledger.open(run).dropped()[0].path
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(CorruptShard):
        sql.connect(run)


def test_a_shard_that_is_no_parquet_is_named(tmp_path):
    run = small_run(tmp_path / "r")
    path = Ledger.open(run).kept()[0].path
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(CorruptShard, match=r"kept\.parquet|Parquet"):
        sql.connect(run)


def test_the_plain_client_sees_the_same(run):
    place = sql.write_database(run)
    assert place == run / "run.duckdb" and not list(run.glob(".run.duckdb*"))
    locked = sql.connect(run)
    with duckdb.connect(str(place), read_only=True) as plain:
        for view in ("docs", "dropped", "quarantined", "duplicates", *sql.TABLES):
            query = f"SELECT * FROM {view} ORDER BY ALL"
            assert plain.execute(query).fetchall() == locked.execute(query).fetchall()


def test_the_ledger_needs_neither_arrow_nor_a_database(run):
    code = ("import sys; from dataengine.ledger import Ledger; Ledger.open(sys.argv[1]).steps; "
            "assert not {'pyarrow', 'duckdb', 'polars', 'numpy', 'pydantic'} & set(sys.modules), sys.modules.keys()")
    subprocess.run([sys.executable, "-c", code, str(run)], check=True)
