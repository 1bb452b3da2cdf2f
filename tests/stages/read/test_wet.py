from __future__ import annotations

from pathlib import Path

from tests.stages.read.archives import packed, record
from tests.stages.read.reading import read


def test_conversion_records_are_rows_and_others_are_passed_over(tmp_path: Path) -> None:
    records = [
        record("warcinfo", b"x: y"),
        record("conversion", "Grüße\n".encode(), "http://a"),
        record("metadata", b"m", "http://a"),
        record("conversion", b"b", "http://b"),
    ]
    (tmp_path / "a.warc.wet.gz").write_bytes(b"".join(packed(records)))
    rows, refused = read("read.wet", tmp_path, paths=".")
    assert refused == []
    assert [(row["url"], row["text"]) for row in rows] == [("http://a", "Grüße\n"), ("http://b", "b")]


def test_bytes_that_are_not_utf8_and_texts_over_the_limit_are_refused(tmp_path: Path) -> None:
    records = [
        record("conversion", b"ab\xff", "http://a"),
        record("conversion", b"x" * 500, "http://b"),
        record("conversion", b"c", "http://c"),
    ]
    (tmp_path / "a.wet").write_bytes(b"".join(records))
    rows, refused = read("read.wet", tmp_path, paths="a.wet", max_record_bytes=100)
    assert [row["text"] for row in rows] == ["c"]
    assert [(item.origin, item.reason) for item in refused] == [
        ("a.wet:0", "bad_unicode"),
        (f"a.wet:{len(records[0])}", "too_large"),
    ]


def test_a_cut_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.wet").write_bytes(
        record("conversion", b"first", "http://a") + record("conversion", b"second", "http://b")[:-8]
    )
    rows, [refused] = read("read.wet", tmp_path, paths="a.wet")
    assert ([row["text"] for row in rows], refused.reason) == (["first"], "truncated")
