"""The engine server as an ASGI app."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

import acestep_mcp
from acestep_mcp.api.errors import AceStepError
from acestep_mcp.engine_server import wire
from acestep_mcp.engine_server.auth import KEYS_PATH, Guard
from acestep_mcp.engine_server.file_routes import Uploads
from acestep_mcp.engine_server.file_store import Storage
from acestep_mcp.engine_server.job_queue import Line
from acestep_mcp.engine_server.job_routes import Tickets
from acestep_mcp.engine_server.job_store import Records
from acestep_mcp.engine_server.options import Prove, QueueOptions
from acestep_mcp.engine_server.proxy import Proxy
from acestep_mcp.engine_server.signing import Signer
from acestep_mcp.engine_server.sources import Sources
from acestep_mcp.engine_server.webhooks import Webhooks, restored
from acestep_mcp.engine_server.worker import Worker
from acestep_mcp.engines import Engine
from acestep_mcp.web.page import page

__all__ = ["QueueOptions", "serving"]

_DEFAULTS = QueueOptions()
KEY_NAME = "webhook-key"
LONGEST_CHALLENGE = 128
LEFTOVERS_KEPT = 3600
"""Seconds before a file that no job names is taken for a leftover, however short the retention is."""

Reply = Callable[[HttpRequest], Awaitable[Response]]


@asynccontextmanager
async def serving(engine: Engine, *, folder: Path, options: QueueOptions = _DEFAULTS) -> AsyncIterator[Starlette]:
    """Run the engine's worker while the block lasts; the app answers only inside it.

    The app has no lifespan of its own: under uvicorn say `lifespan="off"`. Files lie in `folder`; without a database
    they, and every job, are gone at exit. A job that runs at exit is stopped, and with a database starts again next
    time. `app.state.is_busy` tells whether a job waits or runs. Raises Occupied when another server uses the database,
    StorageError.
    """
    storage = Storage(folder)
    records = Records(options.database)
    try:
        line = Line(records, limit=options.max_queue)
        line.restore()
        webhooks = _webhooks(line, folder, options)
        async with _at_work(engine, line, storage, webhooks, options) as app:
            yield app
    finally:
        records.close()
        if options.database is None:
            (folder / KEY_NAME).unlink(missing_ok=True)
            storage.remove()


@asynccontextmanager
async def _at_work(
    engine: Engine, line: Line, storage: Storage, webhooks: Webhooks | None, options: QueueOptions
) -> AsyncIterator[Starlette]:
    sources = Sources(storage, options.fetch)
    uploads = Uploads(storage, options)
    worker = Worker(engine, line, storage, sources, options)
    try:
        async with _task_group() as group:
            for task in (worker.run, line.refuse_late, line.tell_positions):
                group.start_soon(task)
            group.start_soon(_clean, line, storage, uploads, options.retention)
            if webhooks:
                group.start_soon(webhooks.run)
            tickets = Tickets(line, sources, storage, webhooks, options)
            app = _app(tickets, [*_about_routes(engine, line, webhooks, options), *_file_routes(uploads)], options)
            app.state.is_busy = lambda: line.is_busy
            yield app
            group.cancel_scope.cancel()
    finally:
        line.release()


def _webhooks(line: Line, folder: Path, options: QueueOptions) -> Webhooks | None:
    if options.post is None:
        return None
    keys = options.database.parent if options.database else folder
    webhooks = Webhooks(line, options.post, Signer(keys / KEY_NAME))
    for job in restored(line.jobs):
        webhooks.watch(job)
    return webhooks


def _app(tickets: Tickets, others: list[Route], options: QueueOptions) -> Starlette:
    return Starlette(
        routes=[*others, *_job_routes(tickets)],
        middleware=[Middleware(Proxy, public_url=options.public_url), Middleware(Guard, options=options)],
        exception_handlers=dict.fromkeys((HTTPException, AceStepError, ClientDisconnect, Exception), wire.failed),
    )


def _file_routes(uploads: Uploads) -> list[Route]:
    return [
        Route("/storage/auth/token", uploads.token, methods=["POST"]),
        Route("/storage/upload/initiate", uploads.initiate, methods=["POST"]),
        Route("/storage/upload/initiate-multipart", uploads.initiate, methods=["POST"]),
        Route("/files/upload", uploads.whole, methods=["POST"]),
        Route("/files/upload/multipart", uploads.begin_multipart, methods=["POST"]),
        Route("/files/{name}/multipart/{upload}/complete", uploads.complete, methods=["POST"]),
        Route("/files/{name}/multipart/{upload}/{number:int}", uploads.put_part, methods=["PUT"]),
        Route("/put/{upload}", uploads.put, methods=["PUT"]),
        Route("/put/{upload}/complete", uploads.complete, methods=["POST"]),
        Route("/put/{upload}/{number:int}", uploads.put_part, methods=["PUT"]),
        Route("/files/{name}", uploads.download, methods=["GET"]),
    ]


def _job_routes(tickets: Tickets) -> list[Route]:
    job = "/{app:path}/requests/{request_id}"
    return [
        Route(f"{job}/status", tickets.status, methods=["GET"]),
        Route(f"{job}/status/stream", tickets.stream, methods=["GET"]),
        Route(f"{job}/response", tickets.result, methods=["GET"]),
        Route(f"{job}/cancel", tickets.cancel, methods=["PUT"]),
        Route(job, tickets.result, methods=["GET"]),
        Route("/run/{endpoint:path}/stream", tickets.run_stream, methods=["POST"]),
        Route("/run/{endpoint:path}", tickets.run, methods=["POST", "GET"]),
        Route("/{endpoint:path}", tickets.submit, methods=["POST", "GET"]),
    ]


def _about_routes(engine: Engine, line: Line, webhooks: Webhooks | None, options: QueueOptions) -> list[Route]:
    routes = [
        Route("/", page),
        Route("/health", _health(engine, line, options.prove)),
        Route("/openapi.json", _openapi(options)),
    ]
    return [*routes, Route(KEYS_PATH, _keys(webhooks.signer))] if webhooks else routes


def _keys(signer: Signer) -> Reply:
    async def keys(_: HttpRequest) -> Response:
        return wire.Json(signer.key_set())

    return keys


def _health(engine: Engine, line: Line, prove: Prove | None) -> Reply:
    async def health(http: HttpRequest) -> Response:
        about = {"engine": engine.name, "model": engine.model, "version": engine.version}
        challenge = http.query_params.get("challenge", "")
        if prove and 0 < len(challenge) <= LONGEST_CHALLENGE:
            about["proof"] = prove(challenge, http.scope["server"][1])
        return wire.Json({"status": "ok", "server": acestep_mcp.__version__, **about, **line.counts()})

    return health


async def _clean(line: Line, storage: Storage, uploads: Uploads, retention: float) -> None:
    """Run for ever: remove answers and files whose time is over."""
    while True:
        before = time.time() - retention
        names = line.forget(before)
        uploads.forget(before)
        await anyio.to_thread.run_sync(storage.forget, names)
        oldest = min(before, time.time() - LEFTOVERS_KEPT)
        await anyio.to_thread.run_sync(partial(storage.sweep, oldest, files=line.files, jobs=line.ids))
        await anyio.sleep(min(60, max(retention / 2, 0.05)))


def _openapi(options: QueueOptions) -> Reply:
    async def openapi(http: HttpRequest) -> Response:
        from acestep_mcp.engine_server.openapi import document  # seldom asked for

        return wire.Json(document(wire.base_of(http, options.public_url)))

    return openapi


@asynccontextmanager
async def _task_group() -> AsyncIterator[TaskGroup]:
    """A task group out of which a single error comes as itself: it is the caller's own, raised in its block."""
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as exc:
        if len(exc.exceptions) == 1:
            raise exc.exceptions[0] from exc.exceptions[0].__cause__
        raise
