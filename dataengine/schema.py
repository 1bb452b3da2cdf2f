"""JSON Schema of recipe files (draft 2020-12), made of the classes that read them: for editors and for documentation.

It knows every stage that is installed, plugins too. It describes the text as written: where a number is wanted, a
``"${variable}"`` may stand. What one part says of another (that a lane exists, say) only `dataengine check` knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema

from dataengine import stage
from dataengine.recipe import NAMED, PART_NAME, From, Head
from dataengine.remote.policy import NetworkConfig
from dataengine.tables import RunConfig, TokenizerConfig

Schema = dict[str, Any]

VARIABLE: Schema = {"type": "string", "pattern": r"\$\{[^{}\n]*\}"}


def recipe_schema() -> Schema:
    """The schema of a recipe. A recipe that `extends` another may leave out what the other has."""
    definitions: Schema = {"variable": VARIABLE | {"description": "Text with a variable in it, such as ${name}."}}
    tables = {name: _of(model, definitions, name) for name, model in NAMED.items()}
    single = {"tokenizer": TokenizerConfig, "run": RunConfig, "network": NetworkConfig}
    tables |= {name: _of(model, definitions, name) for name, model in single.items()}
    required = {name: table.pop("required") for name, table in tables.items() if "required" in table}
    definitions |= tables | {"block": {"oneOf": list(_blocks(definitions)), "discriminator": {"propertyName": "stage"}}}
    head = _of(Head, definitions, "head")["properties"]
    parts: Schema = head | {
        "data": _by_name(_LANE, "Lanes: ordered lists of blocks. The first block reads, or takes `from` other lanes."),
        **{name: _by_name(_ref(name), tables[name]["description"]) for name in NAMED},
        **{name: _ref(name) for name in single},
        "vars": {"type": "object", "additionalProperties": {"type": ["string", "number"]},
                 "description": "Variables: ${name} in any text stands for the value."},
    }
    definitions["profile"] = {"type": "object", "properties": parts, "additionalProperties": False}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dataengine recipe",
        "type": "object",
        "properties": parts | {
            "extends": {"type": "string", "description": "Another recipe of the project, over which this one is laid."},
            "profiles": {"type": "object", "additionalProperties": _ref("profile"),
                         "description": "Tables that are laid over the rest when chosen: --profile NAME."},
        },
        "additionalProperties": False,
        "if": {"required": ["extends"]},
        "else": {"required": ["name", "data"], "properties": _complete(required)},
        "$defs": definitions,
    }


_LANE: Schema = {"anyOf": [
    {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/block"}},
    {"type": "object", "description": "Changes to blocks of an inherited lane, by index or stage."},
]}


def _complete(required: dict[str, list[str]]) -> Schema:
    """What must be there when nothing is inherited."""
    tables = {name: {"required": fields} for name, fields in required.items()}
    named = {name: {"additionalProperties": table} for name, table in tables.items() if name in NAMED}
    single = {name: table for name, table in tables.items() if name not in NAMED}
    return {"data": {"minProperties": 1, "additionalProperties": {"type": "array"}}, **named, **single}


def _by_name(schema: Schema, description: str) -> Schema:
    names = {"pattern": f"^{PART_NAME}$"}
    return {"type": "object", "propertyNames": names, "additionalProperties": schema, "description": description}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _blocks(definitions: Schema) -> Iterator[Schema]:
    """One schema for each stage that can be loaded, told apart by ``stage``."""
    taken = _of(From, definitions, "from")["properties"]
    for name in stage.names():
        try:
            found = stage.load(name)
        except (ImportError, AttributeError, TypeError):
            continue
        table = _of(found.config, definitions, name)
        said = {"stage": {"const": name, "description": found.summary}} | ({} if found.kind == "read" else taken)
        yield table | {
            "title": name, "description": found.summary, "properties": said | table.get("properties", {}),
            "required": ["stage", *table.get("required", ())],
        }


def _of(model: type[BaseModel], definitions: Schema, prefix: str) -> Schema:
    """The schema of one table; the models inside it go to `definitions`, each under a name of its own."""
    try:
        schema = stage.with_help(model).model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    except PydanticInvalidForJsonSchema:
        return {"type": "object"}
    inner = schema.pop("$defs", {})
    definitions.update({f"{prefix}.{name}": _table(definition) for name, definition in inner.items()})
    return _table(schema)


def _table(schema: Schema) -> Schema:
    """A table's schema with variables allowed in its fields, without the titles pydantic makes of their names."""
    if "properties" in schema:
        schema["properties"] = {name: _field(field) for name, field in schema["properties"].items()}
    return {key: value for key, value in schema.items() if key != "title"}


_NOTES = ("description", "default", "examples")


def _field(schema: Schema) -> Schema:
    notes = {key: schema[key] for key in _NOTES if schema.get(key) is not None}
    return _open({key: value for key, value in schema.items() if key not in (*_NOTES, "title")}) | notes


def _open(schema: Schema) -> Schema:
    """`schema`, or a variable where it takes no free text. TOML has no null, so neither has the schema."""
    branches = [_open_inside(branch) for branch in schema.get("anyOf", [schema]) if branch.get("type") != "null"]
    if any(map(_is_closed, branches)):
        branches.append(_ref("variable"))
    rest = {key: value for key, value in schema.items() if key != "anyOf"} if "anyOf" in schema else {}
    return branches[0] | rest if len(branches) == 1 else {"anyOf": branches} | rest


def _open_inside(schema: Schema) -> Schema:
    inner = {key: _open(schema[key]) for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)}
    return schema | inner


def _is_closed(schema: Schema) -> bool:
    return schema.get("type") in ("integer", "number", "boolean") or bool({"enum", "const", "pattern"} & schema.keys())
