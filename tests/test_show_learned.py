"""What a run shows of its mixtures and trainings is what their files say."""

from __future__ import annotations

import json

import pytest

from dataengine import show_learned
from dataengine.errors import CorruptShard
from dataengine.ledger import Ledger
from tests.fake_run import HOSTILE, FakeRun

RESULT = {"steps": 9, "tokens": 4000, "parameters": 1234567, "loss_first": 7.0, "loss_last": 3.5,
          "heldout_before": {"web": 5.0, "code": 4.0}, "heldout_after": {"web": 2.5, "code": 2.0},
          "samples": [{"prompt": "What is\n2 + 2?", "text": f"Four.\n\n{HOSTILE}"}]}


def trained(folder, *, result=RESULT, weights=(0.75, 0.25), code=1001, heldout=5, budget=4000):
    """A mixture of two sources of about 1,000 tokens, read in windows of 100, and a training on it."""
    run = FakeRun(folder)
    sources = [{"name": name, "weight": weight, "max_epochs": 4.0, "shards": [
        {"train": "x", "heldout": "x", "train_tokens": tokens, "heldout_tokens": held, "heldout_bytes": held}]}
        for name, weight, tokens, held in (("web", weights[0], 1001, 5), ("code", weights[1], code, heldout))]
    mix = {"format": 1, "name": "broad", "seed": 1, "kind": "text", "tokens": budget, "sources": sources}
    run.task(run.segment("mix.broad", "", [("mix.broad", "mix", {})], kind="mix", final=False),
             files={"mixture.json": json.dumps(mix).encode()})
    config = {"mix": "broad", "sequence_length": 100, "objective": "next_token"}
    run.task(run.segment("train.base", "", [("train.base", "train", config)], kind="train", final=False),
             files={"result.json": result if isinstance(result, bytes) else json.dumps(result).encode()})
    return Ledger.open(run.save())


def test_share_and_epochs_follow_from_tokens_weights_and_the_length_of_a_window(tmp_path):
    (mix,) = show_learned.mixtures(trained(tmp_path / "r"))
    assert (mix["mix"], mix["drawn"], mix["missing"], mix["sequence_length"]) == ("broad", 4000, 0, 100)
    web, code = mix["sources"]
    assert (web["asked"], web["share"], web["epochs"]) == (0.75, 0.75, 3.0)  # 30 of 40 windows, of which it has 10
    assert (code["asked"], code["share"], code["epochs"]) == (0.25, 0.25, 1.0)


def test_a_training_is_shown_with_bits_before_and_after_by_source_and_its_samples(tmp_path, capsys):
    show_learned.show(trained(tmp_path / "r"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.startswith(("base ", "broad "))] == [
        ["broad", "web", "1,001", "5", "75.0%", "75.0%", "3.00"],
        ["broad", "code", "1,001", "5", "25.0%", "25.0%", "1.00"],
        ["base", "broad", "web", "5.000", "2.500"], ["base", "broad", "code", "4.000", "2.000"]]
    assert "base: 1,234,567 parameters, 9 steps, 4,000 tokens, loss 7.000 to 3.500" in lines
    assert "base, asked: What is ⏎ 2 + 2?" in lines
    assert any(line.startswith("    Four. ⏎ \\x1b[31mred") for line in lines)
    assert not [line for line in lines if line.startswith("!")]


def test_what_a_mixture_cannot_give_is_pointed_out(tmp_path, capsys):
    show_learned.show(trained(tmp_path / "r", code=0, heldout=0, budget=9000))
    said = " ".join(capsys.readouterr().out.split())
    assert "! broad: 9,000 tokens asked for, 4,000 there within max_epochs" in said
    assert "! broad: 25.0% of code asked for, but it has 0 tokens: nothing of it is drawn" in said


def test_a_source_of_which_nothing_is_held_out_is_pointed_out(tmp_path, capsys):
    show_learned.show(trained(tmp_path / "r", heldout=0))
    assert "! broad: no document of code is held out" in capsys.readouterr().out


def test_a_result_that_is_not_json_is_an_error_in_words(tmp_path):
    with pytest.raises(CorruptShard, match="cannot be read") as caught:
        show_learned.trainings(trained(tmp_path / "r", result=b"{bad"))
    assert "result.json" in caught.value.where
