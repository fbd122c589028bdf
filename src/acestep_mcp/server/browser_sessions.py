"""Sessions of browsers: the token is typed once, and the browser keeps a random value in its place.

The value opens the gallery's routes only, not MCP, and is forgotten at logout and when the server ends.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

FOLDER = "/gallery/"
"""The routes that a session opens."""

SESSION_PATH = f"{FOLDER}session"
LIFETIME = 30 * 86_400
"""Seconds."""

_MOST = 100


class BrowserSessions:
    """The open sessions of one server; without a token none is needed."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.needs_token = bool(token)
        self._ends: dict[bytes, float] = {}
        """By the digest of a session's value: what is in memory opens no session."""

    def begin(self, token: str) -> str | None:
        """The value of a new session, or None for a wrong token. The oldest of more than 100 sessions ends."""
        if not hmac.compare_digest(token.strip().encode("utf-8", "replace"), self._token.encode()):
            return None
        value = secrets.token_urlsafe(32)
        self._ends[_digest(value)] = time.monotonic() + LIFETIME
        while len(self._ends) > _MOST:
            del self._ends[next(iter(self._ends))]
        return value

    def end(self, request: Request) -> None:
        self._ends.pop(_digest(request.cookies.get(cookie_name(request), "")), None)

    def opens(self, request: Request) -> bool:
        """Whether this request needs no token of its own: it is for the gallery, and its session is open."""
        if not request.scope["path"].startswith(FOLDER):
            return False
        ends = self._ends.get(_digest(request.cookies.get(cookie_name(request), "")), 0.0)
        return time.monotonic() < ends


def cookie_name(request: Request) -> str:
    """Cookies are not kept apart by port, and two servers of one machine must not end each other's sessions."""
    return "__Host-acestep" if request.url.scheme == "https" else f"acestep-{request.url.port or 80}"


def set_cookie(response: Response, request: Request, value: str) -> None:
    """Keep the session's value in the browser, out of reach of scripts and of requests from other sites."""
    _write(response, request, value, LIFETIME)


def clear_cookie(response: Response, request: Request) -> None:
    _write(response, request, "", 0)


def _write(response: Response, request: Request, value: str, seconds: int) -> None:
    response.set_cookie(
        cookie_name(request),
        value,
        max_age=seconds,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def refusal(status: int, message: str) -> JSONResponse:
    """An error of access, in the shape of the other errors."""
    code = "unauthorized" if status == HTTPStatus.UNAUTHORIZED else "forbidden"
    body: dict[str, Any] = {"error": {"code": code, "message": message}}
    return JSONResponse(body, status_code=status)


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()
