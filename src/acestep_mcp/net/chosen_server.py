"""A server at an address that the user chose: it may be private, and gets the key; no other address does."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from acestep_mcp.api.errors import ConfigurationError, InvalidRequest
from acestep_mcp.api.redaction import redaction
from acestep_mcp.net.http_responses import HttpResponse, http_errors, read_begin, read_response
from acestep_mcp.net.loopback import in_clear
from acestep_mcp.net.ssrf import Body, Reach, host_of, opened, origin
from acestep_mcp.net.timeouts import Timeouts

_SHORTEST_WORD = 20  # servers without keys get words such as "anything" as one
SILENCE = 0.2
"""Seconds without a further line after which a stream of events has sent what it had."""


@dataclass(frozen=True, slots=True)
class ChosenServer:
    """The server at `url`, its base address. `name` begins the names of its settings, as ACESTEP_ENGINE.

    A redirect is an answer like any other: it is not followed.
    """

    name: str
    url: str
    key: str | None = field(default=None, repr=False)
    insecure: bool = False

    def check(self) -> None:
        """Raises ConfigurationError for an address that is none, or a key that would be sent in clear."""
        try:
            own = origin(self.url)
        except InvalidRequest as exc:
            raise ConfigurationError(f"{exc.message} Set {self.name}_URL to one like http://127.0.0.1:8001.") from exc
        if {"?", "#"} & set(self.url):
            raise ConfigurationError(f"{self.name}_URL may not hold a query. Set it like http://127.0.0.1:8001.")
        if self.key and in_clear(own) and not self.insecure:
            raise ConfigurationError(
                f"{self.name}_KEY would be sent over plain http to {host_of(self.url)}, unencrypted. Use an https "
                "address, or set ACESTEP_INSECURE=1 if that network is yours."
            )

    async def ask(
        self,
        method: str,
        path: str,
        body: tuple[bytes, str] | None = None,
        *,
        most: int = 8 << 20,
        seconds: float = 60,
        total: float = 120,
    ) -> HttpResponse:
        """The answer to one request, whatever its status, of at most `most` bytes. Raises NoResponse when none came.

        `path` begins with a slash and is sent as it is; `body` comes with its content type. Connecting and each read may take
        `seconds`, and all `total`. A stream of events has no end: it is read until it is silent, or for half of `total`.
        """
        content, content_type = body or (b"", "")
        headers = {"Accept": "*/*"} | ({"Content-Type": content_type} if body else {})
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        reach = Reach(origins=frozenset({origin(self.url)}))
        timeouts = Timeouts(connect=min(10, seconds), silence=seconds)
        url, carried = self.url.strip().rstrip("/") + path, Body(content, len(content), headers)
        with http_errors(f"Asking {host_of(self.url)}"), anyio.fail_after(total):
            async with opened(method, url, body=carried, reach=reach, timeouts=timeouts, redirects=0) as response:
                clean = redaction(self.key, word=_SHORTEST_WORD)
                if response.headers.get("content-type", "").startswith("text/event-stream"):
                    return await read_begin(response, total / 2, SILENCE, most, clean)
                return await read_response(response, most, clean)
