"""The part of a model engine that does not depend on the model: loading, running and freeing it in one thread."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from typing import Any, Generic, Protocol, TypeVar

from acestep_mcp.api.errors import AceStepError, OutOfMemory
from acestep_mcp.api.requests import EngineRequest
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.model.device import device_name
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.model.rounds import Part, Rounds

logger = logging.getLogger(__name__)

SongRun = Generator[Part, Any, Audio]
"""Yields steps, and what it needs to go on; returns the finished song. Closing it stops the run."""


class LoadedModel(Protocol):
    def free(self) -> None:
        """Free all memory, even where the modules are still referenced. They cannot be used afterwards."""


Loaded = TypeVar("Loaded", bound=LoadedModel)


class ModelEngine(ABC, Generic[Loaded]):
    """Loads the weights at the first song; `unload` frees them."""

    name: str
    version: str
    memory_options = "--offload"
    """Options that reduce memory, for the error message when it runs out."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self._loaded: Loaded | None = None
        self._rounds = Rounds(self.name, self.concurrency)

    @abstractmethod
    def load(self) -> Loaded:
        """Read the weights. Raises ConfigurationError if they cannot be used."""

    @abstractmethod
    def run(self, loaded: Loaded, request: EngineRequest, source: Source | None) -> SongRun:
        """Raises InvalidRequest for values that do not fit the source."""

    @property
    def loras(self) -> tuple[str, ...]:
        """The adapters that tags may name."""
        return ()

    @property
    def concurrency(self) -> int:
        """The songs that are made at once, as one batch where their shapes are equal."""
        return 1

    @property
    def device(self) -> str | None:
        return device_name(self.options.device)

    def generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        """A Step after each call of the model and, last, one Audio. Between two Steps it can be stopped.

        Raises InvalidRequest for values that do not fit the source, ConfigurationError if the weights cannot be
        loaded, OutOfMemory, GenerationFailed if the model produces non-finite values.
        """
        try:
            yield from self._generate(request, source)
        except AceStepError:
            raise
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            logger.warning("out of memory: %s", error)
            problem = str(error).splitlines()[0]
        else:
            return
        # Outside the handler: the exception's frames reference the memory to be freed.
        self.unload()
        raise OutOfMemory(
            f"The model ran out of memory ({problem[:200]}). Its memory was freed. Ask for a shorter song, or start "
            f"the engine with {self.memory_options}."
        )

    def preload(self) -> None:
        """Load the weights now instead of at the first song. Raises ConfigurationError if they cannot be used."""
        self._rounds.when_idle(self._load_now)

    def unload(self) -> None:
        """Free what was loaded, unless a song still runs."""
        self._rounds.when_idle(self._free)

    def close(self) -> None:
        self.unload()
        self._rounds.close()

    def _free(self) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.free()

    def _generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        if self._loaded is None:
            yield Step("loading the model", 0, 1)
        yield from self._rounds.play(lambda: self._started(request, source))

    def _started(self, request: EngineRequest, source: Source | None) -> SongRun:
        """In the thread of all runs."""
        return self.run(self._load_once(), request, source)

    def _load_now(self) -> None:
        self._load_once()

    def _load_once(self) -> Loaded:
        if self._loaded is None:
            self._loaded = self.load()
        return self._loaded


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch has an exception class for that on CUDA only."""
    return isinstance(error, MemoryError) or any(
        text in str(error).lower() for text in ("out of memory", "can't allocate memory", "not enough memory")
    )
