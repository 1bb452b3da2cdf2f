from __future__ import annotations

import gzip
import random
from pathlib import Path

from tests.stages.read.reading import read, reasons


def test_a_file_is_a_document_in_whatever_encoding(tmp_path: Path) -> None:
    text = "Grüße aus Köln – schöne Häuser, größere Straßen.\0\n"
    for name, data in {
        "a.txt": text.encode(),
        "b.md": text.encode("utf-8-sig"),
        "c.rst": text.encode("utf-16"),
        "d.text": text.replace("\0", "").encode("cp1252"),
        "e.txt.gz": gzip.compress(text.encode()),
        "f.txt": b"",
    }.items():
        (tmp_path / name).write_bytes(data)
    rows, refused = read("read.text", tmp_path, paths=".")
    assert refused == []
    assert [(row["origin"], row["text"]) for row in rows] == [
        ("a.txt", text),
        ("b.md", text),
        ("c.rst", text),
        ("d.text", text.replace("\0", "")),
        ("e.txt.gz", text),
        ("f.txt", ""),
    ]


def test_noise_long_files_and_cut_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.txt").write_bytes(random.Random(1).randbytes(5000))
    (tmp_path / "long.txt").write_bytes(b"x" * 20_001)
    (tmp_path / "bomb.txt.gz").write_bytes(gzip.compress(bytes(1 << 20)))
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(b"some text")[:-5])
    rows, refused = read("read.text", tmp_path, paths=".", max_record_bytes=20_000)
    assert rows == []
    assert {item.origin: item.reason for item in refused} == {
        "noise.txt": "bad_encoding",
        "long.txt": "too_large",
        "bomb.txt.gz": "too_large",
        "cut.txt.gz": "truncated",
    }


def test_other_suffixes_are_read_when_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.tex").write_text("tex")
    (tmp_path / "b.txt").write_text("txt")
    assert [row["text"] for row in read("read.text", tmp_path, paths=".", suffixes=[".tex"])[0]] == ["tex"]
    assert [row["text"] for row in read("read.text", tmp_path, paths="*")[0]] == ["tex", "txt"]
    assert reasons(read("read.text", tmp_path, paths="a.tex")[1]) == []
