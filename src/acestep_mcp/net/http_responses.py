"""An HTTP response read to its end, or the error for a response that did not arrive."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from acestep_mcp.api.errors import QueueError
from acestep_mcp.net.timeouts import retry_after

MAX_RESPONSE = 8 << 20
TRANSIENT = frozenset({429, 500, 502, 503, 504})


class NoResponse(QueueError):
    """No complete response arrived. `sent` is False only when the request cannot have had any effect."""

    def __init__(self, what: str, *, sent: bool) -> None:
        then = "Try again in a minute." if sent else "Check the address and the network, then try again."
        super().__init__(f"{what} {then}")
        self.what = what
        self.sent = sent


# What httpx raises: whether the request may have had an effect, and what happened. The first match counts.
_CAUSES: tuple[tuple[type[Exception], bool, str], ...] = (
    (httpx.ConnectTimeout, False, "no connection could be made in time"),
    (httpx.PoolTimeout, False, "no connection was free in time"),
    (httpx.ConnectError, False, "no connection could be made"),
    (httpx.ProxyError, False, "the proxy refused the connection"),
    (httpx.UnsupportedProtocol, False, "the address is neither http nor https"),
    (httpx.InvalidURL, False, "the address is not valid"),
    (httpx.TimeoutException, True, "no answer came in time"),
    (httpx.TransportError, True, "the connection broke off"),
    (httpx.DecodingError, True, "the answer could not be decoded"),
    (TimeoutError, True, "no answer came in time"),
    (UnicodeError, True, "it redirects to an address that is not valid"),  # httpx reads it even when it does not follow
)


@contextmanager
def http_errors(action: str) -> Iterator[None]:
    """Raise NoResponse, with its cause, for everything that httpx raises."""
    try:
        yield
    except tuple(kind for kind, _, _ in _CAUSES) as exc:
        sent, message = next((sent, message) for kind, sent, message in _CAUSES if isinstance(exc, kind))
        raise NoResponse(f"{action}: {message}{_reason(exc)}.", sent=sent) from exc


def _reason(exc: BaseException) -> str:
    """The underlying cause that a person can act on, if there is one."""
    seen: BaseException | None = exc
    while seen is not None:
        match seen:
            case ssl.SSLCertVerificationError():
                message = "an engine's own is trusted by SSL_CERT_FILE=.../acestep-ca.pem"
                return f" (its certificate was refused: {seen.verify_message}; {message})"
            case ssl.SSLError():
                return f" (TLS failed: {seen.reason or 'handshake refused'})"
            case socket.gaierror():
                return " (its name could not be resolved)"
            case ConnectionRefusedError():
                return " (nothing listens there)"
        seen = seen.__cause__ or seen.__context__
    return ""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A small response, read to its end. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body, or None when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def is_transient(self) -> bool:
        """Whether a retry may help: not after the request's own time limit has passed."""
        return self.status in TRANSIENT and "x-fal-request-timeout-type" not in self.headers

    @property
    def pause(self) -> float | None:
        """Seconds to wait before a retry, if the host names them."""
        return retry_after(self.headers.get("retry-after"))


async def read_response(response: httpx.Response, max_bytes: int = MAX_RESPONSE) -> HttpResponse:
    """Read a small response to its end. Raises NoResponse when it is larger than `max_bytes`."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise NoResponse(f"The answer of {response.url.host} is larger than {max_bytes} bytes.", sent=True)
    return HttpResponse(response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(body))
