"""What to do with a line on stdin that is no JSON-RPC message: the SDK drops it, and its sender would wait for ever."""

from __future__ import annotations

import json
import re
from typing import Any

from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from acestep_mcp.api.text import encodable

_MEMBER = r'\s*"\w{1,40}"\s*:\s*(?:"[^"\\]{0,200}"|-?\d{1,20})\s*,'
_ID = r'"id"\s*:\s*(?P<id>"[^"\\]{1,200}"|-?\d{1,20})'
# In a line that is not valid JSON, an id is read only where it cannot belong to an inner object: after simple members
# at the start, or just before the last brace.
_ID_AT_START = re.compile(rf"\s*\{{(?:{_MEMBER}){{0,3}}\s*{_ID}")
_ID_AT_END = re.compile(rf",\s*{_ID}\s*\}}\s*\Z")
_READ_AT_END = 300
_NOTIFICATION = "notifications/"


def message_or_answer(error: Exception) -> JSONRPCMessage | None:
    """The message of a line that was readable after all, or the answer to send for it; None for a blank line.

    `error` is what the SDK passes on in place of a message.
    """
    line, problem = _line_and_problem(error)
    if isinstance(line, str):
        line = line.removeprefix("\ufeff")
        if not line.strip():
            return None
        try:
            return jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValidationError as again:
            line, problem = _line_and_problem(again)
    if isinstance(line, str):
        return _error(PARSE_ERROR, _broken_id(line), f"This line is not valid JSON: {problem}. Send it again whole.")
    request_id = line.get("id") if isinstance(line, dict) else None
    advice = "Send one JSON-RPC 2.0 message a line, as an object; batches are not supported."
    return _error(INVALID_REQUEST, _valid_id(request_id), f"This line is no JSON-RPC message. {advice}")


def refusal(message: JSONRPCMessage) -> JSONRPCError | None:
    """The answer to a request without a usable id: the SDK takes it for a notification, and its sender would wait for ever."""
    if not isinstance(message, JSONRPCNotification) or message.method.startswith(_NOTIFICATION):
        return None
    advice = "Give it an id that is a string or a whole number."
    return _error(INVALID_REQUEST, None, f"The request {message.method[:60]!r} has no id that could be used. {advice}")


def _line_and_problem(error: Exception) -> tuple[Any, str]:
    """The text of a line that is not JSON, else the value that it holds."""
    if not isinstance(error, ValidationError):
        return {}, str(error)
    errors = error.errors(include_url=False)
    for found in errors:
        if found["type"] == "json_invalid":
            return found["input"], str(found["ctx"]["error"])
    # Each kind of message lacks a member of another kind, and that error has the whole object.
    whole = [found["input"] for found in errors if found["type"] == "missing" and len(found["loc"]) == 2]
    return (whole[0] if whole else None), ""


def _broken_id(line: str) -> str | int | None:
    # These accept what the SDK's parser does not, such as half a surrogate pair.
    value = _loaded(line)
    if value is None and (found := _ID_AT_START.match(line) or _ID_AT_END.search(line[-_READ_AT_END:])):
        value = {"id": _loaded(found["id"])}
    return _valid_id(value.get("id")) if isinstance(value, dict) else None


def _loaded(text: str) -> Any:
    """The value of a JSON text, None for what is none."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _valid_id(value: object) -> str | int | None:
    """The id if an answer can be written with it; half a surrogate pair cannot be written."""
    if isinstance(value, str):
        return value if value == encodable(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _error(code: int, request_id: str | int | None, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message))
