"""What is there is not made again: after an edit, a move, new input. And what must not be there is found out."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dataengine import plan as plans
from dataengine import recipe as recipes
from dataengine import run as runner
from dataengine import shards
from dataengine.errors import InputError, RecipeError
from dataengine.tasks.head import changed
from tests.engine.projects import command, dataengine, digests, documents, environment, plugin, project, write_jsonl

RECIPE = """
name = "inc"
[run]
split_bytes = "20kB"
[[data.web]]
stage = "read.jsonl"
paths = "in"
[[data.web]]
stage = "filter.gopher"
min_words = 30
[[data.corpus]]
from = ["web"]
stage = "dedup.exact"
"""


def start(folder: Path, recipe: str = RECIPE) -> Path:
    """A project whose input is a folder of three files."""
    (folder / "in").mkdir(parents=True)
    for number in range(3):
        write_jsonl(folder / "in" / f"{number}.jsonl", documents(30, seed=number))
    (folder / "recipe.toml").write_text(recipe)
    return folder / "recipe.toml"


def again(recipe: Path, out: Path, *overrides: str) -> list[str]:
    """Run; the segments of the tasks that were run, in the order of the plan."""
    plan = plans.make(recipes.load(recipe, overrides), out)
    to_do = [task.ref.segment for task in plan.to_do]
    assert runner.run(plan, workers=1) == len(to_do)
    return to_do


GATHER = ["corpus.0.sketch", "corpus.0.match", "corpus.0.cluster", "corpus.0"]


def test_only_what_an_edit_reaches_is_made_again(tmp_path: Path) -> None:
    recipe, out = start(tmp_path), tmp_path / "run"
    first = again(recipe, out)
    assert again(recipe, out) == []
    recipe.write_text("# a comment\n" + RECIPE.replace('"20kB"', '"20kB"\nrecord_deadline = 9'))
    assert again(recipe, out) == [], "comments and how a run behaves change nothing"
    recipe.write_text(RECIPE)
    assert again(recipe, out, "data.web.1.min_words=31") == first, "a threshold reaches its segment and what follows"
    assert again(recipe, out) == [], "and the old answers are still there"
    assert dict.fromkeys(again(recipe, out, "data.corpus.0.of=normalized")) == dict.fromkeys(GATHER)


def test_a_new_file_makes_new_tasks_only_for_itself_and_the_gather(tmp_path: Path) -> None:
    recipe, out = start(tmp_path, RECIPE.replace("20kB", "4kB")), tmp_path / "run"
    before = again(recipe, out).count("web.0-1")
    write_jsonl(tmp_path / "in" / "9.jsonl", documents(3, seed=9))
    made = again(recipe, out)
    assert 0 < made.count("web.0-1") <= 2 < before
    assert dict.fromkeys(made) == dict.fromkeys(["web.0-1", *GATHER])


def test_a_run_and_its_input_can_be_moved(tmp_path: Path) -> None:
    again(start(tmp_path / "here"), tmp_path / "here" / "run")
    before = digests(tmp_path / "here" / "run")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert again(tmp_path / "there/recipe.toml", tmp_path / "there/run") == []
    assert digests(tmp_path / "there/run") == before
    assert str(tmp_path / "here") not in (tmp_path / "there/run/run.json").read_text()


def test_a_run_may_be_called_almost_anything(tmp_path: Path) -> None:
    folder = tmp_path / "--out two\nlines of caf\u00e9 'n' \"tea\" $HOME *"
    recipe = start(folder / "project")
    done = dataengine("run", recipe, "--quiet", "--workers", "1", f"--out={folder / 'run'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (folder / "run/run.json").exists() and not (folder / "run/tmp").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not take such a name")
def test_a_run_whose_name_is_not_utf_8_is_refused_in_words(tmp_path: Path) -> None:
    recipe, out = start(tmp_path), tmp_path / os.fsdecode(b"not\xffutf8")
    done = dataengine("run", recipe, "--quiet", "--out", out, cwd=tmp_path)
    assert done.returncode == 2 and "UTF-8" in done.stderr and "Traceback" not in done.stderr


def test_rubbish_of_every_kind_in_tmp_is_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    recipe, out = start(tmp_path), tmp_path / "run"
    (out / "tmp" / "folder").mkdir(parents=True)
    (out / "lock").touch()  # what a run that was killed at its start leaves behind
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (out / "tmp" / "link").symlink_to(tmp_path / "precious")
    os.mkfifo(out / "tmp" / "pipe")
    again(recipe, out)
    assert not (out / "tmp").exists()
    (out / "tmp").symlink_to(tmp_path / "precious")
    again(recipe, out, "data.web.1.min_words=31")
    assert (tmp_path / "precious" / "file").exists() and not (out / "tmp").exists()


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    start(tmp_path)
    plan = plans.make(recipes.load(tmp_path / "recipe.toml"), tmp_path / "run")
    piece = plans.Piece(**next(plan.tasks).body["split"][0])
    changed(piece)
    os.utime(piece.path, ns=(1, 1))
    with pytest.raises(InputError, match="changed"):
        changed(piece)


CLOCK = '''
"""Tell the time (a stage of the test suite that breaks the law)."""

import time

from dataengine.stage import StageConfig, map


class Config(StageConfig):
    pass


@map(reads=["text"], adds={"time": "float64"}, version=1)
def clock(batch, config):
    return {"time": [time.time()] * batch.num_rows}
'''


def test_a_stage_that_tells_the_time_is_found_when_its_task_is_done_twice(tmp_path: Path) -> None:
    recipe = project(
        tmp_path,
        'name = "c"\n[[data.web]]\nstage = "read.jsonl"\npaths = "docs.jsonl"\n[[data.web]]\nstage = "map.clock"\n',
    )
    env = environment(plugin(tmp_path / "plugin", "map.clock", "clock", CLOCK))
    twice = (
        "import sys; from pathlib import Path; from dataengine import plan, recipe, run, shards\n"
        "made = plan.make(recipe.load(Path(sys.argv[1])), Path('run'))\n"
        "run.run(made, workers=1)\n"
        "made = plan.make(recipe.load(Path(sys.argv[1])), Path('run'))\n"
        "made.__dict__['committed'] = frozenset()\n"  # as another driver sees it that planned before the first was done
        "run.run(made, workers=1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", twice, recipe], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert "NotDeterministic" in done.stderr and "map.clock" in done.stderr and "kept.parquet differs" in done.stderr
    assert len(list((tmp_path / "run/steps").rglob("manifest.json"))) == 1


def test_the_same_tasks_done_twice_agree(tmp_path: Path) -> None:
    recipe, out = start(tmp_path), tmp_path / "run"
    again(recipe, out)
    before, times = digests(out), {path: path.stat().st_mtime_ns for path in out.rglob("manifest.json")}
    plan = plans.make(recipes.load(recipe), out)
    plan.__dict__["committed"] = frozenset()
    assert runner.run(plan, workers=2) > 0
    assert digests(out) == before
    assert {path: path.stat().st_mtime_ns for path in out.rglob("manifest.json")} == times


def test_closed_standard_files_do_no_harm(tmp_path: Path) -> None:
    start(tmp_path)
    (tmp_path / "go.py").write_text(
        "from pathlib import Path; from dataengine import plan, recipe, run\n"
        "run.run(plan.make(recipe.load(Path('recipe.toml')), Path('run')), workers=1)\n"
    )
    line = f"exec {sys.executable} go.py <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment(), timeout=60, check=False)
    assert done.returncode == 0
    assert json.loads((tmp_path / "run/run.json").read_text())["state"] == "complete"


# --- training ---------------------------------------------------------------------------------------------------------

TRAIN = RECIPE + """
[tokenizer]
learn_from = "corpus"
vocabulary = 300
[mix.all]
from = "corpus"
tokens = "100M"
[mix.all.max_epochs]
web = 1000000
[train.tiny]
mix = "all"
model = { width = 32, layers = 1, heads = 2 }
"""


def training(folder: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A run in the middle of a training that takes hours, and its trainer."""
    recipe = start(folder, TRAIN)
    driver = subprocess.Popen(
        command("run", recipe, "--quiet", "--workers", "1"),
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    watched, limit = psutil.Process(driver.pid), time.monotonic() + 60
    while time.monotonic() < limit and driver.poll() is None:
        with contextlib.suppress(psutil.Error):
            for child in watched.children(recursive=True):
                if "trainer" in child.cmdline() and list(folder.glob("runs/inc/work/*/metrics.jsonl")):
                    return driver, child
        time.sleep(0.1)
    driver.kill()
    raise AssertionError(f"no training began: {driver.communicate()[1]}")


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_a_killed_driver_leaves_no_trainer_behind(tmp_path: Path) -> None:
    driver, trainer = training(tmp_path)
    driver.kill()
    driver.communicate()
    assert psutil.wait_procs([trainer], timeout=10)[1] == []


def test_ctrl_c_lets_the_trainer_save_where_it_is(tmp_path: Path) -> None:
    driver, trainer = training(tmp_path)
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=30)
    assert driver.returncode == 130 and "Traceback" not in said
    assert not trainer.is_running()
    assert shards.MANIFEST not in os.listdir(next(iter((tmp_path / "runs/inc/work").iterdir())))
    assert list((tmp_path / "runs/inc/work").rglob("*.safetensors")), "a checkpoint was written on the way out"


LISTED = """
name = "listed"
[[data.web]]
stage = "read.jsonl"
paths = "docs.jsonl"
[[data.web]]
stage = "filter.url"
domain_files = ["lists/a.txt", "lists/b.txt"]
"""


def test_each_file_of_a_list_of_files_is_found_loaded_and_part_of_the_address(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.txt").write_text("a.example\n")
    (tmp_path / "lists" / "b.txt").write_text("b.example\n")
    hosts = ("a.example", "b.example", "c.example")
    write_jsonl(tmp_path / "docs.jsonl", [{"text": host, "url": f"http://{host}/"} for host in hosts])
    recipe, out = tmp_path / "recipe.toml", tmp_path / "out"
    recipe.write_text(LISTED)
    assert again(recipe, out) == ["web.0-1"]
    assert again(recipe, out) == []
    manifest = json.loads(next(out.glob("steps/*/*/manifest.json")).read_text())
    assert manifest["accounts"][1]["dropped"] == {"blocked_domain": 2}
    (tmp_path / "lists" / "b.txt").write_text("c.example\n")
    assert again(recipe, out) == ["web.0-1"]
    (tmp_path / "lists" / "b.txt").unlink()
    with pytest.raises(RecipeError, match=r"b\.txt cannot be read"):
        plans.make(recipes.load(recipe), out)
