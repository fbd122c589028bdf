"""The worker process seen from outside: start it, feed it, listen to it, and end it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from acestep_mcp.audio import Sound
from acestep_mcp.engines import Audio, Section, Source, Step
from acestep_mcp.errors import FieldError, GenerationFailed, InvalidRequest

if TYPE_CHECKING:
    from acestep_mcp.engines.draft.render import Renderer
    from acestep_mcp.requests import Request

# -P: a module in the folder we happen to be started in must not shadow one of ours.
_COMMAND = ("-P", "-m", "acestep_mcp.engines.draft.worker")
_HEARTBEAT = 0.2
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_BLOCK = 1 << 20


def events(request: Request, source: Source | None, renderer: Renderer) -> Iterator[Step | Audio]:
    """What the worker says, as it says it; its last step again whenever it is silent for 0.2 s."""
    job = _job(request, source, renderer)
    with tempfile.TemporaryFile() as log, _worker(log) as process, _conversation(process, job, source) as heard:
        last = Step("starting", 0, 1)
        yield last
        while True:
            event = _event(heard, last, log)
            yield event
            if isinstance(event, Audio):
                return
            last = event


@contextlib.contextmanager
def _worker(log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    # One thread for linear algebra: the same sums in the same order, and one core left to the server.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, *_COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        creationflags=_NO_WINDOW,
    ) as process:
        yield process


@contextlib.contextmanager
def _conversation(
    process: subprocess.Popen[bytes], job: bytes, source: Source | None
) -> Iterator[queue.SimpleQueue[dict[str, Any] | None]]:
    """What the worker answers while it is fed. Leaving the block kills it, which ends both threads."""
    assert process.stdin is not None
    assert process.stdout is not None
    heard: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threads = (
        threading.Thread(target=_listen, args=(process.stdout, heard), daemon=True),
        threading.Thread(target=_feed, args=(process.stdin, job, source), daemon=True),
    )
    for thread in threads:
        thread.start()
    try:
        yield heard
    finally:
        process.kill()
        for thread in threads:
            thread.join()
        with contextlib.suppress(OSError):  # what was not yet written has no reader any more
            process.stdin.close()


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


def _feed(commands: IO[bytes], job: bytes, source: Source | None) -> None:
    """Write the job and the source, and leave the pipe open; a worker that is gone is noticed by the listener."""
    with contextlib.suppress(OSError, ValueError):
        commands.write(job)
        if source is not None:
            import numpy as np

            pcm = np.ascontiguousarray(source.sound.pcm, dtype="<i4").data.cast("B")
            for start in range(0, len(pcm), _BLOCK):
                commands.write(pcm[start : start + _BLOCK])
        commands.flush()


def _listen(answers: IO[bytes], heard: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    """Put each message in the queue, samples included, and None at the end of the stream."""
    for line in answers:
        if not line.endswith(b"\n"):
            break
        message = json.loads(line)
        if "song" in message:
            size = 4 * message["song"]["frames"] * message["song"]["channels"]
            message["samples"] = answers.read(size)
            if len(message["samples"]) < size:
                break
        heard.put(message)
    heard.put(None)


def _event(heard: queue.SimpleQueue[dict[str, Any] | None], last: Step, log: IO[bytes]) -> Step | Audio:
    try:
        message = heard.get(timeout=_HEARTBEAT)
    except queue.Empty:
        return last
    match message:
        case {"step": [stage, number, total]}:
            return Step(stage, number, total)
        case {"song": song, "samples": samples}:
            return _audio(song, samples)
        case {"invalid": invalid}:
            raise InvalidRequest(invalid["message"], tuple(FieldError(**field) for field in invalid["fields"]))
        case {"failed": reason}:
            raise GenerationFailed(reason)
    raise GenerationFailed(f"The draft engine's worker stopped before the song was done: {_last_words(log)}")


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


def _last_words(log: IO[bytes]) -> str:
    log.seek(0)
    lines = [line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason; try again"
