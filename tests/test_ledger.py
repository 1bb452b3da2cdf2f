from __future__ import annotations

import fcntl
import json
import time
from dataclasses import asdict

import pytest

from dataengine.errors import CorruptShard, RunNotFound
from dataengine.ledger import Ledger, find_run, require_regular
from dataengine.shards import Account, Manifest
from tests.fake_run import FakeRun, small_run


@pytest.fixture
def run(tmp_path):
    return small_run(tmp_path / "runs" / "fake")


def test_steps_are_sums_over_manifests(run):
    steps = {account.step: account for account in Ledger.open(run).steps}
    assert steps["web.1"] == Account("web.1", "web", "filter.gopher", 5, 0, 3, {"too_few_words": 2}, {}, 500, 300, 0.4)
    assert steps["web.0"].quarantined == {"bad_json": 1}


def test_a_gathers_rows_are_counted_once_but_all_its_seconds(run):
    step = {account.step: account for account in Ledger.open(run).steps}["corpus.0"]
    assert (step.rows_in, step.rows_kept, step.dropped) == (4, 3, {"same_text": 1})
    assert step.seconds == pytest.approx(0.8)


def test_a_task_without_a_manifest_does_not_exist(tmp_path):
    fake = FakeRun(tmp_path / "half")
    segment = fake.segment("web.0", "web", [("web.0", "read.jsonl", {})])
    fake.task(segment, accounts=[Account("web.0", "web", "read.jsonl", 2, 0, 2)])
    fake.task(segment, accounts=[Account("web.0", "web", "read.jsonl", 5, 0, 5)], done=False)
    ledger = Ledger.open(fake.save("running"))
    assert (ledger.done(ledger.segments[0]), ledger.steps[0].rows_in, len(ledger.kept())) == (1, 2, 1)


def test_a_running_run_whose_lock_nobody_holds_was_interrupted(tmp_path):
    folder = FakeRun(tmp_path / "r").save("running")
    assert Ledger.open(folder).state == "interrupted"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert Ledger.open(folder).state == "running"


def test_a_run_is_found_by_path_and_by_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_run("fake") == find_run("runs/fake")
    assert find_run(run) == run


def test_a_run_that_is_not_there_names_the_nearest(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunNotFound) as caught:
        Ledger.open("runs/faek")
    assert caught.value.write == "runs/fake" and "fake" in caught.value.expected


def test_a_folder_of_a_run_that_never_got_its_plan_says_so(tmp_path):
    (tmp_path / "steps").mkdir()
    with pytest.raises(RunNotFound, match=r"no run\.json yet"):
        find_run(tmp_path)


@pytest.mark.parametrize("text", [
    "", "[]", "{", '{"format": 2}', '{"format": 1}', '{"format": 1, "name": "x", "segments": [{}]}', "null", '"x"',
    '{"format": 1, "name": "x", "segments": [{"name": "../x", "kind": "rows", "tasks": []}]}',
    '{"format": 1, "name": "x", "segments": [{"name": "x", "kind": "rows", "tasks": ["../../y"]}]}',
    '{"format": 1, "name": "x", "segments": 3}', "\udcff",
])
def test_a_run_file_that_is_not_one_is_an_error_in_words(tmp_path, text):
    (tmp_path / "run.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CorruptShard, match=r"run\.json cannot be read|format|folder of the run"):
        Ledger.open(tmp_path)


def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path):
    fake = FakeRun(tmp_path / "r")
    folder = fake.task(fake.segment("web.0", "web", [("web.0", "read.jsonl", {})]))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["../../../../secret.parquet"] = manifest["files"]["kept.parquet"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CorruptShard, match="outside its folder"):
        list(Ledger.open(fake.save()).shards())


@pytest.mark.parametrize("link", ["file", "task", "segment"])
def test_a_shard_reached_through_a_link_is_refused(run, tmp_path, link):
    shard = Ledger.open(run).kept()[0]
    place = {"file": shard.path, "task": shard.path.parent, "segment": shard.path.parents[1]}[link]
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorruptShard, match="link"):
        require_regular(shard)


def test_a_shard_that_is_gone_or_cut_is_refused(run):
    shard = Ledger.open(run).kept()[0]
    data = shard.path.read_bytes()
    shard.path.write_bytes(data[:-1])
    with pytest.raises(CorruptShard, match=f"{len(data) - 1} bytes"):
        require_regular(shard)
    shard.path.unlink()
    with pytest.raises(CorruptShard, match="no such file"):
        require_regular(shard)


def test_figures_keep_texts_and_flatten_nested_names(run):
    figures = {figure.name: figure.value if figure.text is None else figure.text for figure in Ledger.open(run).figures}
    assert figures == {"precision": 0.97, "heldout.web": 1.5, "sample": "hello", "train_tokens": 7, "heldout_tokens": 2}


def test_two_thousand_manifests_are_read_in_a_fraction_of_a_second(tmp_path):
    tasks = [f"{number:032x}" for number in range(2000)]
    for task in tasks:
        folder = tmp_path / "steps" / "web.0" / task
        folder.mkdir(parents=True)
        manifest = Manifest(task, "web.0", "rows", accounts=[Account("web.0", "web", "read.jsonl", 7, 0, 7)] * 4)
        (folder / "manifest.json").write_text(json.dumps(asdict(manifest)))
    steps = [{"step": "web.0", "lane": "web", "stage": "read.jsonl"}]
    segment = {"name": "web.0", "kind": "rows", "lane": "web", "final": True, "steps": steps, "tasks": tasks}
    (tmp_path / "run.json").write_text(json.dumps({"format": 1, "name": "x", "segments": [segment]}))
    start = time.process_time()
    assert Ledger.open(tmp_path).steps[0].rows_in == 7 * 4 * 2000
    assert time.process_time() - start < 1.0
