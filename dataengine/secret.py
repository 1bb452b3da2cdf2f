"""A config field whose value comes from the environment: ``token = { env = "HF_TOKEN" }``.

The value is in memory alone. Printed, dumped, hashed or sent to a report, a Secret is the name of its variable.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema


@dataclass(frozen=True)
class Secret:
    """The value of the environment variable `env`, read when the recipe is loaded."""

    env: str
    _value: str = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{{ env = {self.env!r} }}"

    def reveal(self) -> str:
        """The value itself: for the one call that needs it, never for a message."""
        return self._value

    @classmethod
    def _read(cls, given: Any) -> Secret:
        if isinstance(given, Secret):
            return given
        if not isinstance(given, dict) or set(given) != {"env"} or not isinstance(given["env"], str):
            raise PydanticCustomError("secret_in_recipe", "a secret does not stand in a recipe")
        if given["env"] not in os.environ:
            name = {"env": given["env"]}
            raise PydanticCustomError("secret_unset", "the environment variable {env} is not set", name)
        return cls(given["env"], os.environ[given["env"]])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        name_alone = core_schema.plain_serializer_function_ser_schema(lambda secret: {"env": secret.env})
        return core_schema.no_info_plain_validator_function(cls._read, serialization=name_alone)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler,
    ) -> dict[str, Any]:
        fields = {"env": {"type": "string"}}
        return {"type": "object", "properties": fields, "required": ["env"], "additionalProperties": False}
