"""A training run, from a config to a model: read, resume or start, step, save, evaluate.

The folder of a run holds ``metrics.jsonl`` (one line a step), ``checkpoints/``, and at the end ``final/`` (the model)
and ``result.json``, written last. A run killed at any moment goes on from its newest whole checkpoint, and on one
machine with the same number of threads it ends with the same weights, byte for byte, as one that was never stopped.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import math
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dataengine import mixture
from dataengine.errors import InputError, RunFailed, RunLocked
from dataengine.tokens import Tokenizer
from trainer import checkpoint
from trainer.config import TrainConfig
from trainer.evaluate import evaluate
from trainer.files import sha256, sync, write_json
from trainer.generate import generate, prompt_ids
from trainer.loader import Loader
from trainer.model import Decoder, Shape, count_parameters, default_ffn, from_huggingface, initialise
from trainer.optimizer import AdamW
from trainer.schedule import learning_rate

SMOOTHED = 10
"""Steps over which the first and last loss of result.json are averaged."""
SPOKEN_EVERY = 5.0
"""Seconds between lines of progress."""


class Interrupted(Exception):
    """SIGTERM or SIGINT came, and all that was worth saving is saved."""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def train(config_path: Path, out: Path) -> dict[str, Any]:
    """Train as the config says, in the folder `out`; returns (and writes) the result. A finished run is only read.

    Raises InputError on what the user can mend, RunFailed where the loss is no number or the disk is full, Interrupted
    after a signal.
    """
    config = TrainConfig.read(config_path)
    base = Path(config_path).parent
    init = base / config.init if config.init is not None else None
    out.mkdir(parents=True, exist_ok=True)
    with locked(out), stoppable() as pause:
        identity = _identity(config, base / config.mixture, init)
        if (finished := _claim(out, identity)) is not None:
            say(f"{out} is finished")
            return finished
        _set_up(config)
        loader = Loader(base / config.mixture, config.sequence_length)
        return Run(config, out, loader, init, identity, pause).go()


# --- who may write here -----------------------------------------------------------------------------------------------

@contextmanager
def locked(out: Path) -> Iterator[None]:
    """An OS lock on the folder, which dies with the process."""
    with open(out / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunLocked("another process is training here", where=str(out)) from error
        yield


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Gives a function that raises Interrupted once SIGTERM or SIGINT has come."""
    stop = threading.Event()

    def pause() -> None:
        if stop.is_set():
            raise Interrupted

    if threading.current_thread() is not threading.main_thread():
        yield pause  # signals belong to the main thread
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield pause
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _identity(config: TrainConfig, mixture_path: Path, init: Path | None) -> str:
    """Names what the run would compute: config, mixture, first weights."""
    data = mixture.load(mixture_path)
    parts = [config.meaning(), json.dumps(data, sort_keys=True)]
    if init is not None:
        weights = init / checkpoint.WEIGHTS
        if not weights.exists():
            raise InputError("there is no checkpoint to start from", where=str(init),
                             expected=f"a folder with {checkpoint.WEIGHTS}")
        parts.append(sha256(weights))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _claim(out: Path, identity: str) -> dict[str, Any] | None:
    """The result, where this very run is finished. Raises InputError where the folder holds another run."""
    claim = out / "run.json"
    if claim.exists() and json.loads(claim.read_bytes())["identity"] != identity:
        raise InputError("this folder holds a run of another config, mixture or first model", where=str(out),
                         expected="a folder of its own for every run", write="--out ANOTHER_FOLDER")
    write_json(claim, {"identity": identity})
    result = out / "result.json"
    return json.loads(result.read_bytes()) if result.exists() else None


def _set_up(config: TrainConfig) -> None:
    torch.set_num_threads(config.threads or os.cpu_count() or 1)
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms also imports the compiler
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs time, and hides nothing here
    torch.manual_seed(config.seed)
    if config.precision == "bfloat16" and slow_in_bfloat16(torch.cpu.get_capabilities()):
        say('this processor has no instructions for bfloat16: precision = "float32" is about ten times as fast')


def slow_in_bfloat16(able: Mapping[str, Any]) -> bool:
    """Whether a processor that is `able` of so much leaves products in bfloat16 to plain loops: oneDNN helps from
    AVX-512 BW on. Of other architectures nothing is said.
    """
    return able.get("architecture") == "x86_64" and not able.get("avx512_bw", True)


# --- the run ----------------------------------------------------------------------------------------------------------

class Run:
    """One training run in its folder."""

    def __init__(self, config: TrainConfig, out: Path, loader: Loader, init: Path | None, identity: str,
                 pause: Callable[[], None]) -> None:
        self.config, self.out, self.loader, self.pause, self.identity = config, out, loader, pause, identity
        self.steps = len(loader) // config.batch_size
        self.tokenizer = Tokenizer.load(loader.folder / loader.data["tokenizer"])
        self.objective = _objective(config, loader.data["kind"])
        self._check()
        self.model = _model(config, self.tokenizer, init)
        self.optimizer = AdamW(self.model, weight_decay=config.weight_decay)
        self.described = mixture.describe(loader.data, config.sequence_length, loader.folder)
        self.done = 0

    def _check(self) -> None:
        if self.steps == 0:
            raise InputError(
                f"the mixture has {len(self.loader)} windows of {self.config.sequence_length} tokens, not one batch",
                where=f"mixture {self.loader.data['name']}", expected=f"at least {self.config.batch_size} windows",
                write="a smaller batch_size or sequence_length, or more text")
        if self.tokenizer.vocabulary != self.loader.data["vocabulary"]:
            raise InputError(f"the tokenizer has {self.tokenizer.vocabulary} ids", where=self.loader.data["tokenizer"],
                             expected=f"the {self.loader.data['vocabulary']} of the mixture")

    def go(self) -> dict[str, Any]:
        self._resume()
        before = self._heldout_before()
        self._learn()
        return self._finish(before)

    def _resume(self) -> None:
        found = checkpoint.newest(self.out / "checkpoints", say)
        if found is not None:
            from_huggingface(self.model, found.model)
            self.optimizer.restore(found.optimizer)
            torch.set_rng_state(found.random)
            self.done = found.step
            say(f"going on after step {self.done} of {self.steps}")
        self._take_back_metrics()

    def _take_back_metrics(self) -> None:
        """Leave the lines of the steps that count; a torn last line is not one of them."""
        path = self.out / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True)[:self.done] if path.exists() else []
        if len(lines) < self.done:
            raise RunFailed(f"metrics.jsonl has {len(lines)} lines of the {self.done} steps done", where=str(self.out),
                            expected="the file as the run left it", write="--out ANOTHER_FOLDER")
        temporary = path.with_name(".metrics.jsonl")
        temporary.write_text("".join(lines))
        temporary.replace(path)

    def _heldout(self) -> dict[str, float]:
        self.model.eval()
        scores = evaluate(self.model, self.tokenizer, self.loader.data, self.loader.folder,
                          self.config.sequence_length, pause=self.pause)
        self.model.train()
        return {source: score.bits_per_byte for source, score in scores.items()}

    def _heldout_before(self) -> dict[str, float]:
        """Measured before the first step, and kept: a resumed run has not its first weights any more."""
        path = self.out / "heldout_before.json"
        if not path.exists():
            write_json(path, self._heldout())
        return json.loads(path.read_bytes())

    def _learn(self) -> None:
        config, started, first, spoken = self.config, time.monotonic(), self.done, -math.inf
        with open(self.out / "metrics.jsonl", "a") as metrics:
            while self.done < self.steps:
                begun = time.monotonic()
                line = self._step()
                now = time.monotonic()
                line["tokens_per_second"] = round(config.batch_size * config.sequence_length / (now - begun), 1)
                metrics.write(json.dumps(line) + "\n")
                metrics.flush()
                if now - spoken > SPOKEN_EVERY or self.done == self.steps:
                    spoken = now
                    left = (now - started) / (self.done - first) * (self.steps - self.done)
                    say(f"step {self.done}/{self.steps}  loss {line['loss']:.3f}  "
                        f"{line['tokens_per_second']:,.0f} tok/s  eta {left:.0f} s")
                if self.done % config.save_every == 0 or self.done == self.steps:
                    self._save(metrics.fileno())
                try:
                    self.pause()
                except Interrupted:
                    self._save(metrics.fileno())
                    say(f"stopped after step {self.done} of {self.steps}; the same command goes on")
                    raise

    def _step(self) -> dict[str, Any]:
        """One update; its line of metrics. Raises RunFailed before anything is spoilt."""
        config = self.config
        rate = learning_rate(self.done, self.steps, peak=config.learning_rate, warmup=config.warmup,
                             decay=config.decay, floor=config.floor)
        loss = self.objective(self.model, self.loader.batch(self.done * config.batch_size, config.batch_size))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        value = loss.item()
        if not (math.isfinite(value) and math.isfinite(norm.item())):
            raise RunFailed(
                f"at step {self.done + 1} the loss is {value} and the gradient's norm {norm.item()}",
                where=str(self.out), expected="numbers; the last good checkpoint is kept",
                write=f"learning_rate = {config.learning_rate / 3:.1g} and another --out")
        self.optimizer.step(rate)
        self.done += 1
        tokens = self.done * config.batch_size * config.sequence_length
        return {"step": self.done, "loss": value, "lr": rate, "grad_norm": norm.item(), "tokens": tokens}

    def _save(self, metrics: int) -> None:
        os.fsync(metrics)  # a checkpoint never knows of a step that the metrics have lost
        checkpoint.save(
            self.out / "checkpoints", self.done, write_model=self._write_model,
            optimizer=self.optimizer.state(), random=torch.get_rng_state(),
            state={"step": self.done, "next_draw": self.done * self.config.batch_size, "identity": self.identity},
        )

    def _write_model(self, folder: Path) -> None:
        config = self.config
        checkpoint.write_model(folder, self.model, self.tokenizer, {
            "name": config.name, "objective": config.objective, "kind": self.loader.data["kind"],
            "sequence_length": config.sequence_length, "precision": config.precision, "step": self.done,
            "steps": self.steps, "identity": self.identity, "torch": torch.__version__,
            "mixture": self.described,
        })

    def _finish(self, before: dict[str, float]) -> dict[str, Any]:
        after = self._heldout()
        samples = self._samples()
        self._write_final()
        losses = [json.loads(line)["loss"] for line in (self.out / "metrics.jsonl").read_text().splitlines()]
        result = {
            "steps": self.steps, "tokens": self.steps * self.config.batch_size * self.config.sequence_length,
            "parameters": count_parameters(self.model), "heldout_before": before, "heldout_after": after,
            "samples": samples, "loss_first": _mean(losses[:SMOOTHED]), "loss_last": _mean(losses[-SMOOTHED:]),
        }
        write_json(self.out / "result.json", result)
        return result

    def _samples(self) -> list[dict[str, str]]:
        config, tokenizer = self.config, self.tokenizer
        chat = self.loader.data["kind"] == "messages"
        made = generate(
            self.model.eval(), [prompt_ids(tokenizer, prompt, chat=chat) for prompt in config.prompts],
            tokens=config.sample_tokens, temperature=config.sample_temperature, seed=config.seed,
            stop=tokenizer.stops)
        return [{"prompt": prompt, "text": tokenizer.decode(ids)}
                for prompt, ids in zip(config.prompts, made, strict=True)]

    def _write_final(self) -> None:
        temporary, final = self.out / "tmp-final", self.out / "final"
        for folder in (temporary, final):  # of a run that was killed here
            shutil.rmtree(folder, ignore_errors=True)
        temporary.mkdir()
        self._write_model(temporary)
        for file in temporary.iterdir():
            sync(file)
        sync(temporary)
        temporary.rename(final)
        sync(self.out)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _objective(config: TrainConfig, kind: str) -> Callable[..., torch.Tensor]:
    """The function of the module of the same name."""
    module = importlib.import_module(f"trainer.objectives.{config.objective}")
    if kind not in module.KINDS:
        raise InputError(f"the objective {config.objective} cannot learn from a mixture of {kind}",
                         where=f"train {config.name}", expected=f"a mixture of {' or '.join(module.KINDS)}")
    return getattr(module, config.objective)


def _model(config: TrainConfig, tokenizer: Tokenizer, init: Path | None) -> Decoder:
    """Fresh, or with the weights of a checkpoint that has the same tokenizer."""
    compute = torch.float32 if config.precision == "float32" else torch.bfloat16
    if init is None:
        sizes = config.model
        shape = Shape(tokenizer.vocabulary, sizes.width, sizes.layers, sizes.heads, sizes.kv_heads or sizes.heads,
                      sizes.ffn or default_ffn(sizes.width), config.sequence_length, sizes.tied)
        return initialise(Decoder(shape, compute), config.seed)
    model, theirs, _ = checkpoint.read_model(init, compute)
    if theirs.model != tokenizer.model:
        raise InputError("the checkpoint has another tokenizer than the mixture", where=str(init),
                         expected="a mixture made with the checkpoint's tokenizer")
    model.shape = replace(model.shape, context=max(model.shape.context, config.sequence_length))
    return model
