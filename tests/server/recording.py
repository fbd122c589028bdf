"""A real studio over a fast engine behind a real queue on loopback, which records what the server reports to it."""

from __future__ import annotations

import json
import wave
from contextlib import asynccontextmanager

import anyio

from acestep_mcp.assembly import open_studio
from tests.support.engine import Tone, behind_a_port


class StudioFactory:
    """Calling it opens the studio. Tags that contain "hold" make a job that never ends, "fail" one that fails.

    `events` lists the server's reports: ("started", "job-1"), ("delivered", ...), ("undelivered", ...),
    ("cancelled", ...); jobs are numbered in their order of arrival. `open_count` counts open studios.
    """

    def __init__(self, settings):
        self.settings = settings
        self.open_count = 0
        self.events = []
        self.watchers = 0
        self._numbers = {}
        self._news = anyio.Event()

    @asynccontextmanager
    async def __call__(self):
        self.open_count += 1
        try:
            async with behind_a_port(self.settings.data_dir / "engine", Tone()) as url:
                settings = self.settings.model_copy(update={"backend": "engine", "engine_url": url})
                async with open_studio(settings) as studio:
                    yield RecordingStudio(studio, self)
        finally:
            self.open_count -= 1

    def record(self, event, job_id):
        self.events.append((event, self._numbers.setdefault(job_id, f"job-{len(self._numbers) + 1}")))
        self.wake()

    def wake(self):
        news, self._news = self._news, anyio.Event()
        news.set()

    async def until(self, condition):
        with anyio.fail_after(20):
            while not condition():
                await self._news.wait()

    async def wait_for(self, *event):
        """Wait until this event is recorded."""
        await self.until(lambda: event in self.events)

    def add_track(self, track_id, *, seconds=0.1, title=None):
        """Put a song into the music folder as another process would; returns its path."""
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


class RecordingStudio:
    """The real studio; records the server's reports once they are processed."""

    def __init__(self, studio, factory):
        self._studio, self._factory = studio, factory

    def __getattr__(self, name):
        return getattr(self._studio, name)

    async def start(self, *args, **kwargs):
        job = await self._studio.start(*args, **kwargs)
        self._factory.record("started", job.id)
        return job

    async def watch(self, job_id, seconds):
        self._factory.watchers += 1
        self._factory.wake()
        async for progress in self._studio.watch(job_id, seconds):
            yield progress

    async def delivered(self, job_id):
        await self._studio.delivered(job_id)
        self._factory.record("delivered", job_id)

    async def undelivered(self, job_id):
        await self._studio.undelivered(job_id)
        self._factory.record("undelivered", job_id)

    async def caller_cancelled(self, job_id):
        await self._studio.caller_cancelled(job_id)
        self._factory.record("cancelled", job_id)
