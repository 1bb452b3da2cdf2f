from __future__ import annotations

import fcntl
import os

import pytest

from dataengine import doctor
from dataengine.errors import InputError


def verdicts(findings):
    return {finding.name: finding.verdict for finding in findings}


def test_this_machine_is_fit_and_nothing_is_left_behind(tmp_path):
    found = doctor.examine(tmp_path / "not" / "there" / "yet")
    assert [finding for finding in found if finding.verdict == "wrong"] == []
    assert {"cores", "memory", "workers", "fsync", "rename", "lock", "pyarrow", "lid.176.ftz"} <= set(verdicts(found))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("patch", "name"), [
    ((fcntl, "flock", lambda *a: None), "lock"),
    ((os, "rename", lambda *a: None), "rename of a folder"),
    ((os, "replace", lambda *a: None), "rename"),
    ((os, "link", lambda *a: None), "exclusive create"),
])
def test_a_file_system_that_does_not_keep_its_promises_is_found(tmp_path, monkeypatch, patch, name):
    monkeypatch.setattr(*patch)
    assert verdicts(doctor.disk(tmp_path))[name] == "wrong"
    assert list(tmp_path.iterdir()) == []


def test_a_refusing_file_system_is_found(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    found = {finding.name: finding for finding in doctor.disk(tmp_path)}["exclusive create"]
    assert (found.verdict, found.value) == ("wrong", "refused: Operation not supported")


def test_a_place_that_cannot_be_written_is_an_error_in_words(tmp_path, monkeypatch):
    def refuse(*arguments, **more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "mkdtemp", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        doctor.examine(tmp_path)


def test_too_little_memory_for_the_cores_is_said(monkeypatch):
    import psutil

    total = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: total._replace(available=2_500_000_000))
    monkeypatch.setattr(doctor.os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(doctor, "cpu_quota", lambda: None)
    workers = {finding.name: finding for finding in doctor.machine()}["workers"]
    assert (workers.value, workers.verdict) == ("1", "warning") and "--workers 1" in workers.advice


def test_limits_of_the_control_group_are_read(monkeypatch):
    lines = {"/sys/fs/cgroup/memory.max": "max", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1000",
             "/sys/fs/cgroup/cpu.max": "150000 100000"}
    monkeypatch.setattr(doctor, "_first_line", lambda path: lines[path])
    assert (doctor.memory_limit(), doctor.cpu_quota()) == (1000, 1.5)
    lines["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712"
    lines["/sys/fs/cgroup/cpu.max"] = "max 100000"
    assert (doctor.memory_limit(), doctor.cpu_quota()) == (None, None)


def test_a_changed_language_model_is_found(monkeypatch):
    monkeypatch.setattr(doctor, "LANGUAGE_MODEL_SHA256", "0" * 64)
    assert doctor.language_model().verdict == "wrong"
