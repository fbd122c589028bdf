"""The process that composes and renders: a job comes in on stdin, steps and the finished song go out on stdout.

In: for each job one JSON line, then the source's samples if there is one; stdin stays open for as long as anybody
wants the song, and its end ends this process at once. Out: JSON lines; a song's last one says how many bytes of samples
follow it.
Nothing touches the disk, so however this process ends it leaves nothing behind.
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
    """Do the jobs on stdin, one after the other, until none has come for half a minute."""
    # Ctrl-C in a terminal reaches us too; whether the song is still wanted is for whoever holds stdin to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = _claim_stdout()
    commands = sys.stdin.buffer
    jobs: queue.SimpleQueue[DraftJob] = queue.SimpleQueue()
    threading.Thread(target=_read_jobs, args=(commands, jobs), daemon=True).start()
    with contextlib.suppress(queue.Empty):
        while True:
            _run(jobs.get(timeout=IDLE_SECONDS), out)


def _read_jobs(commands: IO[bytes], jobs: queue.SimpleQueue[DraftJob]) -> None:
    """Read jobs as they come; the end of the pipe is the end of this process, in the middle of a song too."""
    try:
        while True:
            jobs.put(read_job(commands))
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


def read_job(commands: IO[bytes]) -> DraftJob:
    """The job and its source as they came down the pipe. Raises EOFError when the parent went away meanwhile."""
    from acestep_mcp.engines.draft.job import DraftJob

    line = commands.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    job = json.loads(line)
    return DraftJob(job["endpoint"], job["request"], job["renderer"], _source(commands, job["source"]))


def _events(job: DraftJob) -> Iterator[Step | Audio]:
    from acestep_mcp.engines.draft.job import run_job

    return run_job(job)


def _source(commands: IO[bytes], shape: dict[str, Any] | None) -> Source | None:
    if shape is None:
        return None
    import numpy as np

    from acestep_mcp.audio import Sound

    size = 4 * shape["frames"] * shape["channels"]
    data = commands.read(size)
    if len(data) < size:
        raise EOFError
    pcm = np.frombuffer(data, dtype="<i4").reshape(shape["frames"], shape["channels"])
    return Source(Sound(pcm, shape["sample_rate"], shape["bits"]), shape["comment"])


def _claim_stdout() -> IO[bytes]:
    """Our channel, with file descriptor 1 turned to stderr so that no library can write into it."""
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
