"""A host that speaks the queue protocol: its addresses, its key, and how it is polled."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import httpx
from pydantic import SecretStr

from acestep_mcp.api.errors import ConfigurationError, InvalidRequest
from acestep_mcp.api.redaction import redaction
from acestep_mcp.net.addresses import parse_url
from acestep_mcp.net.loopback import in_clear
from acestep_mcp.net.ssrf import origin
from acestep_mcp.net.timeouts import DEFAULT_TIMEOUTS, Timeouts

FAL_QUEUE = "https://queue.fal.run"
FAL_REST = "https://rest.fal.ai"
IN_PROCESS = "http://127.0.0.1"
NAMESPACES = frozenset({"workflows", "comfy"})
MAX_URL = 4096

_KEY = re.compile(r"[\x21-\x7e]{1,1024}")
_SEGMENT = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,100}")
_LEGACY = re.compile(r"(\d+)-([A-Za-z0-9._-]+)")


@dataclass(frozen=True, slots=True)
class Host:
    """Where requests are sent. `poll` is the first and the longest pause between two polls, in seconds.

    `streams`: the status stream may be used. A key goes to the origins of `queue_url` and `rest_url` and
    nowhere else; over plain http off loopback it is refused with ConfigurationError unless `insecure`.
    """

    queue_url: str
    rest_url: str
    key: SecretStr | str | None = field(default=None, repr=False)
    name: Literal["fal", "engine", "draft"] = "engine"
    poll: tuple[float, float] = (1.0, 5.0)
    streams: bool = True
    insecure: bool = False
    timeouts: Timeouts = DEFAULT_TIMEOUTS

    def __post_init__(self) -> None:
        object.__setattr__(self, "queue_url", _base(self.queue_url))
        object.__setattr__(self, "rest_url", _base(self.rest_url))
        object.__setattr__(self, "key", _secret(self.key))
        if self.key and not self.insecure:
            for url in (self.queue_url, self.rest_url):
                _check_encrypted(url)

    @classmethod
    def fal(cls, key: SecretStr | str | None, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Self:
        """fal.ai itself."""
        return cls(FAL_QUEUE, FAL_REST, key, "fal", (1.0, 5.0), streams=True, timeouts=timeouts)

    @classmethod
    def engine(
        cls,
        url: str,
        key: SecretStr | str | None = None,
        *,
        insecure: bool = False,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
    ) -> Self:
        """An engine server, or another server that speaks the protocol."""
        return cls(url, url, key, "engine", (0.25, 2.0), streams=True, insecure=insecure, timeouts=timeouts)

    @classmethod
    def draft(cls, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Self:
        """The engine server inside this process; see `in_process`. Its transport buffers, so it is polled."""
        return cls(IN_PROCESS, IN_PROCESS, None, "draft", (0.05, 0.05), streams=False, timeouts=timeouts)

    @property
    def label(self) -> str:
        """The name of this host in error messages."""
        return {"fal": "fal", "draft": "the embedded engine"}.get(self.name) or f"the engine at {self.queue_url}"

    @property
    def own_origins(self) -> frozenset[str]:
        """Origins whose files may be private or plain http: those of an engine that the user chose."""
        return frozenset() if self.name == "fal" else frozenset({origin(self.queue_url), origin(self.rest_url)})

    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Key {self.key.get_secret_value()}"} if isinstance(self.key, SecretStr) else {}

    def scrub(self, text: str) -> str:
        """Text from the host with our key replaced."""
        key = self.key.get_secret_value() if isinstance(self.key, SecretStr) else None
        return redaction(key)(text)

    def submit_url(self, endpoint_id: str) -> str:
        return f"{self.queue_url}/{'/'.join(_segments(endpoint_id))}"

    def request_url(self, endpoint_id: str, request_id: str, action: str = "") -> str:
        """The short form: an endpoint's own path belongs to the submit address only."""
        segments = _segments(endpoint_id)
        app = segments[: 3 if segments[0] in NAMESPACES else 2]
        return f"{self.queue_url}/{'/'.join(app)}/requests/{request_id}{action}"

    def is_queue_url(self, url: Any) -> bool:
        """Whether an address from a reply is below the queue's own, so that the key may be sent there."""
        if not isinstance(url, str) or len(url) > MAX_URL:
            return False
        try:
            given, own = parse_url(url), parse_url(self.queue_url)
        except InvalidRequest:
            return False
        return origin(url) == origin(self.queue_url) and given.path.startswith(own.path.rstrip("/") + "/")


def _base(url: str) -> str:
    try:
        parsed = parse_url(url)
    except InvalidRequest as exc:
        raise ConfigurationError(f"{exc.message} Set the engine's address like http://127.0.0.1:8765.") from exc
    if parsed.query or parsed.fragment:
        raise ConfigurationError("The engine's address may not hold a query. Set it like http://127.0.0.1:8765.")
    return url.strip().rstrip("/")


def _secret(key: SecretStr | str | None) -> SecretStr | None:
    plain = key.get_secret_value() if isinstance(key, SecretStr) else key or ""
    plain = plain.strip()
    if plain and not _KEY.fullmatch(plain):
        message = "The key contains white space or invalid characters. Copy it again, without line breaks."
        raise ConfigurationError(message)
    return SecretStr(plain) if plain else None


def _check_encrypted(url: str) -> None:
    """Raises ConfigurationError when a key would be sent unencrypted to another machine."""
    if in_clear(origin(url)):
        raise ConfigurationError(
            f"The key would be sent over plain http to {parse_url(url).host}, unencrypted. Use an https address, "
            "or set ACESTEP_INSECURE=1 (--insecure) if that network is yours."
        )


def _segments(endpoint_id: str) -> list[str]:
    """`owner/alias[/path]` in parts, `12345-name` read as `12345/name`. Raises InvalidRequest for anything else."""
    legacy = _LEGACY.fullmatch(endpoint_id)
    segments = list(legacy.groups()) if legacy else endpoint_id.split("/")
    needed = 3 if segments[0] in NAMESPACES else 2
    if len(segments) < needed or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise InvalidRequest(f"{endpoint_id[:80]!r} is not an endpoint id such as fal-ai/ace-step.")
    return segments


Transport = httpx.AsyncBaseTransport


def in_process(app: Any) -> Transport:
    """A transport to an ASGI app without a socket, for `Host.draft()`. The caller runs the app's lifespan.

    It returns each response when it is complete, and has no timeouts: the client sets its own.
    """
    return httpx.ASGITransport(app, raise_app_exceptions=False)
