"""A model file that is not whole is known before fastText, which would read on for ever, sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine.fasttext_file import fault_of
from dataengine.fasttext_model import language_model

PLAIN = Path(__file__).parent / "stages" / "score" / "tiny.bin"


def test_whole_models_have_no_fault() -> None:
    assert fault_of(PLAIN) is None
    assert fault_of(language_model()) is None, "and neither have quantised ones"


@pytest.mark.parametrize("source", [PLAIN, language_model()], ids=["plain", "quantised"])
def test_no_cut_anywhere_goes_unseen(source: Path, tmp_path: Path) -> None:
    data, cut = source.read_bytes(), tmp_path / "cut"
    for size in sorted({0, 3, 4, 8, 60, 91, len(data) // 3, len(data) // 2, len(data) - 4, len(data) - 1}):
        cut.write_bytes(data[:size])
        assert fault_of(cut), size
    cut.write_bytes(data + b"\0")
    assert "cut or damaged" in str(fault_of(cut))


def test_other_files_folders_and_nothing_at_all_are_named(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("<html>404 not found</html>")
    assert "not a fastText model" in str(fault_of(tmp_path / "page"))
    assert "cannot be read" in str(fault_of(tmp_path))
    assert "cannot be read" in str(fault_of(tmp_path / "none"))


@pytest.mark.parametrize("place", [68, 72, 80, 88])
def test_absurd_numbers_in_the_header_are_no_reason_to_run_for_ever(place: int, tmp_path: Path) -> None:
    damaged = bytearray(PLAIN.read_bytes())
    damaged[place : place + 4] = b"\xff\xff\xff\x7f"
    (tmp_path / "damaged").write_bytes(damaged)
    fault_of(tmp_path / "damaged")
