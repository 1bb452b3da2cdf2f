"""A run over the network: cut, killed and begun again, it gives the bytes of an undisturbed one."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.projects import command, dataengine, digests, environment
from tests.remote.server import Server, serving
from tests.stages.read.archives import crawl, packed

RECIPE = """
name = "far"

[run]
record_deadline = 2.0
max_quarantined = 0.5
split_bytes = "1kB"

[[data.web]]
stage = "read.warc"
paths = "{paths}"

"""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


def site(server: Server, folder: Path, archives: int = 5, network: str = "") -> Path:
    """A list of archives of six pages each on the server, and a recipe that reads them."""
    paths = [f"crawl-data/a-{number:05}.warc.gz" for number in range(archives)]
    for number, path in enumerate(paths):
        server.put("/" + path, b"".join(packed(crawl(6 + number)[1 + 2 * number :])))
    url = server.put("/crawl-data/warc.paths.gz", gzip.compress("\n".join(paths).encode()))
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(paths=url) + server.toml() + network)
    return recipe


def run(recipe: Path, out: str, *more: str, workers: int = 2) -> subprocess.CompletedProcess[str]:
    return dataengine("run", recipe, "--out", out, "--workers", str(workers), *more, cwd=recipe.parent, timeout=120)


def test_a_run_whose_connections_are_cut_gives_the_bytes_of_an_undisturbed_one(server: Server, tmp_path: Path) -> None:
    recipe = site(server, tmp_path)
    plain = run(recipe, "plain")
    assert plain.returncode == 0, plain.stderr
    server.cut, server.cuts = 2000, 60
    assert run(recipe, "cut").returncode == 0
    assert server.cuts < 60
    assert digests(tmp_path / "plain") == digests(tmp_path / "cut")
    planned = dataengine("plan", recipe, "--out", "plain", "--json", cwd=tmp_path)
    assert json.loads(planned.stdout)["to_do"] == 0


def test_a_killed_run_fetches_only_what_is_not_committed(server: Server, tmp_path: Path) -> None:
    recipe = site(server, tmp_path)
    assert run(recipe, "plain").returncode == 0
    last = "/crawl-data/a-00004.warc.gz"
    server.errors[last] = [503] * 10_000  # the run waits here
    patient = recipe.read_text().replace("first_wait = 0.001", "first_wait = 5.0")
    recipe.write_text(patient)
    process = subprocess.Popen(command("run", recipe, "--out", "killed", "--workers", "1", "--quiet"), cwd=tmp_path,
                               env=environment(), stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(tmp_path.glob("killed/steps/*/*/manifest.json"))) < 4:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    server.errors.clear()
    server.served.clear()
    assert run(recipe, "killed").returncode == 0
    assert digests(tmp_path / "plain") == digests(tmp_path / "killed")
    fetched = {path for path, size in server.served.items() if size > 1}
    assert fetched == {last, "/crawl-data/warc.paths.gz"}, "what was committed is not asked for again"


def test_one_object_that_is_gone_is_quarantined_and_the_rest_goes_on(server: Server, tmp_path: Path) -> None:
    recipe = site(server, tmp_path)
    del server.objects["/crawl-data/a-00001.warc.gz"]
    done = run(recipe, "run")
    assert done.returncode == 0, done.stderr
    rows = dataengine("sql", "run", "select reason, origin, detail from quarantined", "--json", cwd=tmp_path)
    (row,) = json.loads(rows.stdout)
    assert row["reason"] == "unreachable" and row["origin"].endswith("a-00001.warc.gz") and "404" in row["detail"]


def test_a_server_in_trouble_ends_the_run_in_words_and_the_next_one_goes_on(server: Server, tmp_path: Path) -> None:
    recipe = site(server, tmp_path)
    server.errors["/crawl-data/a-00003.warc.gz"] = [503] * 1000
    failed = run(recipe, "run", workers=1)
    assert failed.returncode == 1
    assert "503" in failed.stderr and "a-00003" in failed.stderr and "Traceback" not in failed.stderr
    server.errors.clear()
    assert run(recipe, "run").returncode == 0


def test_trouble_that_outlasts_a_task_is_outlasted_by_the_run(server: Server, tmp_path: Path) -> None:
    recipe = site(server, tmp_path)
    server.errors["/crawl-data/a-00001.warc.gz"] = [503] * 12  # a task asks five times
    done = run(recipe, "run", workers=1)
    assert done.returncode == 0, done.stderr
    asked = [path for path, _ in server.asked if path.endswith("warc.gz")]
    assert asked.index("/crawl-data/a-00004.warc.gz") < len(asked) - 2, "the others had their turn"


def test_an_object_that_changes_after_the_plan_is_not_read(server: Server, tmp_path: Path) -> None:
    url = server.put("/docs.jsonl", b'{"text": "one"}\n')
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'name = "far"\n[[data.web]]\nstage = "read.jsonl"\npaths = "{url}"\n' + server.toml())
    assert run(recipe, "run").returncode == 0
    server.put("/docs.jsonl", b'{"text": "two"}\n')
    planned = json.loads(dataengine("plan", recipe, "--out", "run", "--json", cwd=tmp_path).stdout)
    assert planned["to_do"] == 1
    assert run(recipe, "run").returncode == 0
    rows = dataengine("sql", "run", "select text from docs", "--json", cwd=tmp_path)
    assert json.loads(rows.stdout) == [{"text": "two"}]


def test_waiting_for_a_slow_server_is_no_fault_of_the_record(server: Server, tmp_path: Path) -> None:
    """The deadline is 0.2 s of CPU, 1.2 s of wall time; the server takes longer than that for its first byte."""
    recipe = site(server, tmp_path, archives=1)
    recipe.write_text(recipe.read_text().replace("record_deadline = 2.0", "record_deadline = 0.2"))
    server.pause, server.paused = 2.5, "/crawl-data/a-00000.warc.gz"
    done = run(recipe, "run")
    assert done.returncode == 0, done.stderr
    rows = dataengine("sql", "run", "select count(*) n from docs", "--json", cwd=tmp_path)
    assert json.loads(rows.stdout) == [{"n": 6}]


def test_a_token_is_in_no_file_and_no_message(server: Server, tmp_path: Path) -> None:
    network = f'tokens = {{ "{server.host}" = {{ env = "FAR_TOKEN" }} }}\n'
    recipe = site(server, tmp_path, network=network)
    server.errors["/crawl-data/a-00002.warc.gz"] = [403]
    env = {"FAR_TOKEN": "canary-d41d8"}
    done = dataengine("run", recipe, "--out", "run", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert all(headers["Authorization"] == "Bearer canary-d41d8" for headers in server.seen)
    assert "canary" not in done.stdout + done.stderr
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file() and b"canary" in path.read_bytes()]


def test_patience_and_tokens_do_not_change_what_comes_out(server: Server, tmp_path: Path) -> None:
    recipe = site(server, tmp_path)
    assert run(recipe, "run").returncode == 0
    recipe.write_text(recipe.read_text().replace("timeout = 5.0", "timeout = 9.0"))
    planned = json.loads(dataengine("plan", recipe, "--out", "run", "--json", cwd=tmp_path).stdout)
    assert planned["to_do"] == 0
