"""A thousand good documents in every format, and beside them everything that can be wrong with a file.

`write` makes the same folder twice: with the poison, or without it. Good documents lie at the same bytes of the same
files either way (where poison stands between them, the clean folder has blanks or a record that no reader takes), so
their origins, and with them their ids, must be the same.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import stat
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.engine.projects import WORDS
from tests.stages.read.archives import record, response

RECIPE = """
name = "mixed"
seed = 3

[run]
split_bytes = "200kB"
max_quarantined = 1.0
record_deadline = 20.0

[[data.lines]]
stage = "read.jsonl"
paths = "lines"
max_record_bytes = "1 MiB"

[[data.rows]]
stage = "read.parquet"
paths = "rows"

[[data.web]]
stage = "read.warc"
paths = "web"
max_record_bytes = "1 MiB"
[[data.web]]
stage = "extract.html"
main_content = false

[[data.code]]
stage = "read.code"
paths = "code"

[[data.prose]]
stage = "read.text"
paths = "prose"
max_record_bytes = "1 MiB"

[[data.pages]]
stage = "read.html"
paths = "pages"
max_record_bytes = "1 MiB"
[[data.pages]]
stage = "extract.html"
main_content = false

[[data.corpus]]
from = ["lines", "rows", "web", "code", "prose", "pages"]
stage = "dedup.exact"
[[data.corpus]]
stage = "filter.gopher"
min_words = 1
min_mean_word_length = 0
max_mean_word_length = 1000
max_hash_ratio = 1000
max_ellipsis_ratio = 1000
min_alphabetic_word_ratio = 0
min_stop_words = 0
"""

STRANGE = (
    "NUL \0 in the middle, and \x01\x07\x1b[2J\x7f\x85\x9f controls",
    "bidi \u202egnp.exe\u202c and \u2066isolates\u2069, zero\u200bwidth, \ufeffmark",
    "noncharacters \ufffe \uffff \U0010ffff, private \ue000, replacement \ufffd",
    "combining " + "Z\u0351\u0343\u032a" * 300,
    "emoji \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1f3\U0001f1f4, han \u6c49\u5b57",
    "separators \u2028 \u2029 \x0b \x0c \x1c \x1d \x1e \x1f",
    "../../../../etc/passwd\r\n%00%s%n{{7*7}}${HOME}`id`'; DROP TABLE docs; --",
    "<script>alert(1)</script>]]><!--" * 5,
)
"""Texts that are odd and right: they are among the good ones."""

BAD_LINES: tuple[tuple[bytes, str], ...] = (
    (b'{"text": "no end', "bad_json"),
    (b'{"text": "a comma behind",}', "bad_json"),
    (b"{'text': 'single quotes'}", "bad_json"),
    (b'{"text": NaN}', "bad_json"),
    (b'{"text": "a", "n": Infinity}', "bad_json"),
    (b'{"text": "raw \x01 control"}', "bad_json"),
    (b'{"text": "bad \\x escape"}', "bad_json"),
    (b'{"text": "two"} {"text": "on a line"}', "bad_json"),
    (b"[" * 5000, "bad_json"),
    (b"\0\0\0\0\0\0\0\0", "bad_json"),
    (b'{"text": "bytes \xff\xfe\x80"}', "bad_unicode"),
    (b'{"text": "overlong \xc0\xaf"}', "bad_unicode"),
    (b'{"text": "surrogate bytes \xed\xa0\x80"}', "bad_unicode"),
    (b'{"text": "half a pair \\ud800"}', "bad_unicode"),
    (b'{"text": "the other half \\udfff first"}', "bad_unicode"),
    (b'["an", "array"]', "not_an_object"),
    (b'"a string"', "not_an_object"),
    (b"null", "not_an_object"),
    (b"12345678901234567890123456789012345678901234567890", "not_an_object"),
    (b"{}", "no_text"),
    (b'{"text": null}', "no_text"),
    (b'{"text": 17}', "no_text"),
    (b'{"text": ["a", "list"]}', "no_text"),
    (b'{"Text": "another name"}', "no_text"),
    (b'{"text": "' + b"x" * 5_000_000 + b'"}', "too_large"),
)

Expected = Counter[tuple[str, str]]
"""(lane, reason) -> how many records are quarantined."""


def sentence(lane: str, number: int) -> str:
    """A good text, unlike all others; 12 to 40 words."""
    words = [WORDS[(number * 7 + place * 3 + place * place) % len(WORDS)] for place in range(12 + number % 29)]
    return f"{lane} {number} {' '.join(words)}"


class Folder:
    """The folder that is made, and what a run of `RECIPE` over it must find."""

    def __init__(self, path: Path, poisoned: bool) -> None:
        self.path, self.poisoned = path, poisoned
        self.good: list[str] = []
        """Texts of the good documents."""
        self.rescued: list[str] = []
        """Texts of sound documents that lie behind damage, in files that the clean folder does not have."""
        self.quarantined: Expected = Counter()

    def bad(self, name: str, data: bytes, *reasons: str) -> None:
        """A file that is only there in the poisoned folder, and why its records are quarantined."""
        if self.poisoned:
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            self.expect(name, *reasons)

    def expect(self, name: str, *reasons: str) -> None:
        """These reasons, for records of this file."""
        self.quarantined.update((name.split("/")[0], reason) for reason in reasons)

    def file(self, name: str, data: bytes) -> None:
        """A file that is there in both folders."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def texts(self, lane: str, count: int) -> list[str]:
        """More good texts for a lane."""
        first = sum(text.startswith(f"{lane} ") for text in self.good)
        texts = [sentence(lane, first + number) for number in range(count)]
        self.good += texts
        return texts

    def saved(self, lane: str, count: int) -> list[str]:
        """Sound texts behind damage."""
        texts = [sentence(f"{lane} rescued", len(self.rescued) + number) for number in range(count)]
        self.rescued += texts
        return texts


def write(path: Path, poisoned: bool) -> Folder:
    """Make the folder, ``recipe.toml`` included."""
    folder = Folder(path, poisoned)
    for part in (_lines, _rows, _web, _code, _prose, _pages, _no_files):
        part(folder)
    folder.file("recipe.toml", RECIPE.encode())
    return folder


def line(text: str) -> bytes:
    return json.dumps({"text": text, "url": "http://example.org/"}).encode() + b"\n"


def noise(size: int) -> bytes:
    """Bytes that are no format at all; no line break, no NUL among the first."""
    out, state = bytearray(b"\x8b\xfe\x93"), 12345
    while len(out) < size:
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        out.append(state >> 16 & 0xFF)
    return bytes(out).replace(b"\n", b"\x0b")


def _lines(folder: Folder) -> None:
    """392 + 8 + 100 good lines."""
    parts = [b"\xef\xbb\xbf"]
    texts = iter(folder.texts("lines", 392))
    for bad, reason in BAD_LINES:
        parts += [line(next(texts)) for _ in range(10)]
        parts.append((bad if folder.poisoned else b"\n" * len(bad)) + b"\n")
        if folder.poisoned:
            folder.expect("lines", reason)
    parts += [b"\r\n", b"   \t \n"]
    parts += [line(text).replace(b"\n", b"\r\n") for text in texts]
    folder.good += STRANGE
    folder.file("lines/a.jsonl", b"".join(parts))
    folder.file("lines/strange.jsonl", b"".join(map(line, STRANGE))[:-1])  # no newline at the end

    whole = gzip.compress(b"".join(map(line, folder.texts("lines", 50))), mtime=0)
    cut = gzip.compress(line("this one is cut") * 50, compresslevel=0, mtime=0)[:300]
    folder.file("lines/b.jsonl.gz", whole + (cut if folder.poisoned else b""))
    if folder.poisoned:
        folder.expect("lines", "truncated")
        folder.rescued.append("this one is cut")  # the lines before the cut; dedup keeps the first of them
    folder.file("lines/c.jsonl.bz2", bz2.compress(b"".join(map(line, folder.texts("lines", 25)))))
    folder.file("lines/d.jsonl.zst", zstandard.compress(b"".join(map(line, folder.texts("lines", 25)))))

    if folder.poisoned:
        before, behind = folder.saved("lines", 5), folder.saved("lines", 5)
        members = [b"".join(map(line, before)), line("flipped") * 20, b"".join(map(line, behind))]
        packed = [bytearray(gzip.compress(member, mtime=0)) for member in members]
        packed[1] = bytearray(gzip.compress(members[1], compresslevel=0, mtime=0))
        packed[1][15 + len(line("flipped")) * 3] ^= 0x40  # a brace; 15 bytes of headers stand before the stored lines
        folder.rescued.append("flipped")
        folder.bad("lines/hurt.jsonl.gz", b"".join(packed), "bad_json", "corrupt")
    folder.bad("lines/junk.jsonl", noise(3000), "bad_unicode")
    folder.bad("lines/junk.jsonl.gz", noise(3000), "corrupt")
    folder.bad("lines/head.jsonl.gz", b"\x1f\x8b", "truncated")
    folder.bad("lines/cut.jsonl.xz", lzma.compress(line("cut xz"))[:40], "truncated")
    folder.bad("lines/cut.jsonl.zst", zstandard.compress(noise(4000))[:2000], "truncated")
    folder.bad("lines/bomb.jsonl.gz", gzip.compress(b"\0" * 64_000_000, mtime=0), "too_large")
    folder.bad("lines/empty.jsonl", b"")
    folder.bad("lines/empty.jsonl.gz", b"")
    folder.bad("lines/blank.jsonl", b"\n\r\n  \n\n")


def parquet(texts: pa.Array, **columns: pa.Array) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": texts, **columns}), out, write_page_checksum=True, compression="none",
                   use_dictionary=False)
    return out.getvalue()


def _rows(folder: Folder) -> None:
    """200 good rows."""
    whole = parquet(pa.array(folder.texts("rows", 200)))
    folder.file("rows/good.parquet", whole)
    flipped = bytearray(parquet(pa.array(["a page that was flipped " * 4] * 50)))
    flipped[1000] ^= 1
    folder.bad("rows/a_flipped.parquet", bytes(flipped), "corrupt_parquet")
    folder.bad("rows/cut.parquet", whole[:-9], "corrupt_parquet")
    folder.bad("rows/halved.parquet", whole[: len(whole) // 2], "corrupt_parquet")
    folder.bad("rows/junk.parquet", noise(4000), "corrupt_parquet")
    folder.bad("rows/empty.parquet", b"", "corrupt_parquet")
    folder.bad("rows/magic.parquet", b"PAR1" + noise(100) + b"\xff\xff\xff\x7fPAR1", "corrupt_parquet")
    folder.bad("rows/none.parquet", parquet(pa.array([None, None], pa.string())), "no_text", "no_text")
    folder.bad("rows/not_utf8.parquet", parquet(pa.array([b"\xff\xfe", b"\xed\xa0\x80"], pa.binary())),
               "bad_unicode", "bad_unicode")
    folder.bad("rows/x_numbers.parquet", parquet(pa.array([1, 2, 3])), "wrong_schema")
    folder.bad("rows/no_rows.parquet", parquet(pa.array([], pa.string())))


def page(text: str) -> bytes:
    return f"<html><body><p>{text}</p></body></html>".encode()


def _web(folder: Folder) -> None:
    """150 good pages, most of them in one archive, record by record in gzip members."""
    def member(text: str) -> bytes:
        return gzip.compress(record("response", response(page(text)), "http://example.org/"), mtime=0)

    quiet = bytearray(gzip.compress(record("metadata", b"nothing to read " * 40), compresslevel=0, mtime=0))
    if folder.poisoned:
        quiet[400] ^= 0x20
        folder.expect("web", "corrupt")
    texts = folder.texts("web", 120)
    parts = [*map(member, texts[:60]), bytes(quiet), *map(member, texts[60:])]
    cut = member("cut")[:-30] if folder.poisoned else b""
    folder.file("web/a.warc.gz", b"".join(parts) + cut)
    plain = [record("response", response(page(text)), "http://example.org/") for text in folder.texts("web", 30)]
    folder.file("web/b.warc", b"".join(plain))
    if not folder.poisoned:
        return
    folder.expect("web", "truncated")

    def hurt(name: str, middle: bytes, *reasons: str) -> None:
        behind = record("response", response(page(folder.saved("web", 1)[0])), "http://example.org/")
        folder.bad(f"web/{name}.warc", middle + behind, *reasons)

    body = response(page("no matter"))
    hurt("negative", record("response", body, "http://example.org/", Content_Length="-7"), "bad_header")
    hurt("huge", record("response", body, "http://example.org/", Content_Length="99999999999999"), "bad_length")
    hurt("word", record("response", body, "http://example.org/", Content_Length="many"), "bad_header")
    hurt("digest", record("response", body, "http://example.org/", WARC_Block_Digest="sha1:" + "A" * 32), "bad_digest")
    hurt("long", record("response", response(b"<p>" + b"x" * 2_000_000), "http://example.org/"), "too_large")
    bomb = gzip.compress(b"<p>" + b"y" * 50_000_000, mtime=0)
    hurt("bomb", record("response", response(bomb, "Content-Encoding: gzip"), "http://example.org/"), "too_large")
    folder.bad("web/short.warc", record("response", body, "http://example.org/")[:-60], "truncated")
    folder.bad("web/junk.warc", noise(5000), "corrupt")
    folder.bad("web/empty.warc.gz", b"")


def _code(folder: Folder) -> None:
    """50 good source files in archives."""
    def source(text: str) -> bytes:
        return f'"""{text}"""\n'.encode()

    zipped, texts = io.BytesIO(), folder.texts("code", 40)
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"p/m{number}.py", source(text))
    folder.file("code/good.zip", zipped.getvalue())
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        for number, text in enumerate(folder.texts("code", 10)):
            info = tarfile.TarInfo(f"q/{number}.py")
            info.size = len(source(text))
            archive.addfile(info, io.BytesIO(source(text)))
        if folder.poisoned:
            for name, kind in (("q/link.py", tarfile.SYMTYPE), ("q/pipe.py", tarfile.FIFOTYPE), ("/abs.py", b"0")):
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, "/etc/passwd"
                archive.addfile(info)
                folder.expect("code", "unsafe_path")
    folder.file("code/good.tar.gz", tarred.getvalue())
    folder.good = [f'"""{text}"""\n' if text.startswith("code ") else text for text in folder.good]
    if not folder.poisoned:
        return
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../../evil.py", "/etc/evil.py", "a/../../evil.py", "C:\\evil.py", "..\\evil.py"):
            archive.writestr(name, b"print('out')\n")
            folder.expect("code", "unsafe_path")
        link = zipfile.ZipInfo("link.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bomb.py", b"\0" * 50_000_000)
        archive.writestr("binary.py", noise(2000))
        archive.writestr("null.py", b"x = 1\n" * 20 + b"\0\n")
        archive.writestr("readme.bin", b"not source: passed over")
        archive.writestr("fine.py", source(folder.saved("code", 1)[0]))
        folder.rescued[-1] = f'"""{folder.rescued[-1]}"""\n'
    folder.bad("code/evil.zip", evil.getvalue(), "unsafe_path", "too_large", "bad_encoding", "bad_encoding")
    folder.bad("code/cut.zip", zipped.getvalue()[:-100], "truncated")
    folder.bad("code/cut.tar", noise(0) + b"x" * 700, "corrupt")
    folder.bad("code/junk.zip", noise(2000), "corrupt")
    folder.bad("code/empty.zip", b"", "corrupt")


def _prose(folder: Folder) -> None:
    """50 good text files, with names as unusual as a file system takes them."""
    names = [f"{number}.txt" for number in range(45)]
    names += ["new\nline.txt", "esc\x1b[31m.txt", "space and ' quote\".txt", "-rf.txt", "\u202egnp.txt"]
    for name, text in zip(names, folder.texts("prose", 50), strict=True):
        folder.file(f"prose/{name}", text.encode())
    folder.bad("prose/junk.txt", noise(5000), "bad_encoding")
    folder.bad("prose/large.txt", b"word " * 300_000, "too_large")
    folder.bad("prose/cut.txt.gz", gzip.compress(noise(3000), mtime=0)[:1500], "truncated")
    folder.bad("prose/bomb.txt.gz", gzip.compress(b"a" * 50_000_000, mtime=0), "too_large")


def _pages(folder: Folder) -> None:
    """50 good pages, one a file."""
    for number, text in enumerate(folder.texts("pages", 50)):
        folder.file(f"pages/{number}.html", page(text))
    folder.bad("pages/large.html", b"<p>" * 500_000, "too_large")
    folder.bad("pages/noise.html", b"\xef\xbb\xbf<p>" + b"\xff\xfe\x80 " * 900, "bad_encoding")
    folder.bad("pages/deep.html", b"<div>" * 100_000 + folder_text(folder, "deep"))


def folder_text(folder: Folder, name: str) -> bytes:
    """A sound text in a page whose form is hostile."""
    if folder.poisoned:
        folder.rescued.append(f"{name} but not lost")
    return f"{name} but not lost".encode()


def _no_files(folder: Folder) -> None:
    """Entries of a folder that are no files, and one that may not be read."""
    if not folder.poisoned:
        return
    for lane, ending in (("lines", "jsonl"), ("rows", "parquet"), ("web", "warc"), ("code", "py"), ("prose", "txt"),
                         ("pages", "html")):
        os.mkfifo(folder.path / lane / f"pipe.{ending}")
        (folder.path / lane / f"loop.{ending}").symlink_to(f"loop.{ending}")
        (folder.path / lane / f"nowhere.{ending}").symlink_to("/no/such/file")
        (folder.path / lane / f"device.{ending}").symlink_to("/dev/zero")
        (folder.path / lane / f"folder.{ending}").mkdir()
        (folder.path / lane / "again").symlink_to(".")  # a folder that holds itself; what is in it has been walked
        folder.expect(lane, *["not_regular_file"] * 5)
    secret = folder.path / "lines" / "secret.jsonl"
    if os.geteuid():
        secret.write_bytes(line("secret"))
        secret.chmod(0)
    else:  # permissions do not hold root back; the memory of another process does
        secret.symlink_to("/proc/1/mem")
    folder.expect("lines", "io_error")
