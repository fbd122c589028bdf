"""A local or hosted chat endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from acestep_mcp.api.errors import QueueError
from acestep_mcp.net.openai_service import OpenAIService
from acestep_mcp.net.timeouts import Timeouts

_CHAT_TIMEOUTS = Timeouts(connect=5, silence=90, transfer=90)
_EXTRAS_REFUSED = frozenset({400, 422})


@dataclass(frozen=True, slots=True)
class Chat:
    """The service at `url` (as in OpenAIService) and one of its models.

    `timeouts` bounds one request; a refused one is sent once more without the fields that some services do not know.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    insecure: bool = False
    timeouts: Timeouts = _CHAT_TIMEOUTS

    async def ask(self, messages: Sequence[dict[str, str]], *, seed: int) -> str:
        """The text of the model's answer, without the key.

        Raises ConfigurationError when a key would be sent unencrypted to another machine, QueueError when no answer
        came. The message says what to change and repeats nothing that the service said.
        """
        service = OpenAIService(
            "The language model",
            "ACESTEP_LLM",
            self.url,
            "/chat/completions",
            self.timeouts,
            self.key,
            self.insecure,
        )
        service.check()
        plain = {"model": self.model, "messages": list(messages), "stream": False}
        full = {**plain, "seed": seed, "response_format": {"type": "json_object"}}
        answer = await service.post(json.dumps(full).encode(), "application/json")
        if answer.status in _EXTRAS_REFUSED:
            answer = await service.post(json.dumps(plain).encode(), "application/json")
        if answer.status != 200:
            raise service.refused(answer.status)
        text = _text(answer.json())
        if text is None:
            raise QueueError(f"{service.label} answered with something other than a chat completion. {service.advice}")
        return answer.clean(text)  # again: it may come in parts


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
