"""Reading request bodies, with a size limit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.engine_server.file_store import storage_errors

_CHUNK = 2**20
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


async def read_object(http: HttpRequest, limit: int) -> dict[str, Any]:
    """The body as a JSON object; empty means {}. Raises HTTPException 413, and InvalidRequest for anything else."""
    _check_length(http, limit)
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > limit:
            too_large(limit)
    if not body.strip():
        return {}
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest.of(FieldError("", f"is not JSON: {str(exc)[:200]}", "json_invalid")) from exc
    if _SURROGATE.search(body) and not _is_encodable(value):
        raise InvalidRequest.of(FieldError("", "holds half of a surrogate pair", "string_unicode"))
    if not isinstance(value, dict):
        raise InvalidRequest.of(FieldError("", "must be a JSON object with the endpoint's fields", "dict_type"))
    return value


async def save(http: HttpRequest, path: Path, limit: int) -> int:
    """Write the body to a file block by block and return its size. Raises HTTPException 413."""
    _check_length(http, limit)
    size = 0
    block = bytearray()
    with storage_errors(path.parent):
        await anyio.to_thread.run_sync(path.write_bytes, b"")
        async for chunk in http.stream():
            size += len(chunk)
            if size > limit:
                too_large(limit)
            block += chunk
            if len(block) >= _CHUNK:
                await anyio.to_thread.run_sync(_append, path, bytes(block))
                block.clear()
        await anyio.to_thread.run_sync(_append, path, bytes(block))
    return size


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as out:
        out.write(content)


def _check_length(http: HttpRequest, limit: int) -> None:
    length = http.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:18]) > limit:
        too_large(limit)


def too_large(limit: int) -> NoReturn:
    """Refuse a body (413)."""
    raise HTTPException(
        413, f"The body is larger than the {limit} bytes that this server accepts.", {"connection": "close"}
    )


def _is_encodable(value: Any) -> bool:
    """False for lone surrogates: JSON can escape them, but UTF-8 cannot encode them."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
