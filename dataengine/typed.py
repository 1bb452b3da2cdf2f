"""Values -> a frozen config, or every problem of the table at once, in words and with something right to write.

Pydantic judges, in strict mode: TOML has types, so ``"40"`` is not 40 and ``true`` is not 1. What it finds is grouped
by the place in the recipe (a union reports each of its branches) and said in terms of the field's JSON Schema. What a
message proposes to write has been put in the value's place and judged too.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from dataengine import words
from dataengine.document import Document
from dataengine.recipe_file import Place
from dataengine.stage import with_help

Model = TypeVar("Model", bound=BaseModel)
Fault = dict[str, Any]
"""One of pydantic's error details."""

_MISSING = object()


def validate(document: Document, model: type[Model], values: dict[str, Any], place: Place, name: str) -> Model | None:
    """`values`, found at `place`, as a `model`; `name` is what has the fields.

    Where problems were reported, the config is made of the fields that are right, so that what they refer to can be
    checked too; it is None where too little is right.
    """
    faults = _faults(model, values)
    if isinstance(faults, BaseModel):
        return faults
    table = _Table(document, model, values, place, name)
    for where, group in _by_place(values, faults).items():
        table.report(where, group)
    wrong = {fault["loc"][0] for fault in faults if fault["loc"]}
    rest = _faults(model, {field: value for field, value in values.items() if field not in wrong})
    return rest if isinstance(rest, BaseModel) else None


def _faults(model: type[Model], values: Any) -> Model | list[Fault]:
    text = json.dumps(values, default=str, ensure_ascii=False)  # dates, which no config takes, become text
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        return [dict(fault) for fault in error.errors(include_url=False)]


def _by_place(values: Any, faults: list[Fault]) -> dict[Place, list[Fault]]:
    """Faults by the place in the recipe; of a union's branches the ones that understood the value best."""
    groups: dict[Place, list[Fault]] = {}
    for fault in faults:
        groups.setdefault(_place(values, fault), []).append(fault)
    inner = {place[:end] for place in groups for end in range(1, len(place))}
    return {
        place: [fault for fault in group if not _is_type(fault)] or group
        for place, group in groups.items()
        if place not in inner or not all(map(_is_type, group))
    }


def _is_type(fault: Fault) -> bool:
    return fault["type"].endswith("_type")


def _place(values: Any, fault: Fault) -> Place:
    """The parts of pydantic's `loc` that stand in the recipe; the rest names branches of unions."""
    place: list[str | int] = []
    for part in fault["loc"]:
        inner = _step(values, part)
        if inner is not _MISSING:
            place.append(part)
            values = inner
    if fault["type"] == "missing":
        place.append(fault["loc"][-1])
    return tuple(place)


def _step(values: Any, part: str | int) -> Any:
    if isinstance(values, dict):
        return values.get(part, _MISSING)
    if isinstance(values, list) and isinstance(part, int) and part < len(values):
        return values[part]
    return _MISSING


def _at(values: Any, place: Place) -> Any:
    for part in place:
        values = values[part]
    return values


@dataclass
class _Table:
    """A table that was judged wrong, and the words about it."""

    document: Document
    model: type[BaseModel]
    values: dict[str, Any]
    place: Place
    name: str

    @cached_property
    def schema(self) -> words.Schema:
        try:
            return with_help(self.model).model_json_schema()
        except PydanticInvalidForJsonSchema:
            return {}

    @property
    def definitions(self) -> words.Schema:
        return self.schema.get("$defs", {})

    def report(self, where: Place, group: list[Fault]) -> None:
        kind = group[0]["type"]
        if kind == "missing":
            self._missing(where)
        elif kind == "extra_forbidden":
            self._unknown(where)
        elif kind.startswith("secret_"):
            self._secret(where, group[0])
        else:
            self._unfit(where, group)

    def _missing(self, where: Place) -> None:
        outer, field, owner = where[:-1], where[-1], self._owner(where)
        known = self._fields(outer)
        if any(words.nearest(name, known) == field for name in _at(self.values, outer) if name not in known):
            return  # a misspelt field is one problem, not two
        self.document.report(
            self.place + outer, f"{owner} needs {words.string(str(field))}",
            self._explained(where), self._assignment(where, self._fitting(where, self._proposals(where, _MISSING))))

    def _unknown(self, where: Place) -> None:
        outer, field, owner = where[:-1], where[-1], self._owner(where)
        fields = self._fields(outer)
        near = words.nearest(str(field), fields)
        taken = near in _at(self.values, outer)
        write = self._assignment((*outer, near), _at(self.values, where)) if near and not taken else ""
        self.document.report(
            self.place + where, f"{owner} has no field {words.string(str(field))}",
            words.one_of(fields) if fields else "no fields at all", write, at_key=True)

    def _secret(self, where: Place, fault: Fault) -> None:
        literal = fault["type"] == "secret_in_recipe"
        self.document.report(
            self.place + where, fault["msg"], "the name of an environment variable that is set",
            self._assignment(where, {"env": "NAME"}) if literal else f"export {fault['ctx']['env']}=...",
            show_line=not literal)

    def _unfit(self, where: Place, group: list[Fault]) -> None:
        value, fault = _at(self.values, where), group[0]
        found = f"{words.a_value(value)} {_trouble(fault)}"
        if fault["type"] == "value_error":
            found = str(fault["ctx"]["error"])
        elif isinstance(value, dict) and value.keys() == {"env"}:
            found = "only secrets come from the environment"
        if not where:
            self.document.report(self.place, found)
            return
        expected = self._explained(where) if fault["type"] == "string_pattern_mismatch" else self._expected(where)
        write = self._assignment(where, self._fitting(where, self._proposals(where, value)))
        self.document.report(self.place + where, found, expected, write)

    def _owner(self, where: Place) -> str:
        return self.name if len(where) == 1 else words.clipped(str(where[-2]))

    # -- what fits

    def _schemas(self, where: Place) -> list[words.Schema]:
        return words.follow(self.schema, self.definitions, where)

    def _fields(self, where: Place) -> list[str]:
        return [name for schema in self._schemas(where) for name in schema.get("properties", {})]

    def _expected(self, where: Place) -> str:
        return words.expectation(self._schemas(where), self.definitions)

    def _explained(self, where: Place) -> str:
        """What is expected, and the first sentence of the field's help."""
        fields = [schema.get("properties", {}).get(where[-1], {}) for schema in self._schemas(where[:-1])]
        help_text = next((field["description"] for field in fields if "description" in field), "")
        first = " ".join(help_text.replace("``", "").split(". ")[0].removesuffix(".").split())
        return ": ".join(filter(None, (self._expected(where), words.clipped(first, 100))))

    def _fitting(self, where: Place, proposals: Iterator[Any]) -> Any:
        """The first proposal about which pydantic says nothing when it stands there."""
        for proposal in proposals:
            values = copy.deepcopy(self.values)
            _at(values, where[:-1])[where[-1]] = proposal
            faults = _faults(self.model, values)
            if isinstance(faults, BaseModel) or all(_place(values, fault)[: len(where)] != where for fault in faults):
                return proposal
        return _MISSING

    def _proposals(self, where: Place, value: Any) -> Iterator[Any]:
        """First what may have been meant, then the default, then anything that fits."""
        schemas = self._schemas(where)
        if value is not _MISSING:
            yield from _meant(value, schemas)
        for schema in self._schemas(where[:-1]):
            field = schema.get("properties", {}).get(where[-1], {})
            yield from field.get("examples", [])
            if field.get("default") is not None:
                yield field["default"]
        yield from (example for schema in schemas for example in schema.get("examples", ()))
        for schema in schemas:
            yield from _samples(schema, self.definitions)

    def _assignment(self, where: Place, value: Any) -> str:
        if value is _MISSING:
            return ""
        name, text = where[-1], words.clipped(words.toml(value), 100)
        return text if isinstance(name, int) else f"{words.key(name)} = {text}"


def _trouble(fault: Fault) -> str:
    """What is wrong with a value of the right type, from pydantic's error type; a wrong type says itself."""
    match fault["type"]:
        case "greater_than" | "greater_than_equal":
            return "is too small"
        case "less_than" | "less_than_equal":
            return "is too large"
        case "too_short" | "string_too_short":
            return "is too short"
        case "too_long" | "string_too_long":
            return "is too long"
        case "finite_number":
            return "is not finite"
        case "byte_size" | "byte_size_unit":
            return "is no size"
        case _:
            return "does not fit here"


def _meant(value: Any, schemas: list[words.Schema]) -> Iterator[Any]:
    """Near misses: a number in quotes, a choice misspelt, a value that should be in a list, 3.0 for 3."""
    if isinstance(value, str):
        choices = [choice for schema in schemas for choice in schema.get("enum", ())]
        near = words.nearest(value, [choice for choice in choices if isinstance(choice, str)])
        if near:
            yield near
        yield from _unquoted(value)
        cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", value).strip("-._")
        if any(re.fullmatch(schema.get("pattern", "(?!)"), cleaned) for schema in schemas):
            yield cleaned  # a name that becomes part of file names
    if isinstance(value, float) and value.is_integer():
        yield int(value)
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield str(value)
    if isinstance(value, list) and len(value) == 1:
        yield value[0]
    if not isinstance(value, (list, dict)):
        yield [value]


def _unquoted(text: str) -> Iterator[Any]:
    try:
        tree = tomllib.loads(f"value = {text[:100]}")
    except tomllib.TOMLDecodeError:
        return
    if tree.keys() == {"value"} and isinstance(tree["value"], (bool, int, float)):
        yield tree["value"]


def _samples(schema: words.Schema, definitions: words.Schema) -> Iterator[Any]:
    if "const" in schema:
        yield schema["const"]
    yield from schema.get("enum", ())
    yield from schema.get("examples", ())
    match schema.get("type"):
        case "integer" | "number":
            yield from (schema[bound] for bound in ("minimum", "maximum") if bound in schema)
            yield from (1, 0, 10, 100, 0.5)
        case "boolean":
            yield True
        case "string":
            yield "..."
        case "array":
            inner = words.alternatives(schema.get("items", {}), definitions)
            yield from ([sample] for choice in inner for sample in _samples(choice, definitions))
        case "object":
            fields = schema.get("properties", {})
            yield {name: _first(fields[name], definitions) for name in schema.get("required", ())}


def _first(schema: words.Schema, definitions: words.Schema) -> Any:
    examples = schema.get("examples", ())
    samples = (sample for choice in words.alternatives(schema, definitions) for sample in _samples(choice, definitions))
    return next(iter(examples), None) or next(samples, "...")
