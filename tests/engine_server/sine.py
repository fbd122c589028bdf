"""A small engine that a test can hold, release and inspect. It makes a tone whose pitch follows the seed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from acestep_mcp.api.errors import FieldError, GenerationFailed, InvalidRequest
from acestep_mcp.api.requests import Request
from acestep_mcp.audio import Sound
from acestep_mcp.engines import Audio, Section, Source, Step

RATE = 8000


class Sine:
    """`tags` say what to do: "hold" waits for `release`, "fail", "refuse" and "bug" raise, "silent" yields no audio."""

    name = "sine"
    model = "sine-1"
    version = "1.0"
    device = None

    def __init__(self) -> None:
        self.unloaded = threading.Event()
        self.playing = False
        self.release = threading.Event()
        self.started = threading.Event()
        self.stopped = threading.Event()
        self.held = threading.Event()
        self.repeated = 0
        self.requests: list[Request] = []
        self.sources: list[Source | None] = []

    def generate(self, request: Request, source: Source | None) -> Iterator[Step | Audio]:
        self.requests.append(request)
        self.sources.append(source)
        self.playing = True
        try:
            yield from self._steps(request)
            yield self._song(request)
        finally:
            self.playing = False
            self.stopped.set()

    def unload(self) -> None:
        assert not self.playing
        self.unloaded.set()

    def close(self) -> None:
        pass

    def _steps(self, request: Request) -> Iterator[Step]:
        yield Step("rendering", 0, 3)
        self.started.set()
        yield Step("rendering", 1, 3)
        while "hold" in request.tags and not self.release.wait(0.01):
            self.repeated += 1
            if self.repeated == 5:
                self.held.set()
            yield Step("rendering", 1, 3)
        yield Step("rendering", 2, 3)
        if "fail" in request.tags:
            raise GenerationFailed("The sine broke.")
        if "refuse" in request.tags:
            raise InvalidRequest.of(FieldError("start_time", "lies past the end of the song", "value_error", 9))
        if "bug" in request.tags:
            raise ZeroDivisionError("a secret of the inside")
        yield Step("rendering", 3, 3)

    def _song(self, request: Request) -> Audio:
        seconds = getattr(request, "duration", 5)
        wave = np.sin(np.arange(int(seconds * RATE)) * 2 * np.pi * (200 + request.seed % 400) / RATE)
        pcm = (wave * 2**14).astype(np.int32)[:, None] << 16
        sections = (Section("verse", 0, seconds),)
        return Audio(Sound(pcm, RATE), request.tags, request.lyrics, ("a note",), sections, {"pitch": request.seed})
