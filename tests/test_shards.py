"""Shards: bytes that follow from the rows alone, and a commit that happens whole or not at all."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import shards
from dataengine.errors import AccountingError, NotDeterministic
from dataengine.shards import (
    DROPPED,
    KEPT,
    MANIFEST,
    QUARANTINED,
    Account,
    Manifest,
    ShardWriter,
    commit,
    content_bytes,
)

SCHEMA = pa.schema({"id": pa.string(), "text": pa.string(), "words": pa.int64()})


def batch(texts: list[str | None]) -> pa.RecordBatch:
    """Rows with these texts."""
    rows = [{"id": f"{number:08}", "text": text, "words": number % 7} for number, text in enumerate(texts)]
    return pa.RecordBatch.from_pylist(rows, SCHEMA)


def written(path: Path, batches: list[pa.RecordBatch]) -> str:
    """sha256 of the shard with these rows."""
    writer = ShardWriter(path, SCHEMA)
    for part in batches:
        writer.write(part)
    writer.close()
    return shards.sha256_of(path)


def cuts(whole: pa.RecordBatch, places: list[int]) -> list[pa.RecordBatch]:
    """The rows in several batches."""
    edges = sorted({0, whole.num_rows, *(min(place, whole.num_rows) for place in places)})
    return [whole.slice(first, end - first) for first, end in pairwise(edges)]


TEXTS = st.lists(st.none() | st.sampled_from(["", "a", "bb" * 8, "c" * 16, "d" * 40, "é" * 8]), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 60), max_size=8), st.integers(1, 9))
def test_the_bytes_of_a_shard_do_not_depend_on_how_its_rows_came(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str | None], places: list[int], rows: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = batch(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "GROUP_BYTES", 32)
        patch.setattr(shards, "GROUP_ROWS", rows + 3)
        assert written(folder / "a", [whole]) == written(folder / "b", cuts(whole, places))
        assert written(folder / "a", [whole]) == written(folder / "c", cuts(whole, list(range(60))))


def test_bytes_under_a_null_are_not_counted() -> None:
    whole = pa.array(["aa", "bbbb", "c"])
    hidden = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(b"\x05"), *whole.buffers()[1:]])
    assert hidden.to_pylist() == ["aa", None, "c"]
    assert content_bytes(pa.RecordBatch.from_arrays([hidden], ["text"])) == 3


# --- commit -----------------------------------------------------------------------------------------------------------


def staged(run: Path, text: str = "a", *, kept: int = 2, said: int = 2, seen: int = 3) -> tuple[Path, Manifest]:
    """A finished task in `run`/tmp that read three rows, dropped one and kept `kept`; its account says `said`."""
    staging = run / "tmp" / f"0f.{os.getpid()}"
    staging.mkdir(parents=True)
    for name, rows in ((KEPT, kept), (DROPPED, 1), (QUARANTINED, 0)):
        writer = ShardWriter(staging / name, SCHEMA)
        writer.write(batch([text] * rows))
        writer.close()
    accounts = [
        Account("web.0", "web", "read.jsonl", rows_in=3, rows_kept=3),
        Account("web.1", "web", "filter.gopher", rows_in=seen, rows_kept=said, dropped={"too_few_words": seen - said}),
    ]
    return staging, Manifest("0f", "web.0-1", "rows", accounts=accounts)


def place(run: Path) -> Path:
    """Where the task goes."""
    return run / "steps" / "web.0-1" / "0f"


def test_a_commit_leaves_nothing_but_what_its_manifest_says(tmp_path: Path) -> None:
    manifest = commit(*_moved(tmp_path))
    assert {path.name for path in place(tmp_path).iterdir()} == {*manifest.files, MANIFEST}
    assert manifest.files[KEPT].rows == 2
    assert shards.read_manifest(place(tmp_path)) == manifest
    assert list((tmp_path / "tmp").iterdir()) == []


def _moved(run: Path, *arguments: Any, **options: Any) -> tuple[Path, Path, Manifest]:
    staging, manifest = staged(run, *arguments, **options)
    return staging, place(run), manifest


@pytest.mark.parametrize(
    "loss", [{"kept": 1}, {"kept": 1, "said": 1, "seen": 2}], ids=["in a file", "between two steps"]
)
def test_one_row_lost_on_the_way_stops_the_commit(tmp_path: Path, loss: dict[str, int]) -> None:
    with pytest.raises(AccountingError):
        commit(*_moved(tmp_path, **loss))
    assert not place(tmp_path).exists()


def test_the_same_bytes_a_second_time_are_fine(tmp_path: Path) -> None:
    first = commit(*_moved(tmp_path))
    assert commit(*_moved(tmp_path)) == first
    assert list((tmp_path / "tmp").iterdir()) == []


def test_other_bytes_a_second_time_are_not_deterministic_and_name_the_stages(tmp_path: Path) -> None:
    first = commit(*_moved(tmp_path, "a"))
    with pytest.raises(NotDeterministic, match=r"kept\.parquet") as caught:
        commit(*_moved(tmp_path, "b"))
    assert "filter.gopher" in str(caught.value)
    assert shards.read_manifest(place(tmp_path)) == first


def test_whatever_stands_in_the_place_without_a_manifest_is_rubbish(tmp_path: Path) -> None:
    place(tmp_path).mkdir(parents=True)
    (place(tmp_path) / "kept.parquet").write_bytes(b"half")
    commit(*_moved(tmp_path))
    assert shards.read_manifest(place(tmp_path)).files[KEPT].rows == 2


def test_a_file_that_stands_in_the_place_is_rubbish_too(tmp_path: Path) -> None:
    place(tmp_path).parent.mkdir(parents=True)
    place(tmp_path).write_bytes(b"what?")
    commit(*_moved(tmp_path))
    assert shards.is_committed(place(tmp_path))


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refused)
    first = commit(*_moved(tmp_path))
    assert commit(*_moved(tmp_path)) == first
    with pytest.raises(FileExistsError):
        shards.create_exclusive(place(tmp_path) / MANIFEST, "{}", tmp_path / "tmp")
    assert shards.read_manifest(place(tmp_path)) == first


@pytest.mark.parametrize("same", [True, False])
def test_a_driver_that_was_faster_at_the_last_moment_is_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    commit(*_moved(tmp_path / "other", "a" if same else "b"))
    real, theirs = os.link, (place(tmp_path / "other") / MANIFEST).read_bytes()

    def beaten(source: Any, target: Any) -> None:
        Path(target).write_bytes(theirs)
        real(source, target)

    monkeypatch.setattr(os, "link", beaten)
    if same:
        assert commit(*_moved(tmp_path)).files[KEPT].rows == 2
    else:
        with pytest.raises(NotDeterministic):
            commit(*_moved(tmp_path))
    assert (place(tmp_path) / MANIFEST).read_bytes() == theirs


def test_a_process_that_dies_before_the_manifest_leaves_no_half_of_it_in_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(point: str) -> None:
        if point == "before_manifest":
            raise KeyboardInterrupt

    monkeypatch.setattr(shards, "fault", die)
    with pytest.raises(KeyboardInterrupt):
        commit(*_moved(tmp_path))
    assert {path.name for path in place(tmp_path).iterdir()} == {KEPT, DROPPED, QUARANTINED}
    assert not shards.is_committed(place(tmp_path))


def test_a_text_that_cannot_be_written_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    shards.replace_atomically(tmp_path / "run.json", "old")
    with pytest.raises(UnicodeEncodeError):
        shards.replace_atomically(tmp_path / "run.json", "new \udcff")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("run.json", "old")]
