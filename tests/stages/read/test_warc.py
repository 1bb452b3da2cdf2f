from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tempfile
import zlib
from pathlib import Path

import fastwarc
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.stages.read._http import body, dechunk, parse_response
from dataengine.stages.read._warc import digest_is
from tests.stages.read.archives import crawl, digest, packed, page, record, response, url
from tests.stages.read.reading import read, reasons


def brotli(data: bytes) -> bytes:
    return pa.compress(data, codec="brotli", asbytes=True)


def lz4(data: bytes) -> bytes:
    return pa.compress(data, codec="lz4", asbytes=True)


ALL = [url(number) for number in range(12)]


def urls(rows: list[dict]) -> list[str]:
    return [row["url"] for row in rows]


def reading(folder: Path, blob: bytes, name: str = "a.warc.gz", **config):
    (folder / name).write_bytes(blob)
    return read("read.warc", folder, paths=name, **config)


def test_pages_are_rows_and_everything_else_is_passed_over(tmp_path: Path) -> None:
    first = record("warcinfo", b"x: y\r\n")
    blob = first + b"".join(
        [
            record("response", response(b"<p>a"), "http://a", WARC_Target_URI="<http://a>"),
            record("response", response(b"gone", status=404), "http://gone"),
            record("response", response(b"moved", "Location: /x", status=301), "http://moved"),
            record("response", response(b"\x89PNG", mime="image/png"), "http://png"),
            record("response", b"20240101\na.example. 300 IN A 1.2.3.4\n", "dns:a.example", Content_Type="text/dns"),
            record("request", b"GET / HTTP/1.1\r\n\r\n", "http://a"),
            record("revisit", response(b""), "http://a"),
            record("metadata", b"fetchTimeMs: 7\r\n", "http://a"),
            record("resource", b"<html>r", "http://r", Content_Type="text/html"),
            record("resource", b"text", "http://t", Content_Type="text/plain"),
            record("response", response(b"<html>b", mime="application/xhtml+xml; charset='ISO-8859-1'"), "http://b"),
        ]
    )
    rows, refused = reading(tmp_path, blob, "a.warc")
    assert refused == []
    assert rows == [
        {"origin": f"a.warc:{len(first)}", "url": "http://a", "html": b"<p>a", "http_charset": "utf-8"},
        {"origin": rows[1]["origin"], "url": "http://r", "html": b"<html>r", "http_charset": None},
        {"origin": rows[2]["origin"], "url": "http://b", "html": b"<html>b", "http_charset": "iso-8859-1"},
    ]
    assert blob[int(rows[1]["origin"].split(":")[1]) :].startswith(b"WARC/1.1\r\nWARC-Type: resource")


def test_without_a_content_type_the_crawler_or_the_bytes_decide(tmp_path: Path) -> None:
    blob = b"".join(
        [
            record("response", response(b"\n<!DOCTYPE HTML>", mime=""), "http://doctype"),
            record("response", response(b"{}", mime=""), "http://json"),
            record("response", response(b"<p>", mime=""), "http://said", WARC_Identified_Payload_Type="text/html"),
            record(
                "response", response(b"<html>", mime=""), "http://pdf", WARC_Identified_Payload_Type="application/pdf"
            ),
        ]
    )
    assert urls(reading(tmp_path, blob, "a.warc")[0]) == ["http://doctype", "http://said"]


def one_member(records: list[bytes]) -> bytes:
    return gzip.compress(b"".join(records))


def bgzip(records: list[bytes]) -> bytes:
    blob = b"".join(records)
    return b"".join(gzip.compress(blob[start : start + 1000]) for start in range(0, len(blob), 1000))


def zstd_by_record(records: list[bytes]) -> bytes:
    return b"".join(map(zstandard.compress, records))


def zstd_with_dictionary(records: list[bytes]) -> bytes:
    samples = [page(number)[:200] + b"HTTP/1.1 200 OK" for number in range(200)]
    dictionary = zstandard.train_dictionary(2048, samples)
    frame = zstandard.compress(dictionary.as_bytes())
    packer = zstandard.ZstdCompressor(dict_data=dictionary)
    return b"\x5d\x2a\x4d\x18" + len(frame).to_bytes(4, "little") + frame + b"".join(map(packer.compress, records))


def lz4_by_record(records: list[bytes]) -> bytes:
    return b"".join(map(lz4, records))


@pytest.mark.parametrize(
    "pack",
    [
        b"".join,
        lambda records: b"".join(packed(records)),
        one_member,
        bgzip,
        zstd_by_record,
        zstd_with_dictionary,
        lz4_by_record,
        lambda records: bz2.compress(b"".join(records)),
        lambda records: lzma.compress(b"".join(records)),
    ],
)
def test_every_packing_gives_the_same_pages(tmp_path: Path, pack) -> None:
    rows, refused = reading(tmp_path, pack(crawl()), "a.warc")
    assert refused == []
    assert [(row["url"], row["html"]) for row in rows] == [(url(number), page(number)) for number in range(12)]
    assert len({row["origin"] for row in rows}) == 12


def test_origins_in_a_packed_file_are_member_offsets(tmp_path: Path) -> None:
    members = packed(crawl())
    rows, _ = reading(tmp_path, b"".join(members))
    assert rows[3]["origin"] == f"a.warc.gz:{sum(map(len, members[:8]))}"


def test_fastwarc_reads_the_same_pages(tmp_path: Path) -> None:
    blob = b"".join(
        packed(
            [
                record(
                    "response", response(page(number)), url(number), Content_Type="application/http; msgtype=response"
                )
                for number in range(40)
            ]
        )
    )
    theirs = [
        (item.headers["WARC-Target-URI"], item.reader.read())
        for item in fastwarc.ArchiveIterator(io.BytesIO(blob), record_types=fastwarc.WarcRecordType.response)
    ]
    assert [(row["url"], row["html"]) for row in reading(tmp_path, blob)[0]] == theirs


@given(st.integers(100, 9000))
@settings(max_examples=15, deadline=None)
def test_any_split_of_a_plain_file_gives_the_same_rows_in_the_same_order(split: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        blob = b"".join(crawl())
        whole = reading(Path(folder), blob, "a.warc")
        assert reading(Path(folder), blob, "a.warc", split_bytes=split) == whole


@given(st.integers(300, 9000), st.integers(0, 2000), st.binary(min_size=1, max_size=40))
@settings(max_examples=15, deadline=None)
def test_any_split_of_a_damaged_plain_file_gives_the_same_rows(split: int, place: int, garbage: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = crawl()
        damaged = b"".join(records[:7]) + garbage + records[7][place % len(records[7]) :] + b"".join(records[8:])
        whole = reading(Path(folder), damaged, "a.warc")
        parts = reading(Path(folder), damaged, "a.warc", split_bytes=split)
        assert parts[0] == whole[0]
        assert set(ALL) - set(urls(whole[0])) <= {url(2), url(3)}


def test_a_file_cut_at_any_byte_gives_the_pages_before_and_says_so(tmp_path: Path) -> None:
    members = packed(crawl(2))
    blob = b"".join(members)
    ends = [len(b"".join(members[:count])) for count in range(len(members))]
    for end in range(1, len(blob), 3):
        rows, refused = reading(tmp_path, blob[:end])
        assert reasons(refused) == ([] if end in ends else ["truncated"])
        assert (ends[3] <= end) <= len(rows) <= 2
        assert [(row["url"], row["html"]) for row in rows] == [
            (url(number), page(number)) for number in range(len(rows))
        ]


def test_a_plain_file_cut_within_a_record_says_how_much_is_missing(tmp_path: Path) -> None:
    blob = b"".join(crawl(2))
    rows, [refused] = reading(tmp_path, blob[:-100], "a.warc")
    length = len(response(page(1)))
    assert (urls(rows), refused.reason) == ([url(0)], "truncated")
    assert f"{length} bytes declared, {length - 96} read" in refused.detail and url(1) in refused.detail


def test_any_flipped_byte_costs_one_record_and_is_reported(tmp_path: Path) -> None:
    members = packed(crawl())
    rng = random.Random(7)
    for _ in range(60):
        victim = rng.randrange(1, len(members))
        broken = bytearray(members[victim])
        place = rng.choice([0, 1, 2, 3, *range(10, len(broken))])
        broken[place] ^= rng.randrange(1, 256)
        rows, refused = reading(tmp_path, b"".join([*members[:victim], bytes(broken), *members[victim + 1 :]]))
        lost = set(ALL) - set(urls(rows))
        assert refused or not lost
        assert lost <= ({url((victim - 2) // 2)} if victim % 2 == 0 else set())
        assert all(row["html"] == page(int(row["url"].rsplit("/", 1)[1])) for row in rows)


def test_garbage_between_members_is_reported_and_costs_nothing(tmp_path: Path) -> None:
    members = packed(crawl())
    rows, [refused] = reading(tmp_path, b"".join([*members[:5], b"garbage\xff\x1f\x8b\x08", *members[5:]]))
    assert (urls(rows), refused.reason) == (ALL, "corrupt")
    assert refused.origin == f"a.warc.gz:{len(b''.join(members[:5]))}"


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        ("-5", "bad_header"),
        ("abc", "bad_header"),
        ("", "bad_header"),
        ("999999999999999999999", "bad_header"),
        ("١٢", "bad_header"),
        ("10", "bad_length"),
        ("4000", "bad_length"),
        ("99999999999", "bad_length"),
    ],
)
@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_a_wrong_length_costs_one_record(tmp_path: Path, length: str, reason: str, name: str) -> None:
    records = crawl()
    records[6] = record("response", response(page(2)), url(2), Content_Length=length)
    plain = name == "a.warc"
    rows, refused = reading(tmp_path, b"".join(records if plain else packed(records)), name, max_record_bytes=5000)
    assert urls(rows) == ALL[:2] + ALL[3:]
    assert reasons(refused) == [reason if plain or length in ("10", "") or reason == "bad_header" else "truncated"]


def test_a_record_without_the_blank_lines_behind_it_is_read(tmp_path: Path) -> None:
    records = [item.removesuffix(b"\r\n\r\n") + b"\r\n" for item in crawl()]
    assert (
        urls(reading(tmp_path, b"".join(records), "a.warc")[0]),
        reading(tmp_path, b"".join(packed(records)))[1],
    ) == (ALL, [])


def test_a_plain_record_that_is_not_what_its_digest_says_is_refused(tmp_path: Path) -> None:
    blob = bytearray(b"".join(crawl()))
    blob[blob.index(b"page 4")] ^= 1
    rows, refused = reading(tmp_path, bytes(blob), "a.warc")
    assert (urls(rows), reasons(refused)) == (ALL[:4] + ALL[5:], ["bad_digest"])


def test_digests_are_known_in_the_forms_that_archives_use() -> None:
    assert digest_is(digest(b"x"), b"x") and not digest_is(digest(b"x"), b"y")
    assert digest_is("sha-1:11F6AD8EC52A2984ABAAFD7C3B516503785C2072", b"x")
    assert digest_is("md5:9dd4e461268c8034f5c8564e155c67a6", b"x") and not digest_is(
        "md5:9dd4e461268c8034f5c8564e155c67a6", b""
    )
    assert digest_is("crc32:whatever", b"x") and digest_is("sha1:0189!", b"x")


def test_a_page_over_the_limit_is_refused_and_a_film_over_it_is_passed_over(tmp_path: Path) -> None:
    records = crawl(3)
    records.insert(1, record("response", response(b"x" * 300_000), "http://big"))
    records.insert(1, record("response", response(b"x" * 300_000, mime="video/mp4"), "http://film"))
    for blob, name in (
        (b"".join(records), "a.warc"),
        (b"".join(packed(records)), "a.warc.gz"),
        (one_member(records), "b.warc.gz"),
    ):
        rows, refused = reading(tmp_path, blob, name, max_record_bytes=10_000)
        assert (urls(rows), reasons(refused)) == (ALL[:3], ["too_large"])


def chunked(data: bytes, size: int = 100) -> bytes:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli),
        ("zstd", zstandard.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
        ("identity", bytes),
        ("gzip", bytes),
        ("br", bytes),
        ("", bytes),
        ("gzip, br", lambda data: brotli(gzip.compress(data))),
    ],
)
@pytest.mark.parametrize("transfer", ["", "Transfer-Encoding: chunked"])
def test_content_encodings_are_undone_and_wrong_ones_forgiven(tmp_path: Path, coding: str, pack, transfer: str) -> None:
    data = pack(page(9))
    block = response(
        chunked(data) if transfer else data, f"Content-Encoding: {coding}", *([transfer] if transfer else [])
    )
    rows, refused = reading(tmp_path, record("response", block, "http://a"), "a.warc")
    assert (refused, rows[0]["html"]) == ([], page(9))


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli), ("zstd", zstandard.compress)],
)
def test_a_packed_body_that_is_a_bomb_is_too_large(tmp_path: Path, coding: str, pack) -> None:
    block = response(pack(bytes(30 << 20)), f"Content-Encoding: {coding}")
    rows, refused = reading(tmp_path, record("response", block, "http://a"), "a.warc", max_record_bytes="1 MiB")
    assert (rows, reasons(refused)) == ([], ["too_large"])


def test_a_packed_body_that_breaks_off_is_kept_to_the_break_and_nonsense_is_refused(tmp_path: Path) -> None:
    half = gzip.compress(page(9))[:700]
    [row], _ = reading(tmp_path, record("response", response(half, "Content-Encoding: gzip"), "http://a"), "a.warc")
    assert page(9).startswith(row["html"]) and len(row["html"]) > 100
    nonsense = record("response", response(b"\x1f\x8b\x08\0\xff\xff", "Content-Encoding: gzip"), "http://a")
    assert reasons(reading(tmp_path, nonsense, "a.warc")[1]) == ["bad_http"]
    assert reasons(reading(tmp_path, record("response", b"no status line", "http://a"), "a.warc")[1]) == ["bad_http"]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_a_chunked_body_comes_back_whole(data: bytes, size: int) -> None:
    assert dechunk(chunked(data, size)) == data
    answer = parse_response(response(chunked(data, size), "transfer-encoding: Chunked"))
    assert answer is not None
    assert body(response(chunked(data, size), "transfer-encoding: Chunked"), answer, 1000) == data


@given(st.binary(max_size=200))
def test_no_bytes_break_the_http_parser(data: bytes) -> None:
    dechunk(data)
    for block in (data, b"HTTP/1.1 200\r\n" + data):
        if answer := parse_response(block):
            body(block, answer, 1000)


@given(
    st.lists(
        st.sampled_from(
            [
                b"WARC/1.0\r\n",
                b"WARC-Type: response\r\n",
                b"Content-Length: 5\r\n",
                b"Content-Length: 99\r\n",
                b"\r\n",
                b"\n",
                b"abcde",
                b"\0\xff",
                b"http://a 1.2.3.4 20240101000000 text/html 3\n",
                b"HTTP/1.1 200 OK\r\n",
            ]
        ),
        max_size=25,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_the_archive_parser(parts: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reading(Path(folder), b"".join(parts), "a.warc")
        reading(Path(folder), b"".join(map(gzip.compress, parts)), "a.warc.gz")


@pytest.mark.parametrize("pack", [b"".join, lambda records: b"".join(packed(records))])
@pytest.mark.parametrize("extra", ["", " 200 - - 0 -"])
def test_arc_files_are_read_also_with_spaces_in_addresses(tmp_path: Path, pack, extra: str) -> None:
    def arc(address: str, mime: str, block: bytes) -> bytes:
        return f"{address} 1.2.3.4 20140216050221 {mime}{extra} {len(block)}\n".encode() + block + b"\n"

    blob = pack(
        [
            arc("filedesc://a.arc", "text/plain", b"1 0 Test\nURL IP-address ...\n"),
            arc("http://a/b c d", "text/html", response(b"<p>a")),
            arc("http://b", "text/html", response(b"<p>b")),
        ]
    )
    rows, refused = reading(tmp_path, blob, "a.arc.gz")
    assert refused == []
    assert [(row["url"], row["html"]) for row in rows] == [("http://a/b c d", b"<p>a"), ("http://b", b"<p>b")]


def test_a_file_that_is_no_archive_is_reported(tmp_path: Path) -> None:
    for blob in (b"hello\n" * 100, b"\n\n\nx", gzip.compress(b"hello"), b"WARC/1.0", b"\x04\x22\x4d\x18junk"):
        rows, refused = reading(tmp_path, blob)
        assert rows == [] and refused
    assert reading(tmp_path, b"") == ([], [])
