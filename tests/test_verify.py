from __future__ import annotations

import hashlib
import json

import pytest

from dataengine.ledger import Ledger
from dataengine.verify import verify
from tests.fake_run import FakeRun, row, small_run


@pytest.fixture
def run(tmp_path):
    return small_run(tmp_path / "r")


def problems(run):
    return verify(Ledger.open(run)).problems


def edit(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def a_manifest(run):
    segment = Ledger.open(run).segments[0]
    return run / "steps" / segment.name / segment.tasks[0] / "manifest.json"


def test_a_whole_run_has_no_problems_and_everything_was_read(run):
    report = verify(Ledger.open(run))
    assert report.problems == [] and report.waiting == 0
    files = [path for path in run.glob("steps/*/*/*") if path.name != "manifest.json"]
    assert (report.files, report.bytes) == (len(files), sum(path.stat().st_size for path in files))


def test_every_single_flipped_byte_is_found(run):
    shard = next(shard for shard in Ledger.open(run).kept())
    good = shard.path.read_bytes()
    for place in range(0, len(good), 97):
        shard.path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1:])
        assert len(problems(run)) == 1
    shard.path.write_bytes(good)
    assert problems(run) == []


def test_a_page_that_was_wrong_when_it_was_hashed_is_found_by_its_own_checksum(tmp_path):
    fake = FakeRun(tmp_path / "r")
    folder = fake.task(fake.segment("web.0", "web", [("web.0", "read.jsonl", {})]),
                       kept=[row(number, "long text " * 50 + str(number)) for number in range(200)])
    run, path = fake.save(), folder / "kept.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 1
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    edit(folder / "manifest.json", lambda manifest: manifest["files"]["kept.parquet"].update(sha256=digest))
    ((place, problem),) = problems(run)
    assert place.endswith("kept.parquet") and "cannot be read" in problem


@pytest.mark.parametrize(("change", "said"), [
    (lambda m: m["accounts"][1].update(rows_kept=1), "3 rows in"),
    (lambda m: m["accounts"][1].update(rows_in=4, rows_kept=3), "came into"),
    (lambda m: m["accounts"][1]["dropped"].update(too_few_words=0, other=1), "0 rows for other in web.1, the accounts"),
    (lambda m: m["accounts"][0]["quarantined"].update(bad_json=0, bad_utf8=1), "1 rows for bad_json in web.0"),
    (lambda m: m["accounts"][1].update(dropped={}, rows_kept=3), "accounts say"),
    (lambda m: m["files"]["kept.parquet"].update(rows=9), "9 rows"),
    (lambda m: m["files"]["kept.parquet"].update(bytes=1), "bytes"),
    (lambda m: m["files"].update({"gone.bin": {"bytes": 1, "sha256": "0"}}), "no such file"),
    (lambda m: m["files"].pop("dropped.parquet"), "in no manifest"),
    (lambda m: m.update(task="other"), "it is the manifest of"),
    (lambda m: m["files"].update({"../../x": {"bytes": 1, "sha256": "0"}}), "outside"),
    (lambda m: m.pop("task"), "cannot be read"),
])
def test_a_manifest_that_does_not_add_up_is_found(run, change, said):
    edit(a_manifest(run), change)
    found = [problem for _, problem in problems(run)]
    assert any(said in problem for problem in found), found


def test_a_stranger_in_a_tasks_folder_is_named_but_not_what_a_killed_commit_left(run):
    folder = a_manifest(run).parent
    (folder / ".manifest.json.123").touch()
    assert problems(run) == []
    (folder / "evil.parquet").touch()
    ((place, problem),) = problems(run)
    assert "evil.parquet" in problem and place == folder.relative_to(run).as_posix()


def test_tasks_still_to_do_are_no_fault(tmp_path):
    fake = FakeRun(tmp_path / "r")
    fake.task(fake.segment("web.0", "web", [("web.0", "read.jsonl", {})]), done=False)
    report = verify(Ledger.open(fake.save()))
    assert (report.problems, report.waiting, report.tasks) == ([], 1, 0)
