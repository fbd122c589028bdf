"""Where the jobs and files of an engine server are: with this server alone, or shared with others."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio.to_thread

from acestep_mcp.engine_server.file_store import FileStore
from acestep_mcp.engine_server.job_queue import JobQueue
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import QueueJob
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.queues import LocalRequests, RequestQueue, WorkQueue
from acestep_mcp.engine_server.uploads import OpenUploads, UploadRegister

KEY_NAME = "webhook-key"


class GiveBack(Protocol):
    async def __call__(self, *, running: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Backend:
    """`tasks` run, each by its name, for as long as the server does. `undelivered` are jobs whose webhook nobody delivers.

    `clean` removes what ended before its first time, and files that belong to nothing from before its second.
    `give_back` puts jobs that this server has taken back into the queue: those that do not run, or with `running` all.
    `release` does so for running jobs, at once, before the process is ended. `upload_secret` signs tokens for uploads.
    `fetched` notes that a file was fetched.
    """

    work: WorkQueue
    requests: RequestQueue
    files: FileStore
    uploads: UploadRegister
    key_file: Path
    tasks: dict[str, Callable[[], Awaitable[None]]]
    clean: Callable[[float, float], Awaitable[None]]
    undelivered: Callable[[], Awaitable[list[QueueJob]]]
    is_busy: Callable[[], bool]
    release: Callable[[], None]
    give_back: GiveBack
    upload_secret: bytes
    fetched: Callable[[str], None]


@asynccontextmanager
async def opened(folder: Path, options: QueueOptions, begun: Mapping[str, str]) -> AsyncIterator[Backend]:
    """`begun` has the notes of jobs that are being made elsewhere. Raises Occupied when another server uses the database, ConfigurationError, StorageError."""
    if options.jobs is None:
        async with _local(folder, options, begun) as backend:
            yield backend
        return
    from acestep_mcp.engine_server.shared.backend import shared

    async with shared(folder, options) as parts:
        yield Backend(**parts)


@asynccontextmanager
async def _local(folder: Path, options: QueueOptions, begun: Mapping[str, str]) -> AsyncIterator[Backend]:
    file_store = FileStore(folder, options.max_stored)
    job_store = JobStore(options.database)
    try:
        queue = JobQueue(job_store, limit=options.max_queue, most_bytes=options.max_remembered, keys=options.keys)
        queue.restore(begun)
        uploads = OpenUploads()
        try:
            yield Backend(
                work=queue,
                requests=LocalRequests(queue),
                files=file_store,
                uploads=uploads,
                key_file=(options.database.parent if options.database else folder) / KEY_NAME,
                tasks={
                    "ending jobs that start too late": queue.expire_late,
                    "announcing positions": queue.announce_positions,
                },
                clean=partial(_clean, queue, file_store, uploads),
                undelivered=partial(_undelivered, queue),
                is_busy=lambda: queue.is_busy,
                release=queue.release,
                give_back=partial(_give_back, queue),
                upload_secret=secrets.token_bytes(32),
                fetched=queue.mark_fetched,
            )
        finally:
            queue.release()
    finally:
        job_store.close()
        if options.database is None:
            file_store.remove(KEY_NAME)


async def _clean(queue: JobQueue, file_store: FileStore, uploads: UploadRegister, before: float, oldest: float) -> None:
    # Files first: on a full disk the database cannot be changed until they are gone.
    await anyio.to_thread.run_sync(file_store.forget, queue.expired_files(before))
    queue.forget(before)
    await uploads.forget(before)
    await anyio.to_thread.run_sync(partial(file_store.sweep, oldest, files=queue.files, jobs=queue.ids))


async def _give_back(queue: JobQueue, *, running: bool) -> None:
    if running:  # nobody else waits for the others
        queue.release()


async def _undelivered(queue: JobQueue) -> list[QueueJob]:
    return [job for job in queue.jobs if job.options.webhook and not job.webhook_done]
