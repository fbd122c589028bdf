"""The workers of all devices, on one queue."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import anyio

from acestep_mcp.engine_server.background import repeat
from acestep_mcp.engine_server.source_downloads import SourceDownloads
from acestep_mcp.engine_server.worker import Worker
from acestep_mcp.engines import Engine
from acestep_mcp.engines.processes.device_engine import DeviceEngine

logger = logging.getLogger(__name__)

_CHECK_SECONDS = 0.05
_STOP_SECONDS = 2.0


class Workers:
    """Each takes the queue's next job as soon as its device is free."""

    def __init__(self, workers: Sequence[Worker], downloads: SourceDownloads) -> None:
        self._workers = workers
        self._downloads = downloads
        self._scope, self._ended = anyio.CancelScope(), anyio.Event()
        self._is_stopping = False

    async def run(self, pause: float) -> None:
        """Run forever. After an error each part goes on `pause` seconds later."""
        with self._scope:
            await self._work(pause)
        self._ended.set()

    def stop_taking(self) -> None:
        """No job begins any more."""
        self._is_stopping = True
        for worker in self._workers:
            worker.stop_taking()

    async def stop(self, seconds: float) -> bool:
        """Let the running jobs end for so many seconds, then stop them. False where one does not come to its next step soon."""
        if seconds and (count := sum(len(worker.jobs) for worker in self._workers)):
            logger.info("waiting for running jobs to end: %d, for at most %g s", count, seconds)
        with anyio.move_on_after(seconds):
            while any(worker.jobs for worker in self._workers):  # noqa: ASYNC110 - ended by several workers and queues
                await anyio.sleep(_CHECK_SECONDS)
        self._scope.cancel()
        with anyio.move_on_after(_STOP_SECONDS):
            await self._ended.wait()
        return self._ended.is_set()

    async def _work(self, pause: float) -> None:
        async with anyio.create_task_group() as group:
            downloading = partial(self._downloads.run, self._workers[0].clear)
            group.start_soon(repeat, downloading, "downloading sources", pause)
            for worker in self._workers:
                working = partial(worker.run, self._downloads.is_ready, self._have_failed)
                group.start_soon(repeat, working, "the worker", pause)

    @property
    def are_ready(self) -> bool:
        """Whether a job that comes now is played without first waiting for a process or a model."""
        return not self._is_stopping and any(
            not isinstance(worker.engine, DeviceEngine) or worker.engine.state == "ready" for worker in self._workers
        )

    def devices(self, is_shown: Callable[[str], bool]) -> list[dict[str, Any]]:
        """What each device does, where each has a process of its own. Memory is in bytes.

        The id of a job is there if its owner `is_shown`.
        """
        return [
            _state(worker, worker.engine, is_shown)
            for worker in self._present()
            if isinstance(worker.engine, DeviceEngine)
        ]

    def measured(self) -> list[dict[str, Any]]:
        """What of each device is measured, also of an engine in the server's own process. Memory is in bytes."""
        return [_measured(worker, worker.engine) for worker in self._present()]

    def _present(self) -> list[Worker]:
        return [each for each in self._workers if each.jobs or getattr(each.engine, "is_wanted", True)]

    def _have_failed(self) -> bool:
        engines = [each.engine for each in self._workers]
        return all(isinstance(each, DeviceEngine) and (each.failure or not each.is_wanted) for each in engines)


def _measured(worker: Worker, engine: Engine) -> dict[str, Any]:
    own = {"up": True, "restarts": 0, "memory": {}}
    if isinstance(engine, DeviceEngine):
        can_play = engine.state in {"ready", "unloaded"}
        own = {"up": can_play, "restarts": engine.restarts, "memory": engine.memory}
    return {"device": worker.label, "jobs": len(worker.jobs), **own}


def _state(worker: Worker, engine: DeviceEngine, is_shown: Callable[[str], bool]) -> dict[str, Any]:
    job = next((job for job in reversed(worker.jobs) if is_shown(job.owner)), None)  # one before it may still be stored
    return {
        "device": engine.label,
        **({"node": engine.node} if engine.node else {}),
        "model": engine.model,
        "state": "playing" if worker.jobs and engine.state == "ready" else engine.state,
        "job": job.id if job else None,
        "songs": worker.songs,
        "restarts": engine.restarts,
        "memory": engine.memory,
        **({"failure": engine.failure} if engine.failure else {}),
    }
