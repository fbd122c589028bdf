"""The draft engine: composes a sketch of a song as MIDI and renders it with a synthesiser. It is not ACE-Step.

Importing this is cheap: composing and rendering run in a worker process, which loads what they need.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from acestep_mcp.engines.draft.render import Playback, Renderer, Voice, available
from acestep_mcp.engines.draft.score import VERSION
from acestep_mcp.engines.draft.soundfont import check
from acestep_mcp.engines.draft.worker_process import WorkerPool, generate_in_worker

if TYPE_CHECKING:
    from acestep_mcp.api.requests import EngineRequest
    from acestep_mcp.engines import Audio, Source, Step

_MODELS: dict[Renderer, str] = {"soundfont": "midi+TimGM6mb", "numpy": "midi+numpy"}


class DraftEngine:
    """Composes from tags, lyrics and seed in a worker process, which ends with the generator or with this process.

    With `keep_worker` the worker waits half a minute for the next job; `close` ends it.
    `renderer` "numpy" uses the NumPy synthesiser even where the SoundFont renderer is installed. `voice` and
    `soundfont` are as in `Playback`. Raises ConfigurationError for a file that is no SoundFont 2.
    """

    name = "draft"
    version = VERSION
    device = None
    loras: tuple[str, ...] = ()

    def __init__(
        self,
        renderer: Renderer | None = None,
        *,
        voice: Voice = "auto",
        soundfont: Path | None = None,
        keep_worker: bool = False,
    ) -> None:
        if soundfont is not None:
            check(soundfont)
        self._playback = Playback(renderer or available(), voice, soundfont)
        self._pool = WorkerPool(keep=keep_worker)

    @property
    def model(self) -> str:
        font = self._playback.soundfont
        return (
            _MODELS[self._playback.renderer]
            if font is None or self._playback.renderer == "numpy"
            else f"midi+{font.stem}"
        )

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
