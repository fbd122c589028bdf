"""An HTTP response read to its end, or the error for a response that did not arrive."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

from acestep_mcp.api.errors import NoResponse
from acestep_mcp.net.lenient_json import read_json
from acestep_mcp.net.timeouts import retry_after

MAX_RESPONSE = 8 << 20
# Not implemented, HTTP version not supported, and three about how the server is set up.
_PERMANENT_5XX = frozenset({501, 505, 506, 508, 510})
_TRANSIENT_4XX = frozenset({408, 425, 429})
_BROKEN_OFF = re.compile("disconnected|closed connection")


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

_PERMANENT = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.DecodingError, UnicodeError)


@contextmanager
def http_errors(action: str) -> Iterator[None]:
    """Raise NoResponse, with its cause, for everything that httpx raises."""
    try:
        yield
    except tuple(kind for kind, _, _ in _CAUSES) as exc:
        sent, message = next((sent, message) for kind, sent, message in _CAUSES if isinstance(exc, kind))
        reason, is_permanent = _reason(exc)
        is_permanent = is_permanent or isinstance(exc, _PERMANENT)
        raise NoResponse(f"{action}: {message}{reason}.", sent=sent, is_permanent=is_permanent) from exc


def _reason(exc: BaseException) -> tuple[str, bool]:
    """The underlying cause that a person can act on, if there is one, and whether it stays until somebody acts."""
    seen: BaseException | None = exc
    while seen is not None:
        match seen:
            case ssl.SSLCertVerificationError():
                message = "an engine's own is trusted by SSL_CERT_FILE=.../acestep-ca.pem"
                return f" (its certificate was refused: {seen.verify_message}; {message})", True
            case ssl.SSLError():
                is_broken_off = isinstance(seen, ssl.SSLEOFError | ssl.SSLZeroReturnError)
                return f" (TLS failed: {seen.reason or 'handshake refused'})", not is_broken_off
            case socket.gaierror():
                return " (its name could not be resolved)", False
            case ConnectionRefusedError():
                return " (nothing listens there)", False
            case httpx.RemoteProtocolError() if not _BROKEN_OFF.search(str(seen)):
                return " (what it sent is not valid HTTP)", True
        seen = seen.__cause__ or seen.__context__
    return "", False


def is_transient_status(status: int) -> bool:
    """Whether a retry may get another answer than this error."""
    return status in _TRANSIENT_4XX or (500 <= status < 600 and status not in _PERMANENT_5XX)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A small response, read to its end. Header names are in lower case. `clean` takes our keys out of a text."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    clean: Callable[[str], str] = field(default=str, repr=False)

    def json(self) -> Any:
        """The body as `read_json` reads it, each string in it cleaned."""
        return read_json(self.body, self.clean)

    @property
    def is_transient(self) -> bool:
        """Whether a retry may help: not after the request's own time limit has passed."""
        return is_transient_status(self.status) and "x-fal-request-timeout-type" not in self.headers

    @property
    def pause(self) -> float | None:
        """Seconds to wait before a retry, if the host names them."""
        return retry_after(self.headers.get("retry-after"))


async def read_response(
    response: httpx.Response, max_bytes: int = MAX_RESPONSE, clean: Callable[[str], str] = str
) -> HttpResponse:
    """Read a small response to its end. Raises NoResponse when it is larger than `max_bytes`."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            message = f"The answer of {response.url.host} is larger than {max_bytes} bytes."
            raise NoResponse(message, sent=True, is_permanent=True)
    headers = {name.lower(): clean(value) for name, value in response.headers.items()}
    return HttpResponse(response.status_code, headers, bytes(body), clean)


async def read_begin(
    response: httpx.Response, seconds: float, silence: float, max_bytes: int, clean: Callable[[str], str]
) -> HttpResponse:
    """Read a response for so many seconds, or until it sends nothing for `silence` seconds or holds `max_bytes`."""
    body, chunks = bytearray(), response.aiter_bytes()
    with anyio.move_on_after(seconds):
        while len(body) < max_bytes:
            chunk = None
            with anyio.move_on_after(silence):
                chunk = await anext(chunks, None)
            if chunk is None:
                break
            body += chunk
    headers = {name.lower(): clean(value) for name, value in response.headers.items()}
    return HttpResponse(response.status_code, headers, bytes(body[:max_bytes]), clean)
