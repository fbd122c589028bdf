"""The protocol as an OpenAPI document, derived from the requests and the endpoint table."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

import acestep_mcp
from acestep_mcp.api.endpoints import ENDPOINTS, Endpoint
from acestep_mcp.api.responses import File, Response
from acestep_mcp.api.schemas import PlainSchema, input_schema
from acestep_mcp.engine_server.jobs import APPS

_REF = "#/components/schemas/"
_RESPONSE = "ACEStepResponse"
_TEXT = {"type": "string"}
_REFUSED = {
    "401": {"description": "The key is missing or wrong"},
    "403": {"description": "Asked by a page of another origin, or for another host"},
}
"""Of every route."""


def document(base: str, *, needs_key: bool) -> dict[str, Any]:
    """OpenAPI 3.1; `base` is the server's own address. Schemas have their published names."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ACE-Step engine server",
            "version": acestep_mcp.__version__,
            "description": "The five ACE-Step endpoints on fal's queue protocol. Submit, follow the status, "
            "fetch the result; or wait for it under /run.",
        },
        "servers": [{"url": base}],
        "security": [{"key": []}] if needs_key else [],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Key` and the key."}
            },
            "schemas": _schemas(),
        },
    }


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for endpoint in ENDPOINTS:
        paths[f"/{endpoint.id}"] = {"post": _call(endpoint, "submit", "QueueStatus")}
        paths[f"/run/{endpoint.id}"] = {"post": _call(endpoint, "run", _RESPONSE)}
    for app in sorted(APPS):
        paths |= _job_paths(f"/{app}/requests/{{request_id}}")
    return paths


def _call(endpoint: Endpoint, verb: str, answer: str) -> dict[str, Any]:
    waits = (
        " Answers with the song when it is done." if verb == "run" else " Answers with the request's addresses at once."
    )
    return {
        "operationId": f"{verb}_{endpoint.tool}",
        "summary": endpoint.title,
        "description": endpoint.description + waits,
        "requestBody": {"required": True, "content": _json(endpoint.schema)},
        "responses": {
            "200": _reply("Accepted" if verb == "submit" else "The song", answer),
            "400": {"description": "A header or query parameter that cannot be used"},
            "413": {"description": "The body is too large"},
            "422": _reply("Fields that cannot be used", "ValidationError"),
            "429": {"description": "The queue is too long, or too many requests of the key wait"},
            **_REFUSED,
        },
    }


def _job_paths(job: str) -> dict[str, Any]:
    known = {"parameters": [{"name": "request_id", "in": "path", "required": True, "schema": _TEXT}]}
    status = {"200": _reply("It has ended", "QueueStatus"), "202": _reply("It waits or runs", "QueueStatus")}
    logs = {"name": "logs", "in": "query", "schema": _TEXT, "description": "`1` or `true`: with the lines of the log"}
    events = {
        "200": {"description": "A QueueStatus for each change, until the end", "content": {"text/event-stream": {}}}
    }
    unknown = {"404": {"description": "No such request, or it has expired"}, **_REFUSED}
    cancelled = {
        "202": {"description": "Cancellation requested"},
        "400": {"description": "It has already ended"},
        **unknown,
    }
    removed = {
        "200": {"description": "The ended request and its file are removed"},
        "400": {"description": "Not finished yet"},
    }
    result = {"200": _reply("The song", _RESPONSE), "400": {"description": "Not finished yet"}, **unknown}
    return {
        job: known
        | {
            "get": {"operationId": "result", "responses": result},
            "delete": {"operationId": "remove", "responses": {**removed, **unknown}},
        },
        f"{job}/status": known
        | {"get": {"operationId": "status", "parameters": [logs], "responses": status | unknown}},
        f"{job}/status/stream": known
        | {"get": {"operationId": "stream_status", "parameters": [logs], "responses": events | unknown}},
        f"{job}/cancel": known | {"put": {"operationId": "cancel", "responses": cancelled}},
    }


def _schemas() -> dict[str, Any]:
    _, answers = models_json_schema(
        [(Response, "validation"), (File, "validation")], ref_template=_REF + "{model}", schema_generator=PlainSchema
    )
    schemas = dict(answers["$defs"])
    schemas[_RESPONSE] = schemas.pop("Response")
    for endpoint in ENDPOINTS:
        fields = input_schema(endpoint.request)
        # The server ignores unknown fields.
        fields = {key: value for key, value in fields.items() if key != "additionalProperties"}
        schemas[endpoint.schema] = {"description": endpoint.description, **fields}
    return schemas | {"QueueStatus": _status(), "ValidationError": _validation_error()}


def _status() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "status": {"type": "string", "enum": ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]},
            **dict.fromkeys(("request_id", "response_url", "status_url", "cancel_url"), _TEXT),
            "queue_position": {"type": "integer"},
            "logs": {"type": ["array", "null"], "items": {"type": "object"}},
            "metrics": {"type": "object"},
            **dict.fromkeys(("error", "error_type"), _TEXT),
        },
        "required": ["status", "request_id"],
    }


def _validation_error() -> dict[str, Any]:
    entry = {
        "type": "object",
        "properties": {"loc": {"type": "array"}, **dict.fromkeys(("msg", "type", "url"), _TEXT)},
        "required": ["loc", "msg", "type"],
    }
    return {"type": "object", "properties": {"detail": {"type": "array", "items": entry}}}


def _reply(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": _json(schema)}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF + schema}}}
