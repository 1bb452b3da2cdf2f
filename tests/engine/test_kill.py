"""Killed anywhere, started again: the same bytes. Driver and workers are killed at random, and at every fault point."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from dataengine.faults import POINTS
from tests.engine.projects import command, dataengine, digests, environment, manifests, project


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The recipe, and the digests of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("unbroken")
    recipe = project(folder)
    done = dataengine("run", recipe, "--quiet", "--workers", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    return recipe, digests(folder / "runs/small")


def finish(recipe: Path, out: Path) -> None:
    """Run to the end, whatever is there."""
    done = dataengine("run", recipe, "--quiet", "--workers", "2", "--out", out, cwd=out.parent)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_gives_the_same_bytes(
    unbroken: tuple[Path, dict[str, str]], tmp_path: Path, workers: int
) -> None:
    recipe, expected = unbroken
    done = dataengine("run", recipe, "--quiet", "--workers", str(workers), "--out", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "run") == expected


def armed(folder: Path, fault: str) -> dict[str, str]:
    """The environment in which one process fails at this point, once."""
    return {"DATAENGINE_FAULT": f"{fault}:{folder / 'fault_struck'}"}


@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_at_a_fault_point_leaves_nothing_wrong(
    unbroken: tuple[Path, dict[str, str]], tmp_path: Path, point: str
) -> None:
    recipe, expected = unbroken
    out, driver = tmp_path / "run", point == "run_json"
    broken = dataengine(
        "run",
        recipe,
        "--quiet",
        "--workers",
        "1",
        "--out",
        out,
        cwd=tmp_path,
        env=armed(tmp_path, f"{point}:kill@{1 if driver else 2}"),
    )
    assert (tmp_path / "fault_struck").exists()
    assert broken.returncode == (-signal.SIGKILL if driver else 0), "the loss of one worker does not end a run"
    finish(recipe, out)
    assert digests(out) == expected
    assert not (out / "tmp").exists()


@pytest.mark.parametrize("error", ["enospc", "eio"])
def test_a_disk_that_fails_commits_nothing_wrong(
    unbroken: tuple[Path, dict[str, str]], tmp_path: Path, error: str
) -> None:
    recipe, expected = unbroken
    out = tmp_path / "run"
    broken = dataengine(
        "run",
        recipe,
        "--quiet",
        "--workers",
        "1",
        "--out",
        out,
        cwd=tmp_path,
        env=armed(tmp_path, f"before_rename:{error}@5"),
    )
    if error == "enospc":
        assert broken.returncode == 1 and "No space left" in broken.stderr and "MB are free" in broken.stderr
        assert "Traceback" not in broken.stderr
    else:
        assert broken.returncode == 0, "an I/O error is tried again"
    finish(recipe, out)
    assert digests(out) == expected


def kill_once(recipe: Path, out: Path, rng: random.Random, longest: float) -> bool:
    """Start a run and kill the driver or one of its workers with SIGKILL at a random moment; True if it was killed."""
    driver = subprocess.Popen(
        command("run", recipe, "--quiet", "--workers", "2", "--out", out),
        cwd=out.parent,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        driver.wait(timeout=rng.uniform(0.3, longest))
        return False
    except subprocess.TimeoutExpired:
        pass
    victims = [driver.pid]
    if rng.random() < 0.6:
        try:
            victims = [child.pid for child in psutil.Process(driver.pid).children(recursive=True)] or victims
        except psutil.NoSuchProcess:
            victims = [driver.pid]
    victim = rng.choice(victims)
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return False
    if victim != driver.pid:
        assert driver.wait(timeout=120) == 0, "the loss of one worker does not end a run"
    else:
        driver.wait()
    return True


def chaos(recipe: Path, expected: dict[str, str], folder: Path, kills: int, seed: int) -> None:
    """Kill until `kills` kills have struck; after each, finish the run and compare."""
    rng, struck, attempt = random.Random(seed), 0, 0
    while struck < kills:
        attempt += 1
        assert attempt < 6 * kills, "the runs end before they can be killed"
        out = folder / f"run{attempt}"
        if kill_once(recipe, out, rng, longest=3.0):
            struck += 1
        finish(recipe, out)
        assert digests(out) == expected
        for manifest in manifests(out):
            for account in manifest["accounts"]:
                lost = sum(account["dropped"].values()) + sum(account["quarantined"].values())
                assert account["rows_in"] + account["rows_created"] == account["rows_kept"] + lost


def test_random_kills_give_the_same_bytes(unbroken: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    chaos(*unbroken, tmp_path, kills=3, seed=11)


@pytest.mark.slow
def test_fifty_random_kills_give_the_same_bytes(unbroken: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    chaos(*unbroken, tmp_path, kills=50, seed=50)


def test_ctrl_c_ends_with_130_and_the_run_goes_on_later(unbroken: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    recipe, expected = unbroken
    driver = subprocess.Popen(
        command("run", recipe, "--workers", "1", "--out", tmp_path / "run"),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.glob("run/steps/*/*/manifest.json")) and driver.poll() is None:
        time.sleep(0.02)
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 130 and "Traceback" not in said
    finish(recipe, tmp_path / "run")
    assert digests(tmp_path / "run") == expected


def test_a_second_driver_is_told_who_holds_the_run(unbroken: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    from dataengine.run import locked

    recipe, _ = unbroken
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"):
        second = dataengine("run", recipe, "--quiet", "--out", tmp_path / "run", cwd=tmp_path)
    assert second.returncode == 1 and f"pid {os.getpid()}" in second.stderr
