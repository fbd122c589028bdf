"""Options of a submit, and the handle that it returns."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from acestep_mcp.api.errors import InvalidRequest, QueueError
from acestep_mcp.net.addresses import parse_url

_REQUEST_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_HEADER = re.compile(r"[\x20-\x7e]{1,256}")


def is_request_id(value: Any) -> bool:
    """Whether a received value may be put into an address."""
    return isinstance(value, str) and _REQUEST_ID.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class RequestHandle:
    """A submitted request. The host sent the addresses: each is used only if it is below the host's queue address."""

    request_id: str
    status_url: str | None = None
    response_url: str | None = None
    cancel_url: str | None = None
    gateway_request_id: str | None = None

    def __post_init__(self) -> None:
        if not is_request_id(self.request_id):
            raise QueueError(
                "The host returned an invalid request id (letters, digits and dashes, at most 64). Submit again."
            )

    def to_dict(self) -> dict[str, str]:
        """For storage as JSON; `from_dict` reads it back."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Raises QueueError when the record holds no request id."""
        names = ("status_url", "response_url", "cancel_url", "gateway_request_id")
        given = {name: value for name in names if isinstance(value := record.get(name), str)}
        return cls(record.get("request_id", ""), **given)


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """fal's options of a submit. What is unset is left to the host.

    `start_timeout` (seconds, above 1): fail if no runner has started by then. `object_lifecycle`: seconds that the
    output files live, or fal's whole JSON object. `no_store`: store neither request nor response. `no_retry`: the host
    does not repeat a failed run. `hint`: prefer the runner that served this hint before. `idempotency_key`: for our
    engine server, which makes one request of two submits with the same key.
    """

    priority: Literal["normal", "low"] | None = None
    hint: str | None = None
    start_timeout: float | None = None
    object_lifecycle: Mapping[str, Any] | int | None = None
    no_store: bool = False
    no_retry: bool = False
    webhook_url: str | None = None
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        if self.priority not in (None, "normal", "low"):
            raise InvalidRequest(f"priority is normal or low, not {self.priority!r}.")
        if self.hint is not None and not _HEADER.fullmatch(self.hint):
            raise InvalidRequest("hint is up to 256 plain ASCII characters.")
        if self.start_timeout is not None and not 1 < self.start_timeout < math.inf:
            raise InvalidRequest(f"start_timeout is a number of seconds above 1, not {self.start_timeout!r}.")
        if self.webhook_url:
            parse_url(self.webhook_url)

    def headers(self) -> dict[str, str]:
        given = {
            "X-Fal-Queue-Priority": self.priority,
            "X-Fal-Runner-Hint": self.hint,
            "X-Fal-Request-Timeout": None if self.start_timeout is None else str(float(self.start_timeout)),
            "X-Fal-Object-Lifecycle-Preference": lifecycle_header(self.object_lifecycle),
            "X-Fal-Store-IO": "0" if self.no_store else None,
            "X-Fal-No-Retry": "1" if self.no_retry else None,
            "Idempotency-Key": self.idempotency_key,
        }
        return {name: value for name, value in given.items() if value is not None}

    def query(self) -> dict[str, str]:
        return {"fal_webhook": self.webhook_url} if self.webhook_url else {}


def lifecycle_header(lifecycle: Mapping[str, Any] | int | None) -> str | None:
    """The JSON that fal reads: `{"expiration_duration_seconds": n, "initial_acl": {...}}`."""
    if lifecycle is None:
        return None
    whole = {"expiration_duration_seconds": lifecycle} if isinstance(lifecycle, int) else dict(lifecycle)
    return json.dumps(whole, separators=(",", ":"))
