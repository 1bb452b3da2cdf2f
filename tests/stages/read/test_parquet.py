from __future__ import annotations

import struct
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine import stage
from dataengine.errors import InputError
from dataengine.stages.read.parquet import Config
from tests.stages.read.reading import read, reasons

TEXTS = [f"document {number}" for number in range(50)]


def write(folder: Path, name: str, columns: dict, **options) -> None:
    pq.write_table(pa.table(columns), folder / name, **{"write_page_checksum": True, "row_group_size": 8} | options)


def test_rows_come_in_order_however_row_groups_are_grouped(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", {"text": TEXTS, "url": [f"http://{text[9:]}" for text in TEXTS]})
    for split in (1, 300, 10**6):
        rows, refused = read("read.parquet", tmp_path, paths="a.parquet", split_bytes=split)
        assert refused == []
        assert rows == [
            {"origin": f"a.parquet#{number}", "url": f"http://{number}", "text": text}
            for number, text in enumerate(TEXTS)
        ]
    found = stage.load("read.parquet")
    assert len(list(found.pieces(Config(paths="a.parquet", split_bytes=1), tmp_path))) == 7
    assert len(list(found.pieces(Config(paths="a.parquet"), tmp_path))) == 1


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.large_binary(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.string_view(),
    ],
)
def test_every_kind_of_string_is_text(tmp_path: Path, kind: pa.DataType) -> None:
    plain = pa.array(["é", "", "c"])
    write(
        tmp_path,
        "a.parquet",
        {"text": plain.cast(pa.binary()).cast(kind) if pa.types.is_binary(kind) else plain.cast(kind)},
    )
    assert [row["text"] for row in read("read.parquet", tmp_path, paths="a.parquet")[0]] == ["é", "", "c"]


def test_nulls_bytes_that_are_not_utf8_and_long_texts_are_refused_by_row(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", {"text": pa.array([b"a", None, b"\xff\xfe", b"x" * 500, b"b"] * 3, pa.binary())})
    rows, refused = read("read.parquet", tmp_path, paths="a.parquet", max_record_bytes=100)
    assert [row["origin"] for row in rows] == [f"a.parquet#{number}" for number in (0, 4, 5, 9, 10, 14)]
    assert sorted((item.origin, item.reason) for item in refused) == sorted(
        (f"a.parquet#{number}", ["no_text", "bad_unicode", "too_large"][number % 5 - 1])
        for number in range(15)
        if number % 5 in (1, 2, 3)
    )


def test_strings_that_lie_about_being_utf8_are_refused(tmp_path: Path) -> None:
    liar = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(struct.pack("<3i", 0, 1, 3)), pa.py_buffer(b"a\xff\xfe")]
    )
    write(tmp_path, "a.parquet", {"text": liar})
    rows, refused = read("read.parquet", tmp_path, paths="a.parquet")
    assert ([row["text"] for row in rows], reasons(refused)) == (["a"], ["bad_unicode"])


def test_large_texts_make_small_batches(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", {"text": ["x" * 1_500_000] * 9}, row_group_size=100)
    found, config = stage.load("read.parquet"), Config(paths="a.parquet")
    sizes = [batch.num_rows for piece in found.pieces(config, tmp_path) for batch in found(piece, config)]
    assert sum(sizes) == 9 and max(sizes) <= 3


def test_kept_columns_have_their_declared_types(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.parquet",
        {
            "text": ["a", "b"],
            "score": pa.array([1, 2], pa.int8()),
            "day": ["7", "x"],
            "meta": pa.array([{"lang": "en"}, None]),
        },
    )
    keep = {"score": "score", "day": "day", "lang": "meta.lang", "shown": "score"}
    rows, _ = read("read.parquet", tmp_path, paths="a.parquet", keep=keep, types={"score": "float64", "day": "int64"})
    assert [(row["score"], row["day"], row["lang"], row["shown"]) for row in rows] == [
        (1.0, 7, "en", "1"),
        (2.0, None, None, "2"),
    ]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float16(), 2)])
def test_a_kept_column_of_vectors_is_lists_of_float32(tmp_path: Path, kind: pa.DataType) -> None:
    write(tmp_path, "a.parquet", {"text": ["a", "b", "c"], "v": pa.array([[0.5, 2], None, [-1, 0]], kind)})
    config = {"paths": "a.parquet", "keep": {"embedding": "v"}, "types": {"embedding": "list<float>"}}
    rows, _ = read("read.parquet", tmp_path, **config)
    assert [row["embedding"] for row in rows] == [[0.5, 2.0], None, [-1.0, 0.0]]
    write(tmp_path, "a.parquet", {"text": ["a"], "v": ["[0.5]"]})
    with pytest.raises(InputError, match='"v" is string, not a list of numbers'):
        read("read.parquet", tmp_path, **config)


def test_dots_reach_into_structs(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", {"c": pa.array([{"body": {"t": "deep"}}, None])})
    rows, refused = read("read.parquet", tmp_path, paths="a.parquet", text="c.body.t")
    assert ([row["text"] for row in rows], reasons(refused)) == (["deep"], ["no_text"])


@pytest.mark.parametrize(
    ("columns", "config", "message", "write_"),
    [
        ({"content": ["a"], "n": [1]}, {}, 'no column "text" among content: string, n: int64', 'text = "content"'),
        ({"text": [1]}, {}, 'column "text" is int64, not string', ""),
        ({"text": ["a"]}, {"keep": ["title"]}, 'no column "title"', ""),
        ({"text": ["a"], "tags": [["x"]]}, {"keep": ["tags"]}, 'column "tags" is list<', ""),
        ({"text": ["a"], "v": [[0.5]]}, {"keep": ["v"]}, 'column "v" is list<', 'types = { v = "list<float>" }'),
        ({"text": ["a"]}, {"url": "link"}, 'no column "link"', ""),
    ],
)
def test_a_schema_that_does_not_fit_is_said_before_anything_runs(
    tmp_path: Path, columns: dict, config: dict, message: str, write_: str
) -> None:
    write(tmp_path, "a.parquet", columns)
    with pytest.raises(InputError) as error:
        read("read.parquet", tmp_path, paths="a.parquet", **config)
    assert message in error.value.found and error.value.where == "a.parquet"
    assert error.value.write == write_


def test_a_later_file_of_another_schema_or_without_a_footer_is_refused_and_others_go_on(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", {"text": ["a"]})
    write(tmp_path, "b.parquet", {"txt": ["b"]})
    (tmp_path / "c.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-9])
    (tmp_path / "d.parquet").write_bytes(b"")
    (tmp_path / "e.parquet").mkdir()
    write(tmp_path, "f.parquet", {"text": ["f"]})
    rows, refused = read("read.parquet", tmp_path, paths=".")
    assert [row["text"] for row in rows] == ["a", "f"]
    assert [(item.origin[0], item.reason) for item in refused] == [
        ("b", "wrong_schema"),
        ("c", "corrupt_parquet"),
        ("d", "corrupt_parquet"),
        ("e", "not_regular_file"),
    ]


def test_every_flipped_byte_of_a_page_is_found_by_its_checksum(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.parquet",
        {"text": ["a document of some length"]},
        use_dictionary=False,
        compression="none",
        write_statistics=False,
    )
    blob = bytearray((tmp_path / "a.parquet").read_bytes())
    start = blob.index(b"a document")
    for place in range(start, start + 25, 4):
        broken = blob.copy()
        broken[place] ^= 1
        (tmp_path / "b.parquet").write_bytes(broken)
        assert reasons(read("read.parquet", tmp_path, paths="b.parquet")[1]) == ["corrupt_parquet"]


def test_a_file_cut_at_any_byte_or_with_any_flipped_byte_never_crashes(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", {"text": TEXTS[:5]})
    blob = (tmp_path / "a.parquet").read_bytes()
    for end in range(0, len(blob), 11):
        (tmp_path / "b.parquet").write_bytes(blob[:end])
        assert reasons(read("read.parquet", tmp_path, paths="b.parquet")[1]) == ["corrupt_parquet"]
    write(tmp_path, "0.parquet", {"text": ["sound"]})
    for place in range(0, len(blob), 5):
        broken = bytearray(blob)
        broken[place] ^= 0x20
        (tmp_path / "b.parquet").write_bytes(broken)
        rows, _ = read("read.parquet", tmp_path, paths=["0.parquet", "b.parquet"])
        assert rows[0]["text"] == "sound"


def test_empty_files_and_row_groups_have_no_rows(tmp_path: Path) -> None:
    write(tmp_path, "a.parquet", {"text": pa.array([], pa.string())})
    assert read("read.parquet", tmp_path, paths="a.parquet") == ([], [])
