"""An HTTP response read to its end, or the error for a response that did not arrive."""

from __future__ import annotations

import json
import math
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from acestep_mcp.api.errors import QueueError
from acestep_mcp.net.timeouts import retry_after

MAX_RESPONSE = 8 << 20
# Not implemented, HTTP version not supported, and three about how the server is set up.
_PERMANENT_5XX = frozenset({501, 505, 506, 508, 510})
_TRANSIENT_4XX = frozenset({408, 425, 429})
_DEEPEST = 32
_LONGEST_INTEGER = 20
_SURROGATE = re.compile("[\ud800-\udfff]")
_BROKEN_OFF = re.compile("disconnected|closed connection")
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


class NoResponse(QueueError):
    """No complete response arrived. `sent` is False only when the request cannot have had any effect."""

    def __init__(self, what: str, *, sent: bool, is_permanent: bool = False) -> None:
        then = "Try again in a minute." if sent else "Check the address and the network, then try again."
        if sent and is_permanent:
            then = "Another try would end the same way: check the host's address, or report this to the host."
        super().__init__(f"{what} {then}", is_permanent=is_permanent)
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


def read_json(body: bytes, clean: Callable[[str], str] = str) -> Any:
    """The decoded body, or None when it is not JSON. What is odd in it costs only itself.

    Bytes and characters that cannot be encoded are replaced; numbers that are infinite or have more than 20 digits, and
    what is nested more than 32 deep, are None.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        try:
            value = _loaded(text)
        except RecursionError:
            value = _loaded(_shallow(text))
    except (ValueError, RecursionError):
        return None
    return _usable(value, clean, _DEEPEST)


def _loaded(text: str) -> Any:
    return json.loads(text, strict=False, parse_int=_integer, parse_float=_finite, parse_constant=lambda _: None)


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _shallow(text: str) -> str:
    """JSON text with `null` for each array and object that is nested too deep."""
    kept, start, depth = [], 0, 0
    for token in _TOKENS.finditer(text):
        if token[0] in "[{":
            if depth == _DEEPEST:
                kept.append(f"{text[start : token.start()]}null")
            depth += 1
        elif token[0] in "]}":
            depth -= 1
            if depth == _DEEPEST:
                start = token.end()
    return "".join([*kept, text[start:]])


def _usable(value: Any, clean: Callable[[str], str], levels: int) -> Any:
    match value:
        case str():
            return clean(_SURROGATE.sub("\ufffd", value))
        case dict() | list() if not levels:
            return None
        case dict():
            return {
                clean(_SURROGATE.sub("\ufffd", name)): _usable(part, clean, levels - 1) for name, part in value.items()
            }
        case list():
            return [_usable(part, clean, levels - 1) for part in value]
    return value


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
