"""Reading request bodies, with a size limit."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.engine_server.file_store import storage_errors

_CHUNK = 2**20
_SMALL = 2**20
"""Bytes of a body that is read whatever else is being read."""
_BUSY = "Other large requests are being read. Send this one again in a moment."
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Bodies:
    """Reads JSON bodies of at most `limit` bytes; those that are in use at one time take four times as much at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._most = 4 * limit
        self._held = 0

    @asynccontextmanager
    async def read(self, http: HttpRequest) -> AsyncIterator[dict[str, Any]]:
        """The body as a JSON object; empty means {}. It counts as in use until the block ends.

        Raises HTTPException 413, or 429 for a large one while other large ones are in use; InvalidRequest for anything
        else than an object.
        """
        _check_length(http, self._limit)
        body, size = bytearray(), 0
        try:
            async for chunk in http.stream():
                size += len(chunk)
                self._held += len(chunk)
                if size > self._limit:
                    too_large(self._limit)
                if size > _SMALL and self._held > self._most:
                    raise HTTPException(429, _BUSY, {"connection": "close"})
                body += chunk
            value = _object(body)
            body.clear()
            yield value
        finally:
            self._held -= size


def _object(body: bytearray) -> dict[str, Any]:
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


async def save(http: HttpRequest, path: Path, limit: int, take: Callable[[int], None]) -> int:
    """Write the body to a file block by block and return its size. Raises HTTPException 413.

    `take` is called with the size of each piece, and may refuse it.
    """
    _check_length(http, limit)
    size = 0
    block = bytearray()
    with storage_errors(path.parent):
        await anyio.to_thread.run_sync(path.write_bytes, b"")
        async for chunk in http.stream():
            size += len(chunk)
            if size > limit:
                too_large(limit)
            take(len(chunk))
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
