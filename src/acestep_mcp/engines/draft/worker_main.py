"""The worker process: reads jobs from stdin, composes and renders, writes steps and finished songs to stdout.

Input, per job: one JSON line, then the source's samples if there is a source. The parent keeps stdin open as long as
it wants the song; when stdin ends, this process exits at once. Output: JSON lines; a "song" line is followed by its
samples. Nothing is written to disk, so an abrupt end leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from acestep_mcp.api.errors import AceStepError, InvalidRequest
from acestep_mcp.engines import Audio, Source, Step

if TYPE_CHECKING:
    from acestep_mcp.audio import Sound
    from acestep_mcp.engines.draft.job import DraftJob

IDLE_SECONDS = 30.0


def main() -> None:
    """Run the jobs from stdin one after the other, until none has arrived for half a minute."""
    # Ctrl-C in a terminal reaches this process too, but only the parent decides whether the song is still wanted.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = _claim_stdout()
    pipe = sys.stdin.buffer
    jobs: queue.SimpleQueue[DraftJob] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(pipe, jobs), daemon=True).start()
    with contextlib.suppress(queue.Empty):
        while True:
            _run(jobs.get(timeout=IDLE_SECONDS), out)


def _read_jobs(pipe: IO[bytes], jobs: queue.SimpleQueue[DraftJob]) -> None:
    """Read jobs as they arrive. When the pipe ends, exit, even in the middle of a song."""
    try:
        while True:
            jobs.put(read_job(pipe))
    except (EOFError, ValueError):
        os._exit(1)


def _run(job: DraftJob, out: IO[bytes]) -> None:
    try:
        for event in _events(job):
            _send(out, event)
    except InvalidRequest as exc:
        fields = [{"field": f.field, "message": f.message, "type": f.type, "value": f.value} for f in exc.fields]
        _send_line(out, {"invalid": {"message": exc.message, "fields": fields}})
    except AceStepError as exc:
        _send_line(out, {"failed": exc.message})


def read_job(pipe: IO[bytes]) -> DraftJob:
    """Read a job and its source from the pipe. Raises EOFError if the pipe ends first."""
    from acestep_mcp.engines.draft.job import DraftJob

    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    job = json.loads(line)
    return DraftJob(job["endpoint"], job["request"], job["renderer"], _source(pipe, job["source"]))


def _events(job: DraftJob) -> Iterator[Step | Audio]:
    from acestep_mcp.engines.draft.job import run_job

    return run_job(job)


def _source(pipe: IO[bytes], shape: dict[str, Any] | None) -> Source | None:
    if shape is None:
        return None
    import numpy as np

    from acestep_mcp.audio import Sound

    size = 4 * shape["frames"] * shape["channels"]
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    pcm = np.frombuffer(data, dtype="<i4").reshape(shape["frames"], shape["channels"])
    return Source(Sound(pcm, shape["sample_rate"], shape["bits"]), shape["comment"])


def _claim_stdout() -> IO[bytes]:
    """The original stdout; file descriptor 1 is redirected to stderr so that no library can write into the stream."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


def _send(out: IO[bytes], event: Step | Audio) -> None:
    if isinstance(event, Step):
        _send_line(out, {"step": [event.stage, event.number, event.total]})
        return
    _send_line(out, {"song": _description(event)})
    out.write(_bytes(event.sound))
    out.flush()


def _send_line(out: IO[bytes], message: dict[str, Any]) -> None:
    out.write(json.dumps(message).encode("ascii") + b"\n")
    out.flush()


def _bytes(sound: Sound) -> memoryview:
    import numpy as np

    return np.ascontiguousarray(sound.pcm, dtype="<i4").data.cast("B")


def _description(audio: Audio) -> dict[str, Any]:
    return {
        "frames": len(audio.sound.pcm),
        "channels": audio.sound.channels,
        "sample_rate": audio.sound.sample_rate,
        "bits": audio.sound.bits,
        "tags": audio.tags,
        "lyrics": audio.lyrics,
        "notes": audio.notes,
        "sections": [[section.name, section.start, section.end] for section in audio.sections],
        "plan": audio.plan,
    }


if __name__ == "__main__":
    try:
        main()
    except (EOFError, BrokenPipeError):
        os._exit(1)
