"""The engines that a server can be started with: how each is built, and whether it can run on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acestep_mcp.api.errors import ConfigurationError

if TYPE_CHECKING:
    from acestep_mcp.engines import Engine
    from acestep_mcp.engines.ace_step_v1.published import Options
    from acestep_mcp.engines.model.hub import Fetch, Say


@dataclass(frozen=True, slots=True)
class Model:
    """What an engine needs that does not come with this package.

    `lacks_packages` says which Python packages are missing, as half a sentence. `download` fetches what is published,
    where no folder or file is named, and says what and where to; it raises ConfigurationError, StorageError.
    """

    lacks_packages: Callable[[], str | None]
    download: Callable[[Options, Fetch, Say], None]


@dataclass(frozen=True, slots=True)
class Offer:
    """A row of the table. No function is slow: what is heavy is imported and loaded by the first song.

    `build` raises ConfigurationError when a person has to do something first. `obstacle` tells whether a server that
    nobody asked for may be started: None when packages and weights are there, else half a sentence that follows
    "cannot run here:" and says what is missing and what to do. `remark` says what the songs are, for people.
    """

    name: str
    remark: str
    build: Callable[[Options], Engine]
    obstacle: Callable[[Options], str | None]
    model: Model | None = None

    def built(self, options: Options) -> Engine:
        """The engine. Raises ConfigurationError when it cannot run here."""
        if problem := self.obstacle(options):
            raise ConfigurationError(f"The engine {self.name} cannot run here: {problem}.")
        return self.build(options)


def _draft(_: Options) -> Engine:
    from acestep_mcp.engines.draft import DraftEngine

    return DraftEngine(keep_worker=True)


def _nothing(_: Options) -> None:
    return None


def _v1(options: Options) -> Engine:
    from acestep_mcp.engines.ace_step_v1.engine import AceStepV1

    return AceStepV1(options)


def _v1_obstacle(options: Options) -> str | None:
    from acestep_mcp.engines.ace_step_v1.published import obstacle

    return obstacle(options)


def _v1_lacks_packages() -> str | None:
    from acestep_mcp.engines.ace_step_v1.published import lacks_packages

    return lacks_packages()


def _v1_download(options: Options, fetch: Fetch, say: Say) -> None:
    from acestep_mcp.engines.model.hub import everything

    everything(options, fetch, say)


def _v15(options: Options) -> Engine:
    from acestep_mcp.engines.ace_step_v15.engine import AceStepV15

    return AceStepV15(options)


def _v15_obstacle(options: Options) -> str | None:
    from acestep_mcp.engines.ace_step_v15.published import obstacle

    return obstacle(options)


def _v15_lacks_packages() -> str | None:
    from acestep_mcp.engines.ace_step_v15.published import lacks

    return lacks()


def _v15_download(options: Options, _: Fetch, say: Say) -> None:
    from acestep_mcp.engines.ace_step_v15.published import PUBLISHED, found, refuse_unknown
    from acestep_mcp.engines.model.hub import fetched

    refuse_unknown(options)
    if options.weights is None:
        fetched(PUBLISHED, say)
        found()


V1 = Model(_v1_lacks_packages, _v1_download)
V15 = Model(_v15_lacks_packages, _v15_download)

OFFERED = {
    offer.name: offer
    for offer in (
        Offer("draft", "a sketch, not ACE-Step", _draft, _nothing),
        Offer("ace-step-v1", "ACE-Step v1, 3.5 B", _v1, _v1_obstacle, V1),
        Offer("ace-step-v1.5", "ACE-Step 1.5", _v15, _v15_obstacle, V15),
    )
}
