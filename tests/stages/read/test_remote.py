"""Readers give the same rows over http as from disk, whatever the connection does."""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine import remote, stage
from dataengine.errors import InputError, Unreachable
from tests.remote.server import Server, serving
from tests.stages.read.archives import crawl, packed
from tests.stages.read.reading import read, reasons


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state, remote.using(state.policy(retries=8)):
        yield state


def lines(count: int = 400) -> bytes:
    rng = random.Random(3)
    rows = [{"text": f"document {number} {rng.randbytes(rng.randint(1, 300)).hex()}"} for number in range(count)]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet(rows: int = 3000, group: int = 200) -> bytes:
    rng = random.Random(5)
    texts = [rng.randbytes(150).hex() for _ in range(rows)]
    table = pa.table({"text": texts, "other": [rng.randbytes(300).hex()] * rows})
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=group, compression="none", use_dictionary=False)
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packing:
        for number in range(30):
            packing.writestr(f"pkg/m{number}.py", f"x = {number}\n" * 200)
    return file.getvalue()


SOURCES = {
    "plain lines": ("read.jsonl", "docs.jsonl", lines(), {"split_bytes": 10_000}),
    "packed lines": ("read.jsonl", "docs.jsonl.gz", gzip.compress(lines(), mtime=0), {}),
    "parquet": ("read.parquet", "docs.parquet", parquet(), {"split_bytes": 200_000}),
    "warc": ("read.warc", "crawl.warc.gz", b"".join(packed(crawl(30))), {}),
    "plain warc": ("read.warc", "crawl.warc", b"".join(crawl(60)), {"split_bytes": 20_000}),
    "zip": ("read.code", "code.zip", archive(), {}),
    "html": ("read.html", "page.html", b"<p>page", {}),
    "text": ("read.text", "page.txt", b"some text", {}),
}


@pytest.mark.parametrize("cuts", [0, 20])
@pytest.mark.parametrize("name", SOURCES)
def test_every_reader_gives_over_http_what_it_gives_from_disk(
    name: str, cuts: int, server: Server, tmp_path: Path
) -> None:
    reader, file, data, config = SOURCES[name]
    (tmp_path / file).write_bytes(data)
    expected, refused = read(reader, tmp_path, paths=file, **config)
    assert expected and not refused
    url, server.cut, server.cuts = server.put(f"/{file}", data), len(data) // 8 * bool(cuts), cuts
    found, refused = read(reader, tmp_path, paths=url, **config)
    for row in found:
        for column in ("origin", "path"):
            if column in row:
                row[column] = row[column].replace(url, file)
    assert found == expected and not refused


def test_of_parquet_only_the_footer_and_the_columns_asked_for_are_fetched(server: Server, tmp_path: Path) -> None:
    data = parquet(6_000, 500)
    rows, _ = read("read.parquet", tmp_path, paths=server.put("/a.parquet", data))
    assert len(rows) == 6_000
    text = sum(len(row["text"]) for row in rows)
    assert text < server.served["/a.parquet"] < text * 1.4 < len(data) / 2


@pytest.mark.parametrize("name", ["parquet", "zip", "warc", "packed lines"])
def test_trouble_of_the_network_is_never_taken_for_damage(name: str, server: Server, tmp_path: Path) -> None:
    reader, file, data, config = SOURCES[name]
    found = stage.load(reader)
    settings = found.config(paths=server.put(f"/{file}", data), **config)
    pieces = list(found.pieces(settings, tmp_path))
    server.errors[f"/{file}"] = [503] * 99
    with pytest.raises(Unreachable):
        list(found(pieces[-1], settings))
    del server.errors[f"/{file}"]
    server.put(f"/{file}", data[:-1] + b"x")
    with pytest.raises(InputError, match="changed since"):
        list(found(pieces[-1], settings))
    del server.objects[f"/{file}"]
    (gone,) = list(found(pieces[-1], settings))
    assert gone.reason == "unreachable" and "404" in gone.detail


def test_a_server_without_ranges_is_read_in_one_piece(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    url = server.put("/a.jsonl", lines())
    config = {"paths": url, "split_bytes": 10_000}
    found = stage.load("read.jsonl")
    assert len(list(found.pieces(found.config(**config), tmp_path))) == 1
    rows, refused = read("read.jsonl", tmp_path, **config)
    assert len(rows) == 400 and not refused
    with pytest.raises(InputError, match="byte ranges"):
        read("read.parquet", tmp_path, paths=server.put("/a.parquet", parquet(10)))


def test_a_query_behind_a_name_hides_nothing_of_it(server: Server, tmp_path: Path) -> None:
    url = server.put("/a.jsonl.gz?download=true", gzip.compress(lines(50)))
    found = stage.load("read.jsonl")
    assert len(list(found.pieces(found.config(paths=url, split_bytes=100), tmp_path))) == 1
    rows, refused = read("read.code", tmp_path, paths=server.put("/code.zip?v=2", archive()))
    assert len(rows) == 30 and not refused
    rows, refused = read("read.text", tmp_path, paths=server.put("/a.txt.gz?v=2", gzip.compress(b"text")))
    assert [row["text"] for row in rows] == ["text"] and not refused


def test_an_object_that_is_closed_to_us_is_told_how_to_open(server: Server, tmp_path: Path) -> None:
    url = server.put("/a.jsonl", lines(1))
    server.errors["/a.jsonl"] = [401]
    with pytest.raises(InputError, match="401") as caught:
        read("read.jsonl", tmp_path, paths=url)
    assert f'tokens = {{ "{server.host}"' in caught.value.write


def test_an_address_that_is_not_there_is_found_by_the_plan(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="404"):
        read("read.jsonl", tmp_path, paths=server.url("/none.jsonl"))
    with pytest.raises(InputError, match="no listing"):
        read("read.jsonl", tmp_path, paths=server.url("/*.jsonl"))


# --- lists ------------------------------------------------------------------------------------------------------------


def listed(server: Server, count: int = 6, name: str = "/crawl-data/warc.paths.gz") -> str:
    """A list of `count` archives, each of three pages, as Common Crawl has them."""
    paths = [f"crawl-data/segments/{number}/warc/a-{number:05}.warc.gz" for number in range(count)]
    for number, path in enumerate(paths):
        records = crawl(3 + number)[1 + 2 * number :]
        server.put("/" + path, b"".join(packed(records)))
    return server.put(name, gzip.compress("".join(path + "\n" for path in paths).encode()))


def origins(rows: list[dict]) -> set[str]:
    return {row["origin"].rpartition(":")[0].rpartition("/")[2] for row in rows}


def test_a_list_names_archives_below_its_own_host(server: Server, tmp_path: Path) -> None:
    rows, refused = read("read.warc", tmp_path, paths=listed(server))
    assert len(rows) == 18 and not refused
    assert rows[0]["origin"].startswith(server.url("/crawl-data/segments/0/warc/a-00000.warc.gz:"))


def test_the_plan_asks_about_one_object_of_a_list_and_weighs_all_by_it(server: Server, tmp_path: Path) -> None:
    url = listed(server, 50)
    found = stage.load("read.warc")
    made = list(found.pieces(found.config(paths=url), tmp_path))
    assert len(made) == 50 and len(server.asked) <= 4
    first = len(server.objects["/crawl-data/segments/0/warc/a-00000.warc.gz"])
    assert {(piece.weight, piece.stamp) for piece in made} == {(first, "")}


def test_a_list_on_disk_needs_a_prefix_or_names_files_on_disk(server: Server, tmp_path: Path) -> None:
    listed(server)
    (tmp_path / "some.paths").write_text(
        "# two of them\n\ncrawl-data/segments/0/warc/a-00000.warc.gz\r\n/crawl-data/segments/4/warc/a-00004.warc.gz\n")
    rows, _ = read("read.warc", tmp_path, paths="some.paths", prefix=server.url("/"))
    assert origins(rows) == {"a-00000.warc.gz", "a-00004.warc.gz"}
    (tmp_path / "b.jsonl").write_bytes(lines(5))
    (tmp_path / "local.paths").write_text("b.jsonl\n")
    rows, _ = read("read.jsonl", tmp_path, paths="local.paths")
    assert [row["origin"].split(":")[0] for row in rows] == ["b.jsonl"] * 5


def test_lines_may_be_whole_addresses_and_come_once(server: Server, tmp_path: Path) -> None:
    url = server.put("/b.jsonl", lines(5))
    (tmp_path / "two.paths").write_text(f"{url}\n{url}\n")
    rows, _ = read("read.jsonl", tmp_path, paths=["two.paths", url])
    assert len(rows) == 5


def test_limit_takes_the_first_and_share_always_the_same(server: Server, tmp_path: Path) -> None:
    url = listed(server, 40)
    found = stage.load("read.warc")

    def names(**config) -> list[str]:
        return [piece.origin for piece in found.pieces(found.config(paths=url, **config), tmp_path)]

    everything = names()
    assert names(limit=3) == everything[:3]
    half, more = names(share=0.5), names(share=0.8)
    assert 10 <= len(half) <= 30 and set(half) < set(more) < set(everything)
    assert names(share=0.5) == half and names(share=0.5, limit=2) == half[:2]


def test_a_listed_object_that_is_gone_is_refused_and_the_others_go_on(server: Server, tmp_path: Path) -> None:
    url = listed(server)
    del server.objects["/crawl-data/segments/2/warc/a-00002.warc.gz"]
    server.errors["/crawl-data/segments/3/warc/a-00003.warc.gz"] = [403]
    rows, refused = read("read.warc", tmp_path, paths=url)
    assert len(rows) == 12 and reasons(refused) == ["unreachable", "unreachable"]
    assert "404" in refused[0].detail and "403" in refused[1].detail


def test_a_listed_object_whose_server_is_in_trouble_stops_the_task(server: Server, tmp_path: Path) -> None:
    url = listed(server)
    server.errors["/crawl-data/segments/3/warc/a-00003.warc.gz"] = [503] * 50
    with pytest.raises(Unreachable):
        read("read.warc", tmp_path, paths=url)


def test_a_prefix_that_leads_nowhere_is_found_by_the_plan(server: Server, tmp_path: Path) -> None:
    url = listed(server)
    with pytest.raises(InputError, match="none of the objects") as caught:
        read("read.warc", tmp_path, paths=url, prefix=server.url("/wrong"))
    assert caught.value.where == server.url("/wrong/crawl-data/segments/0/warc/a-00000.warc.gz")


@pytest.mark.parametrize(
    "line", ["../../etc/passwd", "a/../../b", "a\tb", "a\x00b", "x" * 5000, "https://other.example/a", "file:///etc/passwd"]
)
def test_a_list_leads_nowhere_but_below_its_prefix_and_to_hosts_that_are_named(
    line: str, server: Server, tmp_path: Path
) -> None:
    url = server.put("/bad.paths", f"a.warc.gz\n{line}\n".encode())
    with pytest.raises(InputError):
        read("read.warc", tmp_path, paths=url)
    assert len(server.asked) <= 3


def test_a_line_cannot_change_the_host_of_its_prefix(server: Server, tmp_path: Path) -> None:
    url = server.put("/bad.paths", b"@other.example/a.warc.gz\n")
    with pytest.raises(InputError, match="none of the objects"):
        read("read.warc", tmp_path, paths=url, prefix=server.url("").rstrip("/"))


@pytest.mark.parametrize("blob", [b"", b"\n# nothing\n", gzip.compress(b"a\n" * 100, mtime=0)[:-12], b"\xff\xfe\xff"])
def test_a_list_that_is_empty_or_damaged_is_an_error(blob: bytes, server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="list"):
        read("read.warc", tmp_path, paths=server.put("/bad.paths.gz", blob))


# --- indexes ----------------------------------------------------------------------------------------------------------


def index_of(members: list[bytes], name: str, form: str) -> list[str]:
    """A line for each member of an archive, as an index of it has them."""
    written, offset = [], 0
    for member in members:
        place = {"filename": name, "offset": str(offset), "length": str(len(member))}
        athena = {"warc_filename": name, "warc_record_offset": offset, "warc_record_length": len(member)}
        written.append({
            "cdxj": f"example,a)/ 20240101000000 {json.dumps(place)}",
            "json": json.dumps(athena),
            "cdx": f"example,a)/ 20240101000000 http://a/ text/html 200 X - - {len(member)} {offset} {name}",
        }[form])
        offset += len(member)
    return written


HEADS = {"cdxj": "", "json": "", "cdx": " CDX N b a m s k r M S V g\n"}


@pytest.mark.parametrize("form", HEADS)
def test_an_index_of_a_whole_archive_cuts_it_and_gives_the_same_rows(form: str, server: Server, tmp_path: Path) -> None:
    members = packed(crawl(40))
    whole = b"".join(members)
    expected, _ = read("read.warc", tmp_path, paths=server.put("/crawl/a.warc.gz", whole))
    index = index_of(members, "crawl/a.warc.gz", form)
    random.Random(1).shuffle(index)
    blob = gzip.compress((HEADS[form] + "\n".join(index)).encode())
    config = {"paths": server.put(f"/a.{form.replace('json', 'cdxj')}.gz", blob), "split_bytes": 8000}
    found = stage.load("read.warc")
    made = list(found.pieces(found.config(**config), tmp_path))
    assert len(made) > 4 and sum(piece.weight for piece in made) == len(whole)
    server.served.clear()
    rows, refused = read("read.warc", tmp_path, **config)
    assert rows == expected and not refused
    assert len(whole) <= server.served["/crawl/a.warc.gz"] <= len(whole) + 1


def test_only_the_records_that_an_index_names_are_fetched(server: Server, tmp_path: Path) -> None:
    members = packed(crawl(40))
    for name in ("a", "b"):
        server.put(f"/crawl/{name}.warc.gz", b"".join(members))
    chosen = [2, 8, 10, 80]  # responses, from both ends
    lines_of_index = [line for name in "ba" for line in index_of(members, f"crawl/{name}.warc.gz", "cdxj")]
    (tmp_path / "few.cdxj").write_text("\n".join(lines_of_index[one + more] for more in (0, 81) for one in chosen))
    rows, refused = read("read.warc", tmp_path, paths="few.cdxj", prefix=server.url("/"))
    assert not refused and [row["url"].rpartition("/")[2] for row in rows] == ["0", "3", "4", "39"] * 2
    assert [row["origin"].rpartition("/")[2][0] for row in rows] == ["a"] * 4 + ["b"] * 4
    assert sum(server.served.values()) == 2 * sum(len(members[number]) for number in chosen) + 1  # the plan looked
    assert server.connections == 1
    limited, _ = read("read.warc", tmp_path, paths="few.cdxj", prefix=server.url("/"), limit=1)
    assert limited == rows[:4]


def test_an_index_of_archives_on_disk_needs_no_network(tmp_path: Path) -> None:
    members = packed(crawl(10))
    (tmp_path / "a.warc.gz").write_bytes(b"".join(members))
    (tmp_path / "a.cdxj").write_text("\n".join(index_of(members, "a.warc.gz", "json")[:9]))
    rows, refused = read("read.warc", tmp_path, paths="a.cdxj")
    assert len(rows) == 4 and not refused


def test_an_index_below_a_wrong_prefix_is_found_by_the_plan(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.cdxj").write_text('{"filename": "a.warc.gz", "offset": 0, "length": 5}')
    with pytest.raises(InputError, match="none of the objects"):
        read("read.warc", tmp_path, paths="a.cdxj", prefix=server.url("/wrong/"))
    (tmp_path / "folder").mkdir()
    for name in "ab":
        (tmp_path / f"folder/{name}.warc.gz").write_bytes(b"")
    (tmp_path / "b.cdxj").write_text('{"filename": "folder", "offset": 0, "length": 5}')
    with pytest.raises(InputError, match="is 2 files"):
        read("read.warc", tmp_path, paths="b.cdxj")


def test_a_place_where_no_record_begins_is_refused(server: Server, tmp_path: Path) -> None:
    members = packed(crawl(10))
    server.put("/a.warc.gz", b"".join(members))
    places = [json.loads(line) for line in index_of(members, "a.warc.gz", "json")]
    places[4]["warc_record_offset"] += 7
    (tmp_path / "a.cdxj").write_text("\n".join(json.dumps(places[number]) for number in (2, 4)))
    rows, refused = read("read.warc", tmp_path, paths="a.cdxj", prefix=server.url("/"))
    assert len(rows) == 1 and refused


WRONG = ["{}", "nothing", "a b {", '{"filename": "a", "offset": -1, "length": 5}', '{"filename": "a", "offset": 0}',
         '{"filename": "../a", "offset": 0, "length": 5}', " CDX N b\na b"]


@pytest.mark.parametrize("line", WRONG)
def test_an_index_that_says_no_place_is_an_error_at_its_line(line: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.cdxj").write_text(line + "\n")
    with pytest.raises(InputError, match=r"a\.cdxj:[12]: this line"):
        read("read.warc", tmp_path, paths="a.cdxj", prefix=server.url("/"))
