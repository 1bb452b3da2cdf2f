"""The part of a plan that makes the tokenizer: learnt from lanes, or a model that there is, looked at here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dataengine import sentencepiece_file
from dataengine.planned import TaskRef, places
from dataengine.tokens import FIT, missing_marks, unfit

if TYPE_CHECKING:
    from dataengine.plan import _Planner


def tokenizer(planner: _Planner) -> TaskRef:
    """The task that makes ``tokenizer.model``."""
    config = planner.recipe.tokenizer
    assert config is not None, "the recipe has checked that there is a [tokenizer]"
    if ("tokenizer", "tokenizer") in planner.made:
        return planner.made["tokenizer", "tokenizer"]
    if config.model is not None:
        return _given(planner, config.model)
    assert config.learn_from is not None, "the recipe has checked that there is one or the other"
    inputs = planner.ends(config.learn_from, "tokenizer.learn_from")
    body = {"name": "tokenizer", "config": config.model_dump(mode="json", exclude={"model"}), "parents": places(inputs)}
    return planner.product("tokenizer", "tokenizer", body["config"], inputs, body)


def _given(planner: _Planner, value: str) -> TaskRef:
    """A model that there is: the task copies it, so that a run holds all that its token shards were made with."""
    path, digest = planner.file(value, "tokenizer.model")
    model = _read(path) if digest else None
    if isinstance(model, str):
        planner.problem("tokenizer.model", f"{path}: {model}", FIT)
    body = {"name": "tokenizer", "model": path, "sha256": digest}
    hashes = {"model": digest}
    return planner.product("tokenizer", "tokenizer", {"model": value}, (), body, hashes=hashes)


def chats(planner: _Planner, mix: str) -> None:
    """A problem where a mix is of conversations, whose marks the given model lacks."""
    config = planner.recipe.tokenizer
    if config is None or config.model is None:
        return
    model = _read(str((planner.recipe.base / config.model).expanduser()))
    if not isinstance(model, str) and (lacking := missing_marks(model)):
        planner.problem(
            f"mix.{mix}.format",
            f"this mix is of conversations, but {config.model} lacks the marks {' '.join(lacking)}",
            "a tokenizer learnt by dataengine, which has them",
        )


@cache
def _read(path: str) -> sentencepiece_file.Model | str:
    """The model in a file, or what is wrong with it. (A file that cannot be read is a problem already.)"""
    try:
        model = sentencepiece_file.parse(Path(path).read_bytes())
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError as error:
        return str(error)
    return unfit(model) or model
