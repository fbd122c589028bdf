"""The engines that a server can be started with: how each is built, and whether it can run on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acestep_mcp.errors import ConfigurationError

if TYPE_CHECKING:
    from acestep_mcp.engines import Engine
    from acestep_mcp.engines.ace_step_v1.files import Options


@dataclass(frozen=True, slots=True)
class Offer:
    """A row of the table. Neither function is slow: what is heavy is imported and loaded by the first song.

    `build` raises ConfigurationError when a person has to do something first. `obstacle` tells whether a server that
    nobody asked for may be started: None when packages and weights are there, else half a sentence that follows
    "cannot run here:" and says what is missing and what to do. `remark` says what the songs are, for people.
    """

    name: str
    remark: str
    build: Callable[[Options], Engine]
    obstacle: Callable[[Options], str | None]


def _draft(_: Options) -> Engine:
    from acestep_mcp.engines.draft import DraftEngine

    return DraftEngine(keep_worker=True)


def _nothing(_: Options) -> None:
    return None


def _ace_step_v1(options: Options) -> Engine:
    from acestep_mcp.engines.ace_step_v1.engine import AceStepV1

    if problem := _ace_step_v1_obstacle(options):
        raise ConfigurationError(f"The engine ace-step-v1 cannot run here: {problem}.")
    return AceStepV1(options)


def _ace_step_v1_obstacle(options: Options) -> str | None:
    from acestep_mcp.engines.ace_step_v1.files import obstacle

    return obstacle(options)


OFFERED = {
    offer.name: offer
    for offer in (
        Offer("draft", "a sketch, not ACE-Step", _draft, _nothing),
        Offer("ace-step-v1", "ACE-Step v1, 3.5 B", _ace_step_v1, _ace_step_v1_obstacle),
    )
}
