"""`init` looks at a folder and writes a recipe that loads, reads what is there, and explains each of its lines."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataengine import recipe
from dataengine.errors import InputError
from dataengine.init import write_recipe


def loaded(folder: Path, out: Path) -> recipe.Recipe:
    write_recipe(folder, out)
    return recipe.load(out)


def origins(made: recipe.Recipe, lane: str) -> list[str]:
    head = made.lanes[lane][0]
    return [piece.origin for piece in head.stage.pieces(head.config, made.base)]


def stages(made: recipe.Recipe, lane: str) -> list[str]:
    return [block.stage.name for block in made.lanes[lane]]


PROSE = ["filter.language", "filter.gopher", "filter.repetition"]


def write(path: Path, *records: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_every_format_gets_a_lane_of_its_own_and_all_meet_in_the_corpus(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    mine = tmp_path / "mine"
    write(mine / "a.jsonl", {"text": "words"})
    (mine / "notes.txt").write_text("words")
    (mine / "page.html").write_text("<p>words</p>")
    (mine / "run.py").write_text("x = 1")
    (mine / "crawl.warc").write_bytes(b"WARC/1.0\r\n")
    (mine / "crawl.warc.wet").write_bytes(b"WARC/1.0\r\n")
    table = pa.table({"n": [1], "article": ["a long text"], "link": ["https://example.org/"]})
    pq.write_table(table, mine / "t.parquet")
    made = loaded(mine, tmp_path / "recipe.toml")
    assert {lane: stages(made, lane) for lane in made.lanes} == {
        "records": ["read.jsonl", *PROSE], "tables": ["read.parquet", *PROSE], "texts": ["read.text", *PROSE],
        "pages": ["read.html", "extract.html", *PROSE], "code": ["read.code"],
        "crawl": ["read.warc", "extract.html", *PROSE], "wet": ["read.wet", *PROSE],
        "corpus": ["dedup.exact", "dedup.minhash"],
    }
    lanes = ("records", "tables", "texts", "pages", "code", "crawl", "wet")
    assert made.lanes["corpus"][0].sources == lanes
    assert made.tokenizer.learn_from == made.mixes["all"].sources == ("corpus",)
    table = made.lanes["tables"][0].config
    assert (table.text, table.url) == ("article", "link")
    assert {lane: origins(made, lane) for lane in lanes} == {
        "records": ["mine/a.jsonl"], "tables": ["mine/t.parquet"], "texts": ["mine/notes.txt"],
        "pages": ["mine/page.html"], "code": ["mine/run.py"], "crawl": ["mine/crawl.warc"],
        "wet": ["mine/crawl.warc.wet"],
    }


def test_every_line_of_the_recipe_is_explained(tmp_path):
    write(tmp_path / "mine/a.jsonl", {"text": "words", "url": "https://example.org"})
    write_recipe(tmp_path / "mine", tmp_path / "recipe.toml")
    lines = (tmp_path / "recipe.toml").read_text().splitlines()
    assert lines and all("  # " in line for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize(("records", "text", "url"), [
    ([{"text": "a", "url": "https://x.org"}], "text", "url"),
    ([{"id": "0123", "body": "some words"}, {"id": "0124", "body": "more words"}], "body", None),
    ([{"title": "short", "payload": "a much longer string than the title"}], "payload", None),
    ([{"content": "", "raw": "x" * 500}], "raw", None),
    ([{"meta": {"link": "http://x.org/a b"}, "doc": {"content": "the words of it"}}], "doc.content", None),
    ([{"meta": {"url": "http://x.org/a"}, "text": "words"}], "text", "meta.url"),
    ([{"a.text": "a name with a dot cannot be addressed", "b": "words"}], "b", None),
    ([{"url": "no address at all", "text": "words"}], "text", None),
    ([{"n": 1}], "text", None),
    ([{"\ud800": "a name that is no Unicode", "b": "x"}], "b", None),
])
def test_the_fields_of_text_and_address_are_found_in_the_records(tmp_path, records, text, url):
    write(tmp_path / "mine/a.jsonl", *records)
    config = loaded(tmp_path / "mine", tmp_path / "recipe.toml").lanes["records"][0].config
    assert (config.text, config.url) == (text, url or "url")


def test_packed_damaged_and_hostile_records_are_looked_at_without_harm(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    whole = gzip.compress(b'{"story": "once upon a time"}\n' * 200_000)
    (mine / "a.jsonl.gz").write_bytes(whole[:-20])
    (mine / "b.jsonl").write_bytes(b"[" * 100_000)
    (mine / "c.jsonl").write_bytes(b"\xff\xfe\x00{")
    (mine / "d.parquet").write_bytes(b"PAR1 no parquet PAR1")
    os.mkfifo(mine / "e.jsonl")
    made = loaded(mine, tmp_path / "recipe.toml")
    assert made.lanes["records"][0].config.text == "story"
    assert made.lanes["tables"][0].config.text == "text"


def test_json_that_is_no_json_lines_is_left_out(tmp_path):
    mine = tmp_path / "mine [1]*"
    write(mine / "good.json", {"text": "a"}, {"text": "b"})
    write(mine / "good.jsonl", {"text": "c"})
    (mine / "list.json").write_text('[{"text": "a"}]')
    (mine / "package.json").write_text('{\n  "name": "x"\n}\n')
    made = loaded(mine, tmp_path / "recipe.toml")
    assert origins(made, "records") == ["mine [1]*/good.json", "mine [1]*/good.jsonl"]
    for number in range(30):
        write(mine / f"part [{number}]/x.jsonl", {"text": "c"})
    made = loaded(mine, tmp_path / "second.toml")
    assert made.lanes["records"][0].config.paths == ("mine [[]1][*]/**/*.json", "mine [[]1][*]/**/*.jsonl")
    assert len(origins(made, "records")) == 34  # by patterns, .json that is none comes along and is quarantined


def test_source_in_archives_is_code(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    with tarfile.open(mine / "a.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x.py"), io.BytesIO(b""))
    assert stages(loaded(mine, tmp_path / "recipe.toml"), "code") == ["read.code"]


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=30))
@example("a\n[x]\ry = 1 #")
@example('"""')
@example("'")
@example("${x} $${y}")
@example("\\u0041\\")
@example("~root")
@example("*?[a-z]")
@example("\u202e\x1b[31m\x7f\x85")
@example("https:")
@example("-")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_folder_is_called_the_recipe_loads_and_reads_it(tmp_path, name):
    if name in (".", ".."):
        return
    folder = tmp_path / "roof" / name
    write(folder / "inner/a.jsonl", {"text": "a"})
    (folder / "inner/b.json").write_text("[]")
    (folder / "inner/c.txt").write_text("c")
    out = tmp_path / "roof/recipe.toml"
    out.unlink(missing_ok=True)
    made = loaded(folder, out)
    assert [os.path.basename(origin) for origin in origins(made, "records")] == ["a.jsonl"]
    assert [os.path.basename(origin) for origin in origins(made, "texts")] == ["c.txt"]
    text = out.read_text()
    assert all(char.isprintable() or char == "\n" for char in text)
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    folder.rmdir()


def test_what_cannot_be_done_is_said(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "picture.png").write_bytes(b"\x89PNG")
    full = write(tmp_path / "full/a.jsonl", {"text": "a"}).parent
    taken = tmp_path / "taken.toml"
    taken.write_text("mine")
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    strange.mkdir()
    for folder, out, found in (
        (tmp_path / "nowhere", tmp_path / "r.toml", "no such folder"), (taken, tmp_path / "r.toml", "not a folder"),
        (empty, tmp_path / "r.toml", "no file of a format"), (full, taken, "a file of this name already"),
        (full, tmp_path / "no/r.toml", "no such folder"), (strange, tmp_path / "r.toml", "not UTF-8"),
    ):
        with pytest.raises(InputError) as caught:
            write_recipe(folder, out)
        assert found in str(caught.value)
        str(caught.value).encode()
    assert taken.read_text() == "mine"
    assert not (tmp_path / "r.toml").exists()


def test_the_summary_says_what_was_found_and_what_to_do_next(tmp_path):
    write(tmp_path / "mine/a.jsonl", {"text": "a" * 989})
    said = write_recipe(tmp_path / "mine", tmp_path / "r.toml")
    assert "1 file, 1.0 kB" in said and f"dataengine plan {tmp_path / 'r.toml'}" in said


def test_files_that_no_reader_reads_are_counted_by_their_endings(tmp_path):
    write(tmp_path / "mine/a.jsonl", {"text": "a" * 989})
    for name in ("b.JPG", "c.jpg", "d.mp4", "Makefile2", ".hidden"):
        (tmp_path / "mine" / name).write_bytes(b"x")
    said = write_recipe(tmp_path / "mine", tmp_path / "r.toml")
    assert "\n  not read: 4 files of other kinds: .jpg 2, " in said and ".mp4 1" in said and "hidden" not in said
    assert "# not read: 4 files of other kinds: .jpg 2" in (tmp_path / "r.toml").read_text()


@pytest.mark.parametrize(("documents", "share"), [(1, "0.1"), (3000, "0.05")])
def test_of_a_small_corpus_more_is_held_out(tmp_path, documents, share):
    write(tmp_path / "mine/a.jsonl", *[{"text": "a" * 989}] * documents)
    write_recipe(tmp_path / "mine", tmp_path / "r.toml")
    assert f"\nheldout = {share}" in (tmp_path / "r.toml").read_text()


def test_of_xml_files_the_dumps_of_a_wiki_get_a_lane(tmp_path):
    import bz2

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "dewiki-pages-articles.xml.bz2").write_bytes(bz2.compress(b'<mediawiki version="0.11">\n</mediawiki>'))
    (mine / "feed.xml").write_text("<rss></rss>")
    said = write_recipe(mine, tmp_path / "recipe.toml")
    made = recipe.load(tmp_path / "recipe.toml")
    assert stages(made, "wiki") == ["read.wikipedia", *PROSE]
    assert origins(made, "wiki") == ["mine/dewiki-pages-articles.xml.bz2"]
    assert "1 file of other kinds: .xml 1" in said


def test_a_dataset_of_the_hub_is_read_as_what_it_is(tmp_path):
    rows = [{"id": number, "article": "a long text", "url": "https://example.org/"} for number in range(3)]
    write(tmp_path / "mine/few/one.jsonl", *rows)
    write(tmp_path / "mine/few/two.jsonl", *rows)
    (tmp_path / "mine/README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - {split: test, path: few/one.jsonl}\n"
        "  - {split: train, path: few/two.jsonl}\n---\n")
    made = loaded(tmp_path / "mine", tmp_path / "recipe.toml")
    assert list(made.lanes) == ["dataset", "corpus"]
    config = made.lanes["dataset"][0].config
    assert (config.folder, config.split, config.text, config.url) == ("mine", "train", "article", "url")
    assert origins(made, "dataset") == ["mine/few/two.jsonl"]


def test_conversations_of_a_dataset_are_kept_as_such(tmp_path):
    import pyarrow as pa

    talk = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]
    table = pa.table({"picture": [b"x" * 100], "conversations": [talk]})
    mine = tmp_path / "mine"
    mine.mkdir()
    with pa.ipc.new_stream(mine / "data-00000-of-00001.arrow", table.schema) as writer:
        writer.write_table(table)
    (mine / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": null}')
    made = loaded(mine, tmp_path / "recipe.toml")
    assert stages(made, "dataset") == ["read.huggingface"]
    assert made.lanes["dataset"][0].config.messages == "conversations"
