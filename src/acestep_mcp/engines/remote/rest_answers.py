"""Answers of ACE-Step's own API: the envelope around its data, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acestep_mcp.api.errors import ConfigurationError, QueueError
from acestep_mcp.api.text import encodable, one_line
from acestep_mcp.engines.remote import ODD, Answer

_LATER = frozenset({502, 503, 504})


def envelope(answer: Answer, what: str) -> Any:
    """The `data` of an answer. Raises QueueError."""
    check(answer, what)
    body = answer.json()
    if not isinstance(body, Mapping) or "data" not in body:
        raise odd(what)
    if body.get("code") not in (None, 200):
        raise refused(what, answer.status, body.get("error"))
    return body["data"]


def mapping(answer: Answer, what: str) -> Mapping[str, Any]:
    data = envelope(answer, what)
    if not isinstance(data, Mapping):
        raise odd(what)
    return data


def check(answer: Answer, what: str) -> None:
    """Raises what an error's status means; these answers have no envelope."""
    if answer.status == 200:
        return
    body = answer.json()
    detail = body.get("detail") if isinstance(body, Mapping) else None
    if answer.status in (401, 403):
        raise ConfigurationError(
            f"The ACE-Step server refused the key ({answer.status}). Set ACESTEP_ENGINE_KEY to the key that the server was "
            "started with (ACESTEP_API_KEY there)."
        )
    if answer.status == 429:
        message = (
            "The server's queue is full (429). Submit the request again later, or start the server with a longer one."
        )
        raise QueueError(message, status=429)
    raise refused(what, answer.status, detail)


def refused(what: str, status: int, said: Any) -> QueueError:
    words = f": {one_line(said, 300)}" if isinstance(said, str) and said.strip() else ""
    then = "Try again later." if status in _LATER else "Look at the server's log for the reason."
    message = f"The ACE-Step server refused {what} ({status}){words.rstrip('.')}. {then}"
    return QueueError(message, status=status if status >= 400 else None, is_permanent=status not in _LATER)


def odd(what: str) -> QueueError:
    message = f"The ACE-Step server answered with something other than {what}. Is ACESTEP_ENGINE_URL its address?"
    return QueueError(message, error_type=ODD)


def unclear(why: str) -> str:
    return (
        f"The request was sent to the ACE-Step server, and {why}: it may be making the song. It is not sent again "
        "automatically. Look at the server, then make the song again."
    )


def text_of(value: Any) -> str:
    return encodable(value) if isinstance(value, str) and len(value) <= 100_000 else ""


def list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
