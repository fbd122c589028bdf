"""The process of one device: builds an engine, loads its model, and makes one song after the other, or several at once.

Its first line says which engine, as `FACTORY` and what that is called with. Each job then has a number; a "stop" line
with this number ends it. When stdin ends this process exits at once, even in the middle of a song.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from typing import IO, Any

from acestep_mcp.api.errors import AceStepError
from acestep_mcp.engines import concurrency_of
from acestep_mcp.engines.processes.messages import (
    NumberedJob,
    claim_stdout,
    numbered_job,
    read_line,
    read_source,
    send,
)
from acestep_mcp.engines.processes.songs import loaded, messages_about


class _Inbox:
    """Jobs as they arrive, and which of them are no longer wanted."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.jobs: queue.SimpleQueue[NumberedJob] = queue.SimpleQueue()
        self._pipe = pipe
        self._stopped: set[int] = set()

    def is_stopped(self, job: NumberedJob) -> bool:
        return job.number in self._stopped

    def read(self) -> None:
        try:
            while True:
                line = read_line(self._pipe)
                if "stop" in line:
                    self._stopped.add(line["stop"])
                    continue
                self.jobs.put(numbered_job(line, read_source(self._pipe, line["source"])))
        except (EOFError, ValueError, AceStepError):
            os._exit(1)


def main() -> None:
    # A terminal or a service manager signals every process of a service; the parent decides whether the song is wanted.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    out, pipe = claim_stdout(), sys.stdin.buffer
    build = read_line(pipe)
    inbox = _Inbox(pipe)
    threading.Thread(target=inbox.read, daemon=True).start()
    engine = _loaded(build, out)
    sending = threading.Lock()

    def play(job: NumberedJob) -> None:
        for message, samples in messages_about(engine, job, inbox.is_stopped):
            with sending:
                send(out, message, samples)

    at_once = concurrency_of(engine) > 1
    while True:
        job = inbox.jobs.get()
        threading.Thread(target=play, args=(job,), daemon=True).start() if at_once else play(job)


def _loaded(build: dict[str, Any], out: IO[bytes]) -> Any:
    """The engine with its model in memory; where that cannot be, the reason is sent and this process exits."""
    engine, said = loaded(build)
    send(out, said)
    if engine is None:
        sys.exit(1)
    return engine


if __name__ == "__main__":
    try:
        main()
    except (EOFError, BrokenPipeError):
        os._exit(1)
