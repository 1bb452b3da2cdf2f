from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tempfile
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataengine.stages.read.jsonl import BadLine, Config, parser
from tests.stages.read.reading import read, reasons

DOCUMENTS = [
    {"text": f"document {number} " + "word " * (number % 7), "url": f"http://a.example/{number}"}
    for number in range(60)
]
BLOB = "".join(json.dumps(document) + "\n" for document in DOCUMENTS).encode()
TEXTS = [document["text"] for document in DOCUMENTS]


def texts(rows: list[dict]) -> list[str]:
    return [row["text"] for row in rows]


def test_a_line_is_a_row_and_its_origin_is_its_byte_offset(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes('{"text": "é"}\n{"text": "b", "url": "http://b"}'.encode())
    assert read("read.jsonl", tmp_path, paths="a.jsonl") == (
        [{"origin": "a.jsonl:0", "url": None, "text": "é"}, {"origin": "a.jsonl:15", "url": "http://b", "text": "b"}],
        [],
    )


def test_byte_order_mark_crlf_blank_lines_and_a_missing_last_newline_are_fine(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n\r\n   \n\n{"text": "b"}')
    rows, refused = read("read.jsonl", tmp_path, paths="a.jsonl")
    assert (texts(rows), refused) == (["a", "b"], [])


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b'{"text": "a",}', "bad_json", "line 2 column 13"),
        (b'{"text": NaN}', "bad_json", "line 2 column 10"),
        (b'{"text": "a", "x": -Infinity}', "bad_json", "line 2"),
        (b'{"text": "a"', "bad_json", "line 2"),
        (b'{"text": "a"} {"text": "b"}', "bad_json", "line 2 column 15"),
        (b"{'text': 'a'}", "bad_json", "line 2 column 2"),
        (b"[" * 100_000, "bad_json", "depth"),
        (b'{"text": "\\ud800"}', "bad_unicode", "surrogate"),
        (b'{"text": "\\udc00 b"}', "bad_unicode", "surrogate"),
        (b'{"text": "\xff"}', "bad_unicode", "byte 11"),
        (b'{"text": "\xed\xa0\x80"}', "bad_unicode", "byte 11"),
        (b'[{"text": "a"}]', "not_an_object", "an array"),
        (b'"text"', "not_an_object", "a string"),
        (b"7", "not_an_object", "a number"),
        (b"null", "not_an_object", "null"),
        (b'{"txt": "a"}', "no_text", "no such field"),
        (b'{"text": null}', "no_text", "no such field"),
        (b'{"text": ["a"]}', "no_text", "an array"),
        (b'{"text": 7}', "no_text", "a number"),
    ],
)
def test_a_bad_line_is_refused_with_its_place_and_its_neighbours_go_on(
    tmp_path: Path, line: bytes, reason: str, detail: str
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "before"}\n' + line + b'\n{"text": "after"}\n')
    rows, [refused] = read("read.jsonl", tmp_path, paths="a.jsonl")
    assert texts(rows) == ["before", "after"]
    assert (refused.origin, refused.reason) == ("a.jsonl:19", reason)
    assert detail in refused.detail
    assert refused.raw == line[:1000]


def test_line_numbers_count_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\n\n{"text": "a"}\n\nbad\n')
    assert read("read.jsonl", tmp_path, paths="a.jsonl")[1][0].detail.startswith("line 5 column 1")


def test_control_characters_and_nul_in_text_are_kept(tmp_path: Path) -> None:
    text = "a\0b\x1b[31m\u202e\ufffe\u200b"
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}))
    assert texts(read("read.jsonl", tmp_path, paths="a.jsonl")[0]) == [text]


def test_the_last_of_two_fields_of_the_same_name_counts() -> None:
    assert parser()(b'{"text": "a", "text": "b"}') == {"text": "b"}


def test_dots_reach_into_objects_unless_a_field_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"c": {"b": "deep"}, "m": {"u": "http://x"}}\n{"c.b": "flat", "m": 3}\n')
    rows, _ = read("read.jsonl", tmp_path, paths="a.jsonl", text="c.b", url="m.u")
    assert [(row["text"], row["url"]) for row in rows] == [("deep", "http://x"), ("flat", None)]


def test_kept_fields_are_strings_or_what_types_says(tmp_path: Path) -> None:
    lines = [
        {"text": "a", "id": 7, "m": {"score": 2, "tags": ["x"]}},
        {"text": "b", "id": "s", "m": {"score": "high"}},
        {"text": "c", "id": None, "m": {"score": 0.5, "tags": True}},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    keep = {"doc": "id", "score": "m.score", "tags": "m.tags"}
    rows, _ = read("read.jsonl", tmp_path, paths="a.jsonl", keep=keep, types={"score": "float64"})
    assert [(row["doc"], row["score"], row["tags"]) for row in rows] == [
        ("7", 2.0, '["x"]'),
        ("s", None, None),
        (None, 0.5, "true"),
    ]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"keep": ["id"]}, 'keep = { source_id = "id" }'),
        ({"keep": ["a.t", "b.t"]}, "the same name"),
        ({"keep": ["a-b"]}, 'keep = { name = "a-b" }'),
        ({"types": {"x": "int64"}}, 'types names "x"'),
        ({"max_record_bytes": "2 GiB"}, "less than or equal"),
    ],
)
def test_a_config_that_cannot_be_says_what_to_write(config: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Config(paths="a", **config)


def test_a_line_over_the_limit_is_refused_whether_it_ends_or_not(tmp_path: Path) -> None:
    long = b'{"text": "' + b"x" * 5000 + b'"}'
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n' + long + b'\n{"text": "b"}\n' + long)
    for split in (1000, 10**6):
        rows, refused = read("read.jsonl", tmp_path, paths="a.jsonl", max_record_bytes=3000, split_bytes=split)
        assert texts(rows) == ["a", "b"]
        assert [(item.origin, item.reason) for item in refused] == [
            ("a.jsonl:14", "too_large"),
            ("a.jsonl:5041", "too_large"),
        ]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_a_bomb_is_refused_in_bounded_memory(tmp_path: Path, pack) -> None:
    (tmp_path / "a.jsonl.x").write_bytes(pack(b'{"text": "a"}\n') + pack(bytes(80 << 20)) + pack(b'\n{"text": "b"}\n'))
    tracemalloc.start()
    rows, refused = read("read.jsonl", tmp_path, paths="a.jsonl.x", max_record_bytes="1 MiB")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (texts(rows), reasons(refused)) == (["a", "b"], ["too_large"])
    assert peak < 16 << 20


@given(st.integers(1, 400))
@settings(max_examples=30, deadline=None)
def test_any_split_gives_the_same_rows_in_the_same_order(split: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        blob = BLOB[:1500] + b"\n\nbroken\n\r\n" + BLOB[1500:]
        (Path(folder) / "a.jsonl").write_bytes(blob)
        whole = read("read.jsonl", Path(folder), paths="a.jsonl", split_bytes=10**6)
        parts = read("read.jsonl", Path(folder), paths="a.jsonl", split_bytes=split)
        assert parts[0] == whole[0]
        assert [(item.origin, item.reason, item.raw) for item in parts[1]] == [
            (item.origin, item.reason, item.raw) for item in whole[1]
        ]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_packed_files_of_several_members_are_read_whole_by_name_or_by_magic(tmp_path: Path, suffix: str) -> None:
    pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}[suffix]
    for name in ("a.jsonl" + suffix, "b.jsonl"):
        (tmp_path / name).write_bytes(pack(BLOB[:777]) + pack(BLOB[777:]))
        rows, refused = read("read.jsonl", tmp_path, paths=name, split_bytes=100)
        assert (texts(rows), refused) == (TEXTS, [])
    assert rows[1]["origin"] == f"b.jsonl:{BLOB.index(b'{', 1)}"


def test_gzip_cut_at_any_byte_gives_the_rows_before_and_says_so(tmp_path: Path) -> None:
    packed = gzip.compress(BLOB[:900]) + gzip.compress(BLOB[900:1800])
    middle = len(gzip.compress(BLOB[:900]))
    for end in range(1, len(packed)):
        (tmp_path / "a.jsonl.gz").write_bytes(packed[:end])
        rows, refused = read("read.jsonl", tmp_path, paths="a.jsonl.gz")
        assert texts(rows) == TEXTS[: len(rows)]
        # a cut between two members is a whole file, whose last line happens to be broken
        assert "truncated" in reasons(refused) or (end == middle and reasons(refused) == ["bad_json"])
        if end > middle:
            assert len(rows) >= BLOB[:900].count(b"\n")


def test_zstd_cut_at_any_byte_says_so(tmp_path: Path) -> None:
    packed = zstandard.ZstdCompressor(write_checksum=True).compress(BLOB)
    for end in range(1, len(packed)):
        (tmp_path / "a.jsonl.zst").write_bytes(packed[:end])
        rows, refused = read("read.jsonl", tmp_path, paths="a.jsonl.zst")
        assert reasons(refused) == ["truncated"]
        assert texts(rows) == TEXTS[: len(rows)]


def test_every_flipped_byte_of_a_gzip_member_leaves_the_other_members_alone(tmp_path: Path) -> None:
    first, second, third = (
        gzip.compress(BLOB[start:end], mtime=0) for start, end in ((0, 830), (830, 2000), (2000, len(BLOB)))
    )
    kept = {
        row["text"]
        for row in [json.loads(line) for line in BLOB[:830].splitlines()[:-1] + BLOB[2000:].splitlines()[1:]]
    }
    for place in range(0, len(second), 7):
        broken = bytearray(second)
        broken[place] ^= 0x41
        (tmp_path / "a.jsonl.gz").write_bytes(first + broken + third)
        rows, refused = read("read.jsonl", tmp_path, paths="a.jsonl.gz")
        assert kept <= set(texts(rows))
        assert refused or texts(rows) == TEXTS  # a flip in the time stamp harms nothing


def test_rows_before_a_wrong_checksum_are_kept_to_the_last(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(BLOB))
    packed[-6] ^= 1
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    rows, refused = read("read.jsonl", tmp_path, paths="a.jsonl.gz")
    assert (texts(rows), reasons(refused)) == (TEXTS, ["corrupt"])


def test_garbage_behind_the_last_member_is_reported_and_zeros_are_padding(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(BLOB) + b"garbage")
    rows, refused = read("read.jsonl", tmp_path, paths="a.jsonl.gz")
    assert (texts(rows), reasons(refused)) == (TEXTS, ["corrupt"])
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(BLOB) + bytes(1000))
    assert read("read.jsonl", tmp_path, paths="a.jsonl.gz")[1] == []


def test_plain_text_named_gz_is_read_and_nonsense_named_gz_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(BLOB)
    assert texts(read("read.jsonl", tmp_path, paths="a.jsonl.gz")[0]) == TEXTS
    (tmp_path / "a.jsonl.gz").write_bytes(bytes(range(256)))
    assert reasons(read("read.jsonl", tmp_path, paths="a.jsonl.gz")[1]) == ["corrupt"]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    for name, content in (
        ("a.jsonl", b""),
        ("b.jsonl", b"\n \n"),
        ("c.jsonl.gz", b""),
        ("d.jsonl.gz", gzip.compress(b"")),
    ):
        (tmp_path / name).write_bytes(content)
        assert read("read.jsonl", tmp_path, paths=name) == ([], [])


@given(st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_whatever_python_calls_json_we_call_json(line: bytes) -> None:
    def strict(constant: str) -> None:
        raise ValueError(constant)

    try:
        value = json.loads(line.decode("utf-8"), parse_constant=strict)
    except ValueError:
        with pytest.raises(BadLine):
            parser()(line)
    else:
        if isinstance(value, dict):
            assert parser()(line) == value
