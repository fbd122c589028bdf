"""One engine, and the jobs that it runs: one at a time, or as many at once as it takes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.abc import TaskGroup

from acestep_mcp.api import logs
from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import AceStepError, GenerationFailed, StorageError, isolated
from acestep_mcp.api.requests import EditRequest, EngineRequest, PromptToAudio, TextToAudio
from acestep_mcp.engine_server import results
from acestep_mcp.engine_server.file_store import FileStore
from acestep_mcp.engine_server.job_queue import JobQueue
from acestep_mcp.engine_server.jobs import CANCELLED, QueueJob, StoredResponse
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.slots import Slots
from acestep_mcp.engine_server.source_loader import STORED_SOURCE, SourceLoader
from acestep_mcp.engine_server.wire import response_to
from acestep_mcp.engines import Audio, Engine, JobRun, ResumableEngine, Source, Step, concurrency_of, loras_of
from acestep_mcp.readers.length import in_named_length
from acestep_mcp.readers.request_texts import read_texts
from acestep_mcp.songwriter.song_text import SongText

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 600.0
RETRY_SECONDS = 2.0
"""Before the second attempt to store a song on a disk that is full or away; then twice as long each time."""
_LONGEST_PAUSE = 30.0

_INTERNAL = StoredResponse.refused(
    500, "Internal error of the engine; the engine server's log has the details.", "internal_error"
)


_DOWNLOADS = 4  # at once; further ones wait


class Worker:
    """Takes jobs from the queue and runs them on its engine, in a thread.

    Cancelling a job's scope stops it at the engine's next step.
    """

    def __init__(
        self, engine: Engine, queue: JobQueue, file_store: FileStore, source_loader: SourceLoader, options: QueueOptions
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._file_store = file_store
        self._source_loader = source_loader
        self._writer = options.writer
        self._idle_unload = options.idle_unload
        self._idle_since = 0.0
        self._loaded = False
        self._running: list[QueueJob] = []
        self._slots = Slots(concurrency_of(engine))
        self._cancelled = CANCELLED
        if isinstance(engine, ResumableEngine) and engine.cancel_note:
            said = f"{CANCELLED.error} {engine.cancel_note}"
            self._cancelled = StoredResponse.refused(CANCELLED.status, said, "client_cancelled")
        self._downloads = anyio.CapacityLimiter(_DOWNLOADS)

    async def run(self) -> None:
        """Work without end. Called again after an error of the queue itself, it first ends the jobs that ran then."""
        for job in self._running:
            self._queue.finish(job, _INTERNAL)
        self._running, self._slots = [], Slots(concurrency_of(self._engine))
        self._queue.put_all_back()  # an earlier run may have ended while it downloaded
        async with anyio.create_task_group() as tasks:
            is_ready = partial(self._is_ready, tasks)
            while True:
                await self._slots.take()
                job = await self._next(is_ready)
                self._running.append(job)
                if _runs_alone(job):
                    await self._work_on(job)
                else:
                    tasks.start_soon(self._work_on, job)

    def _is_ready(self, downloads: TaskGroup, job: QueueJob) -> bool:
        """Whether the job's source is here; else it is downloaded while other jobs run."""
        url = getattr(job.request, "audio_url", STORED_SOURCE)
        if not self._source_loader.must_download(url):
            return True
        downloads.start_soon(self._download, job, url)
        return False

    async def _download(self, job: QueueJob, url: str) -> None:
        """Download a source until it is here or the job has ended; then its job waits for the engine, or has failed."""
        answer: StoredResponse | None = _INTERNAL
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_at_end, job, tasks.cancel_scope)
            try:
                with logs.concerning(request_id=job.id), isolated(logger, "job %s failed because of a bug", job.id):
                    async with self._downloads:
                        self._queue.log(job, "downloading the source")
                        await self._source_loader.download(url, job.id)
                    answer = None
            except AceStepError as error:
                answer = response_to(error)
            tasks.cancel_scope.cancel()
        if job.ended or answer is not None:
            self._queue.finish(job, answer or CANCELLED)
            await anyio.to_thread.run_sync(self._clear, job)
        else:
            job.request = job.request.model_copy(update={"audio_url": STORED_SOURCE})
            self._queue.put_back(job)

    async def _work_on(self, job: QueueJob) -> None:
        answer = self._cancelled
        with logs.concerning(request_id=job.id):
            with job.scope:
                if _runs_alone(job):
                    await self._slots.take_others()
                answer = await self._answer(job)
            self._queue.finish(job, answer)
            if answer.file is None:  # else storing the result has cleared the job's folder
                await anyio.to_thread.run_sync(self._clear, job)
        self._running.remove(job)
        self._idle_since = anyio.current_time()
        self._slots.leave(job.id, alone=_runs_alone(job))

    async def _next(self, is_ready: Callable[[QueueJob], bool]) -> QueueJob:
        """The next job. The engine unloads when none comes for `idle_unload` seconds; a job that comes then waits."""
        while self._loaded and self._idle_unload is not None:
            idle = 0 if self._running else anyio.current_time() - self._idle_since
            with anyio.move_on_after(self._idle_unload - idle):
                return await self._queue.next_job(is_ready)
            if not self._running and anyio.current_time() - self._idle_since >= self._idle_unload:
                await anyio.to_thread.run_sync(self._unload)
        return await self._queue.next_job(is_ready)

    def _unload(self) -> None:
        self._loaded = False
        with isolated(logger, "the engine could not unload"):
            self._engine.unload()

    async def _answer(self, job: QueueJob) -> StoredResponse:
        try:
            with isolated(logger, "job %s failed because of a bug", job.id):
                return await self._run_job(job)
        except AceStepError as error:
            return response_to(error)
        return _INTERNAL

    async def _run_job(self, job: QueueJob) -> StoredResponse:
        began = time.monotonic()
        request, words = await self._with_lyrics(job)
        source = await self._source(job, request)
        audio = await anyio.to_thread.run_sync(self._generate, job, request, source)
        audio = replace(audio, notes=(*audio.notes, *(source.notes if source else ())))
        song = results.GeneratedSong(audio, request.seed or 0, words, time.monotonic() - began)
        return await self._stored(job, song)

    async def _stored(self, job: QueueJob, song: results.GeneratedSong) -> StoredResponse:
        """Store the song; while the disk refuses it, wait: it would have to be made again."""
        give_up, pause = anyio.current_time() + PATIENCE_SECONDS, RETRY_SECONDS
        while True:
            try:
                return await anyio.to_thread.run_sync(self._store, job, song)
            except StorageError as exc:
                if anyio.current_time() > give_up:
                    raise
                logger.warning("the song of request %s is kept in memory: %s", job.id, exc.message)
                self._queue.log(job, exc.message, "WARNING")
                self._queue.log(job, "waiting for the disk 0/1")  # as steps are written, so that clients show it
            await anyio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _store(self, job: QueueJob, song: results.GeneratedSong) -> StoredResponse:
        """In the thread: store the song, then clear the job's folder."""
        response = results.store_result(job, song, self._engine, self._file_store)
        self._clear(job)
        return response

    def _clear(self, job: QueueJob) -> None:
        try:
            with isolated(logger, "the folder of job %s is not cleared", job.id):
                self._file_store.clear_job(job.id)
        except AceStepError as error:
            logger.warning("the folder of job %s is not cleared: %s", job.id, error.message)

    async def _with_lyrics(self, job: QueueJob) -> tuple[EngineRequest, SongText | None]:
        """The request as engines take it, and the tags and lyrics written for its prompt."""
        request, notes = in_named_length(job.request)
        if not isinstance(request, PromptToAudio):
            return request, None
        self._queue.log(job, "writing tags and lyrics")
        words = await self._writer(request.prompt, request.instrumental, request.duration, request.seed or 0)
        shared = {name: value for name, value in request.wire().items() if name in TextToAudio.model_fields}
        words = replace(words, notes=(*notes, *words.notes))
        return TextToAudio.parse({**shared, "tags": words.tags, "lyrics": words.lyrics}), words

    async def _source(self, job: QueueJob, request: EngineRequest) -> Source | None:
        endpoint = BY_ID[job.endpoint]
        if endpoint.source is None or not isinstance(request, EditRequest):
            return None
        self._queue.log(job, "reading the source")
        source = await self._source_loader.load(job.id, longest=endpoint.source.longest)
        endpoint.edit(request, source.sound.seconds)  # raises InvalidRequest
        return source

    def _generate(self, job: QueueJob, request: EngineRequest, source: Source | None) -> Audio:
        """In the thread: run the engine until it yields the song, logging each new step."""
        last: Step | None = None
        self._loaded = True
        request, notes = read_texts(request, loras_of(self._engine))  # raises InvalidRequest before a model is loaded
        # What the songwriter wrote has the songwriter's own notes.
        notes = () if isinstance(job.request, PromptToAudio) else notes
        with _closed_after(self._parts(job, request, source)) as parts:
            for part in parts:
                anyio.from_thread.check_cancelled()
                if isinstance(part, Audio):
                    return replace(part, notes=(*notes, *part.notes))
                if part != last:
                    if part.overlaps and not (last and last.overlaps):
                        anyio.from_thread.run_sync(self._slots.overlap, job.id)
                    last = part
                    anyio.from_thread.run_sync(self._queue.log, job, f"{part.stage} {part.number}/{part.total}")
        raise GenerationFailed("The engine stopped before the song was finished. Submit the request again.")

    def _parts(self, job: QueueJob, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        if isinstance(self._engine, ResumableEngine):
            return self._engine.resume(JobRun(job.id, lambda: job.cancelled), request, source)
        return self._engine.generate(request, source)


def _runs_alone(job: QueueJob) -> bool:
    """Whether an earlier server did not survive the job: if it is the cause, no other job must be lost with it."""
    return job.attempts > 1


async def _cancel_at_end(job: QueueJob, scope: anyio.CancelScope) -> None:
    await job.end()
    scope.cancel()


@contextmanager
def _closed_after(parts: Iterator[Step | Audio]) -> Iterator[Iterator[Step | Audio]]:
    """Close the generator at once: the garbage collector would stop the engine at some later time."""
    try:
        yield parts
    finally:
        close = getattr(parts, "close", None)
        if close:
            close()
