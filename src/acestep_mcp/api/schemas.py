"""JSON Schemas of our models that every MCP host can read."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from acestep_mcp.api.requests import Request


class PlainSchema(GenerateJsonSchema):
    """A generator without `anyOf` with null, null defaults and titles, which some hosts cannot read."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the library's signature
        return False


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a flat argument model: required fields first, then its own, then the shared ones."""
    schema = model.model_json_schema(schema_generator=PlainSchema)
    models = schema.pop("$defs", {})
    required = schema.get("required", [])
    shared = Request.model_fields if issubclass(model, Request) else {}
    names = sorted(schema.get("properties", {}), key=lambda name: (name not in required, name in shared))
    return {
        "type": "object",
        "properties": {name: _with_models(schema["properties"][name], models) for name in names},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of an answer, without defaults; nested models are inlined, since some hosts ignore `$ref`."""
    schema = model.model_json_schema(schema_generator=PlainSchema)
    inlined: dict[str, Any] = _inlined(schema, schema.pop("$defs", {}))
    return inlined


def _with_models(schema: Any, models: dict[str, Any]) -> Any:
    """A field's schema with nested models in place, since some hosts ignore `$ref`; an open object says nothing more."""
    if isinstance(schema, list):
        return [_with_models(part, models) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _with_models(models[schema["$ref"].rpartition("/")[2]], models)
    is_open = schema.get("additionalProperties") is True
    gone = {"title"} | ({"additionalProperties"} if is_open else set())
    return {key: _with_models(value, models) for key, value in schema.items() if key not in gone}


def _inlined(schema: Any, models: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(part, models) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _inlined(models[name] | {key: value for key, value in schema.items() if key != "$ref"}, models)
    return {key: _inlined(value, models) for key, value in schema.items() if not _is_noise(key, value, schema)}


def _is_noise(key: str, value: Any, schema: dict[str, Any]) -> bool:
    """True for what every object allows, and for defaults, class names and docstrings, which are for readers of the code."""
    is_docstring = key == "description" and "properties" in schema
    is_open = key == "additionalProperties" and value is True
    return is_open or key == "default" or (key == "title" and isinstance(value, str)) or is_docstring
