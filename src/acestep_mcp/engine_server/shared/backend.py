"""Opens what an engine server shares with others."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.file_store import write_secret
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.shared import job_table
from acestep_mcp.engine_server.shared.bucket_store import BucketStore
from acestep_mcp.engine_server.shared.database import Postgres
from acestep_mcp.engine_server.shared.order import Order, TurnOrder
from acestep_mcp.engine_server.shared.queue import SharedQueue
from acestep_mcp.engine_server.shared.upkeep import Upkeep
from acestep_mcp.engine_server.shared.uploads import SharedUploads

_KEY = "webhook-key"
_UPLOADS = "upload-token-key"
_KEY_BYTES = 32


@asynccontextmanager
async def shared(folder: Path, options: QueueOptions) -> AsyncIterator[dict[str, Any]]:
    """The fields of a Backend. Raises ConfigurationError, StorageError."""
    if options.jobs is None or options.files is None:
        raise ConfigurationError(
            "Engine servers that share jobs have to share files too. Give --files, such as s3://bucket/folder or "
            "file:///folder, at each of them."
        )
    files = BucketStore(options.files, folder, options.max_stored, sends_files=options.sends_files)
    database = Postgres(options.jobs)
    await database.open()
    order = TurnOrder(options.keys) if options.keys else Order()
    queue = SharedQueue(
        database, secrets.token_hex(8), order, limit=options.max_queue, most_bytes=options.max_remembered
    )
    upkeep = Upkeep(database, queue, options.lease)
    try:
        await upkeep.begin()
        key_file = folder / _KEY
        if options.post:
            write_secret(key_file, await _secret(database, _KEY))
        upload_secret = await _secret(database, _UPLOADS) if options.keys else b""
        parts = _parts(queue, upkeep, files, SharedUploads(database), key_file, database)
        yield parts | {"upload_secret": upload_secret}
    finally:
        with anyio.CancelScope(shield=True):
            await queue.close()
            await database.close()


def _parts(
    queue: SharedQueue, upkeep: Upkeep, files: BucketStore, uploads: SharedUploads, key_file: Path, database: Postgres
) -> dict[str, Any]:
    known = queue.known
    return {
        "work": queue,
        "requests": queue,
        "files": files,
        "uploads": uploads,
        "key_file": key_file,
        "tasks": {
            "hearing of other engine servers": partial(database.listen, known.hear, known.look_again),
            "reading changed jobs": known.refresh,
            "announcing positions": known.announce_positions,
            "writing changes of jobs": queue.write,
            "writing logs of jobs": queue.write_logs,
            "keeping the lease": upkeep.run,
            "ending jobs that start too late": upkeep.end_late,
            "noting fetched songs": upkeep.write_fetched,
        },
        "clean": partial(_clean, queue, files, uploads, database),
        "undelivered": upkeep.adopted,
        "is_busy": lambda: queue.is_busy,
        "release": lambda: None,  # the lease ends by itself
        "give_back": queue.give_back,
        "fetched": upkeep.note_fetched,
    }


async def _clean(
    queue: SharedQueue, files: BucketStore, uploads: SharedUploads, database: Postgres, before: float, oldest: float
) -> None:
    async with database.reading() as cursor:
        expired = await job_table.expired_files(cursor, before)
    await anyio.to_thread.run_sync(files.forget, expired)
    async with database.reading() as cursor:
        await job_table.forget(cursor, before)
        named, unfinished = await job_table.kept(cursor)
    await queue.room.weigh()
    await uploads.forget(before)
    await anyio.to_thread.run_sync(partial(files.sweep, oldest, files=named, jobs=unfinished))


async def _secret(database: Postgres, name: str) -> bytes:
    """A secret that is the same at every front, drawn by the first."""
    async with database.reading() as cursor:
        await cursor.execute(
            "INSERT INTO acestep_secret (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [name, os.urandom(_KEY_BYTES)],
        )
        await cursor.execute("SELECT value FROM acestep_secret WHERE name = %s", [name])
        row = await cursor.fetchone()
    return bytes(row["value"]) if row else b""
