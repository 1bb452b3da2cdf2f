from __future__ import annotations

import fcntl

import pytest

from dataengine.errors import CorruptShard, RunLocked, RunNotFound
from dataengine.gc import collect
from dataengine.ledger import Ledger
from dataengine.verify import verify
from tests.fake_run import FakeRun, small_run


@pytest.fixture
def run(tmp_path):
    run = small_run(tmp_path / "r")
    for place in ("tmp/half.123/kept.parquet", "tmp/file", f"steps/web.0-1/{'0' * 32}/kept.parquet",
                  "steps/old.0/abc/manifest.json", "steps/stray", f"work/{'1' * 32}/state"):
        (run / place).parent.mkdir(parents=True, exist_ok=True)
        (run / place).write_bytes(b"12345")
    return run


RUBBISH = {"tmp/half.123", "tmp/file", f"steps/web.0-1/{'0' * 32}", "steps/old.0", "steps/stray", f"work/{'1' * 32}"}


def test_only_what_the_plan_does_not_name_is_removed(run):
    before = {path for path in run.rglob("*") if path.is_file()}
    found = collect(run)
    assert {rubbish.path for rubbish in found} == RUBBISH
    assert all(rubbish.bytes == 5 for rubbish in found)
    gone = {path.relative_to(run).as_posix() for path in before if not path.exists()}
    assert gone == {"tmp/half.123/kept.parquet", "tmp/file", f"steps/web.0-1/{'0' * 32}/kept.parquet",
                    "steps/old.0/abc/manifest.json", "steps/stray", f"work/{'1' * 32}/state"}
    assert verify(Ledger.open(run)).problems == []
    assert collect(run) == []


def test_a_dry_run_removes_nothing(run):
    before = sorted(run.rglob("*"))
    assert {rubbish.path for rubbish in collect(run, dry_run=True)} == RUBBISH
    assert sorted(path for path in run.rglob("*") if path.name != "lock") == before


def test_the_state_of_a_task_that_is_not_done_stays(tmp_path):
    fake = FakeRun(tmp_path / "r")
    folder = fake.task(fake.segment("train.a", "", [("train.a", "train", {})], kind="train"), done=False)
    state = fake.save() / "work" / folder.name / "checkpoint"
    state.mkdir(parents=True)
    assert collect(fake.folder) == [] and state.exists()


def test_nothing_outside_the_run_is_touched_through_a_link(run, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    for place in ("tmp/link", "steps/link", "steps/web.0-1/link", "work/link"):
        (run / place).symlink_to(outside)
    (run / "tmp" / "half.123" / "deep").symlink_to(outside)
    collect(run)
    assert (outside / "precious").read_text() == "x"
    assert not (run / "tmp" / "link").is_symlink() and not (run / "steps" / "link").is_symlink()


@pytest.mark.parametrize("name", ["steps", "tmp", "work"])
def test_a_run_whose_folders_are_links_is_left_alone(run, tmp_path, name):
    (run / name).rename(tmp_path / "elsewhere")
    (run / name).symlink_to(tmp_path / "elsewhere")
    before = sorted((tmp_path / "elsewhere").rglob("*"))
    with pytest.raises(CorruptShard, match="link"):
        collect(run)
    assert sorted((tmp_path / "elsewhere").rglob("*")) == before


def test_a_run_that_is_being_written_is_left_alone(run):
    with (run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(RunLocked):
            collect(run)
    assert (run / "tmp" / "file").exists()
    collect(run)
    assert not (run / "tmp" / "file").exists()


def test_a_folder_that_is_no_run_or_cannot_be_understood_is_left_alone(tmp_path, run):
    (tmp_path / "x" / "tmp").mkdir(parents=True)
    with pytest.raises(RunNotFound):
        collect(tmp_path / "x")
    (run / "run.json").write_text('{"format": 99}')
    with pytest.raises(CorruptShard):
        collect(run)
    assert (run / "tmp" / "file").exists()
