"""Values, types and names in the words of a message: what was found, what was expected, what to write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dataengine.locate import key, string

Schema = Mapping[str, Any]
"""A JSON Schema, as pydantic makes it."""

LONGEST = 60
"""Characters of a value that a message repeats."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """The choice most like `name`, or nothing where none is like it. ``gopher`` is like ``filter.gopher``."""
    choices = list(choices)
    folded = {_folded(choice): choice for choice in choices}
    if _folded(name) in folded:
        return folded[_folded(name)]
    ends = [choice for choice in choices if name and choice.endswith(f".{name.lower()}")]
    if len(ends) == 1:
        return ends[0]
    import difflib

    return next(iter(difflib.get_close_matches(name[:200], choices, n=1, cutoff=0.6)), "")


def _folded(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """What to write in place of a wrong name; nothing where no right name is near."""
    near = nearest(name, choices)
    return string(near) if near else ""


def one_of(choices: Sequence[str], *, most: int = 20) -> str:
    """``"a", "b" or "c"``."""
    quoted = [string(choice) for choice in choices[:most]]
    if len(choices) > most:
        quoted.append(f"{len(choices) - most} more")
    return _either(quoted) if quoted else ""


def _either(phrases: Sequence[str]) -> str:
    phrases = list(dict.fromkeys(phrases))
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} or {phrases[-1]}"


def lines(*texts: str) -> str:
    """Several lines to write, set under the first one as a message shows it."""
    return "\n              ".join(texts)


def clipped(text: str, most: int = LONGEST) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def toml(value: Any) -> str:
    """`value` as TOML writes it on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return string(value)
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case dict() if not value:
            return "{}"
        case dict():
            return "{ " + ", ".join(f"{key(name)} = {toml(item)}" for name, item in value.items()) + " }"
        case _:
            return str(value)


def a_value(value: Any) -> str:
    """``the text "forty"``, ``the number 1.5``, ``a list``: a value as the subject of a sentence."""
    match value:
        case bool():
            return toml(value)
        case str():
            return f"the text {clipped(toml(value))}"
        case int():
            return f"the whole number {clipped(str(value))}"
        case float():
            return f"the number {value}"
        case list() | tuple():
            return "an empty list" if not value else "a list"
        case dict():
            return "an empty table" if not value else "a table"
        case None:
            return "nothing"
        case _:
            return f"the date or time {value}"


# --- what a JSON Schema asks for --------------------------------------------------------------------------------------


def follow(schema: Schema, definitions: Schema, path: Iterable[str | int]) -> list[Schema]:
    """All schemas that a value at `path` below `schema` may meet; none where no value may stand there."""
    found = alternatives(schema, definitions)
    for part in path:
        inner = (_inside(choice, part) for choice in found)
        found = [choice for below in inner if below is not None for choice in alternatives(below, definitions)]
    return found


def alternatives(schema: Schema, definitions: Schema) -> list[Schema]:
    """The branches of ``anyOf`` and ``oneOf``, references followed, null left out."""
    if "$ref" in schema:
        return alternatives(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return [choice for branch in branches for choice in alternatives(branch, definitions)]
    return [] if schema.get("type") == "null" else [schema]


def _inside(schema: Schema, part: str | int) -> Schema | None:
    if isinstance(part, int):
        return schema.get("items")
    more = schema.get("additionalProperties")
    return schema.get("properties", {}).get(part) or (more if isinstance(more, dict) else None)


def expectation(schemas: Iterable[Schema], definitions: Schema) -> str:
    """``a whole number of at least 1 or a list of text``."""
    phrases = [_phrase(schema, definitions) for schema in schemas]
    return _either(phrases) if phrases else ""


def _phrase(schema: Schema, definitions: Schema) -> str:
    if "const" in schema:
        return toml(schema["const"])
    if "enum" in schema:
        return _either([toml(choice) for choice in schema["enum"]])
    match schema.get("type"):
        case "integer":
            return _ranged("a whole number", schema)
        case "number":
            return _ranged("a number", schema)
        case "boolean":
            return "true or false"
        case "string":
            like = schema.get("examples") or _PATTERNS.get(schema.get("pattern", ""))
            return f"text such as {toml(like[0])}" if like else "text"
        case "array":
            inner = expectation(alternatives(schema.get("items", {}), definitions), definitions)
            least = "" if not schema.get("minItems") else f" of at least {schema['minItems']}"
            return f"a list{least}, each {inner}" if inner else f"a list{least}"
        case "object":
            return _table_phrase(schema, definitions)
        case _:
            return "any value"


_PATTERNS = {r"^\s*(\d*\.?\d+)\s*(\w+)?": ["20MiB"]}
"""What pydantic's own patterns mean: ByteSize."""


def _table_phrase(schema: Schema, definitions: Schema) -> str:
    fields = list(schema.get("properties", {}))
    if fields:
        return "a table { " + ", ".join(f"{key(name)} = ..." for name in fields[:6]) + " }"
    more = schema.get("additionalProperties")
    inner = expectation(alternatives(more, definitions), definitions) if isinstance(more, dict) else ""
    return f"a table {{ name = value }}, each value {inner}" if inner else "a table"


def _ranged(noun: str, schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if least is not None and most is not None:
        return f"{noun} from {_plain(least)} to {_plain(most)}"
    bounds = [
        f"{word} {_plain(bound)}"
        for word, bound in (("of at least", least), ("above", above), ("of at most", most), ("below", below))
        if bound is not None
    ]
    return " ".join([noun, " and ".join(bounds)]).rstrip()


def _plain(bound: float) -> str:
    return json.dumps(int(bound) if float(bound).is_integer() else bound)
