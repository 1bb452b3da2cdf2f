"""Wikipedia dumps of our own making: whole, in ranges, cut, damaged and hostile."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import time
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dataengine.stages.read._wikidump import BadXml, parse_page
from tests.stages.read.reading import read, reasons

HEAD = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">
  <siteinfo>
    <sitename>Wikipedia</sitename>
    <base>https://de.wikipedia.org/wiki/Wikipedia:Hauptseite</base>
    <namespaces><namespace key="0" case="first-letter" /><namespace key="6" case="first-letter">Datei</namespace>
      <namespace key="14" case="first-letter">Kategorie</namespace></namespaces>
  </siteinfo>
"""
FOOT = "</mediawiki>\n"


def page(
    number: int, text: str | None = None, title: str = "", ns: int = 0, extra: str = "", model: str = "wikitext"
) -> str:
    body = f"'''Page''' number [[{number}]]. " + f"word{number} " * (number * 7 % 50) if text is None else text
    return f"""  <page>
    <title>{escape(title or f"Title {number}")}</title>
    <ns>{ns}</ns>
    <id>{number}</id>{extra}
    <revision>
      <id>{number + 1000}</id>
      <timestamp>2024-01-0{number % 9 + 1}T00:00:00Z</timestamp>
      <contributor><username>somebody</username><id>77</id></contributor>
      <model>{model}</model>
      <text bytes="{len(body)}" xml:space="preserve">{escape(body)}</text>
    </revision>
  </page>
"""


PAGES = [page(number) for number in range(1, 41)]
DUMP = (HEAD + "".join(PAGES) + FOOT).encode()


def multistream(pages: list[str], size: int = 5) -> bytes:
    groups = ["".join(pages[i:i + size]) for i in range(0, len(pages), size)]
    return b"".join(bz2.compress(part.encode()) for part in (HEAD, *groups, FOOT))


def ids(rows: list[dict]) -> list[int]:
    return [row["page_id"] for row in rows]


def test_a_page_is_a_row_with_all_that_the_dump_says_of_it(tmp_path: Path) -> None:
    text = "Text with [[Datei:Bild.jpg|mini]] a [[Baum|tree]] & <math>x<y</math>.\n[[Kategorie:Bäume]]"
    (tmp_path / "dump.xml").write_text(HEAD + page(7, text, "Der Bär & du?") + FOOT)
    rows, refused = read("read.wikipedia", tmp_path, paths="dump.xml")
    assert not refused
    assert rows == [{
        "origin": f"dump.xml:{len(HEAD) + 2}", "url": "https://de.wikipedia.org/wiki/Der_B%C3%A4r_%26_du%3F",
        "text": "Text with a tree & $x<y$.", "title": "Der Bär & du?", "page_id": 7, "namespace": 0,
        "revision_id": 1007, "timestamp": "2024-01-08T00:00:00Z"}]
    rows, _ = read("read.wikipedia", tmp_path, paths="dump.xml", markup="keep")
    assert rows[0]["text"] == text


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, zstandard.ZstdCompressor().compress,
                                  lambda data: multistream(PAGES)], ids=["xml", "gz", "bz2", "zst", "multistream"])
@pytest.mark.parametrize("split", [100, 301, 4096, 1 << 20])
def test_every_page_is_read_once_however_the_file_is_packed_and_cut(pack, split: int, tmp_path: Path) -> None:
    name = {bytes: "d.xml", gzip.compress: "d.xml.gz"}.get(pack, "d.xml.bz2")
    name = "d.xml.zst" if pack(DUMP).startswith(b"\x28\xb5\x2f\xfd") else name
    (tmp_path / name).write_bytes(pack(DUMP))
    rows, refused = read("read.wikipedia", tmp_path, paths=name, split_bytes=split)
    assert (ids(rows), refused) == (list(range(1, 41)), [])
    whole, _ = read("read.wikipedia", tmp_path, paths=name)
    assert rows == whole


def test_streams_that_cut_through_pages_and_tags_lose_none(tmp_path: Path) -> None:
    parts = [DUMP[i:i + 97] for i in range(0, len(DUMP), 97)]  # as parallel compressors leave them
    (tmp_path / "d.xml.bz2").write_bytes(b"".join(map(bz2.compress, parts)))
    for split in (50, 500, 1 << 20):
        rows, refused = read("read.wikipedia", tmp_path, paths="d.xml.bz2", split_bytes=split)
        assert (ids(rows), refused) == (list(range(1, 41)), [])


def test_redirects_other_namespaces_and_what_is_no_text_are_passed_over(tmp_path: Path) -> None:
    deleted = page(5).replace('<text bytes=', '<text deleted="deleted" bytes=')
    pages = [page(1), page(2, extra='<redirect title="X" />'), page(3, ns=1), page(4, model="Scribunto"), deleted,
             page(6, text="")]
    (tmp_path / "d.xml").write_text(HEAD + "".join(pages) + FOOT)
    rows, refused = read("read.wikipedia", tmp_path, paths="d.xml")
    assert (ids(rows), refused) == ([1, 6], [])
    rows, refused = read("read.wikipedia", tmp_path, paths="d.xml", redirects="quarantine", namespaces=[0, 1])
    assert (ids(rows), reasons(refused)) == ([1, 3, 6], ["redirect"])


def test_of_a_dump_cut_anywhere_the_pages_before_the_cut_are_kept_and_the_cut_is_said(tmp_path: Path) -> None:
    for cut in range(len(HEAD) + 60, len(DUMP) - 5, 601):
        (tmp_path / "d.xml").write_bytes(DUMP[:cut])
        for split in (700, 1 << 20):
            rows, refused = read("read.wikipedia", tmp_path, paths="d.xml", split_bytes=split)
            whole = DUMP[:cut].count(b"</page>")
            assert (ids(rows), reasons(refused)) == (list(range(1, whole + 1)), ["truncated"]), (cut, split)


@pytest.mark.parametrize("split", [400, 1 << 20])
def test_a_cut_or_damaged_multistream_dump_loses_only_the_stream_at_fault(split: int, tmp_path: Path) -> None:
    data = multistream(PAGES)
    starts = [at for at in range(len(data)) if data.startswith(b"BZh", at)]
    (tmp_path / "d.xml.bz2").write_bytes(data[:starts[4] + 40])
    rows, refused = read("read.wikipedia", tmp_path, paths="d.xml.bz2", split_bytes=split)
    assert (ids(rows), reasons(refused)) == (list(range(1, 16)), ["truncated"])
    hurt = bytearray(data)
    hurt[starts[3] + 60] ^= 0xFF
    (tmp_path / "d.xml.bz2").write_bytes(bytes(hurt))
    rows, refused = read("read.wikipedia", tmp_path, paths="d.xml.bz2", split_bytes=split)
    assert (ids(rows), reasons(refused)) == ([*range(1, 11), *range(16, 41)], ["corrupt"])


def test_a_page_that_is_not_well_formed_is_refused_and_its_neighbours_go_on(tmp_path: Path) -> None:
    unclosed = page(3).replace("</page>", "")
    pages = [page(1), page(2).replace("</revision>", "</revise>"), unclosed, page(4), page(5).replace("word", "\x01"),
             page(6)]
    (tmp_path / "d.xml").write_text(HEAD + "".join(pages) + FOOT)
    rows, refused = read("read.wikipedia", tmp_path, paths="d.xml")
    assert (ids(rows), reasons(refused)) == ([1, 4, 6], ["bad_xml"] * 3)
    assert "line 11 column 7" in refused[0].detail and "another page begins" in refused[1].detail


def test_bombs_of_entities_and_files_of_the_machine_are_never_expanded(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    entities = f'<!DOCTYPE mediawiki [<!ENTITY e0 "ha">{bomb}<!ENTITY file SYSTEM "{tmp_path}/secret">]>\n'
    hostile = [page(1, "@").replace("@", "&e9;"), page(2, "@").replace("@", "&file;"),
               page(3, "@").replace("@", "&lt;&#65;"),
               page(4).replace("<page>", '<page><!DOCTYPE p [<!ENTITY x "y">]>')]
    (tmp_path / "d.xml").write_text(entities + HEAD + "".join(hostile) + FOOT)
    rows, refused = read("read.wikipedia", tmp_path, paths="d.xml")
    assert [row["text"] for row in rows] == ["<A"]
    assert reasons(refused) == ["bad_xml"] * 3


def test_a_page_that_is_too_long_or_too_deep_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    deep = page(2).replace("<revision>", "<revision>" + "<x>" * 100_000)
    (tmp_path / "d.xml").write_text(HEAD + page(1, "long " * 2_000_000) + deep + page(3) + FOOT)
    rows, refused = read("read.wikipedia", tmp_path, paths="d.xml", max_record_bytes=1_000_000)
    assert (ids(rows), reasons(refused)) == ([3], ["too_large", "bad_xml"])


def test_numbers_and_addresses_that_make_no_sense_are_null(tmp_path: Path) -> None:
    odd = page(1).replace("<id>1</id>", f"<id>{'9' * 5000}</id>").replace("<id>1001</id>", "<id>x</id>")
    (tmp_path / "d.xml").write_text("<mediawiki>" + odd + FOOT)
    rows, _ = read("read.wikipedia", tmp_path, paths="d.xml")
    assert (rows[0]["page_id"], rows[0]["revision_id"], rows[0]["url"]) == (None, None, None)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_bad_xml(data: bytes) -> None:
    with contextlib.suppress(BadXml):
        parse_page(b"<page>" + data + b"</page>")


@pytest.mark.parametrize("data", [b"", b"not xml", b"<page>" * 50_000, b"</page>" * 50_000, b"<page></page>" * 20_000,
                                  b"<" * 1_000_000, b"BZh91AY&SY" * 10_000])
def test_files_that_are_no_dumps_end_soon_and_without_a_crash(data: bytes, tmp_path: Path) -> None:
    started = time.process_time()
    for name in ("d.xml", "d.xml.bz2"):
        (tmp_path / name).write_bytes(data)
        read("read.wikipedia", tmp_path, paths=name, split_bytes=100_000)
    assert time.process_time() - started < 5
