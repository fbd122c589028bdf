"""The parent's side of the worker process: start it, send jobs, receive events, end it."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, ClassVar

from acestep_mcp.api.environment import inherited
from acestep_mcp.api.errors import AceStepError, FieldError, GenerationFailed, InvalidRequest
from acestep_mcp.audio import Sound
from acestep_mcp.engines import Audio, Section, Source, Step

if TYPE_CHECKING:
    from acestep_mcp.api.requests import Request
    from acestep_mcp.engines.draft.render import Renderer

# -P: a module in the working directory must not shadow one of this package.
_COMMAND = ("-P", "-m", "acestep_mcp.engines.draft.worker_main")
_HEARTBEAT = 0.2
# Seconds after which an idle worker is not reused: it exits by itself after IDLE_SECONDS, which may be now.
_IDLE_LIMIT = 20.0
_MOST_REPLACED = 3
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
# A terminal sends Ctrl-C to a whole process group; this process alone decides what becomes of the job.
_NEW_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
_BLOCK = 1 << 20


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
        return WorkerProcess()

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
    pool: WorkerPool, request: Request, source: Source | None, renderer: Renderer
) -> Iterator[Step | Audio]:
    """Run a request in a worker and yield its events. The last step is repeated every 0.2 s without news.

    A worker that SIGTERM ended is replaced: a service manager sends it to every process of a service, and whether the
    song is still wanted is decided here. Raises InvalidRequest for values that do not fit the source, GenerationFailed
    when the worker dies otherwise.
    """
    event: Step | Audio | AceStepError = Step("starting", 0, 1)
    worker = pool.acquire()
    replaced = 0
    try:
        worker.send(_job(request, source, renderer), source)
        while isinstance(event, Step):
            yield event
            message = worker.receive(_HEARTBEAT)
            exited_idle = worker.jobs_sent > 1 and event.stage == "starting"  # just before the job was sent
            if message is worker.EXITED and (exited_idle or worker.was_terminated()) and replaced < _MOST_REPLACED:
                replaced += 1
                worker.end()
                worker = WorkerProcess()
                worker.send(_job(request, source, renderer), source)
                continue
            if message is worker.EXITED:
                reason = f"The draft engine's worker stopped before the song was done: {worker.last_log_line()}"
                raise GenerationFailed(reason)
            event = _event(message) if message else event
    finally:
        if isinstance(event, Step):  # the caller stopped, or the worker exited
            worker.end()
        else:
            pool.release(worker)
    if isinstance(event, AceStepError):
        raise event
    yield event


class WorkerProcess:
    """One worker process with its pipes and its log."""

    EXITED: ClassVar[dict[str, Any]] = {}
    """The last message: the process has exited."""

    def __init__(self) -> None:
        self.jobs_sent = 0
        # One thread for linear algebra: sums are taken in the same order, and the server keeps a core.
        environment = {**inherited(), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            [sys.executable, *_COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            creationflags=_NO_WINDOW | _NEW_GROUP,
            process_group=None if sys.platform == "win32" else 0,
        )
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_messages, daemon=True)
        self._writer: threading.Thread | None = None
        self._reader.start()

    def is_alive(self) -> bool:
        return self._process.poll() is None and self._messages.empty()

    def send(self, job: bytes, source: Source | None) -> None:
        """Send a job, in a thread: a large source fills the pipe before the worker has finished its imports."""
        assert self._process.stdin is not None
        self.jobs_sent += 1
        self._writer = threading.Thread(target=_write_job, args=(self._process.stdin, job, source), daemon=True)
        self._writer.start()

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """The next message, EXITED at the end, or None if none arrived within `seconds`."""
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            return None

    def was_terminated(self) -> bool:
        """Whether the process, which has exited, was ended by SIGTERM."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(5) == -signal.SIGTERM
        return False

    def last_log_line(self) -> str:
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it gave no reason; try again"

    def end(self) -> None:
        """Kill the process and close everything that belongs to it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        for thread in (self._reader, self._writer):
            if thread is not None:
                thread.join()
        with contextlib.suppress(OSError):  # unwritten data has no reader
            self._process.stdin.close()
        self._process.stdout.close()
        self._log.close()

    def _read_messages(self) -> None:
        """Queue each message with its samples, and EXITED at the end of the stream."""
        stdout = self._process.stdout
        assert stdout is not None
        for line in stdout:
            if not line.endswith(b"\n"):
                break
            message = json.loads(line)
            if "song" in message:
                size = 4 * message["song"]["frames"] * message["song"]["channels"]
                message["samples"] = stdout.read(size)
                if len(message["samples"]) < size:
                    break
            self._messages.put(message)
        self._messages.put(self.EXITED)


def _job(request: Request, source: Source | None, renderer: Renderer) -> bytes:
    shape = None
    if source is not None:
        sound = source.sound
        shape = {
            "frames": len(sound.pcm),
            "channels": sound.channels,
            "sample_rate": sound.sample_rate,
            "bits": sound.bits,
            "comment": source.comment,
        }
    job = {"endpoint": type(request).__name__, "request": request.wire(), "renderer": renderer, "source": shape}
    return json.dumps(job).encode("ascii") + b"\n"


def _write_job(pipe: IO[bytes], job: bytes, source: Source | None) -> None:
    """Write the job and the source, and leave the pipe open. The reader thread notices a worker that has exited."""
    with contextlib.suppress(OSError, ValueError):
        pipe.write(job)
        if source is not None:
            import numpy as np

            pcm = np.ascontiguousarray(source.sound.pcm, dtype="<i4").data.cast("B")
            for start in range(0, len(pcm), _BLOCK):
                pipe.write(pcm[start : start + _BLOCK])
        pipe.flush()


def _event(message: dict[str, Any]) -> Step | Audio | AceStepError:
    match message:
        case {"step": [stage, number, total]}:
            return Step(stage, number, total)
        case {"song": song, "samples": samples}:
            return _audio(song, samples)
        case {"invalid": invalid}:
            return InvalidRequest(invalid["message"], tuple(FieldError(**field) for field in invalid["fields"]))
    return GenerationFailed(message["failed"])


def _audio(song: dict[str, Any], samples: bytes) -> Audio:
    import numpy as np

    pcm = np.frombuffer(samples, dtype="<i4").reshape(song["frames"], song["channels"])
    return Audio(
        sound=Sound(pcm, song["sample_rate"], song["bits"]),
        tags=song["tags"],
        lyrics=song["lyrics"],
        notes=tuple(song["notes"]),
        sections=tuple(Section(*section) for section in song["sections"]),
        plan=song["plan"],
    )
