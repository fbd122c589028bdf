"""What a process that makes songs says: whether its engine is loaded, and what becomes of each song."""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

from acestep_mcp.api import tracing
from acestep_mcp.api.errors import AceStepError, OutOfMemory, isolated
from acestep_mcp.engines.model.memory import memory_in_use
from acestep_mcp.engines.processes.messages import NumberedJob, message_of, refusal

logger = logging.getLogger(__name__)

_BUG: dict[str, Any] = {"failed": "Internal error of the engine; the engine server's log has the details."}


def loaded(build: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The engine that `build` describes (see DeviceSpec) with its model in memory, or None; and the message about it."""
    module, _, name = build["factory"].partition(":")
    reason = _BUG
    try:
        with isolated(logger, "the engine could not be built"):
            engine = getattr(importlib.import_module(module), name)(build["given"])
            preload = getattr(engine, "preload", None)
            if preload:
                preload()
            return engine, {"ready": True, "memory": memory_in_use()}
    except AceStepError as exc:
        reason = refusal(exc)
    return None, reason


def messages_about(
    engine: Any, job: NumberedJob, is_stopped: Callable[[NumberedJob], bool]
) -> Generator[tuple[dict[str, Any], memoryview | None]]:
    """Make a song. The last message about it is the song with its samples, an error, or that it was stopped.

    Closing the generator stops the song. A GPU that is lost ends the process.
    """
    began, ended = time.time(), _BUG
    try:
        with isolated(logger, "a song failed because of a bug") as isolation:
            for message, samples in _parts(engine.generate(job.request, job.source), job, is_stopped):
                yield {**message, "number": job.number, "memory": memory_in_use()}, samples
                if samples is not None:
                    return
            ended = {"stopped": True}
        if isolation.error and _is_lost(isolation.error):
            os._exit(1)  # the device is usable again in a new process only
    except OutOfMemory as exc:
        ended = {**refusal(exc), "interrupted": True}
    except AceStepError as exc:
        ended = refusal(exc)
    finally:
        tracing.past_span("generate", began, job.trace)
    yield {**ended, "number": job.number, "memory": memory_in_use()}, None


def _parts(
    parts: Iterator[Any], job: NumberedJob, is_stopped: Callable[[NumberedJob], bool]
) -> Iterator[tuple[dict[str, Any], memoryview | None]]:
    """The messages of an engine's generator, which is closed in the end, until the job is stopped."""
    try:
        for part in parts:
            if is_stopped(job):
                return
            yield message_of(part)
    finally:
        close = getattr(parts, "close", None)
        if close:
            close()


def _is_lost(error: Exception) -> bool:
    """Whether every later use of the GPU in this process would fail too."""
    return any(text in str(error) for text in ("CUDA error", "HIP error", "CUDNN_STATUS_EXECUTION_FAILED"))
