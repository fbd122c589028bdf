"""A chat endpoint as services have it: `/v1/chat/completions`, one of its models, perhaps a key; a script for loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.loopback import Reply, Seen

SONG = {
    "tags": "trip hop, sad, female voice, 84 bpm, piano",
    "lyrics": "[verse]\nSalt on the window\nSalt on my skin\n\n[chorus]\nThe ocean comes in",
}


@dataclass
class Model:
    """Answers each question with `answer` (a function of the messages, a text, or a Reply); refuses what it knows not.

    `plain` refuses everything that not every service knows, as the plainest ones do.
    """

    answer: Any = field(default_factory=lambda: json.dumps(SONG))
    key: str | None = None
    plain: bool = False
    name: str = "small-model"
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Reply:
        if (seen.method, seen.path) != ("POST", "/v1/chat/completions"):
            return Reply(404, {"error": {"message": "no such page"}})
        if self.key and seen.headers.get("authorization") != f"Bearer {self.key}":
            return Reply(
                401, {"error": {"message": f"Incorrect API key provided: {seen.headers.get('authorization')}"}}
            )
        body = seen.json()
        if body["model"] != self.name:
            return Reply(404, {"error": {"message": f"model {body['model']!r} not found"}})
        if self.plain and set(body) != {"model", "messages", "stream"}:
            return Reply(400, {"error": {"message": "response_format is not supported"}})
        assert body["stream"] is False
        assert [message["role"] for message in body["messages"]] == ["system", "user"]
        self.asked.append(body)
        answer = self.answer(body) if isinstance(self.answer, Callable) else self.answer
        return answer if isinstance(answer, Reply) else Reply(200, completion(answer))


def completion(content: Any, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": "stop"}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "small-model", "choices": [choice]}
