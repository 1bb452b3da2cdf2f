"""What the documents were turned into: tokenizer and classifiers, mixtures by source, trainings and their samples.

All of it is read from the run: the tasks' figures, ``mixture.json`` of every mix, ``result.json`` of every training.
Shares and epochs follow from a mixture and the length of a window, by the arithmetic of `dataengine.mixture`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dataengine import mixture
from dataengine.errors import CorruptShard
from dataengine.ledger import GATHER_PHASES, REPAIR, Ledger, require_regular
from dataengine.shards import load_json
from dataengine.sql import mixtures as mixture_files
from dataengine.terminal import NO_BREAK, clip, number, plural, safe_text, say, table, wrapped

SAMPLE = 400
"""Characters of a sample that are shown."""


def figures(ledger: Ledger) -> dict[tuple[str, str], float | str]:
    """Figures by (step, name), without a gather's phases. Where a step has several tasks they are counts: summed."""
    found: dict[tuple[str, str], float | str] = {}
    for figure in ledger.figures:
        if figure.kind not in GATHER_PHASES:
            key = (figure.step, figure.name)
            before = found.get(key, 0.0)
            summed = figure.value is not None and not isinstance(before, str)
            found[key] = before + figure.value if summed else figure.text or ""
    return found


def mixtures(ledger: Ledger) -> list[dict[str, Any]]:
    """Every mix: its sources with tokens, the share asked for, the share and the epochs that are drawn.

    Epochs depend a little on the length of a window: the one of the first training that uses the mix, else the default.
    """
    lengths: dict[str, int] = {}
    for config in _configs(ledger, "train").values():
        if config.get("mix") and config.get("sequence_length"):
            lengths.setdefault(config["mix"], config["sequence_length"])
    return [_mixture(data, lengths.get(data["name"]) or _default_length(), path.parent)
            for path, data in mixture_files(ledger)]


def _mixture(data: Mapping[str, Any], sequence_length: int, folder: Any) -> dict[str, Any]:
    drawn = mixture.describe(data, sequence_length, folder)
    weights = [source.get("weight") for source in data["sources"]]
    whole = sum(weight for weight in weights if weight is not None)
    rows = []
    for source, weight in zip(data["sources"], weights, strict=True):
        found = drawn["sources"][source["name"]]
        rows.append({
            "source": source["name"],
            **{part: sum(shard.get(part, 0) for shard in source["shards"])
               for part in ("train_tokens", "heldout_tokens")},
            "asked": weight / whole if weight is not None and whole else None,
            "share": found["share"], "epochs": found["epochs"], "max_epochs": source.get("max_epochs"),
        })
    return {"mix": data["name"], "budget": data.get("tokens"), "drawn": drawn["tokens"],
            "missing": drawn["missing_windows"] * sequence_length, "sequence_length": sequence_length, "sources": rows}


def _default_length() -> int:
    from dataengine.tables import TrainConfig

    return int(TrainConfig.model_fields["sequence_length"].default)


def trainings(ledger: Ledger) -> list[dict[str, Any]]:
    """Every finished training: what its ``result.json`` says, with its name and its mix."""
    configs = _configs(ledger, "train")
    found = []
    for shard in ledger.shards("result.json", kind="train"):
        require_regular(shard)
        try:
            result = dict(load_json(shard.path))
        except (ValueError, TypeError) as error:
            raise CorruptShard(f"cannot be read: {error}", where=str(shard.path), write=REPAIR) from error
        config = configs.get(shard.segment.name, {})
        name = shard.segment.name.removeprefix("train.")
        found.append({"training": name, "mix": config.get("mix"), "objective": config.get("objective"),
                      "model": str(shard.path.parent / "final"), **result})
    return found


def _configs(ledger: Ledger, kind: str) -> dict[str, Mapping[str, Any]]:
    return {segment.name: segment.steps[-1].config for segment in ledger.segments
            if segment.kind == kind and segment.steps}


# --- for people -------------------------------------------------------------------------------------------------------


def show(ledger: Ledger) -> None:
    """Print it: learnt things, mixtures, trainings by source, samples."""
    mixed, trained = mixtures(ledger), trainings(ledger)
    _show_figures(ledger, hidden={"mix", *({"tokens"} if mixed else ()), *({"train"} if trained else ())})
    _show_mixtures(mixed)
    _show_trainings(trained)
    _show_unmeasured(trained, mixed)
    _show_samples(trained)


def _show_figures(ledger: Ledger, hidden: set[str]) -> None:
    """One paragraph per step: what it measured, without what the tables below show better."""
    kinds = {(segment.steps[-1].step if segment.steps else segment.name): segment.kind for segment in ledger.segments}
    steps: dict[str, list[str]] = {}
    for (step, name), value in figures(ledger).items():
        if kinds.get(step) not in hidden:
            shown = clip(value, 60) if isinstance(value, str) else number(value)
            steps.setdefault(step, []).append(f"{safe_text(name, 60)} {shown}")
    if steps:
        say()
    for step, said in steps.items():
        words = ", ".join(word.replace(" ", NO_BREAK) for word in said)
        say(wrapped(words, first=f"{safe_text(step, 60)}: ", indent="    "))


def _show_mixtures(mixed: list[dict[str, Any]]) -> None:
    rows = [[mix["mix"], source["source"], number(source["train_tokens"]), number(source["heldout_tokens"]),
             "" if source["asked"] is None else f"{source['asked']:.1%}", f"{source['share']:.1%}",
             f"{source['epochs']:.2f}"] for mix in mixed for source in mix["sources"]]
    if rows:
        say()
        heads = ["mixture", "source", "tokens", "held out", "asked", "share", "epochs"]
        table(heads, rows, right=heads[2:])
    for mix in mixed:
        starved = [source for source in mix["sources"] if source["asked"] and not source["share"]]
        if mix["missing"] > 0:
            say(wrapped(f"{safe_text(mix['mix'])}: {number(mix['budget'])} tokens asked for, {number(mix['drawn'])} "
                        "there within max_epochs", first="! ", indent="    "))
        for source in starved:
            say(wrapped(f"{safe_text(mix['mix'])}: {source['asked']:.1%} of {safe_text(source['source'])} asked for, "
                        f"but it has {plural(source['train_tokens'], 'token')}: nothing of it is drawn",
                        first="! ", indent="    "))


def _show_unmeasured(trained: list[dict[str, Any]], mixed: list[dict[str, Any]]) -> None:
    """Sources of which no document was held out: nobody can say whether the model learnt them."""
    used = {training["mix"] for training in trained}
    for mix in mixed:
        blind = [source["source"] for source in mix["sources"] if source["share"] and not source["heldout_tokens"]]
        if mix["mix"] in used and blind:
            names = safe_text(", ".join(blind))
            say(wrapped(f"{safe_text(mix['mix'])}: no document of {names} is held out, so what is learnt of it is not "
                        "measured; a larger heldout of the mix helps", first="! ", indent="    "))


def _show_trainings(trained: list[dict[str, Any]]) -> None:
    rows = []
    for training in trained:
        before, after = training.get("heldout_before") or {}, training.get("heldout_after") or {}
        rows += [[training["training"], training["mix"], source, _bits(before.get(source)), _bits(after.get(source))]
                 for source in {**before, **after}]
    if rows:
        say()
        table(["training", "mixture", "held-out bits per byte of", "before", "after"], rows, right=["before", "after"])
    for training in trained:
        said = [f"{number(training[name])} {name}" for name in ("parameters", "steps", "tokens") if training.get(name)]
        loss = [training.get("loss_first"), training.get("loss_last")]
        said += [f"loss {loss[0]:.3f} to {loss[1]:.3f}"] if None not in loss else []
        if said:
            say(wrapped(", ".join(said), first=f"{safe_text(training['training'])}: ", indent="    "))
            say(f"    {safe_text(training['model'])}")


def _bits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _show_samples(trained: list[dict[str, Any]]) -> None:
    for training in trained:
        for sample in training.get("samples") or []:
            say()
            say(f"{safe_text(training['training'])}, asked: {_one_line(sample.get('prompt', ''), 160)}")
            say(wrapped(_one_line(sample.get("text", ""), SAMPLE), first="    ", indent="    "))


def _one_line(text: object, width: int) -> str:
    """The text on one line: a line's end shows as ``⏎``, other spaces are folded."""
    return clip(re.sub(r"\s*\n\s*", " ⏎ ", str(text)[: width * 8]).strip(), width)
