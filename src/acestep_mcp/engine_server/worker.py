"""One engine on one device, and the jobs that it runs: one at a time, or as many at once as it takes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import anyio
import anyio.from_thread
import anyio.to_thread

from acestep_mcp.api import logs, tracing
from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import AceStepError, GenerationFailed, RunInterrupted, StorageError, isolated
from acestep_mcp.api.requests import EditRequest, EngineRequest, PromptToAudio, TextToAudio
from acestep_mcp.engine_server import results
from acestep_mcp.engine_server.file_store import FileStore
from acestep_mcp.engine_server.jobs import INTERNAL, QueueJob, StoredResponse, cancelled
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.queues import WorkQueue
from acestep_mcp.engine_server.slots import Slots
from acestep_mcp.engine_server.source_loader import SourceLoader
from acestep_mcp.engine_server.wire import response_to
from acestep_mcp.engines import Audio, Engine, JobRun, ResumableEngine, Source, Step, concurrency_of, loras_of
from acestep_mcp.engines.processes.device_engine import DeviceEngine
from acestep_mcp.readers.length import in_named_length
from acestep_mcp.readers.request_texts import read_texts
from acestep_mcp.songwriter.song_text import SongText

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 600.0
RETRY_SECONDS = 2.0
"""Before the second attempt to store a song on a disk that is full or away; then twice as long each time."""
_LONGEST_PAUSE = 30.0

_CHECK_SECONDS = 1.0
"""Between two looks whether the process of an idle device is alive."""
_START_SECONDS = 0.1


IsReady = Callable[[QueueJob], bool]


class Worker:
    """Takes jobs from the queue and runs them on its engine, in a thread.

    Cancelling a job's scope stops it at the engine's next step.
    """

    def __init__(
        self,
        engine: Engine,
        queue: WorkQueue,
        file_store: FileStore,
        source_loader: SourceLoader,
        options: QueueOptions,
    ) -> None:
        self.engine = engine
        self.songs = 0
        self._queue = queue
        self._file_store = file_store
        self._source_loader = source_loader
        self._writer = options.writer
        self._metrics = options.metrics
        self._idle_unload = options.idle_unload
        self._idle_since = 0.0
        self._loaded = False
        self._is_stopping, self._waiting = False, anyio.CancelScope()
        self._slots = Slots(concurrency_of(engine))
        # Threads of its own: all else shares 40 in this process, which as many songs at once would occupy.
        self._threads = anyio.CapacityLimiter(concurrency_of(engine) + 1)
        self._cancelled = cancelled(engine.cancel_note if isinstance(engine, ResumableEngine) else "")

    @property
    def label(self) -> str:
        """The device's name; `own` for an engine in the server's own process."""
        return self.engine.label if isinstance(self.engine, DeviceEngine) else "own"

    @property
    def jobs(self) -> list[QueueJob]:
        """The jobs that are worked on."""
        return [job for job, worker in self._queue.running.items() if worker is self]

    async def run(self, is_ready: IsReady, has_failed: Callable[[], bool] = lambda: False) -> None:
        """Work without end. Called again after an error of the queue itself, it first ends the jobs that ran then.

        A job is taken when `is_ready` says so. While the device is not ready none is, unless every device `has_failed`:
        the job then says why.
        """
        for lost in self.jobs:
            self._queue.finish(lost, INTERNAL)
        self._slots = Slots(concurrency_of(self.engine))
        async with anyio.create_task_group() as tasks:
            while job := await self._taken(is_ready, has_failed):
                if _runs_alone(job):
                    await self._work_on(job)
                else:
                    tasks.start_soon(self._work_on, job)

    async def _taken(self, is_ready: IsReady, has_failed: Callable[[], bool]) -> QueueJob | None:
        """The next job; None after `stop_taking`."""
        if not self._is_stopping:
            with anyio.CancelScope() as self._waiting:
                await self._slots.take()
                return await self._next(is_ready, has_failed)
        return None

    def stop_taking(self) -> None:
        """From now on no job begins."""
        self._is_stopping = True
        self._waiting.cancel()

    async def _work_on(self, job: QueueJob) -> None:
        alone = _runs_alone(job)
        began = self._began(job)
        answer: StoredResponse | None = self._cancelled
        with logs.concerning(request_id=job.id):
            with self._span(job) as record:
                with job.scope:
                    if alone:
                        await self._slots.take_others()
                    answer = await self._answer(job)
                record(self._ended(job, answer, time.monotonic() - began))
            if answer is not None:
                await self._end(job, answer)
        self._idle_since = anyio.current_time()
        self._slots.leave(job.id, alone=alone)

    def _began(self, job: QueueJob) -> float:
        if job.attempts == 1:
            tracing.past_span("wait", job.created_at, job.options.trace)
            if self._metrics:
                self._metrics.began(time.time() - job.created_at)
        return time.monotonic()

    def _span(self, job: QueueJob) -> AbstractContextManager[Callable[[str], None]]:
        ids = {"request_id": job.id, "device": self.label}
        return tracing.span(f"run {job.endpoint}", job.options.trace, "CONSUMER", attempt=job.attempts, **ids)

    def _ended(self, job: QueueJob, answer: StoredResponse | None, seconds: float) -> str:
        """How an attempt ended, in one word."""
        result = "interrupted" if answer is None else "song" if answer.file else "failed"
        result = "cancelled" if answer is self._cancelled else result
        if self._metrics:
            self._metrics.ended(job.endpoint, result, seconds)
        return result

    async def _end(self, job: QueueJob, answer: StoredResponse) -> None:
        self._queue.finish(job, answer)
        self.songs += answer.file is not None
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.clear, job)

    async def _next(self, is_ready: IsReady, has_failed: Callable[[], bool]) -> QueueJob:
        """The next job. The engine unloads when none comes for `idle_unload` seconds; a job that comes then waits."""
        while True:
            await self._until_usable(has_failed)
            seconds = _CHECK_SECONDS if isinstance(self.engine, DeviceEngine) else math.inf
            with anyio.move_on_after(min(seconds, self._until_unload())):
                return await self._queue.next_job(is_ready, worker=self)
            if not self.jobs and self._until_unload() <= 0:
                await anyio.to_thread.run_sync(self._unload)

    def _until_unload(self) -> float:
        """Seconds until the engine unloads if no job comes."""
        if not self._loaded or self._idle_unload is None:
            return math.inf
        return self._idle_unload - (0 if self.jobs else anyio.current_time() - self._idle_since)

    async def _until_usable(self, has_failed: Callable[[], bool]) -> None:
        """Wait for the process of a device, and start it where there is none."""
        if isinstance(self.engine, DeviceEngine):
            while not await anyio.to_thread.run_sync(self.engine.is_ready):
                if self.engine.failure and has_failed():
                    return
                is_starting = self.engine.is_wanted and not self.engine.failure
                await anyio.sleep(_START_SECONDS if is_starting else _CHECK_SECONDS)

    def _unload(self) -> None:
        self._loaded = False
        with isolated(logger, "the engine could not unload"):
            self.engine.unload()

    async def _answer(self, job: QueueJob) -> StoredResponse | None:
        """The end of the job; None where it waits for another attempt."""
        try:
            with isolated(logger, "job %s failed because of a bug", job.id):
                return await self._run_job(job)
        except RunInterrupted as error:
            self._queue.log(job, error.message, "WARNING")
            if self._queue.run_again(job):
                return None
            again = f"{error.message} It was attempted {job.attempts} times."
            return response_to(GenerationFailed(again))
        except AceStepError as error:
            return response_to(error)
        return INTERNAL

    async def _run_job(self, job: QueueJob) -> StoredResponse:
        began = time.monotonic()
        if job.attempts > 1 and (earlier := await anyio.to_thread.run_sync(self._earlier, job)):
            return earlier
        request, words = await self._with_lyrics(job)
        source = await self._source(job, request)
        audio = await anyio.to_thread.run_sync(self._generate, job, request, source, limiter=self._threads)
        if isinstance(self.engine, DeviceEngine):
            self._slots.overlap(job.id)  # its process makes the next song while this one is stored
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
        return results.store_result(job, song, self.engine, self._file_store)

    def _earlier(self, job: QueueJob) -> StoredResponse | None:
        return results.earlier_result(job, self._file_store)

    def clear(self, job: QueueJob) -> None:
        """Remove the folder of a job that has ended."""
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
        request, notes = read_texts(request, loras_of(self.engine))  # raises InvalidRequest before a model is loaded
        # What the songwriter wrote has the songwriter's own notes.
        notes = () if isinstance(job.request, PromptToAudio) else notes
        with _closed_after(self._parts(job, request, source)) as parts:
            for part in parts:
                anyio.from_thread.check_cancelled()
                if isinstance(part, Audio):
                    return replace(part, notes=(*notes, *part.notes))
                if part != last:
                    if self._metrics:
                        self._metrics.stepped(self.label)
                    if part.overlaps and not (last and last.overlaps):
                        anyio.from_thread.run_sync(self._slots.overlap, job.id)
                    last = part
                    anyio.from_thread.run_sync(self._queue.log, job, f"{part.stage} {part.number}/{part.total}")
        raise GenerationFailed("The engine stopped before the song was finished. Submit the request again.")

    def _parts(self, job: QueueJob, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        if isinstance(self.engine, ResumableEngine):
            return self.engine.resume(JobRun(job.id, lambda: job.cancelled), request, source)
        return self.engine.generate(request, source)


def _runs_alone(job: QueueJob) -> bool:
    """Whether an earlier attempt ended a server or a process: if the job is the cause, no other must be lost with it."""
    return job.attempts > 1


@contextmanager
def _closed_after(parts: Iterator[Step | Audio]) -> Iterator[Iterator[Step | Audio]]:
    """Close the generator at once: the garbage collector would stop the engine at some later time."""
    try:
        yield parts
    finally:
        close = getattr(parts, "close", None)
        if close:
            close()
