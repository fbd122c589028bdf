"""A local or hosted endpoint that writes down the words of a recording, as OpenAI's protocol has it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from acestep_mcp.api.errors import QueueError
from acestep_mcp.net.openai_service import OpenAIService
from acestep_mcp.net.timeouts import Timeouts

_TIMEOUTS = Timeouts(connect=5, silence=120, transfer=120)


@dataclass(frozen=True, slots=True)
class Transcription:
    """The service at `url` (as in OpenAIService) and one of its models. `timeouts` bounds the request."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    insecure: bool = False
    timeouts: Timeouts = _TIMEOUTS

    async def words_of(self, mp3: bytes) -> str:
        """The words as the service heard them, perhaps none.

        Raises ConfigurationError when a key would be sent unencrypted to another machine, QueueError when no answer
        came. The message says what to change and repeats nothing that the service said.
        """
        service = OpenAIService(
            "The transcription service",
            "ACESTEP_ASR",
            self.url,
            "/audio/transcriptions",
            self.timeouts,
            self.key,
            self.insecure,
        )
        service.check()
        boundary = secrets.token_hex(16)
        content = _form(boundary, {"model": self.model, "response_format": "json"}, mp3)
        answer = await service.post(content, f"multipart/form-data; boundary={boundary}")
        if answer.status != 200:
            raise service.refused(answer.status)
        body = answer.json()
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str):
            raise QueueError(f"{service.label} answered with something other than a transcript. {service.advice}")
        return text


def _form(boundary: str, fields: dict[str, str], mp3: bytes) -> bytes:
    """The fields and the file as multipart/form-data (RFC 7578)."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    about = 'Content-Disposition: form-data; name="file"; filename="song.mp3"\r\nContent-Type: audio/mpeg'
    return b"".join([*parts, f"--{boundary}\r\n{about}\r\n\r\n".encode(), mp3, f"\r\n--{boundary}--\r\n".encode()])
