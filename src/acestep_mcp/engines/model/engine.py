"""What the model engines share: one thread that loads, plays and frees. Importing this is light: torch comes with a song."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from acestep_mcp.api.errors import AceStepError, GenerationFailed
from acestep_mcp.api.requests import Request
from acestep_mcp.engines import Audio, Source, Step

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v1.published import Options

logger = logging.getLogger(__name__)

Song = Generator[Step, None, Audio]


class Model(Protocol):
    """What was loaded."""

    def free(self) -> None:
        """Give all memory back."""

    def play(self, request: Request, source: Source | None) -> Song:
        """Steps, then the finished song. Raises InvalidRequest for values that do not fit the source."""


class ModelEngine(ABC):
    """The first song loads the weights; `unload` frees them."""

    name: str
    version: str

    def __init__(self, options: Options) -> None:
        self.options = options
        self._loaded: Model | None = None
        # Inference mode and CUDA graphs belong to a thread, and every job may come in another one.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=self.name)

    @abstractmethod
    def load(self) -> Model:
        """Read the weights. Raises ConfigurationError when they cannot be used."""

    @property
    def device(self) -> str | None:
        from acestep_mcp.engines.ace_step_v1.published import device_name

        return device_name(self.options.device)

    def generate(self, request: Request, source: Source | None) -> Iterator[Step | Audio]:
        """A Step after each call of the model and, last, one Audio. Between two Steps it can be stopped.

        Raises InvalidRequest for values that do not fit the source, ConfigurationError when the weights cannot be
        loaded, GenerationFailed when memory runs out or the numbers run away.
        """
        try:
            yield from self._song(request, source)
        except AceStepError:
            raise
        except (RuntimeError, MemoryError) as error:
            if not is_memory(error):
                raise
            logger.warning("out of memory: %s", error)
            problem = str(error).splitlines()[0]
        else:
            return
        # Outside the handler: the exception's frames hold the memory that is to be freed.
        self.unload()
        raise GenerationFailed(
            f"The model ran out of memory ({problem[:200]}). Its memory was freed. Ask for a shorter song, or start "
            f"the engine with {self._savings}."
        )

    _savings = "--offload"
    """Options that make the model smaller."""

    def unload(self) -> None:
        """Free what was loaded."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            self._thread.submit(loaded.free).result()

    def close(self) -> None:
        self.unload()
        self._thread.shutdown()

    def _song(self, request: Request, source: Source | None) -> Iterator[Step | Audio]:
        if self._loaded is None:
            yield Step("loading the model", 0, 1)
            self._loaded = self._thread.submit(self.load).result()
        song = self._loaded.play(request, source)
        try:
            while not isinstance(part := self._thread.submit(_next, song).result(), Audio):
                yield part
        finally:
            self._thread.submit(song.close).result()
        yield part


def _next(song: Song) -> Step | Audio:
    """The song's next step, or the song, in inference mode."""
    import torch

    with torch.inference_mode():
        try:
            return next(song)
        except StopIteration as end:
            audio: Audio = end.value
            return audio


def is_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; torch has a class of its own for that on CUDA alone."""
    return isinstance(error, MemoryError) or any(
        sign in str(error).lower() for sign in ("out of memory", "can't allocate memory", "not enough memory")
    )
