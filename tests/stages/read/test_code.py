from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard
from pydantic import ValidationError

from dataengine.stages.read._languages import language_of
from dataengine.stages.read.code import Config
from tests.stages.read.reading import read, reasons

FILES = {
    "src/a.py": b"print('\xc3\xa9')\n",
    "src/deep/b.rs": b"fn main() {}\n",
    "Makefile": b"all:\n\techo\n",
    "logo.png": b"\x89PNG\0",
    "README": b"?",
}
SOURCES = [
    ("src/a.py", "print('é')\n", "python"),
    ("src/deep/b.rs", "fn main() {}\n", "rust"),
    ("Makefile", "all:\n\techo\n", "makefile"),
]


def tar(files: dict[str, bytes], *special: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in special:
            archive.addfile(info)
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def found(rows: list[dict]) -> list[tuple[str, str, str]]:
    return [(row["path"], row["text"], row["language"]) for row in rows]


def test_a_tree_gives_its_source_files_and_nothing_hidden(tmp_path: Path) -> None:
    for name, content in {**FILES, ".git/hooks/x.py": b"no"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    rows, refused = read("read.code", tmp_path, paths=".")
    assert (sorted(found(rows)), refused) == (sorted(SOURCES), [])
    assert found(read("read.code", tmp_path, paths=".", languages=["rust"])[0]) == [SOURCES[1]]


@pytest.mark.parametrize(
    ("name", "blob"),
    [
        ("a.zip", zipped(FILES)),
        ("a.tar", tar(FILES)),
        ("a.tgz", gzip.compress(tar(FILES))),
        ("a.tar.gz", gzip.compress(tar(FILES))),
        ("a.tar.bz2", bz2.compress(tar(FILES))),
        ("a.tar.xz", lzma.compress(tar(FILES))),
        ("a.tar.zst", zstandard.compress(tar(FILES))),
        ("a.tar", tar(FILES, form=tarfile.GNU_FORMAT)),
    ],
)
def test_every_kind_of_archive_gives_the_same_files(tmp_path: Path, name: str, blob: bytes) -> None:
    (tmp_path / name).write_bytes(blob)
    rows, refused = read("read.code", tmp_path, paths=".")
    assert (found(rows), refused) == (SOURCES, [])
    assert rows[0]["origin"] == f"{name}!src/a.py"


@pytest.mark.parametrize(
    "path", ["../../x.py", "/etc/x.py", "a/../../x.py", "..\\x.py", "C:\\x.py", "\\x.py", "../../passwd"]
)
@pytest.mark.parametrize("pack", [tar, zipped])
def test_members_that_lead_out_of_the_archive_are_refused(tmp_path: Path, path: str, pack) -> None:
    (tmp_path / ("a.tar" if pack is tar else "a.zip")).write_bytes(pack({"ok.py": b"1", path: b"evil", "z.py": b"2"}))
    before = sorted(tmp_path.rglob("*"))
    rows, refused = read("read.code", tmp_path, paths=".")
    assert ([row["path"] for row in rows], reasons(refused)) == (["ok.py", "z.py"], ["unsafe_path"])
    assert sorted(tmp_path.rglob("*")) == before


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    special = []
    for kind, name in (
        (tarfile.SYMTYPE, "s.py"),
        (tarfile.LNKTYPE, "l.py"),
        (tarfile.CHRTYPE, "c.py"),
        (tarfile.FIFOTYPE, "f.py"),
    ):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        special.append(info)
    (tmp_path / "a.tar").write_bytes(tar(FILES, *special))
    link = zipfile.ZipInfo("s.py")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    rows, refused = read("read.code", tmp_path, paths=".")
    assert (found(rows), reasons(refused)) == (SOURCES, ["unsafe_path"] * 5)


def test_large_and_binary_members_are_refused_and_bombs_are_not_unpacked(tmp_path: Path) -> None:
    files = {
        "a.py": b"x = 1",
        "bomb.py": bytes(50 << 20),
        "bin.c": b"\x7fELF\0\0",
        "noise.js": bytes(range(1, 256)) * 8,
        "z.py": b"y = 2",
    }
    (tmp_path / "a.zip").write_bytes(zipped(files))
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(tar(files), 1))
    rows, refused = read("read.code", tmp_path, paths=".", max_record_bytes="64 KiB")
    assert [row["origin"] for row in rows] == [
        f"{name}!{member}" for name in ("a.zip", "b.tar.gz") for member in ("a.py", "z.py")
    ]
    assert reasons(refused) == ["too_large", "bad_encoding", "bad_encoding"] * 2


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    blob = bytearray(zipped({"a.py": b"x = 1", "b.py": b"y = 2"}))
    for place in (blob.index(b"PK\x03\x04") + 6, blob.index(b"PK\x01\x02") + 8):
        blob[place] |= 1
    (tmp_path / "a.zip").write_bytes(blob)
    rows, refused = read("read.code", tmp_path, paths=".")
    assert ([row["path"] for row in rows], reasons(refused)) == (["b.py"], ["encrypted"])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_cut_anywhere_gives_the_files_before_and_says_so(tmp_path: Path, pack) -> None:
    blob = tar({name: content for name, content in FILES.items() if name != "README"})
    packed = pack(blob)
    for end in [*range(1, len(packed) - 1024 if pack is bytes else len(packed), 97)]:
        (tmp_path / "a.tar").write_bytes(packed[:end])
        rows, refused = read("read.code", tmp_path, paths=".")
        if not (pack is bytes and end >= len(blob.rstrip(b"\0")) + 512):
            assert "truncated" in reasons(refused)
        assert found(rows) == SOURCES[: len(rows)]


def test_a_tar_with_a_damaged_header_is_reported(tmp_path: Path) -> None:
    blob = bytearray(tar({"a.py": b"1", "b.py": b"2", "c.py": b"3"}, form=tarfile.USTAR_FORMAT))
    blob[1024 + 3] ^= 0xFF
    (tmp_path / "a.tar").write_bytes(blob)
    rows, refused = read("read.code", tmp_path, paths=".")
    assert ([row["path"] for row in rows], reasons(refused)) == (["a.py"], ["corrupt"])


def test_a_damaged_zip_member_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    blob = bytearray(zipped({"a.py": b"x" * 50, "b.py": b"y = 2", "c.py": b"z = 3"}))
    blob[blob.index(b"b.py") + 5] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(blob)
    rows, refused = read("read.code", tmp_path, paths=".")
    assert ([row["path"] for row in rows], reasons(refused)) == (["a.py", "c.py"], ["corrupt"])
    for end in range(1, len(blob), 13):
        (tmp_path / "a.zip").write_bytes(blob[:end])
        assert set(reasons(read("read.code", tmp_path, paths=".")[1])) & {"truncated", "corrupt"}


def test_a_forged_header_length_is_not_believed(tmp_path: Path) -> None:
    info = tarfile.TarInfo("@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 7 << 30
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + bytes(4096))
    assert reasons(read("read.code", tmp_path, paths=".")[1]) == ["too_large"]


def test_languages_are_told_by_name() -> None:
    assert [
        language_of(path)
        for path in ("a/B.PY", "x.tar.c", "Dockerfile", "a/CMakeLists.txt", ".bashrc", ".py", "py", "a.unknown")
    ] == ["python", "c", "dockerfile", "cmake", None, None, None, None]


def test_a_language_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValidationError, match='no language "pyton"'):
        Config(paths=".", languages=["pyton"])
