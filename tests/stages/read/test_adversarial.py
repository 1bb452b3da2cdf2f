"""Damaged files and odd texts that others made: evaluation data beside the repository, not part of it."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from dataengine import stage
from dataengine.errors import InputError
from dataengine.stage import Piece
from dataengine.stages._encoding import decode
from dataengine.stages.read._open import Damage, Stream, opened
from dataengine.stages.read._warc import Fault, Record, records
from dataengine.stages.read.jsonl import BadLine, parser
from tests.stages.read.reading import read, reasons

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "adversarial"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="no evaluation data in ../shared/data")


def lines(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    if not path.exists():
        return []
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.splitlines()]


MANIFEST = {row["id"]: row for row in lines("manifest.jsonl")}
PEERS = {row["id"]: row for row in lines("warc_peers.jsonl")}

HARMLESS = {
    # Damaged by name only: every record is there, to the byte.
    "warc/chatnoir-resiliparse-warcfile.one-member.warc.gz",
    "warc/dolma-sample-0000.one-member.warc.gz",
    "warc/warcio-example-wrong-chunks.bitflip.warc.gz",  # the flipped bit is in the gzip field for the operating system
}
CUT_BY_THEIR_MAKERS = {
    # Whole by name, but the last record is shorter than it says.
    "warc/chatnoir-resiliparse-clipped.warc.gz",
    "warc/warcio-example-space-in-url.arc",
}


@pytest.mark.parametrize("name", [name for name in MANIFEST if name.startswith("warc/")])
def test_archives_give_all_records_that_others_find_and_report_damage(name: str) -> None:
    with open(DATA / name, "rb", buffering=0) as file:
        found = list(records(file, name))
    faults = [item for item in found if isinstance(item, Fault)]
    whole = [item for item in found if isinstance(item, Record)]
    cut = [fault for fault in faults if fault.headers or fault.raw.startswith(b"WARC/")]
    assert len(whole) + len(cut) >= 0.9 * max(PEERS[name][peer]["records"] for peer in ("warcio", "fastwarc"))
    damaged = MANIFEST[name]["kind"] == "warc-damaged" and name not in HARMLESS
    assert bool(faults) == (damaged or name in CUT_BY_THEIR_MAKERS)


@pytest.mark.parametrize("name", [name for name in MANIFEST if name.startswith("warc/")])
def test_archives_go_through_the_reader(name: str) -> None:
    rows, refused = read("read.warc", DATA, paths=name)
    assert all(row["html"] for row in rows)
    if MANIFEST[name]["kind"] == "warc-damaged" and name not in HARMLESS:
        assert refused


@pytest.mark.parametrize("name", [name for name in MANIFEST if name.startswith("parquet/")])
def test_parquet_files_give_their_rows_or_a_clear_word(name: str) -> None:
    try:
        schema = pq.read_schema(DATA / name)
    except (OSError, ValueError):
        schema = None
    texts = [field.name for field in schema or [] if str(field.type) in ("string", "binary")] or ["text"]
    try:
        rows, refused = read("read.parquet", DATA, paths=name, text=texts[0])
    except InputError as error:
        assert schema is not None and 'no column "text"' in error.found
        return
    if schema is None:
        assert (rows, reasons(refused)) == ([], ["corrupt_parquet"])
    elif "corrupt_parquet" not in reasons(refused):
        column = pq.read_table(DATA / name, columns=texts)[texts[0]].to_pylist()
        plain = [value.decode() if isinstance(value, bytes) else value for value in column]
        assert [row["text"] for row in rows] == [value for value in plain if value is not None]


def unpacked(name: str) -> tuple[int, Damage | None]:
    """Lines of a packed file, and the damage at its end."""
    count = 0
    try:
        with opened(Piece(str(DATA / name), name)) as file:
            for block in Stream(file, name).blocks():
                count += block.count(b"\n")
    except Damage as damage:
        return count, damage
    return count, None


def test_gzip_files() -> None:
    assert unpacked("gzip/multi-member.txt.gz") == (1000, None)
    count, damage = unpacked("gzip/multi-member-trunc.txt.gz")
    assert count >= 950 and damage is not None and damage.reason == "truncated"
    assert unpacked("gzip/empty.jsonl.gz") == (0, None)
    rows, refused = read("read.jsonl", DATA, paths="gzip/plain-text.jsonl.gz")
    assert rows or refused


@pytest.mark.slow
def test_the_bomb_does_not_grow_memory() -> None:
    found = stage.load("read.jsonl")
    config = found.config(paths="gzip/bomb-lines.jsonl.gz")
    before, rows = psutil.Process().memory_info().rss, 0
    for piece in found.pieces(config, DATA):
        for item in found(piece, config):
            rows += item.num_rows
            assert psutil.Process().memory_info().rss - before < 64 << 20
    assert rows == 3_000_000


@pytest.mark.parametrize("case", lines("json.jsonl.gz"), ids=lambda case: case["id"])
def test_json_is_accepted_and_rejected_as_the_suite_says(case: dict[str, Any]) -> None:
    data = base64.b64decode(case["data_b64"]) if "data_b64" in case else case["data"].encode()
    try:
        parser()(data)
        verdict = "accept"
    except BadLine as bad:
        verdict = "accept" if bad.reason == "not_an_object" else "reject"
    assert case["expect"] in (verdict, "either")


def test_at_least_nine_in_ten_texts_decode_exactly() -> None:
    cases = lines("encodings.jsonl.gz")

    def plain(text: str) -> str:
        return "".join(text.replace("\ufeff", "").split())

    right = [plain(decode(base64.b64decode(case["data_b64"]))[0]) == plain(case["text"]) for case in cases]
    assert sum(right) / len(right) > 0.9  # resiliparse .779, charset-normalizer .610 on the other half of the set
