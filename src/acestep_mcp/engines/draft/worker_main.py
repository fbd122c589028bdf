"""The worker process: reads jobs from stdin, composes and renders, writes steps and finished songs to stdout.

Input, per job: one JSON line, then the source's samples if there is a source. The parent keeps stdin open as long as
it wants the song; when stdin ends, this process exits at once. Output: JSON lines; a "song" line is followed by its
samples. Nothing is written to disk, so an abrupt end leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from acestep_mcp.api import tracing
from acestep_mcp.api.errors import AceStepError
from acestep_mcp.engines import Audio, Step
from acestep_mcp.engines.processes.messages import claim_stdout, read_line, read_source, refusal, send, send_event

if TYPE_CHECKING:
    from acestep_mcp.engines.draft.job import DraftJob

IDLE_SECONDS = 30.0


def main() -> None:
    """Run the jobs from stdin one after the other, until none has arrived for half a minute."""
    # Ctrl-C in a terminal reaches this process too, but only the parent decides whether the song is still wanted.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = claim_stdout()
    # A song makes many objects and hardly any cycles: the collector would look at them all, several times.
    gc.set_threshold(100_000, 50, 100)
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
    began = time.time()
    try:
        for event in _events(job):
            send_event(out, event)
    except AceStepError as exc:
        send(out, refusal(exc))
    tracing.past_span("generate", began, job.trace)


def read_job(pipe: IO[bytes]) -> DraftJob:
    """Read a job and its source from the pipe. Raises EOFError if the pipe ends first."""
    from acestep_mcp.engines.draft.job import DraftJob

    job = read_line(pipe)
    soundfont = Path(job["soundfont"]) if job.get("soundfont") else None
    source, voice = read_source(pipe, job["source"]), job.get("voice", "auto")
    return DraftJob(job["endpoint"], job["request"], job["renderer"], source, voice, soundfont, job["trace"])


def _events(job: DraftJob) -> Iterator[Step | Audio]:
    from acestep_mcp.engines.draft.job import run_job

    return run_job(job)


if __name__ == "__main__":
    try:
        main()
    except (EOFError, BrokenPipeError):
        os._exit(1)
