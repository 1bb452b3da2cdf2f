from __future__ import annotations

import gzip
from pathlib import Path

from dataengine import stage
from tests.stages.read.reading import read


def test_a_file_is_a_page_of_raw_bytes(tmp_path: Path) -> None:
    page = b"<meta charset=latin1><p>\xe9\0"
    (tmp_path / "a.html").write_bytes(page)
    (tmp_path / "b.HTM.gz").write_bytes(gzip.compress(page))
    (tmp_path / "c.htm").write_bytes(b"x" * 100)
    (tmp_path / "d.txt").write_text("not a page")
    rows, refused = read("read.html", tmp_path, paths=".", max_record_bytes=50)
    assert rows == [
        {"origin": name, "url": None, "html": page, "http_charset": None} for name in ("a.html", "b.HTM.gz")
    ]
    assert [(item.origin, item.reason) for item in refused] == [("c.htm", "too_large")]


def test_pages_have_the_columns_of_those_in_archives() -> None:
    columns = [stage.load(name).adds(None) for name in ("read.html", "read.warc")]
    assert columns[0] == columns[1]
