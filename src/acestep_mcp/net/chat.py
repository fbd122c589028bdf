"""A local or hosted chat endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from acestep_mcp.api.errors import ConfigurationError, InvalidRequest, QueueError
from acestep_mcp.net.addresses import parse_url
from acestep_mcp.net.http_responses import HttpResponse, NoResponse, http_errors, read_response
from acestep_mcp.net.loopback import in_clear
from acestep_mcp.net.ssrf import Body, Reach, host_of, opened, origin
from acestep_mcp.net.timeouts import Timeouts

_MAX_RESPONSE = 1 << 20
_PATH = "/chat/completions"
_CHAT_TIMEOUTS = Timeouts(connect=5, silence=90, transfer=90)
_EXTRAS_REFUSED = frozenset({400, 422})
_BASE = "ACESTEP_LLM_URL has to be the base address of an OpenAI-compatible service, like http://127.0.0.1:11434/v1."
_REFUSALS = {
    400: "refused the request. Check ACESTEP_LLM_MODEL",
    401: "refused the key. Set ACESTEP_LLM_KEY to a valid one",
    402: "requires payment. Check your account there",
    403: "refused the key. Set ACESTEP_LLM_KEY to one that may use the model",
    404: "has no such address or no such model. Check ACESTEP_LLM_URL and ACESTEP_LLM_MODEL",
    429: "received too many requests, or the account there is empty. Wait a little, or check the account",
}


@dataclass(frozen=True, slots=True)
class Chat:
    """The service at `url` (its base address, with or without /v1, or the whole path) and one of its models.

    The user chose the address, so it may be private. Nothing is sent to another address: a redirect is an error.
    `timeouts` bounds one request; a refused one is sent once more without the fields that some services do not know.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    insecure: bool = False
    timeouts: Timeouts = _CHAT_TIMEOUTS

    async def ask(self, messages: Sequence[dict[str, str]], *, seed: int) -> str:
        """The unchanged text of the model's answer.

        Raises ConfigurationError when a key would be sent unencrypted to another machine, QueueError when no answer
        came. The message says what to change and repeats nothing that the service said.
        """
        try:
            parse_url(self.url)
        except InvalidRequest as exc:
            raise ConfigurationError(f"{exc.message} {_BASE}") from exc
        if self.key and in_clear(origin(self.url)) and not self.insecure:
            raise ConfigurationError(
                f"ACESTEP_LLM_KEY would be sent over plain http to {host_of(self.url)}, unencrypted. Use an https "
                "address, or set ACESTEP_INSECURE=1 if that network is yours."
            )
        plain = {"model": self.model, "messages": list(messages), "stream": False}
        answer = await self._sent({**plain, "seed": seed, "response_format": {"type": "json_object"}})
        if answer.status in _EXTRAS_REFUSED:
            answer = await self._sent(plain)
        if answer.status != 200:
            raise QueueError(f"{self._label} {_refusal(answer.status)} ({answer.status}).", status=answer.status)
        text = _text(answer.json())
        if text is None:
            raise QueueError(f"{self._label} answered with something other than a chat completion. {_BASE}")
        return text

    @property
    def _label(self) -> str:
        return f"The language model at {host_of(self.url)}"

    async def _sent(self, body: dict[str, Any]) -> HttpResponse:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        content = json.dumps(body).encode()
        reach = Reach(origins=frozenset({origin(self.url)}))
        timeouts = self.timeouts
        try:
            with http_errors(f"Asking {host_of(self.url)}"), anyio.fail_after(timeouts.transfer):
                url, carried = _completions(self.url), Body(content, len(content), headers)
                async with opened("POST", url, body=carried, reach=reach, timeouts=timeouts) as response:
                    return await read_response(response, _MAX_RESPONSE)
        except NoResponse as exc:
            then = f"It has {timeouts.transfer:g} s to answer. Is it running, and is ACESTEP_LLM_URL its address?"
            raise QueueError(f"{self._label} did not answer: {exc.what} {then}") from exc


def _completions(url: str) -> str:
    parsed = parse_url(url)
    path = parsed.path.rstrip("/")
    return str(parsed.copy_with(path=path if path.endswith(_PATH) else f"{path or '/v1'}{_PATH}"))


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return "redirects. Set ACESTEP_LLM_URL to the final address"
    return _REFUSALS.get(status, _REFUSALS[400] if status < 500 else "failed. Check its log, or try again later")


def _text(body: Any) -> str | None:
    """The text of the first choice: a string, or the text parts of a list. None for any other shape."""
    try:
        content = body["choices"][0]["message"]["content"]
    except (TypeError, KeyError, IndexError):
        return None
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None
