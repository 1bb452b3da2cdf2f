from __future__ import annotations

import csv
import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine import stage
from dataengine.errors import InputError
from dataengine.stages.read._hub import _match, format_of, splits, tree
from dataengine.stages.read._messages import BadMessages, conversation
from tests.stages.read.reading import read, reasons

ROWS = [{"text": f"document {number} of ours", "url": f"http://a.example/{number}", "n": number} for number in range(7)]
TEXTS = [row["text"] for row in ROWS]


def parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file, row_group_size=2)
    return file.getvalue()


def arrow(rows: list[dict[str, Any]], stream: bool = True) -> bytes:
    table, file = pa.Table.from_pylist(rows), io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    return file.getvalue()


def lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def table(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


FORMATS = {
    "a.parquet": parquet(ROWS), "a.arrow": arrow(ROWS), "b.arrow": arrow(ROWS, stream=False), "a.jsonl": lines(ROWS),
    "a.jsonl.gz": gzip.compress(lines(ROWS)), "a.json": json.dumps(ROWS, indent=1).encode(), "b.json": lines(ROWS),
    "a.csv": table(ROWS), "a.tsv": table(ROWS, "\t"), "a.csv.gz": gzip.compress(table(ROWS)),
}


def folder(place: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return place


def texts(base: Path, **config: Any) -> list[str]:
    rows, refused = read("read.huggingface", base, folder=".", **config)
    assert not refused
    return [row["text"] for row in rows]


# --- formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_documents(name: str, tmp_path: Path) -> None:
    folder(tmp_path, {f"data/train/{name}": FORMATS[name]})
    rows, refused = read("read.huggingface", tmp_path, folder=".", keep={"number": "n"}, types={"number": "int64"})
    assert not refused
    assert [(row["text"], row["url"], row["number"]) for row in rows] == [tuple(row.values()) for row in ROWS]
    assert len({row["origin"] for row in rows}) == 7 and rows[0]["origin"].startswith(f"data/train/{name}")


def test_a_text_file_is_a_document_a_line(tmp_path: Path) -> None:
    folder(tmp_path, {"train.txt": "one\r\n\n  \ntwo \u00e9\nthree"})
    assert texts(tmp_path) == ["one", "two \u00e9", "three"]


def test_large_files_are_read_in_pieces_with_the_same_rows(tmp_path: Path) -> None:
    many = [{"text": f"document {number} " + "x" * 90} for number in range(300)]
    for name, data in {"a.parquet": parquet(many), "b.jsonl": lines(many)}.items():
        folder(tmp_path / name, {f"train-{name}": data})
        config = {"folder": name, "split_bytes": 4000}
        found = stage.load("read.huggingface")
        assert len(list(found.pieces(found.config(**config), tmp_path))) > 2
        rows, _ = read("read.huggingface", tmp_path, **config)
        assert [row["text"] for row in rows] == [row["text"] for row in many]


def test_pictures_are_passed_over_and_cannot_be_kept(tmp_path: Path) -> None:
    rows = [row | {"image": {"bytes": random.Random(1).randbytes(900), "path": "x.png"}} for row in ROWS]
    folder(tmp_path, {"a/train.parquet": parquet(rows), "b/train.arrow": arrow(rows)})
    for inner in "ab":
        found, refused = read("read.huggingface", tmp_path, folder=inner)
        assert [row["text"] for row in found] == TEXTS and not refused
    with pytest.raises(InputError, match="not a scalar"):
        read("read.huggingface", tmp_path, folder="a", keep=["image"])


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "b.arrow", "a.csv", "a.tsv"])
def test_a_column_that_is_not_there_is_found_by_the_plan(name: str, tmp_path: Path) -> None:
    folder(tmp_path, {name: FORMATS[name]})
    with pytest.raises(InputError, match='no column "content" among text, url, n'):
        read("read.huggingface", tmp_path, folder=".", text="content")


def test_a_chat_dataset_asked_for_text_is_told_what_to_write(tmp_path: Path) -> None:
    folder(tmp_path, {"train.arrow": arrow([{"conversations": [{"from": "human", "value": "a"}]}])})
    with pytest.raises(InputError) as caught:
        read("read.huggingface", tmp_path, folder=".")
    assert caught.value.write == 'messages = "conversations"'


# --- damage -----------------------------------------------------------------------------------------------------------


def test_bad_rows_of_csv_do_not_take_the_others_with_them(tmp_path: Path) -> None:
    folder(tmp_path, {"a.csv": 'text,n\none,1\n\ntwo\n"three, ""quoted""\nand more",3\nfour,4,5\nfive,x\n'})
    rows, refused = read("read.huggingface", tmp_path, folder=".", keep=["n"], types={"n": "int64"})
    assert [(row["text"], row["n"]) for row in rows] == [("one", 1), ('three, "quoted"\nand more', 3), ("five", None)]
    assert reasons(refused) == ["bad_csv", "bad_csv"] and "header has 2" in refused[0].detail


def test_a_quote_that_is_never_closed_is_said_and_bounded(tmp_path: Path) -> None:
    folder(tmp_path, {"a.csv": 'text\none\n"two\n' + "line\n" * 5000})
    rows, refused = read("read.huggingface", tmp_path, folder=".", max_record_bytes=1000)
    assert [row["text"] for row in rows] == ["one"] and reasons(refused) == ["bad_csv"]


@pytest.mark.parametrize("cut", [5, 100, 900, -1, -8])
def test_arrow_that_is_cut_is_never_taken_for_whole(cut: int, tmp_path: Path) -> None:
    folder(tmp_path, {"a.parquet": parquet(ROWS), "train.arrow": arrow(ROWS)[:cut]})
    rows, refused = read("read.huggingface", tmp_path, folder=".", split="train")
    assert [row["text"] for row in rows] == TEXTS[: len(rows)]
    assert reasons(refused)[-1] in ("truncated", "corrupt")


def test_records_that_are_no_documents_are_refused_one_by_one(tmp_path: Path) -> None:
    values = [{"text": "good"}, {"text": None}, {"text": 5}, {}, "x", {"text": "y" * 2000}]
    folder(tmp_path, {"train.json": json.dumps(values)})
    rows, refused = read("read.huggingface", tmp_path, folder=".", max_record_bytes=1500)
    assert [row["text"] for row in rows] == ["good"]
    assert reasons(refused) == ["no_text", "no_text", "no_text", "not_an_object", "too_large"]


# --- conversations ----------------------------------------------------------------------------------------------------

CHATS = [
    [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"},
     {"role": "assistant", "content": "ho"}],
    [{"role": "user", "content": "2+2"}, {"role": "assistant", "content": "4"}],
]


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl", "json"])
@pytest.mark.parametrize("names", [("role", "content"), ("from", "value")])
def test_conversations_come_out_as_messages_and_as_text(form: str, names: tuple[str, str], tmp_path: Path) -> None:
    other = {"user": "human", "assistant": "gpt"} if names[0] == "from" else {}
    rows = [
        {"chat": [{names[0]: other.get(turn["role"], turn["role"]), names[1]: turn["content"]} for turn in chat]}
        for chat in CHATS
    ]
    write = {"parquet": parquet, "arrow": arrow, "jsonl": lines, "json": lambda rows: json.dumps(rows).encode()}[form]
    folder(tmp_path, {f"train.{form}": write(rows)})
    found, refused = read("read.huggingface", tmp_path, folder=".", messages="chat")
    assert not refused
    assert [row["messages"] for row in found] == CHATS
    assert [row["text"] for row in found] == ["be brief\n\nhi\n\nho", "2+2\n\n4"]


@pytest.mark.parametrize(
    "value",
    [None, [], "hi", [["user", "hi"]], [{"role": "user"}], [{"content": "hi"}], [{"role": 1, "content": "hi"}],
     [{"role": "user", "content": [{"type": "image", "image": "x"}]}], [{"role": "user", "content": None}]],
)
def test_what_is_no_conversation_of_text_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(BadMessages):
        conversation(value)
    folder(tmp_path, {"train.jsonl": lines([{"messages": value}, {"messages": CHATS[1]}])})
    rows, refused = read("read.huggingface", tmp_path, folder=".", messages="messages")
    assert len(rows) == 1 and reasons(refused) == ["bad_messages"]


def test_parts_of_text_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, "b", {"type": "text", "text": "c"}]
    assert conversation([{"role": "user", "content": parts}]) == [{"role": "user", "content": "abc"}]


# --- layouts ----------------------------------------------------------------------------------------------------------


def names(base: Path, subset: str = "") -> dict[str, list[str]]:
    found = splits(tree(str(base), base), subset)
    return {split: [Path(file.path).relative_to(base).as_posix() for file in files] for split, files in found.items()}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["data/train-00000-of-00002.csv", "data/train-00001-of-00002.csv", "data/test_sft-00000-of-00001.csv"],
         {"test_sft": [2], "train": [0, 1]}),
        (["train.csv", "test.csv", "README.md"], {"test": [1], "train": [0]}),
        (["my-train-v2.jsonl", "my_dev.jsonl"], {"train": [0], "validation": [1]}),
        (["training/1.txt", "eval/1.txt", "notes.txt"], {"test": [1], "train": [0]}),
        (["en/c4-train.00000-of-01024.json.gz", "en/c4-validation.00000-of-00008.json.gz"],
         {"train": [0], "validation": [1]}),
        (["shard_1.parquet", "shard_0.parquet", ".hidden.parquet"], {"train": [1, 0]}),
        (["strain.csv", "contest.csv"], {"train": [1, 0]}),
        (["train/test.csv", "test/train.csv"], {"test": [1], "train": [0]}),
        (["val.csv", "train.csv", "evaluation.csv"], {"test": [2], "train": [1], "validation": [0]}),
        (["train1.csv", "test1.csv"], {"test": [1], "train": [0]}),
        (["Train.csv", "TEST.csv"], {"train": [1, 0]}),
        (["part-00000-of-00002.parquet", "part-00001-of-00002.parquet"], {"train": [0, 1]}),
    ],
)
def test_splits_are_told_by_names(files: list[str], expected: dict[str, list[int]], tmp_path: Path) -> None:
    """As `datasets` 5.2.0 tells them, which was asked about each of these."""
    folder(tmp_path, dict.fromkeys(files, b""))
    assert names(tmp_path) == {split: [files[index] for index in indices] for split, indices in expected.items()}


CARD = """---
license: cc0-1.0
configs:
- config_name: small
  data_files:
  - split: train
    path: "few/*.jsonl"
  - split: test
    path: ["few/sub/t1.jsonl", "**/t2.jsonl"]
- config_name: large
  default: true
  data_files: "many/**"
- config_name: by_name
  data_dir: named
---
# A dataset
---
not: yaml: at: all
"""
CARD_FILES = ["few/a.jsonl", "few/b.jsonl", "few/sub/t1.jsonl", "x/y/t2.jsonl", "many/c.jsonl", "many/d/e.jsonl",
              "named/train.jsonl", "named/valid.jsonl"]


def test_the_card_of_a_repository_says_which_files_are_which(tmp_path: Path) -> None:
    folder(tmp_path, {"README.md": CARD} | dict.fromkeys(CARD_FILES, b""))
    assert names(tmp_path) == {"train": ["many/c.jsonl", "many/d/e.jsonl"]}
    assert names(tmp_path, "small") == {
        "train": ["few/a.jsonl", "few/b.jsonl"], "test": ["few/sub/t1.jsonl", "x/y/t2.jsonl"]}
    assert names(tmp_path, "by_name") == {"train": ["named/train.jsonl"], "validation": ["named/valid.jsonl"]}
    with pytest.raises(InputError, match='no subset "huge"') as caught:
        names(tmp_path, "huge")
    assert "small, large, by_name" in caught.value.expected


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("---\nconfigs: [\n---\n", "not YAML"),
        ("---\nconfigs:\n- config_name: a\n  data_files: none/*\n---\n", "no file matches"),
        ("---\nconfigs:\n- {config_name: a, data_files: a.csv}\n- {config_name: b, data_files: x}\n---\n", "2 subs"),
        ("---\nx: !!python/object/apply:os.system ['true']\nconfigs: []\n---\n", "not YAML"),
    ],
)
def test_a_card_that_is_wrong_is_said(card: str, message: str, tmp_path: Path) -> None:
    folder(tmp_path, {"README.md": card, "a.csv": "text\nx\n"})
    with pytest.raises(InputError, match=message):
        names(tmp_path)


@pytest.mark.parametrize("card", ["", "# No front", "---\n- a\n- b\n---\n", "---\nconfigs: 7\n---\n", "---\nno"])
def test_a_card_that_says_nothing_leaves_names_to_tell(card: str, tmp_path: Path) -> None:
    folder(tmp_path, {"README.md": card, "test.csv": "text\nx\n"})
    assert names(tmp_path) == {"test": ["test.csv"]}


def test_the_cache_of_the_hub_is_read_at_its_main_revision(tmp_path: Path) -> None:
    cache = folder(tmp_path, {
        "refs/main": "bbb", "blobs/1": lines(ROWS), "snapshots/aaa/train.jsonl": lines([{"text": "old"}])})
    (cache / "snapshots/bbb/data").mkdir(parents=True)
    (cache / "snapshots/bbb/data/train-00000-of-00001.jsonl").symlink_to("../../../blobs/1")
    assert texts(tmp_path) == TEXTS
    (cache / "refs/main").unlink()
    with pytest.raises(InputError, match="2 revisions"):
        texts(tmp_path)


def test_what_save_to_disk_wrote_is_read(tmp_path: Path) -> None:
    def saved(rows: list[dict], split: str) -> dict[str, bytes | str]:
        state = {"_data_files": [{"filename": "data-00000-of-00002.arrow"}, {"filename": "data-00001-of-00002.arrow"}],
                 "_split": split}
        return {"state.json": json.dumps(state), "dataset_info.json": "{}",
                "data-00000-of-00002.arrow": arrow(rows[:3]), "data-00001-of-00002.arrow": arrow(rows[3:])}

    folder(tmp_path, {"dataset_dict.json": '{"splits": ["train", "test"]}'})
    folder(tmp_path / "train", saved(ROWS, "train"))
    folder(tmp_path / "test", saved(ROWS[::-1], "test"))
    assert texts(tmp_path) == TEXTS
    assert texts(tmp_path, split=["test", "train"]) == TEXTS[::-1] + TEXTS
    rows, _ = read("read.huggingface", tmp_path, folder="test", split="test")
    assert len(rows) == 7
    (tmp_path / "train/data-00001-of-00002.arrow").unlink()
    with pytest.raises(InputError, match="which is not there"):
        texts(tmp_path)


def test_a_loading_script_is_never_run(tmp_path: Path) -> None:
    folder(tmp_path, {"squad.py": "raise SystemExit('ran')"})
    with pytest.raises(InputError, match="never run"):
        texts(tmp_path)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    folder(tmp_path, {"train.csv": "text\nx\n"})
    with pytest.raises(InputError, match='no split "validation"') as caught:
        texts(tmp_path, split="validation")
    assert caught.value.write == 'split = "train"'
    with pytest.raises(InputError, match="no such folder"):
        read("read.huggingface", tmp_path, folder="none")


def test_formats_are_told_by_endings() -> None:
    expected = {"a.parquet": "parquet", "A.JSONL.GZ": "jsonl", "a.json.zst": "json", "a.parquet.gz": "", "a.md": "",
                "a.gz": "", "a": ""}
    assert {name: format_of(name) for name in expected} == expected


PARTS = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4)


@settings(max_examples=300)
@given(pattern=st.lists(st.sampled_from(["a", "b", "*", "**", "a*"]), min_size=1, max_size=4), name=PARTS)
def test_patterns_match_as_a_naive_search_says(pattern: list[str], name: list[str]) -> None:
    def naive(pattern: list[str], name: list[str]) -> bool:
        if not pattern:
            return not name
        if pattern == ["**"]:
            return bool(name)
        if pattern[0] == "**":
            return any(naive(pattern[1:], name[skip:]) for skip in range(len(name) + 1))
        fits = bool(name) and (pattern[0] == "*" or pattern[0] == name[0] or (pattern[0] == "a*" and name[0][0] == "a"))
        return fits and naive(pattern[1:], name[1:])

    assert _match(pattern, name) == naive(pattern, name)


