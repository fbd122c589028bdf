"""One engine, one job at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import anyio.from_thread
import anyio.to_thread

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import AceStepError, GenerationFailed
from acestep_mcp.api.requests import EditRequest, PromptToAudio, Request, TextToAudio
from acestep_mcp.engine_server import results
from acestep_mcp.engine_server.file_store import Storage
from acestep_mcp.engine_server.job_queue import Line
from acestep_mcp.engine_server.jobs import CANCELLED, Answer, Job
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.sources import Sources
from acestep_mcp.engine_server.wire import answer_to
from acestep_mcp.engines import Audio, Engine, Source, Step
from acestep_mcp.songwriter.song_text import SongText

logger = logging.getLogger(__name__)

_INTERNAL = Answer.refused(500, "The engine made a mistake; the engine server's log has the details.", "internal_error")


class Worker:
    """Takes jobs from the line and plays them on its engine, in a thread.

    A job is stopped by cancelling its scope: the thread sees that at the engine's next step.
    """

    def __init__(self, engine: Engine, line: Line, storage: Storage, sources: Sources, options: QueueOptions) -> None:
        self._engine = engine
        self._line = line
        self._storage = storage
        self._sources = sources
        self._writer = options.writer
        self._idle_unload = options.idle_unload
        self._loaded = False

    async def run(self) -> None:
        """Work for ever."""
        while True:
            job = await self._next()
            answer = CANCELLED
            with job.scope:
                answer = await self._answer(job)
            self._line.finish(job, answer)
            await anyio.to_thread.run_sync(self._storage.clear, job.id)

    async def _next(self) -> Job:
        """The next job; the engine unloads when none comes for long. One that comes just then waits for that."""
        if self._loaded and self._idle_unload is not None:
            with anyio.move_on_after(self._idle_unload):
                return await self._line.next()
            await anyio.to_thread.run_sync(self._unload)
        return await self._line.next()

    def _unload(self) -> None:
        self._loaded = False
        try:
            self._engine.unload()
        except Exception:  # it is one job's end that must not end the others
            logger.exception("the engine could not unload")

    async def _answer(self, job: Job) -> Answer:
        try:
            return await self._make(job)
        except AceStepError as error:
            return answer_to(error)
        except Exception:  # the top of the worker: one bad job must not end the others
            logger.exception("job %s failed", job.id)
            return _INTERNAL

    async def _make(self, job: Job) -> Answer:
        began = time.monotonic()
        request, words = await self._written(job)
        source = await self._source(job, request)
        audio = await anyio.to_thread.run_sync(self._play, job, request, source)
        made = results.Made(audio, request.seed or 0, words, time.monotonic() - began)
        return await anyio.to_thread.run_sync(results.keep, job, made, self._engine, self._storage)

    async def _written(self, job: Job) -> tuple[Request, SongText | None]:
        """The request as engines take it, and the words that were written for it."""
        request = job.request
        if not isinstance(request, PromptToAudio):
            return request, None
        self._line.log(job, "writing tags and lyrics")
        words = await self._writer(request.prompt, request.instrumental, request.duration, request.seed or 0)
        shared = {name: value for name, value in request.wire().items() if name in TextToAudio.model_fields}
        return TextToAudio.parse({**shared, "tags": words.tags, "lyrics": words.lyrics}), words

    async def _source(self, job: Job, request: Request) -> Source | None:
        rules = BY_ID[job.endpoint].source
        if rules is None or not isinstance(request, EditRequest):
            return None
        self._line.log(job, "reading the source")
        return await self._sources.load(request.audio_url, job.id, longest=rules.longest)

    def _play(self, job: Job, request: Request, source: Source | None) -> Audio:
        """In the thread: let the engine work, telling each new step, until it gives the song."""
        last: Step | None = None
        self._loaded = True
        with _closed_after(self._engine.generate(request, source)) as parts:
            for part in parts:
                anyio.from_thread.check_cancelled()
                if isinstance(part, Audio):
                    return part
                if part != last:
                    last = part
                    anyio.from_thread.run_sync(self._line.log, job, f"{part.stage} {part.number}/{part.total}")
        raise GenerationFailed("The engine stopped before the song was done. Submit the request again.")


@contextmanager
def _closed_after(parts: Iterator[Step | Audio]) -> Iterator[Iterator[Step | Audio]]:
    """Closing is what stops an engine; leaving a generator to the garbage collector would stop it at any later time."""
    try:
        yield parts
    finally:
        close = getattr(parts, "close", None)
        if close:
            close()
