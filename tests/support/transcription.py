"""A transcription endpoint as services have it: `/v1/audio/transcriptions`, one of its models, perhaps a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any

from tests.support.loopback import Reply, Seen


@dataclass
class Listener:
    """Hears `text` in every recording. `asked` has the fields of each request by name."""

    text: str = ""
    key: str | None = None
    name: str = "whisper-1"
    asked: list[dict[str, bytes]] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Reply:
        if (seen.method, seen.path) != ("POST", "/v1/audio/transcriptions"):
            return Reply(404, {"error": {"message": "no such page"}})
        if self.key and seen.headers.get("authorization") != f"Bearer {self.key}":
            return Reply(401, {"error": {"message": f"Incorrect key: {seen.headers.get('authorization')}"}})
        fields = parts_of(seen)
        if fields["model"] != self.name.encode():
            return Reply(404, {"error": {"message": "model not found"}})
        self.asked.append(fields)
        return Reply(200, {"text": self.text})


def parts_of(seen: Seen) -> dict[str, Any]:
    """The parts of multipart/form-data, read by the standard library."""
    message = message_from_bytes(f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode() + seen.body)
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message.get_payload()
    }
