"""The catalogue of stages: what each does, its settings, columns and rules, from the stage's own file."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from dataengine import stage as stages
from dataengine.errors import InputError
from dataengine.stage import Stage, with_help
from dataengine.terminal import NO_BREAK, safe_text, say, table, to_json, wrapped


def listed() -> list[dict[str, str]]:
    """Name, kind and summary of every stage. A plugin that cannot be imported is listed with the reason."""
    found = []
    for name in stages.names():
        try:
            stage = stages.load(name)
            found.append({"name": name, "kind": stage.kind, "summary": stage.summary})
        except (ImportError, TypeError, AttributeError, KeyError) as error:
            found.append({"name": name, "kind": "broken", "summary": f"{type(error).__name__}: {error}"})
    return found


def described(name: str) -> dict[str, Any]:
    """Everything a stage declares. Raises InputError for a name there is not."""
    try:
        stage = stages.load(name)
    except KeyError:
        near = difflib.get_close_matches(name, stages.names(), n=1, cutoff=0.5)
        raise InputError("there is no such stage", where=safe_text(name, 100),
                         expected="a name that `dataengine stages list` shows",
                         write=f"dataengine stages show {near[0]}" if near else "") from None
    documented = with_help(stage.config).model_fields.items()
    fields = [{"name": field, "type": type_name(info.annotation), "required": info.is_required(),
               "default": None if info.is_required() else info.get_default(call_default_factory=True),
               "help": (info.description or "").strip()} for field, info in documented]
    config = _some_config(stage)
    return {"name": name, "kind": stage.kind, "version": stage.version, "doc": stage.doc.strip(), "settings": fields,
            "reads": list(_declared(stage.reads, config)), "adds": dict(_declared(stage.adds, config)),
            "rules": [{"reason": rule.reason, "drops_when": f"{rule.measure} {rule.op} {rule.field}"}
                      for rule in stage.rules],
            "drops_for": stage.reason, "refuses": list(stage.refuses)}


def _some_config(stage: Stage) -> stages.StageConfig:
    """The stage's config with its defaults; required fields stay empty."""
    try:
        return stage.config()
    except ValidationError:
        return stage.config.model_construct(**{name: None for name, info in stage.config.model_fields.items()
                                               if info.default is PydanticUndefined and info.default_factory is None})


def _declared(declaration: Any, config: stages.StageConfig) -> Any:
    """What is declared for this config; nothing where it depends on a field that has no default."""
    try:
        return declaration(config)
    except (TypeError, AttributeError, ValueError, KeyError):
        return {}


def type_name(kind: Any) -> str:
    """A type as a person writes it: ``int``, ``list of str``, ``"text" or "url"``."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return " or ".join(to_json(part) for part in parts)
    if origin is typing.Annotated:
        return type_name(parts[0])
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(type_name(part) for part in parts if part is not type(None)) + (
            ", or nothing" if type(None) in parts else "")
    if origin in {list, tuple, set, frozenset}:
        return f"list of {type_name(parts[0])}"
    if origin is dict:
        return f"table of {type_name(parts[1])}"
    return getattr(kind, "__name__", str(kind))


def show_list() -> None:
    """Print the list for people."""
    table(["stage", "kind", "what it does"], [[entry["name"], entry["kind"], entry["summary"]] for entry in listed()])


def show_one(name: str) -> None:
    """Print one stage for people."""
    found = described(name)
    say(f"{found['name']}  ({found['kind']}, version {found['version']})")
    say()
    say("\n\n".join(map(_paragraph, found["doc"].split("\n\n"))))
    say()
    if found["settings"]:
        table(["setting", "type", "default", "what it means"],
              [[field["name"], field["type"], "(required)" if field["required"] else to_json(field["default"]),
                field["help"].replace("\n", " ")] for field in found["settings"]], cell=400)
        say()
    _listed("reads", found["reads"])
    _listed("adds", [f"{column} ({kind})" for column, kind in found["adds"].items()])
    for rule in found["rules"]:
        _listed("drops", [f"{rule['reason']} when {rule['drops_when']}"], whole=False)
    _listed("drops", [found["drops_for"]] if found["drops_for"] else [])
    _listed("refuses", found["refuses"])


def _paragraph(text: str) -> str:
    """Running text folded to the terminal's width; what is indented stays as it is, rows of a table stay rows."""
    lines = text.splitlines()
    if all(line.startswith("|") for line in lines):
        return "\n".join(wrapped(safe_text(line.strip("| "))) for line in lines if line.strip("|-"))
    indented = any(line.startswith(" ") for line in lines)
    return safe_text(text, multiline=True) if indented else wrapped(safe_text(" ".join(text.split())))


def _listed(what: str, names: Iterable[str], *, whole: bool = True) -> None:
    """A line or more, where there are names. `whole`: no name is divided."""
    said = ", ".join(safe_text(name).replace(" ", NO_BREAK if whole else " ") for name in names)
    if said:
        say(wrapped(said, first=f"{what:<9}", indent=" " * 9))
