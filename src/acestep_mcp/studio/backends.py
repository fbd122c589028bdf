"""Which host a job is sent to, and why: fal, an engine server, or the draft engine inside this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from acestep_mcp.api.endpoints import PRICE_PER_SECOND_USD
from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.client import FAL_QUEUE, IN_PROCESS, QueueClient
from acestep_mcp.settings import Settings
from acestep_mcp.studio.estimate import DEFAULT_LENGTH

Name = Literal["fal", "engine", "draft"]

LOCAL = "local:"
"""Before an engine's name: the queue of this machine's own engine server, wherever it listens today."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, in one sentence why it was taken, and its queue's address. `starts`: it first has to be started."""

    name: Name
    why: str
    queue_url: str
    starts: bool = False


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """An engine of this machine: its address if its server runs, and in half a sentence why it cannot be started."""

    name: str
    address: str | None = None
    obstacle: str | None = None

    @property
    def can_be_had(self) -> bool:
        return self.address is not None or self.obstacle is None

    @property
    def refusal(self) -> str:
        return f"the local engine {self.name} cannot run here: {self.obstacle}"

    def choice(self, because: str) -> Choice:
        url = f"{LOCAL}{self.name}"
        if self.address is not None:
            return Choice("engine", f"{because}the local engine {self.name} runs at {self.address}", url)
        words = f"{because}the local engine {self.name} can run here; it is started at the first song"
        return Choice("engine", words, url, starts=True)


class Backends(Protocol):
    """Gives the client of a backend, opened once and kept; `queue_url` is the address a job was recorded with.

    That of a local engine is found anew each time, and the engine is started where it does not run.
    """

    async def client(self, name: str, queue_url: str) -> QueueClient: ...

    async def local(self) -> LocalEngine:
        """What is known of this machine's own engine; starts nothing."""
        ...

    def describe(self, name: str) -> dict[str, str | None]:
        """name, model and version of the engine behind a backend, as far as they are known here."""
        ...


async def choose_backend(settings: Settings, backends: Backends) -> Choice:
    """The backend that the settings ask for. Raises ConfigurationError when it cannot be used."""
    return choose(settings, await backends.local() if may_be_local(settings) else None)


def may_be_local(settings: Settings) -> bool:
    """Whether `choose` needs to know of a local engine."""
    if settings.engine_url is not None:
        return False
    return settings.backend == "engine" or (settings.backend == "auto" and settings.key is None)


def choose(settings: Settings, local: LocalEngine | None = None) -> Choice:
    """The backend that the settings ask for; `local` counts where `may_be_local`.

    Raises ConfigurationError when what they ask for cannot be had.
    """
    match settings.backend:
        case "fal":
            if settings.key is None:
                raise ConfigurationError(
                    "ACESTEP_BACKEND is fal, but there is no FAL_KEY. Set FAL_KEY, or ACESTEP_BACKEND=auto."
                )
            return Choice("fal", "ACESTEP_BACKEND is fal", FAL_QUEUE)
        case "engine":
            return _engine(settings, local)
        case "draft":
            return Choice("draft", "ACESTEP_BACKEND is draft", IN_PROCESS)
        case "auto":
            return _best(settings, local)


def _best(settings: Settings, local: LocalEngine | None) -> Choice:
    if settings.engine_url is not None:
        return Choice("engine", "ACESTEP_ENGINE_URL is set", settings.engine_url)
    if settings.key is not None:
        return Choice("fal", "a fal key is set", FAL_QUEUE)
    nothing = "neither an engine's address nor a fal key is set"
    if local and local.can_be_had:
        return local.choice(f"{nothing}, and ")
    return Choice("draft", f"{nothing}{f', and {local.refusal}' if local else ''}", IN_PROCESS)


def _engine(settings: Settings, local: LocalEngine | None) -> Choice:
    if settings.engine_url is not None:
        return Choice("engine", "ACESTEP_BACKEND is engine", settings.engine_url)
    if local and local.can_be_had:
        return local.choice("ACESTEP_BACKEND is engine, and ")
    raise ConfigurationError(
        f"ACESTEP_BACKEND is engine, but ACESTEP_ENGINE_URL is not set{f', and {local.refusal}' if local else ''}. "
        "Mend that, set ACESTEP_ENGINE_URL to an engine's address (for example http://127.0.0.1:8765), or take "
        "another backend."
    )


def submit_options(settings: Settings) -> dict[str, str | float | bool]:
    """What the settings say beside the request, as `client.SubmitOptions` takes it; nothing that is not set."""
    given = {
        "priority": settings.priority,
        "hint": settings.runner_hint,
        "start_timeout": settings.start_timeout,
        "object_lifecycle": settings.object_lifetime,
        "no_store": settings.no_store or None,
        "webhook_url": settings.webhook_url,
    }
    return {name: value for name, value in given.items() if value is not None}


def price(settings: Settings, backend: str) -> float:
    """Dollars per second of music; nothing on our own engines."""
    if backend != "fal":
        return 0.0
    return PRICE_PER_SECOND_USD if settings.price_per_second_usd is None else settings.price_per_second_usd


def costs(settings: Settings, backend: str) -> dict[str, Any]:
    """What songs cost there in dollars, a second and a song of the default length, and who says so."""
    rate = price(settings, backend)
    if backend != "fal":
        basis = "an engine of your own: nobody is paid"
    elif settings.price_per_second_usd is not None:
        basis = "ACESTEP_PRICE_PER_SECOND_USD"
    else:
        basis = "read on fal's pages by others and not verified; ACESTEP_PRICE_PER_SECOND_USD sets another"
    return {
        "per_second_usd": rate,
        "default_song_seconds": DEFAULT_LENGTH,
        "default_song_usd": round(rate * DEFAULT_LENGTH, 6),
        "basis": basis,
    }


def writer(settings: Settings, backend: str) -> str:
    """Who writes tags and lyrics for prompts there. A host has a writer of its own."""
    if backend != "draft":
        return "the host's own"
    return f"the language model {settings.llm_model}, or the rules" if settings.llm_url else "the rules"
