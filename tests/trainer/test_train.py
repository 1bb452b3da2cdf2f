"""Training runs: they learn, and no kill, signal or damage changes what comes out."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tiny_languages import stories, sums

from dataengine.errors import InputError, RunFailed, RunLocked
from trainer import checkpoint
from trainer.files import sha256
from trainer.train import Interrupted, locked, train

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def small(tmp_path, write_mixture, write_config) -> Path:
    """A config for 30 steps on two sources."""
    mixture = write_mixture(
        tmp_path / "data", {"a": [stories(250, 1)], "b": [stories(60, 2)]}, heldout={"a": stories(8, 3)},
        weights={"a": 0.75, "b": 0.25}, max_epochs=3, tokens=30 * 8 * 32)
    return write_config(tmp_path, mixture, prompts=["the red cat"], sample_tokens=8)


def start(config: Path, out: Path, **more: Any) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "trainer", "train", str(config), "--out", str(out)], text=True,
                            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def change(config: Path, **more: Any) -> Path:
    config.write_text(json.dumps(json.loads(config.read_bytes()) | more))
    return config


def trace(out: Path) -> list[tuple[int, float, float]]:
    lines = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [(line["step"], line["loss"], line["lr"]) for line in lines]


def wait_for_step(process: subprocess.Popen[str], out: Path, step: int) -> None:
    """Return while the process runs and has written that step's line."""
    metrics = out / "metrics.jsonl"
    while process.poll() is None:
        if metrics.exists() and metrics.read_text().count("\n") >= step:
            return
        time.sleep(0.002)


# --- what it is for ---------------------------------------------------------------------------------------------------

def entropy_per_byte(texts: list[str]) -> float:
    """Bits per byte that the frequencies of single words leave, the best a model without context could do."""
    counts = Counter(word for text in texts for word in text.split())
    total = sum(counts.values())
    bits = -sum(count * math.log2(count / total) for count in counts.values())
    return bits / sum(len(text.encode()) for text in texts)


def test_a_model_learns_a_small_language_far_below_its_unigram_entropy(tmp_path, write_mixture, write_config) -> None:
    heldout = stories(60, 99)
    mixture = write_mixture(tmp_path, {"stories": [stories(800, 1)]}, heldout={"stories": heldout})
    result = train(write_config(tmp_path, mixture), tmp_path / "out")
    bits = result["heldout_after"]["stories"]
    unigram = entropy_per_byte(heldout)
    # A sentence of about 32 bytes carries one of 4 colours and one of 8 animals, 5 bits, and the story's length.
    floor = 5 * sum(text.count(".") for text in heldout) / sum(len(text.encode()) for text in heldout)
    assert result["heldout_before"]["stories"] > unigram
    assert floor < bits < 0.4 * unigram
    assert result["loss_last"] < 0.3 * result["loss_first"]


def test_an_sft_model_learns_to_answer(tmp_path, write_mixture, write_config) -> None:
    mixture = write_mixture(tmp_path, {"sums": [sums(800, 1)]}, heldout={"sums": sums(60, 2)}, kind="messages",
                            max_epochs=6, tokens=10**9)
    prompts = [f"larger of {a} and {b}?" for a, b in ((3, 3), (1, 4), (4, 2), (0, 1), (2, 3), (0, 2))]
    config = write_config(tmp_path, mixture, objective="sft", sequence_length=64, prompts=prompts, sample_tokens=6,
                          sample_temperature=0.0)
    result = train(config, tmp_path / "out")
    assert result["heldout_after"]["sums"] < 0.25 * result["heldout_before"]["sums"]
    right = [sample["text"] == str(max(int(word.rstrip("?")) for word in sample["prompt"].split() if word[0].isdigit()))
             for sample in result["samples"]]
    assert sum(right) >= 5, result["samples"]


def test_the_result_says_what_was_done(small, tmp_path) -> None:
    result = train(small, tmp_path / "out")
    assert result["steps"] == 30 and result["tokens"] == 30 * 8 * 32
    assert set(result["heldout_before"]) == set(result["heldout_after"]) == {"a"}, "b has no held-out text"
    assert [sample["prompt"] for sample in result["samples"]] == ["the red cat"]
    losses = [loss for _, loss, _ in trace(tmp_path / "out")]
    assert result["loss_last"] == pytest.approx(sum(losses[-10:]) / 10)
    assert len(list((tmp_path / "out" / "checkpoints").glob("step-*"))) == 2
    names = {path.name for path in (tmp_path / "out" / "final").iterdir()}
    assert names == {"model.safetensors", "config.json", "tokenizer.model", "training.json"}
    assert json.loads((tmp_path / "out" / "result.json").read_bytes()) == result


def test_bfloat16_learns_as_well_as_float32(small, tmp_path) -> None:
    plain = train(small, tmp_path / "plain")
    config = json.loads(small.read_bytes()) | {"precision": "bfloat16"}
    small.write_text(json.dumps(config))
    rounded = train(small, tmp_path / "rounded")
    assert rounded["heldout_after"]["a"] == pytest.approx(plain["heldout_after"]["a"], rel=0.05)
    assert rounded["heldout_after"]["a"] < 0.8 * rounded["heldout_before"]["a"]


@pytest.mark.parametrize(("able", "slow"), [({"architecture": "x86_64", "avx512_bw": False}, True),
                                            ({"architecture": "x86_64", "avx512_bw": True}, False),
                                            ({"architecture": "aarch64"}, False)])
def test_who_asks_for_bfloat16_where_it_is_slow_is_told_so(small, tmp_path, capsys, monkeypatch, able, slow) -> None:
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: able)
    train(change(small, precision="bfloat16"), tmp_path / "out")
    assert ('precision = "float32" is about ten times as fast' in capsys.readouterr().err) == slow
    train(change(small, precision="float32"), tmp_path / "plain")
    assert "float32" not in capsys.readouterr().err


# --- stopping and going on --------------------------------------------------------------------------------------------

@pytest.fixture
def slow(small) -> Path:
    """The same data in 120 steps of a larger model: about a second, so that a signal finds it at work."""
    return change(small, batch_size=2, model={"width": 64, "layers": 3, "heads": 2})


def test_a_run_killed_at_several_steps_ends_as_the_unbroken_one(slow, tmp_path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    train(slow, unbroken)
    killed = 0
    for step in (1, 22, 43, 64):
        process = start(slow, broken)
        wait_for_step(process, broken, step)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed >= 3, "killed while it ran"
    process = start(slow, broken)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0 and "going on after step" in said
    assert trace(broken) == trace(unbroken)
    assert sha256(broken / "final/model.safetensors") == sha256(unbroken / "final/model.safetensors")
    assert (broken / "result.json").read_bytes() == (unbroken / "result.json").read_bytes()


def test_a_kill_inside_a_save_leaves_the_checkpoint_before(small, tmp_path, monkeypatch) -> None:
    train(small, tmp_path / "unbroken")
    points = ["save_file", "write_json", "sync", "_seal"]
    for number, point in enumerate(points):
        out, calls = tmp_path / point, random.Random(number).randrange(4, 10)
        real, count = getattr(checkpoint, point), 0

        def dies(*arguments: Any, real=real, calls=calls, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == calls // (3 if point == "_seal" else 1):  # noqa: B023
                raise KeyboardInterrupt  # no cleaning up, as with a kill
            return real(*arguments, **more)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(checkpoint, point, dies)
            train(small, out)
        train(small, out)
        assert trace(out) == trace(tmp_path / "unbroken")
        assert sha256(out / "final/model.safetensors") == sha256(tmp_path / "unbroken/final/model.safetensors")
        assert not list((out / "checkpoints").glob("tmp-*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_exits_130(slow, tmp_path, number: int) -> None:
    process = start(slow, tmp_path / "out")
    wait_for_step(process, tmp_path / "out", 3)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130 and "the same command goes on" in said and "Traceback" not in said
    saved = checkpoint.newest(tmp_path / "out" / "checkpoints", print)
    assert saved is not None and saved.step == len(trace(tmp_path / "out")) >= 3


def test_a_finished_run_is_left_alone(small, tmp_path) -> None:
    first = train(small, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")
              if path.is_file() and path.name not in ("lock", "run.json")}
    assert train(small, tmp_path / "out") == first
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("damage", ["flip", "cut", "no manifest", "missing file"])
def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(small, tmp_path, capsys, damage: str) -> None:
    train(small, tmp_path / "unbroken")
    out = stop_after(small, tmp_path / "out", 13)
    newest = out / "checkpoints" / (out / "checkpoints/latest").read_text().strip().strip('"')
    assert newest.name == "step-00000013"
    weights = newest / "optimizer.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    if damage == "flip":
        weights.write_bytes(data)
    elif damage == "cut":
        weights.write_bytes(data[:-1])
    elif damage == "no manifest":
        (newest / "manifest.json").unlink()
    else:
        weights.unlink()
    capsys.readouterr()
    train(small, out)
    said = capsys.readouterr().err
    assert "step-00000013" in said and "going back" in said and "going on after step 10" in said
    assert trace(out) == trace(tmp_path / "unbroken")
    assert sha256(out / "final/model.safetensors") == sha256(tmp_path / "unbroken/final/model.safetensors")


def stop_after(config: Path, out: Path, step: int) -> Path:
    """A run that was told to stop after this step."""
    import trainer.train as module

    real = module.Run._step

    def stepped(self: Any) -> dict[str, Any]:
        line = real(self)
        if self.done == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return line

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(module.Run, "_step", stepped)
        train(config, out)
    return out


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_what_was_good(small, tmp_path, monkeypatch) -> None:
    import trainer.train as module

    real = module._objective

    def poisoned(*arguments: Any) -> Any:
        objective, calls = real(*arguments), iter(range(1_000))
        return lambda model, batch: objective(model, batch) * (math.nan if next(calls) == 12 else 1.0)

    monkeypatch.setattr(module, "_objective", poisoned)
    with pytest.raises(RunFailed, match="at step 13 the loss is nan"):
        train(small, tmp_path / "out")
    saved = checkpoint.newest(tmp_path / "out" / "checkpoints", print)
    assert saved.step == 10 and all(weight.isfinite().all() for weight in saved.model.values())
    assert len(trace(tmp_path / "out")) == 12 and not (tmp_path / "out/result.json").exists()


def test_a_full_disk_is_said_and_leaves_no_half_checkpoint(small, tmp_path, monkeypatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    stop_after(small, tmp_path / "out", 6)
    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(RunFailed, match="No space left"):
        train(small, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out/checkpoints").iterdir()) == [
        "latest", "step-00000005", "step-00000006"]


# --- the user's mistakes ----------------------------------------------------------------------------------------------

def test_a_folder_holds_one_run(small, tmp_path) -> None:
    train(small, tmp_path / "out")
    train(change(small, save_every=3, threads=1), tmp_path / "out")
    with pytest.raises(InputError, match="another config"):
        train(change(small, learning_rate=0.5), tmp_path / "out")


def test_two_processes_do_not_train_in_one_folder(small, tmp_path) -> None:
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(RunLocked):
        train(small, tmp_path / "out")


@pytest.mark.parametrize(("more", "said"), [
    ({"learning_rat": 1}, "learning_rat"),
    ({"objective": "magic"}, "objective"),
    ({"batch_size": 0}, "batch_size"),
    ({"batch_size": 100_000}, "not one batch"),
    ({"objective": "sft"}, "mixture of messages"),
    ({"mixture": "nowhere.json"}, "cannot read the mixture"),
    ({"init": "nowhere"}, "no checkpoint to start from"),
    ({"model": {"width": 33}}, "cut into 4 heads"),
])
def test_mistakes_are_said_in_words(small, tmp_path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train(change(small, **more), tmp_path / "out")


def test_a_shard_that_vanished_is_named(small, tmp_path) -> None:
    (tmp_path / "data/tokens/b-0.idx").unlink()
    with pytest.raises(InputError) as said:
        train(small, tmp_path / "out")
    assert "b-0.idx" in str(said.value)


def test_training_goes_on_from_another_runs_model(small, tmp_path, write_mixture, write_config) -> None:
    first = train(small, tmp_path / "base")
    second = train(change(small, init=str(tmp_path / "base/final"), model={"width": 999}), tmp_path / "more")
    assert second["heldout_before"] == first["heldout_after"]
    assert second["heldout_after"]["a"] < first["heldout_after"]["a"]
    checkpoints = train(change(small, init=str(tmp_path / "base/checkpoints/step-00000030")), tmp_path / "again")
    assert checkpoints["heldout_after"] == second["heldout_after"]


def test_a_first_model_with_another_tokenizer_is_refused(small, tmp_path) -> None:
    from dataengine.learn_tokenizer import learn

    train(small, tmp_path / "base")
    learn(stories(300, 5), tmp_path / "base/final", vocabulary=320, kind="bpe", sample_bytes=1 << 20)
    with pytest.raises(InputError, match="another tokenizer"):
        train(change(small, init=str(tmp_path / "base/final")), tmp_path / "more")
