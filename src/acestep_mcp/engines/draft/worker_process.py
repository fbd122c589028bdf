"""The parent's side of the worker process: start it, send jobs, receive events, end it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from acestep_mcp.api.environment import TRACING, inherited
from acestep_mcp.api.errors import AceStepError, GenerationFailed, RunInterrupted
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.processes.child import WorkerProcess
from acestep_mcp.engines.processes.messages import event_in, job_of

if TYPE_CHECKING:
    from acestep_mcp.api.requests import Request
    from acestep_mcp.engines.draft.render import Playback

_MODULE = "acestep_mcp.engines.draft.worker_main"
_HEARTBEAT = 0.2
# Seconds after which an idle worker is not reused: it exits by itself after IDLE_SECONDS, which may be now.
_IDLE_LIMIT = 20.0
_MOST_REPLACED = 3
_ENVIRONMENT = {
    # One thread for linear algebra: sums are taken in the same order, and the server keeps a core.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # The C library keeps what is freed: a page that is new to the process takes longer than the sums on it.
    "MALLOC_MMAP_THRESHOLD_": str(2**27),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**25),
}


class WorkerPool:
    """Starts worker processes. With `keep`, one idle worker is kept for the next job, which saves its imports.

    An idle worker ends after half a minute without work, with `close`, or with this process.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self._keep = keep
        self._idle: list[tuple[float, WorkerProcess]] = []
        self._lock = threading.Lock()

    def acquire(self) -> WorkerProcess:
        with self._lock:
            while self._idle:
                since, worker = self._idle.pop()
                if worker.is_alive() and time.monotonic() - since < _IDLE_LIMIT:
                    return worker
                worker.end()
        return _started()

    def release(self, worker: WorkerProcess) -> None:
        """Give back a worker that has finished its job: keep it if possible, else end it."""
        with self._lock:
            if self._keep and not self._idle and worker.is_alive():
                self._idle.append((time.monotonic(), worker))
                return
        worker.end()

    def end_idle(self) -> None:
        """End the idle worker."""
        with self._lock:
            while self._idle:
                self._idle.pop()[1].end()

    def close(self) -> None:
        with self._lock:
            self._keep = False
        self.end_idle()


def generate_in_worker(
    pool: WorkerPool, request: Request, source: Source | None, playback: Playback
) -> Iterator[Step | Audio]:
    """Run a request in a worker and yield its events. The last step is repeated every 0.2 s without news.

    A worker that SIGTERM ended is replaced: a service manager sends it to every process of a service, and whether the
    song is still wanted is decided here. Raises InvalidRequest for values that do not fit the source, RunInterrupted when
    the worker is killed, GenerationFailed when it dies otherwise.
    """
    event: Step | Audio | AceStepError = Step("starting", 0, 1)
    job = job_of(
        request, source, renderer=playback.renderer, voice=playback.voice, soundfont=str(playback.soundfont or "")
    )
    worker = pool.acquire()
    replaced = 0
    try:
        worker.send(job, source)
        while isinstance(event, Step):
            yield event
            message = worker.receive(_HEARTBEAT)
            exited_idle = worker.jobs_sent > 1 and event.stage == "starting"  # just before the job was sent
            if message is worker.EXITED and (exited_idle or worker.was_terminated()) and replaced < _MOST_REPLACED:
                replaced += 1
                worker.end()
                worker = _started()
                worker.send(job, source)
                continue
            if message is worker.EXITED:
                raise _stopped(worker, playback)
            event = event_in(message) if message else event
    finally:
        if isinstance(event, Step):  # the caller stopped, or the worker exited
            worker.end()
        else:
            pool.release(worker)
    if isinstance(event, AceStepError):
        raise event
    yield event


def _stopped(worker: WorkerProcess, playback: Playback) -> GenerationFailed:
    font = f" while it played {playback.soundfont} (ACESTEP_SOUNDFONT)" if playback.soundfont else ""
    if worker.was_killed():
        return RunInterrupted(
            f"The draft engine's worker was killed{font} before the song was done, as the system does when memory runs out. "
            "Ask for a shorter song, or free memory."
        )
    return GenerationFailed(
        f"The draft engine's worker stopped{font} before the song was done: {worker.last_log_line()}"
    )


def _started() -> WorkerProcess:
    return WorkerProcess(_MODULE, {**inherited(TRACING), **_ENVIRONMENT})
