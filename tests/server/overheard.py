"""The whole house with a quick engine behind a real queue on loopback, and an ear at the studio's door."""

from __future__ import annotations

import json
import wave
from contextlib import asynccontextmanager

import anyio

from acestep_mcp.assembly import open_studio
from tests.support.engine import Tone, behind_a_port


class House:
    """Called, it opens the studio. Tags with "hold" in them make a job that never ends by itself, "fail" one that fails.

    `told` is what the server told the studio: ("started", "job-1"), ("delivered", ...), ("cut", ...), ("cancelled", ...);
    jobs are numbered in the order they came. `open` counts open studios.
    """

    def __init__(self, settings):
        self.settings = settings
        self.open = 0
        self.told = []
        self.watchers = 0
        self._numbers = {}
        self._news = anyio.Event()

    @asynccontextmanager
    async def __call__(self):
        self.open += 1
        try:
            async with behind_a_port(self.settings.data_dir / "engine", Tone()) as url:
                settings = self.settings.model_copy(update={"backend": "engine", "engine_url": url})
                async with open_studio(settings) as studio:
                    yield Overheard(studio, self)
        finally:
            self.open -= 1

    def hear(self, what, job_id):
        self.told.append((what, self._numbers.setdefault(job_id, f"job-{len(self._numbers) + 1}")))
        self.wake()

    def wake(self):
        news, self._news = self._news, anyio.Event()
        news.set()

    async def until(self, true):
        with anyio.fail_after(20):
            while not true():
                await self._news.wait()

    async def heard(self, *what):
        """Wait until the studio was told this."""
        await self.until(lambda: what in self.told)

    def keep(self, track_id, *, seconds=0.1, title=None):
        """Put a song into the music folder as another process would; gives its path."""
        folder = self.settings.music_dir
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{track_id} ü.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((2, 2, 48000, 0, "NONE", ""))
            file.writeframes(b"\1\0\2\0" * round(48000 * seconds))
        number = len(list(folder.glob("*.json")))
        sidecar = {
            "schema": 1,
            "id": track_id,
            "title": title or f"Song {track_id}",
            "file_name": path.name,
            "endpoint": "fal-ai/ace-step",
            "request": {"tags": "lofi"},
            "seed": 7,
            "tags": "lofi",
            "lyrics": "[inst]",
            "engine": "draft",
            "created_at": f"2026-11-22T00:00:{number:02}.000+00:00",
            "audio": {
                "duration": seconds,
                "sample_rate": 48000,
                "channels": 2,
                "bits": 16,
                "format": "wav",
                "content_type": "audio/wav",
                "size": path.stat().st_size,
                "sha256": "0" * 64,
            },
        }
        path.with_suffix(".json").write_text(json.dumps(sidecar), encoding="utf-8")
        return path


class Overheard:
    """The real studio; what the server tells it of its calls is written down once it is done."""

    def __init__(self, studio, house):
        self._studio, self._house = studio, house

    def __getattr__(self, name):
        return getattr(self._studio, name)

    async def start(self, *args, **kwargs):
        job = await self._studio.start(*args, **kwargs)
        self._house.hear("started", job.id)
        return job

    async def watch(self, job_id, seconds):
        self._house.watchers += 1
        self._house.wake()
        async for progress in self._studio.watch(job_id, seconds):
            yield progress

    async def delivered(self, job_id):
        await self._studio.delivered(job_id)
        self._house.hear("delivered", job_id)

    async def cut(self, job_id):
        await self._studio.cut(job_id)
        self._house.hear("cut", job_id)

    async def caller_cancelled(self, job_id):
        await self._studio.caller_cancelled(job_id)
        self._house.hear("cancelled", job_id)
