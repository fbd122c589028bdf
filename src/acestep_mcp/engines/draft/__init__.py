"""The draft engine: composes a sketch of a song as MIDI and renders it with a synthesiser. It is not ACE-Step.

Importing this is cheap: composing and rendering run in a worker process, which loads what they need.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from acestep_mcp.engines.draft.render import Playback, Renderer, Voice, available
from acestep_mcp.engines.draft.score import VERSION
from acestep_mcp.engines.draft.worker_process import WorkerPool, generate_in_worker

if TYPE_CHECKING:
    from acestep_mcp.api.requests import EngineRequest
    from acestep_mcp.engines import Audio, Source, Step

_MODELS: dict[Renderer, str] = {"soundfont": "midi+TimGM6mb", "numpy": "midi+numpy"}


class DraftEngine:
    """Composes from tags, lyrics and seed in a worker process, which ends with the generator or with this process.

    With `keep_worker` the worker waits half a minute for the next job; `close` ends it.
    `renderer` "numpy" uses the NumPy synthesiser even where the SoundFont renderer is installed. `voice` is as in
    `Playback`.
    """

    name = "draft"
    version = VERSION
    device = None
    loras: tuple[str, ...] = ()

    def __init__(self, renderer: Renderer | None = None, *, voice: Voice = "auto", keep_worker: bool = False) -> None:
        self._playback = Playback(renderer or available(), voice)
        self._pool = WorkerPool(keep=keep_worker)

    @property
    def model(self) -> str:
        return _MODELS[self._playback.renderer]

    def generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        """Yields a Step at least every 0.2 s, then one Audio. Closing the iterator kills the worker.

        Raises InvalidRequest for values that do not fit the source, GenerationFailed when the worker dies.
        """
        return generate_in_worker(self._pool, request, source, self._playback)

    def unload(self) -> None:
        """End the idle worker; the next song starts a new one."""
        self._pool.end_idle()

    def close(self) -> None:
        """End the idle worker and keep none from now on."""
        self._pool.close()
