"""One request to a service that speaks OpenAI's protocol, at an address that the user chose."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from acestep_mcp.api.errors import ConfigurationError, InvalidRequest, NoResponse, QueueError
from acestep_mcp.api.redaction import redaction
from acestep_mcp.net.addresses import parse_url
from acestep_mcp.net.http_responses import HttpResponse, http_errors, read_response
from acestep_mcp.net.loopback import in_clear
from acestep_mcp.net.ssrf import Body, Reach, host_of, opened, origin
from acestep_mcp.net.timeouts import Timeouts

_MAX_RESPONSE = 1 << 20
_SHORTEST_WORD = 20  # services without keys get words such as "anything" as one
_REFUSALS = {
    400: "refused the request. Check {prefix}_MODEL",
    401: "refused the key. Set {prefix}_KEY to a valid one",
    402: "requires payment. Check your account there",
    403: "refused the key. Set {prefix}_KEY to one that may use the model",
    404: "has no such address or no such model. Check {prefix}_URL and {prefix}_MODEL",
    429: "received too many requests, or the account there is empty. Wait a little, or check the account",
}


@dataclass(frozen=True, slots=True)
class OpenAIService:
    """The service at `url`: its base address, with or without /v1, or the whole address that ends in `path`.

    The user chose the address, so it may be private. Nothing is sent to another address: a redirect is an error.
    `what` names the service in messages, `prefix` its settings (`ACESTEP_LLM`). `timeouts` bounds one request.
    """

    what: str
    prefix: str
    url: str
    path: str
    timeouts: Timeouts
    key: str | None = field(default=None, repr=False)
    insecure: bool = False

    def check(self) -> None:
        """Raises ConfigurationError for an address that is none, or a key that would be sent in clear."""
        try:
            parse_url(self.url)
        except InvalidRequest as exc:
            raise ConfigurationError(f"{exc.message} {self.advice}") from exc
        if self.key and in_clear(origin(self.url)) and not self.insecure:
            raise ConfigurationError(
                f"{self.prefix}_KEY would be sent over plain http to {host_of(self.url)}, unencrypted. Use an https "
                "address, or set ACESTEP_INSECURE=1 if that network is yours."
            )

    @property
    def label(self) -> str:
        return f"{self.what} at {host_of(self.url)}"

    @property
    def advice(self) -> str:
        example = "http://127.0.0.1:11434/v1"
        return f"{self.prefix}_URL has to be the base address of an OpenAI-compatible service, like {example}."

    async def post(self, content: bytes, content_type: str) -> HttpResponse:
        """The answer, whatever its status, without the key. Raises QueueError when none came."""
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        reach = Reach(origins=frozenset({origin(self.url)}))
        timeouts = self.timeouts
        try:
            with http_errors(f"Asking {host_of(self.url)}"), anyio.fail_after(timeouts.transfer):
                url, carried = self._address(), Body(content, len(content), headers)
                async with opened("POST", url, body=carried, reach=reach, timeouts=timeouts) as response:
                    return await read_response(response, _MAX_RESPONSE, redaction(self.key, word=_SHORTEST_WORD))
        except NoResponse as exc:
            then = f"It has {timeouts.transfer:g} s to answer. Is it running, and is {self.prefix}_URL its address?"
            raise QueueError(f"{self.label} did not answer: {exc.what} {then}") from exc

    def refused(self, status: int) -> QueueError:
        """The error for a status that is not 200. It repeats nothing that the service said."""
        if 300 <= status < 400:
            said = "redirects. Set {prefix}_URL to the final address"
        else:
            other = _REFUSALS[400] if status < 500 else "failed. Check its log, or try again later"
            said = _REFUSALS.get(status, other)
        return QueueError(f"{self.label} {said.format(prefix=self.prefix)} ({status}).", status=status)

    def _address(self) -> str:
        parsed = parse_url(self.url)
        path = parsed.path.rstrip("/")
        return str(parsed.copy_with(path=path if path.endswith(self.path) else f"{path or '/v1'}{self.path}"))
