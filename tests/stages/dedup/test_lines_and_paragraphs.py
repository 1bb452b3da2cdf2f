"""dedup.lines and dedup.paragraphs: what goes, held against a dictionary of what was seen, and against SQL."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from dataengine import shards
from tests.gathering import rows_of
from tests.pruning import expected, lines_of, paragraphs_of, pruned, touching_joined

PARTS_OF = {"dedup.lines": lines_of, "dedup.paragraphs": paragraphs_of}
STAGES = sorted(PARTS_OF)


def masked(text: str) -> str:
    return re.sub(r"\d+", "0", folded(text))


def folded(text: str) -> str:
    return " ".join(text.lower().split())


NORMAL = {"exact": str, "folded": folded, "masked": masked}


def corpus(rows: int, seed: int = 1) -> list[str]:
    """Texts of a few lines, of which many stand in others too."""
    rng = random.Random(seed)
    words = ["Page", "page", "of", "12", "7", "the", "menu", "Ünïcödé", "日本語", "\t", "}", "© 2024"]
    pool = [" ".join(rng.choices(words, k=rng.randint(1, 6))) for _ in range(60)]
    own = (" ".join(rng.choices(words, k=9)) for _ in range(10**9))
    ends = ["\n", "\n", "\n\n", "\r\n", " \n\n\n"]
    return ["".join(rng.choice([rng.choice(pool), next(own)]) + rng.choice(ends) for _ in range(rng.randint(0, 12)))
            for _ in range(rows)]


def wanted(texts: list[str], stage: str, normalize: str = "exact", **config: int) -> dict[int, list]:
    found = expected(texts, PARTS_OF[stage], normal=NORMAL[normalize], **config)
    return {row: touching_joined(spans) for row, spans in found.items()}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("files", "normalize", "max_copies"), [(17, "exact", 1), (2, "folded", 1), (3, "masked", 1), (4, "exact", 3)]
)
def test_of_equal_parts_the_first_of_the_lane_stay(
    tmp_path: Path, stage: str, files: int, normalize: str, max_copies: int
) -> None:
    texts = corpus(150)
    config: dict[str, Any] = {"normalize": normalize, "min_length": 6, "max_copies": max_copies}
    found = pruned(tmp_path, texts, stage, files=files, **config)
    if max_copies == 1:
        assert found.removed == wanted(texts, stage, **config)
    parts = expected(texts, PARTS_OF[stage], normal=NORMAL[normalize], min_length=6, max_copies=max_copies)
    assert found.counts == {row: len(spans) for row, spans in parts.items()}
    gone = {row: {byte for start, end, _ in spans for byte in range(start, end)} for row, spans in parts.items()}
    assert gone == {row: {byte for start, end, _ in spans for byte in range(start, end)}
                    for row, spans in found.removed.items()}
    assert sum(found.counts.values()) > 10
    ranges = next(one for one in found.plan.segments if one.kind == "repeats")
    assert len(ranges.tasks) == -(-len(found.plan.segments[0].tasks) // 8)


@pytest.mark.parametrize("stage", STAGES)
def test_one_copy_of_every_part_is_left_and_no_part_twice(tmp_path: Path, stage: str) -> None:
    texts = corpus(120, seed=2)
    found = pruned(tmp_path, texts, stage, files=3, min_length=4)
    parts_of = PARTS_OF[stage]
    before = {part for text in texts for *_, part in parts_of(text) if len(part) >= 4}
    if stage == "dedup.lines":
        after = [part for text in found.left.values() for *_, part in parts_of(text) if len(part) >= 4]
        assert sorted(after) == sorted(before)
    else:  # what stood around a paragraph that went may have been short, and is not parted from its neighbours then
        after = [part for text in found.left.values() for *_, part in parts_of(text)]
        assert before <= set(after)


def test_the_bytes_do_not_depend_on_how_a_lane_is_cut_nor_on_memory(tmp_path: Path) -> None:
    texts = corpus(100, seed=3)
    whole = pruned(tmp_path / "one", texts, "dedup.lines", min_length=4)
    cut = pruned(tmp_path / "many", texts, "dedup.lines", files=9, min_length=4, run={"memory_per_worker": "3kB"})
    assert (whole.left, whole.removed, whole.counts) == (cut.left, cut.removed, cut.counts)


def test_sql_finds_the_same_lines(tmp_path: Path) -> None:
    import duckdb

    texts = corpus(150, seed=4)
    found = pruned(tmp_path, texts, "dedup.lines", files=5, min_length=1)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE docs (row BIGINT, text VARCHAR)")
        connection.executemany("INSERT INTO docs VALUES (?, ?)", list(enumerate(texts)))
        times = connection.execute(
            """WITH lines AS (SELECT row, generate_subscripts(string_split(text, chr(10)), 1) AS place,
                                     unnest(string_split(text, chr(10))) AS line FROM docs),
                    trimmed AS (SELECT row, place, trim(line, ' ' || chr(9) || chr(13)) AS line FROM lines),
                    numbered AS (SELECT row, row_number() OVER (PARTITION BY line ORDER BY row, place) AS copy
                                 FROM trimmed WHERE line <> '')
               SELECT row, count(*) FROM numbered WHERE copy > 1 GROUP BY row"""
        ).fetchall()
    assert found.counts == dict(times)


def test_a_document_of_which_nothing_is_left_is_dropped_with_its_text_and_what_was_cut(tmp_path: Path) -> None:
    texts = ["the only line there is\n", "the only line there is\n \n", "", "the only line there is\nmore"]
    found = pruned(tmp_path, texts, "dedup.lines", files=2)
    assert sorted(found.left) == [0, 2, 3], "an empty text lost nothing, and is not this stage's affair"
    (gone,) = rows_of(found.plan, shards.DROPPED)
    assert (gone["reason"], gone["stage"], gone["text"]) == ("repeated_lines", "dedup.lines", texts[1])
    account = [shards.read_manifest(task.ref.folder(found.plan.out)).accounts[0]
               for task in found.plan.segments[-1].tasks]
    assert sum(one.bytes_in for one in account) - sum(one.bytes_out for one in account) == len(texts[1]) + 23


def test_little_left_is_judged_where_the_rows_are_so_that_another_limit_finds_no_cuts_anew(tmp_path: Path) -> None:
    texts = ["a line that is here twice\n", "a line that is here twice\ntiny", "tiny"]
    one = pruned(tmp_path / "x", texts, "dedup.lines", min_left=5)
    assert sorted(one.left) == [0, 2]
    two = pruned(tmp_path / "x", texts, "dedup.lines", min_left=4)
    assert sorted(two.left) == [0, 1, 2]
    for kind in ("units", "repeats", "cuts"):
        made, again = ([task.ref for segment in found.plan.segments if segment.kind == kind for task in segment.tasks]
                       for found in (one, two))
        assert made == again


def test_rows_without_text_stay_as_they_are(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.gathering import execute_all

    texts = ["a line that is here twice", None, "a line that is here twice\nmore", None, ""]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    (tmp_path / "recipe.toml").write_text(
        'name = "p"\n[[data.web]]\nstage = "read.parquet"\npaths = "a.parquet"\n[[data.web]]\nstage = "dedup.lines"\n')
    plan = execute_all(tmp_path / "recipe.toml", tmp_path / "run")
    read = [row["text"] for row in rows_of(plan, shards.KEPT, 0)]
    assert [row["text"] for row in rows_of(plan, shards.KEPT)] == [
        "more" if text == texts[2] else text for text in read]


@pytest.mark.parametrize("stage", STAGES)
def test_a_line_that_is_there_a_hundred_thousand_times_is_one_entry_a_shard(tmp_path: Path, stage: str) -> None:
    text = "a line that stands here again and again, and so on and so forth\n\n" * 1000
    found = pruned(tmp_path, [text] * 100, stage, files=4)
    assert sorted(found.left) == [0] and found.counts[0] == 999 and found.counts[99] == 1000
    units = [shards.read_manifest(task.ref.folder(found.plan.out)).figures
             for segment in found.plan.segments if segment.kind == "units" for task in segment.tasks]
    assert [(one["units"], one["repeated_in_shard"]) for one in units] == [(25_000.0, 24_999.0)] * 4
