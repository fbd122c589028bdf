"""The process of one device: builds an engine, loads its model, and makes one song after the other.

Its first line says which engine, as `FACTORY` and what that is called with. Each job then has a number; a "stop" line
with the number of the current job ends it. When stdin ends this process exits at once, even in the middle of a song.
"""

from __future__ import annotations

import importlib
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any

from acestep_mcp.api.errors import AceStepError, OutOfMemory, isolated
from acestep_mcp.engines.model.memory import memory_in_use
from acestep_mcp.engines.processes.messages import (
    NumberedJob,
    claim_stdout,
    numbered_job,
    read_line,
    refusal,
    send,
    send_event,
)

logger = logging.getLogger(__name__)

_BUG: dict[str, Any] = {"failed": "Internal error of the engine; the engine server's log has the details."}


class _Inbox:
    """Jobs as they arrive, and which of them are no longer wanted."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.jobs: queue.SimpleQueue[NumberedJob] = queue.SimpleQueue()
        self._pipe = pipe
        self._stopped = -1

    def is_stopped(self, job: NumberedJob) -> bool:
        return job.number <= self._stopped

    def read(self) -> None:
        try:
            while True:
                line = read_line(self._pipe)
                if "stop" in line:
                    self._stopped = line["stop"]
                    continue
                self.jobs.put(numbered_job(self._pipe, line))
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
    while True:
        _run(engine, inbox.jobs.get(), inbox, out)


def _loaded(build: dict[str, Any], out: IO[bytes]) -> Any:
    """The engine with its model in memory; where that cannot be, the reason is sent and this process exits."""
    module, _, name = build["factory"].partition(":")
    reason = _BUG
    try:
        with isolated(logger, "the engine could not be built"):
            engine = getattr(importlib.import_module(module), name)(build["given"])
            preload = getattr(engine, "preload", None)
            if preload:
                preload()
            send(out, {"ready": True, "memory": memory_in_use()})
            return engine
    except AceStepError as exc:
        reason = refusal(exc)
    send(out, reason)
    sys.exit(1)


def _run(engine: Any, job: NumberedJob, inbox: _Inbox, out: IO[bytes]) -> None:
    """Make a song. The last message about a job is its song, an error, or that it was stopped."""
    ended = _BUG
    try:
        with isolated(logger, "a song failed because of a bug") as isolation:
            if _send_parts(engine.generate(job.request, job.source), job, inbox, out):
                return
            ended = {"stopped": True}
        if isolation.error and _is_lost(isolation.error):
            os._exit(1)  # the device is usable again in a new process only
    except OutOfMemory as exc:
        ended = {**refusal(exc), "out_of_memory": True}
    except AceStepError as exc:
        ended = refusal(exc)
    send(out, {**ended, "number": job.number, "memory": memory_in_use()})


def _is_lost(error: Exception) -> bool:
    """Whether every later use of the GPU in this process would fail too."""
    return any(text in str(error) for text in ("CUDA error", "HIP error", "CUDNN_STATUS_EXECUTION_FAILED"))


def _send_parts(parts: Iterator[Any], job: NumberedJob, inbox: _Inbox, out: IO[bytes]) -> bool:
    """Send steps and the song; False where it was stopped before. The generator is closed."""
    try:
        for part in parts:
            if inbox.is_stopped(job):
                return False
            if send_event(out, part, number=job.number, memory=memory_in_use()):
                return True
    finally:
        close = getattr(parts, "close", None)
        if close:
            close()
    return False


if __name__ == "__main__":
    try:
        main()
    except (EOFError, BrokenPipeError):
        os._exit(1)
