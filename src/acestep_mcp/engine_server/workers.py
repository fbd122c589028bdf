"""The workers of all devices, on one queue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio

from acestep_mcp.engine_server.background import repeat
from acestep_mcp.engine_server.source_downloads import SourceDownloads
from acestep_mcp.engine_server.worker import Worker
from acestep_mcp.engines.processes.device_engine import DeviceEngine


class Workers:
    """Each takes the queue's next job as soon as its device is free."""

    def __init__(self, workers: Sequence[Worker], downloads: SourceDownloads) -> None:
        self._workers = workers
        self._downloads = downloads

    async def run(self, pause: float) -> None:
        """Run forever. After an error each part goes on `pause` seconds later."""
        async with anyio.create_task_group() as group:
            downloading = partial(self._downloads.run, self._workers[0].clear)
            group.start_soon(repeat, downloading, "downloading sources", pause)
            for worker in self._workers:
                working = partial(worker.run, self._downloads.is_ready, self._have_failed)
                group.start_soon(repeat, working, "the worker", pause)

    @property
    def are_ready(self) -> bool:
        """Whether a job that comes now is played without first waiting for a process or a model."""
        return any(
            not isinstance(worker.engine, DeviceEngine) or worker.engine.state == "ready" for worker in self._workers
        )

    def devices(self) -> list[dict[str, Any]]:
        """What each device does, where each has a process of its own. Memory is in bytes."""
        return [_state(worker, worker.engine) for worker in self._workers if isinstance(worker.engine, DeviceEngine)]

    def _have_failed(self) -> bool:
        return all(isinstance(each.engine, DeviceEngine) and each.engine.failure for each in self._workers)


def _state(worker: Worker, engine: DeviceEngine) -> dict[str, Any]:
    job = next(iter(worker.jobs), None)
    return {
        "device": engine.label,
        "model": engine.model,
        "state": "playing" if job and engine.state == "ready" else engine.state,
        "job": job.id if job else None,
        "songs": worker.songs,
        "restarts": engine.restarts,
        "memory": engine.memory,
        **({"failure": engine.failure} if engine.failure else {}),
    }
