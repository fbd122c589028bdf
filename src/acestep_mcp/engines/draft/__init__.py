"""The draft engine: a sketch of a song, composed as MIDI and played by a synthesiser. It is not ACE-Step.

Importing this is light: composing and rendering happen in a worker process, which loads what they need.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from acestep_mcp.engines.draft.render import Renderer, available
from acestep_mcp.engines.draft.score import VERSION
from acestep_mcp.engines.draft.worker_process import WorkerPool, generate_in_worker

if TYPE_CHECKING:
    from acestep_mcp.api.requests import Request
    from acestep_mcp.engines import Audio, Source, Step

_MODELS: dict[Renderer, str] = {"soundfont": "midi+TimGM6mb", "numpy": "midi+numpy"}


class DraftEngine:
    """Composes from tags, lyrics and seed in a process of its own, which ends with the generator or with us.

    With `keep_worker` the process of one song waits half a minute for the next; `close` ends it.
    `renderer` "numpy" plays through the plain synthesiser even where the SoundFont renderer is installed.
    """

    name = "draft"
    version = VERSION
    device = None

    def __init__(self, renderer: Renderer | None = None, *, keep_worker: bool = False) -> None:
        self._renderer: Renderer = renderer or available()
        self._pool = WorkerPool(keep=keep_worker)

    @property
    def model(self) -> str:
        return _MODELS[self._renderer]

    def generate(self, request: Request, source: Source | None) -> Iterator[Step | Audio]:
        """A Step at least every 0.2 s and, last, one Audio. Closing the iterator kills the worker.

        Raises InvalidRequest for values that do not fit the source, GenerationFailed when the worker dies.
        """
        return generate_in_worker(self._pool, request, source, self._renderer)

    def unload(self) -> None:
        """End a kept worker; the next song starts another."""
        self._pool.end_idle()

    def close(self) -> None:
        """End a kept worker."""
        self._pool.close()
