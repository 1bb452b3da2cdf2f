from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest

from dataengine.errors import InputError
from dataengine.stage import Piece
from dataengine.stages.read._files import find, ranges, suffixes
from dataengine.stages.read._open import Damage, opened
from tests.stages.read.reading import read, reasons

ENDINGS = suffixes(".txt")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.txt", "a/z.txt", "a/y.TXT.gz", "a/deep/x.txt", "a/n.md", ".hidden/h.txt", "a/.h.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def origins(base: Path, *paths: str) -> list[str]:
    return [file.origin for file in find(paths, base, ENDINGS)]


def test_a_folder_is_walked_by_suffix_in_the_order_of_origins_without_hidden_files(tree: Path) -> None:
    assert origins(tree, ".") == ["a/deep/x.txt", "a/y.TXT.gz", "a/z.txt", "b.txt"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["b.txt"]),
        ("**/*.txt", ["a/deep/x.txt", "a/z.txt", "b.txt"]),
        ("a/**/x.*", ["a/deep/x.txt"]),
        ("a/*", ["a/deep/x.txt", "a/n.md", "a/y.TXT.gz", "a/z.txt"]),
        ("?/[xz].txt", ["a/z.txt"]),
        ("a/**", ["a/deep/x.txt", "a/y.TXT.gz", "a/z.txt"]),
        ("a/n.md", ["a/n.md"]),
        ("*/../b.txt", ["b.txt"]),
        (".h*/*", [".hidden/h.txt"]),
    ],
)
def test_globs_mean_what_a_shell_means(tree: Path, pattern: str, expected: list[str]) -> None:
    assert origins(tree, pattern) == expected


def test_a_file_named_twice_is_read_once(tree: Path) -> None:
    assert origins(tree, "b.txt", "*.txt", str(tree / "b.txt"), "./a/../b.txt") == ["b.txt"]


def test_a_file_outside_the_base_has_its_absolute_path_as_origin(tree: Path) -> None:
    assert origins(tree / "a", "../b.txt") == [str(tree / "b.txt")]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("*.nope", "the pattern matches no file"),
        ("nope.txt", "no such file"),
        ("a/deep", None),
        ("", "no path"),
        ("a\0b", "no path"),
        ("s3://bucket/x", "not among the hosts"),
        ("x" * 5000, "no such file"),
        ("a/" * 3000 + "*", None),
    ],
)
def test_what_matches_nothing_is_an_error_in_words(tree: Path, path: str, message: str | None) -> None:
    if path == "a/deep":
        (tree / "a/deep/x.txt").unlink()
        message = "holds no file"
    with pytest.raises(InputError, match=message):
        find(path, tree, ENDINGS)


def test_a_misspelt_name_is_put_right(tree: Path) -> None:
    with pytest.raises(InputError) as error:
        find("a/zz.txt", tree, ENDINGS)
    assert error.value.write == "a/z.txt"


def test_pipes_folders_and_circles_are_refused_and_nothing_waits(tree: Path) -> None:
    os.mkfifo(tree / "pipe.txt")
    (tree / "folder.txt").mkdir()
    (tree / "circle.txt").symlink_to("circle.txt")
    (tree / "nowhere.txt").symlink_to("missing")
    (tree / "a/back").symlink_to("..")
    rows, refused = read("read.text", tree, paths=".")
    assert [row["origin"] for row in rows] == ["a/deep/x.txt", "a/n.md", "a/y.TXT.gz", "a/z.txt", "b.txt"]
    assert [(item.origin, item.reason) for item in refused] == [
        (name, "not_regular_file") for name in ("circle.txt", "folder.txt", "nowhere.txt", "pipe.txt")
    ]
    assert origins(tree, "**/*.txt").count("b.txt") == 1


def test_a_device_is_refused(tmp_path: Path) -> None:
    assert reasons(read("read.text", tmp_path, paths="/dev/zero")[1]) == ["not_regular_file"]


def test_names_that_are_not_utf8_are_opened_and_shown(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe new\nline.txt"))).write_text("content")
    rows, _ = read("read.text", tmp_path, paths="*.txt")
    assert rows == [{"origin": "\\xff\\xfe new\nline.txt", "text": "content"}]


def test_a_file_that_changes_or_goes_after_the_plan_is_an_error(tree: Path) -> None:
    [file] = find("b.txt", tree, ENDINGS)
    [piece] = ranges(file, 1000)
    (tree / "b.txt").write_text("something else")
    with pytest.raises(InputError, match="changed"), opened(piece):
        pass
    (tree / "b.txt").unlink()
    with pytest.raises(InputError, match="vanished"), opened(piece):
        pass


def test_a_file_that_may_not_be_read_is_damage(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(Damage, match="Permission denied"), opened(Piece(str(tree / "b.txt"), "b.txt")):
        pass


def test_ranges_cover_a_file_once(tree: Path) -> None:
    (tree / "big.txt").write_bytes(bytes(1000))
    [file] = find("big.txt", tree, ENDINGS)
    for size in (1, 7, 333, 500, 999, 1000, 5000):
        pieces = list(ranges(file, size))
        assert pieces[0].start == 0 and pieces[-1].end == -1 and sum(piece.weight for piece in pieces) == 1000
        assert all(left.end == right.start for left, right in itertools.pairwise(pieces))


def test_the_work_for_a_file_is_the_same_however_many_there_are(tmp_path: Path) -> None:
    def calls(count: int) -> int:
        """Calls of functions, Python's and its libraries', that it takes to find so many files."""
        folder, made = tmp_path / str(count), 0
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.txt").touch()

        def counted(frame: object, event: str, of: object) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(counted)
        try:
            assert len(find(".", folder, ENDINGS)) == count
        finally:
            sys.setprofile(before)
        return made

    assert calls(2_000) - calls(1_000) <= 70 * 1_000
