"""Which host a job is sent to, and why: fal, an engine server, or the draft engine inside this process."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from acestep_mcp.api.endpoints import DEFAULT_LENGTH, PRICE_PER_SECOND_OF_V15_USD, PRICE_PER_SECOND_USD
from acestep_mcp.api.errors import AceStepError, ConfigurationError, QueueError
from acestep_mcp.client import FAL_QUEUE, IN_PROCESS, QueueClient
from acestep_mcp.settings import Settings

BackendName = Literal["fal", "engine", "draft"]

LOCAL = "local:"
"""Prefix of an engine's name: the queue of this machine's own engine server, at whatever address it listens."""

_UPSTREAM = re.compile(r"(ace-step-api|acestep\.cpp):(https?://.+)", re.DOTALL)
_UNSET = "neither an engine's address nor a fal key is set"
SERVERS = {"ace-step-api": "ACE-Step's own API (acestep-api)", "acestep.cpp": "acestep.cpp (ace-server)"}


def upstream_in(queue_url: str) -> tuple[str, str] | None:
    """The kind and address of a server that other people wrote, as it is recorded with a job; None for a queue."""
    found = _UPSTREAM.fullmatch(queue_url)
    return (found[1], found[2]) if found else None


class SentTo(Protocol):
    """What of a job says where it is sent."""

    @property
    def backend(self) -> str: ...
    @property
    def queue_url(self) -> str: ...


def is_embedded(job: SentTo) -> bool:
    """Whether the job's queue is inside this process and ends with it."""
    return job.backend == "draft" or upstream_in(job.queue_url) is not None


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, why it was chosen, and its queue's address. `starts`: its engine is not running yet."""

    name: BackendName
    why: str
    queue_url: str
    starts: bool = False


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """An engine on this machine: its address if its server runs, and why it cannot be started if it cannot."""

    name: str
    address: str | None = None
    unavailable_reason: str | None = None

    @property
    def is_available(self) -> bool:
        return self.address is not None or self.unavailable_reason is None

    @property
    def unavailable_message(self) -> str:
        return f"the local engine {self.name} cannot run here: {self.unavailable_reason}"

    def choice(self, prefix: str) -> Choice:
        """`prefix` begins the sentence that says why it was chosen."""
        url = f"{LOCAL}{self.name}"
        if self.address is not None:
            return Choice("engine", f"{prefix}the local engine {self.name} runs at {self.address}", url)
        why = f"{prefix}the local engine {self.name} can run here; it starts with the first song"
        return Choice("engine", why, url, starts=True)


class UpstreamServers(Protocol):
    """Servers that other people wrote, which a queue in this process stands in front of."""

    def known(self, url: str) -> str | None:
        """The kind of such a server that has answered at an engine's address before, without asking again."""
        ...

    async def kind_at(self, url: str) -> str | None:
        """The kind of such a server that answers at an engine's address now; None for every other.

        Raises ConfigurationError for one that takes no jobs.
        """
        ...

    async def running(self) -> tuple[str, str] | None:
        """The kind and address of one on this machine, at its usual address, that can make a song now."""
        ...

    async def state(self, kind: str, url: str) -> tuple[str | None, dict[str, Any]]:
        """Why it can make no song now, and its name, model and version."""
        ...


class Backends(Protocol):
    """The queue clients of the backends."""

    async def client(self, name: str, queue_url: str) -> QueueClient:
        """The client for the address recorded with a job, opened once.

        A local engine's address is looked up every time, and the engine is started if it is not running.
        """
        ...

    async def local_engine(self) -> LocalEngine:
        """The state of this machine's own engine; starts nothing."""
        ...

    async def upstreams(self) -> UpstreamServers:
        """The servers that other people wrote."""
        ...

    async def transcript(self, song: Path) -> str | None:
        """The words that the user's transcription service hears; None when the settings name none.

        Raises ConfigurationError, QueueError or InvalidRequest when it could not be asked.
        """
        ...

    def describe(self, name: str) -> dict[str, str | None]:
        """name, model and version of the engine behind a backend, as far as known."""
        ...


async def choose_backend(settings: Settings, backends: Backends) -> Choice:
    """The backend that the settings select. Raises ConfigurationError when it cannot be used."""
    local = await backends.local_engine() if may_use_local_engine(settings) else None
    choice = choose(settings, local)
    if settings.backend == "auto" and local is not None and local.address is None:
        # What runs already is preferred to what would have to be started, and to drafts.
        found = await (await backends.upstreams()).running()
        if found:
            kind, url = found
            return Choice("engine", f"{_UNSET}, and {SERVERS[kind]} runs at {url}", f"{kind}:{url}")
    if choice.name == "engine" and choice.queue_url == settings.engine_url:
        return with_kind(choice, (await backends.upstreams()).known(choice.queue_url))
    return choice


def with_kind(choice: Choice, kind: str | None) -> Choice:
    """The choice of an address at which that kind of server answers; None is a queue."""
    if kind is None:
        return choice
    why = f"{choice.why}, and {SERVERS[kind]} answers there"
    return replace(choice, why=why, queue_url=f"{kind}:{choice.queue_url}")


async def address_after(error: AceStepError, job: SentTo, backends: Backends) -> str | None:
    """Where a job belongs that an engine's address refused, knowing no queue; None if that is no server of other people.

    Only then is it asked who answers: queues get no requests that they do not know. Raises ConfigurationError.
    """
    refused = isinstance(error, QueueError) and error.status in (404, 405)
    if not refused or job.backend != "engine" or is_embedded(job) or job.queue_url.startswith(LOCAL):
        return None
    kind = await (await backends.upstreams()).kind_at(job.queue_url)
    return kind and f"{kind}:{job.queue_url}"


def may_use_local_engine(settings: Settings) -> bool:
    """Whether `choose` needs the state of the local engine."""
    if settings.engine_url is not None:
        return False
    return settings.backend == "engine" or (settings.backend == "auto" and settings.key is None)


def choose(settings: Settings, local: LocalEngine | None = None) -> Choice:
    """The backend that the settings select; `local` is needed if `may_use_local_engine`.

    Raises ConfigurationError when it is not available.
    """
    match settings.backend:
        case "fal":
            if settings.key is None:
                raise ConfigurationError(
                    "ACESTEP_BACKEND is fal, but FAL_KEY is not set. Set FAL_KEY, or ACESTEP_BACKEND=auto."
                )
            return Choice("fal", "ACESTEP_BACKEND is fal", FAL_QUEUE)
        case "engine":
            return _engine(settings, local)
        case "draft":
            return Choice("draft", "ACESTEP_BACKEND is draft", IN_PROCESS)
        case "auto":
            return _auto(settings, local)


def _auto(settings: Settings, local: LocalEngine | None) -> Choice:
    if settings.engine_url is not None:
        return Choice("engine", "ACESTEP_ENGINE_URL is set", settings.engine_url)
    if settings.key is not None:
        return Choice("fal", "a fal key is set", FAL_QUEUE)
    if local and local.is_available:
        return local.choice(f"{_UNSET}, and ")
    return Choice("draft", f"{_UNSET}{f', and {local.unavailable_message}' if local else ''}", IN_PROCESS)


def _engine(settings: Settings, local: LocalEngine | None) -> Choice:
    if settings.engine_url is not None:
        return Choice("engine", "ACESTEP_BACKEND is engine", settings.engine_url)
    if local and local.is_available:
        return local.choice("ACESTEP_BACKEND is engine, and ")
    raise ConfigurationError(
        "ACESTEP_BACKEND is engine, but ACESTEP_ENGINE_URL is not set"
        f"{f', and {local.unavailable_message}' if local else ''}. "
        "Fix that, set ACESTEP_ENGINE_URL to an engine's address (for example http://127.0.0.1:8765), or choose "
        "another ACESTEP_BACKEND."
    )


def submit_options(settings: Settings) -> dict[str, str | float | bool]:
    """The settings that are sent beside a request, as fields of `client.SubmitOptions`; unset ones are left out."""
    given = {
        "priority": settings.priority,
        "hint": settings.runner_hint,
        "start_timeout": settings.start_timeout,
        "object_lifecycle": settings.object_lifetime,
        "no_store": settings.no_store or None,
        "webhook_url": settings.webhook_url,
    }
    return {name: value for name, value in given.items() if value is not None}


def price(settings: Settings, backend: str, *, v15: bool = False) -> float:
    """Dollars per second of music, of v1 or of `v15`; 0 on the user's own engines."""
    if backend != "fal":
        return 0.0
    known = PRICE_PER_SECOND_OF_V15_USD if v15 else PRICE_PER_SECOND_USD
    return known if settings.price_per_second_usd is None else settings.price_per_second_usd


def costs(settings: Settings, backend: str) -> dict[str, Any]:
    """The price in dollars, per second and for a song of the default length, and where the price comes from."""
    v15 = settings.fal_model == "ace-step-1.5"
    rate = price(settings, backend, v15=v15)
    if backend != "fal":
        basis = "your own engine: no charge" if backend == "engine" else "the draft engine: no charge"
    elif settings.price_per_second_usd is not None:
        basis = "ACESTEP_PRICE_PER_SECOND_USD"
    else:
        basis = "third-party reading of fal's pages, not verified; ACESTEP_PRICE_PER_SECOND_USD overrides it"
        if v15:
            basis += f" (text_to_audio and audio_inpaint; the others cost {PRICE_PER_SECOND_USD})"
    return {
        "per_second_usd": rate,
        "default_song_seconds": DEFAULT_LENGTH,
        "default_song_usd": round(rate * DEFAULT_LENGTH, 6),
        "basis": basis,
    }


def fal_model(settings: Settings) -> str:
    """What makes the songs at fal."""
    if settings.fal_model == "ace-step":
        return "ACE-Step"
    return "ACE-Step 1.5 (unverified) for text_to_audio and audio_inpaint, ACE-Step for the others"


def writer(settings: Settings, backend: str) -> str:
    """What writes tags and lyrics for prompts. Hosts have their own."""
    if backend != "draft":
        return "the host's own"
    return (
        f"the language model {settings.llm_model}, or the built-in rules" if settings.llm_url else "the built-in rules"
    )


def transcriber(settings: Settings) -> str:
    """What writes down the words of finished songs, and where: the model and the host, and only whether there is a key."""
    if settings.asr_url is None:
        return "none (ACESTEP_ASR_URL is not set)"
    host = None
    with contextlib.suppress(ValueError):
        host = urlsplit(settings.asr_url).hostname
    if not host:
        return "none (ACESTEP_ASR_URL is no valid address)"
    return f"{settings.asr_model} at {host}, {'with' if settings.asr_key else 'without'} a key"
