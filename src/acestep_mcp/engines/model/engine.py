"""The part of a model engine that does not depend on the model: loading, running and freeing it in one thread."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from acestep_mcp.api.errors import AceStepError, GenerationFailed
from acestep_mcp.api.requests import EngineRequest
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.model.device import device_name
from acestep_mcp.engines.model.options import EngineOptions

logger = logging.getLogger(__name__)

SongRun = Generator[Step, None, Audio]
"""Yields steps and returns the finished song. Closing it stops the run."""


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
        # Inference mode and CUDA graphs belong to a thread, and each job may come in a different one.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self.name)

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
    def device(self) -> str | None:
        return device_name(self.options.device)

    def generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        """A Step after each call of the model and, last, one Audio. Between two Steps it can be stopped.

        Raises InvalidRequest for values that do not fit the source, ConfigurationError if the weights cannot be
        loaded, GenerationFailed if memory runs out or the model produces non-finite values.
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
        raise GenerationFailed(
            f"The model ran out of memory ({problem[:200]}). Its memory was freed. Ask for a shorter song, or start "
            f"the engine with {self.memory_options}."
        )

    def unload(self) -> None:
        """Free what was loaded."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            self._thread.submit(loaded.free).result()

    def close(self) -> None:
        self.unload()
        self._thread.shutdown()

    def _generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        if self._loaded is None:
            yield Step("loading the model", 0, 1)
            self._loaded = self._thread.submit(self.load).result()
        run = self.run(self._loaded, request, source)
        try:
            while not isinstance(part := self._thread.submit(_advance, run).result(), Audio):
                yield part
        finally:
            self._thread.submit(run.close).result()
        yield part


def _advance(run: SongRun) -> Step | Audio:
    """The next step or the finished song, in inference mode."""
    import torch

    with torch.inference_mode():
        try:
            return next(run)
        except StopIteration as end:
            audio: Audio = end.value
            return audio


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch has an exception class for that on CUDA only."""
    return isinstance(error, MemoryError) or any(
        text in str(error).lower() for text in ("out of memory", "can't allocate memory", "not enough memory")
    )
