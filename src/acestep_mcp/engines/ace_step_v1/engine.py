"""The engine as the queue's worker knows it. Importing this is light: torch comes with the first song."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.errors import AceStepError, GenerationFailed
from acestep_mcp.requests import Request

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v1.files import Options
    from acestep_mcp.engines.ace_step_v1.weights import Loaded

logger = logging.getLogger(__name__)
VERSION = "1"


class AceStepV1:
    """ACE-Step v1 (3.5 B). The first song loads the weights; `unload` frees them."""

    name = "ace-step-v1"
    model = "ACE-Step-v1-3.5B"
    version = VERSION

    def __init__(self, options: Options) -> None:
        self._options = options
        self._loaded: Loaded | None = None

    @property
    def device(self) -> str | None:
        from acestep_mcp.engines.ace_step_v1.files import device_name

        return device_name(self._options.device)

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
            if not _is_memory(error):
                raise
            logger.warning("out of memory: %s", error)
            problem = str(error).splitlines()[0]
        else:
            return
        # Outside the handler: the exception's frames hold the memory that is to be freed.
        self.unload()
        raise GenerationFailed(
            f"The model ran out of memory ({problem[:200]}). Its memory was freed. Ask for a shorter song, or start "
            "the engine with --offload or --quantize int8."
        )

    def unload(self) -> None:
        """Free what was loaded."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            loaded.free()

    def close(self) -> None:
        self.unload()

    def _song(self, request: Request, source: Source | None) -> Iterator[Step | Audio]:
        if self._loaded is None:
            yield Step("loading the model", 0, 1)
            from acestep_mcp.engines.ace_step_v1.weights import load

            self._loaded = load(self._options)
        from acestep_mcp.engines.ace_step_v1.songs import play

        audio = yield from _without_gradients(play(self._loaded, request, source))
        yield audio


def _without_gradients(song: Generator[Step, None, Audio]) -> Generator[Step, None, Audio]:
    """Each part of the work in inference mode, which a generator must not leave switched on for its caller."""
    import torch

    while True:
        with torch.inference_mode():
            try:
                step = next(song)
            except StopIteration as end:
                return end.value
        yield step


def _is_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out; torch has a class of its own for that on CUDA alone."""
    return isinstance(error, MemoryError) or any(
        sign in str(error).lower() for sign in ("out of memory", "can't allocate memory", "not enough memory")
    )
