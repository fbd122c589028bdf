"""The engines that a server can run: how each is built, and whether it can run on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acestep_mcp.api.errors import ConfigurationError

if TYPE_CHECKING:
    from acestep_mcp.engines import Engine
    from acestep_mcp.engines.model.hub import Fetch, Report
    from acestep_mcp.engines.model.options import EngineOptions


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What an engine needs that is not part of this package.

    `lacks_packages` names the missing Python packages, as half a sentence. `download` fetches the published files
    that the options do not name and reports sizes and folders; it raises ConfigurationError, StorageError.
    """

    lacks_packages: Callable[[], str | None]
    download: Callable[[EngineOptions, Fetch, Report], None]


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine. Every function is fast: heavy imports and weights are loaded by the first song.

    `build` raises ConfigurationError if the user has to do something first. `unavailable_reason` is None if packages
    and weights are present, else half a sentence after "cannot run here:" that says what is missing and what to do.
    `summary` describes the songs, for people.
    """

    name: str
    summary: str
    build: Callable[[EngineOptions], Engine]
    unavailable_reason: Callable[[EngineOptions], str | None]
    files: ModelFiles | None = None

    def create(self, options: EngineOptions) -> Engine:
        """Raises ConfigurationError if the engine cannot run here."""
        if problem := self.unavailable_reason(options):
            raise ConfigurationError(f"The engine {self.name} cannot run here: {problem}.")
        return self.build(options)


def _draft(options: EngineOptions) -> Engine:
    from acestep_mcp.engines.draft import DraftEngine

    return DraftEngine(voice=options.voice, soundfont=options.soundfont, keep_worker=True)


def _always_available(_: EngineOptions) -> None:
    return None


def _v1(options: EngineOptions) -> Engine:
    from acestep_mcp.engines.ace_step_v1.engine import AceStepV1

    return AceStepV1(options)


def _v1_unavailable_reason(options: EngineOptions) -> str | None:
    from acestep_mcp.engines.ace_step_v1.published import unavailable_reason

    return unavailable_reason(options)


def _v1_lacks_packages() -> str | None:
    from acestep_mcp.engines.ace_step_v1.published import lacks_packages

    return lacks_packages()


def _v1_download(options: EngineOptions, fetch: Fetch, report: Report) -> None:
    from acestep_mcp.engines.ace_step_v1.published import download

    download(options, fetch, report)


def _v15(options: EngineOptions) -> Engine:
    from acestep_mcp.engines.ace_step_v15.engine import AceStepV15

    return AceStepV15(options)


def _v15_unavailable_reason(options: EngineOptions) -> str | None:
    from acestep_mcp.engines.ace_step_v15.published import unavailable_reason

    return unavailable_reason(options)


def _v15_lacks_packages() -> str | None:
    from acestep_mcp.engines.ace_step_v15.published import lacks_packages

    return lacks_packages()


def _v15_download(options: EngineOptions, _: Fetch, report: Report) -> None:
    from acestep_mcp.engines.ace_step_v15.published import checkpoint, find_weights, reject_unsupported
    from acestep_mcp.engines.model.hub import download

    reject_unsupported(options)
    if options.weights is None:
        download(checkpoint(options), report)
        find_weights(None, checkpoint(options))


def in_own_process(given: dict[str, Any]) -> Any:
    """The engine of a process that runs nothing else: its `engine` by name, built from its `options` as JSON."""
    from acestep_mcp.engines.model.options import EngineOptions

    options = EngineOptions.model_validate(given["options"])
    if given["engine"] == "draft":
        from acestep_mcp.engines.draft.job import DraftHere

        return DraftHere(options.voice, options.soundfont)
    return ENGINES[given["engine"]].create(options)


V1 = ModelFiles(_v1_lacks_packages, _v1_download)
V15 = ModelFiles(_v15_lacks_packages, _v15_download)

ENGINES = {
    spec.name: spec
    for spec in (
        EngineSpec("draft", "a sketch, not ACE-Step", _draft, _always_available),
        EngineSpec("ace-step-v1", "ACE-Step v1, 3.5 B", _v1, _v1_unavailable_reason, V1),
        EngineSpec("ace-step-v1.5", "ACE-Step 1.5", _v15, _v15_unavailable_reason, V15),
    )
}
