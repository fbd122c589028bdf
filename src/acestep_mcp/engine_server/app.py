"""The engine server as an ASGI app."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

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
from acestep_mcp.api.errors import AceStepError, QueueUnavailable
from acestep_mcp.engine_server import wire
from acestep_mcp.engine_server.auth import KEYS_PATH, METRICS_PATH, READY_PATH, Access, AuthMiddleware
from acestep_mcp.engine_server.backend import KEY_NAME, Backend, opened
from acestep_mcp.engine_server.background import repeat
from acestep_mcp.engine_server.engine_page import engine_page
from acestep_mcp.engine_server.file_routes import FileRoutes
from acestep_mcp.engine_server.job_routes import JobRoutes
from acestep_mcp.engine_server.options import QueueOptions, Scale
from acestep_mcp.engine_server.proxy import ProxyMiddleware
from acestep_mcp.engine_server.signing import Signer
from acestep_mcp.engine_server.source_downloads import SourceDownloads
from acestep_mcp.engine_server.source_loader import SourceLoader
from acestep_mcp.engine_server.webhooks import Webhooks
from acestep_mcp.engine_server.worker import Worker
from acestep_mcp.engine_server.workers import Workers
from acestep_mcp.engines import Engine, ResumableEngine, loras_of

__all__ = ["KEY_NAME", "QueueOptions", "serving"]

_DEFAULTS = QueueOptions()
LONGEST_CHALLENGE = 128
LEFTOVERS_KEPT = 3600
"""Seconds before a file that no job refers to counts as left over, however short the retention is."""

RETRY_SECONDS = 1.0
SCALE_SECONDS = 1.0
STOP_SECONDS = 2.0

Reply = Callable[[HttpRequest], Awaitable[Response]]


@asynccontextmanager
async def serving(*engines: Engine, folder: Path, options: QueueOptions = _DEFAULTS) -> AsyncIterator[Starlette]:
    """Run a worker for each engine while the block lasts; the app answers only inside it.

    Several engines are the same one on several devices.

    The app has no lifespan: run uvicorn with `lifespan="off"`. Files are kept in `folder`; without a database they
    and all jobs are removed at exit. Jobs that run at exit are stopped, and with a database restarted next time.
    `app.state.is_busy` is a function: whether a job waits or runs; `app.state.release` puts the running jobs back, and
    `app.state.drain` does so after it has let them end for some seconds. Raises Occupied when another server uses the
    database, StorageError.
    """
    begun = await anyio.to_thread.run_sync(_begun, engines)
    async with opened(folder, options, begun) as backend, _running(engines, backend, options) as app:
        yield app


@asynccontextmanager
async def _running(engines: Sequence[Engine], backend: Backend, options: QueueOptions) -> AsyncIterator[Starlette]:
    file_store = backend.files
    source_loader = SourceLoader(file_store, options.fetch)
    webhooks = Webhooks(backend.work, options.post, Signer(backend.key_file)) if options.post else None
    each = [Worker(engine, backend.work, file_store, source_loader, options) for engine in engines]
    workers = Workers(each, SourceDownloads(backend.work, source_loader))
    async with _task_group() as group:
        for name, task in backend.tasks.items():
            group.start_soon(repeat, task, name, RETRY_SECONDS)
        group.start_soon(workers.run, RETRY_SECONDS)
        clean = partial(_clean, backend, options.retention)
        group.start_soon(repeat, clean, "cleaning up", min(60, max(options.retention / 2, 0.05)))
        if options.scale:
            group.start_soon(repeat, partial(_scale, backend, options.scale), "scaling", SCALE_SECONDS)
        for engine in engines:
            if isinstance(engine, ResumableEngine):
                stop = partial(_stop_ended, engine, backend)
                group.start_soon(repeat, stop, "stopping what nobody waits for", STOP_SECONDS)
        if webhooks:
            group.start_soon(webhooks.run)
            adopt = partial(_adopt, backend, webhooks)
            group.start_soon(repeat, adopt, "taking over webhooks", options.lease)
        job_routes = JobRoutes(backend.requests, source_loader, file_store, webhooks, options)
        access = Access(options, backend.upload_secret)
        file_routes = FileRoutes(file_store, backend.uploads, access.new_token, backend.fetched, options)
        info_routes = _info_routes(engines[0], backend, workers, webhooks, options)
        app = _app(job_routes, [*info_routes, *_file_routes(file_routes)], access, options)
        app.state.is_busy = backend.is_busy
        app.state.release = backend.release
        app.state.drain, app.state.drain_seconds = partial(_drain, backend, workers, job_routes), options.drain
        yield app
        group.cancel_scope.cancel()


def _begun(engines: Sequence[Engine]) -> dict[str, str]:
    """The cancel notes, by job id, of jobs that an earlier run of this server started elsewhere."""
    resumable = [engine for engine in engines if isinstance(engine, ResumableEngine) and engine.cancel_note]
    return {job_id: engine.cancel_note for engine in resumable for job_id in engine.begun()}


async def _stop_ended(engine: ResumableEngine, backend: Backend) -> None:
    """Stop elsewhere what was begun for jobs that have ended since.

    They were cancelled before a restarted server took them again, or while nobody was reached there.
    """
    for job_id in await anyio.to_thread.run_sync(engine.begun):
        job = await backend.requests.find(job_id, logs=False)
        if job and job.ended:
            await anyio.to_thread.run_sync(engine.stop, job_id)


async def _drain(backend: Backend, workers: Workers, job_routes: JobRoutes, seconds: float) -> None:
    """Take no job from now on, let those that run end within so many seconds, and put the others back into the queue."""
    job_routes.is_closing = True
    workers.stop_taking()
    await backend.give_back(running=False)
    if await workers.stop(seconds):
        await backend.give_back(running=True)


async def _scale(backend: Backend, scale: Scale) -> None:
    counts = await backend.requests.counts()
    await anyio.to_thread.run_sync(scale, counts["queued"], counts["running"])


async def _adopt(backend: Backend, webhooks: Webhooks) -> None:
    for job in await backend.undelivered():
        webhooks.watch(job)


def _app(job_routes: JobRoutes, others: list[Route], access: Access, options: QueueOptions) -> Starlette:
    return Starlette(
        routes=[*others, *_job_routes(job_routes)],
        middleware=[
            Middleware(ProxyMiddleware, public_url=options.public_url),
            Middleware(AuthMiddleware, options=options, access=access),
        ],
        exception_handlers=dict.fromkeys((HTTPException, AceStepError, ClientDisconnect, Exception), wire.error_reply),
    )


def _file_routes(file_routes: FileRoutes) -> list[Route]:
    return [
        Route("/storage/auth/token", file_routes.token, methods=["POST"]),
        Route("/storage/upload/initiate", file_routes.initiate, methods=["POST"]),
        Route("/storage/upload/initiate-multipart", file_routes.initiate, methods=["POST"]),
        Route("/files/upload", file_routes.whole, methods=["POST"]),
        Route("/files/upload/multipart", file_routes.begin_multipart, methods=["POST"]),
        Route("/files/{name}/multipart/{upload}/complete", file_routes.complete, methods=["POST"]),
        Route("/files/{name}/multipart/{upload}/{number}", file_routes.put_part, methods=["PUT"]),
        Route("/put/{upload}", file_routes.put, methods=["PUT"]),
        Route("/put/{upload}/complete", file_routes.complete, methods=["POST"]),
        Route("/put/{upload}/{number}", file_routes.put_part, methods=["PUT"]),
        Route("/files/{name}", file_routes.download, methods=["GET"]),
    ]


def _job_routes(job_routes: JobRoutes) -> list[Route]:
    job = "/{app:path}/requests/{request_id}"
    return [
        Route(f"{job}/status", job_routes.status, methods=["GET"]),
        Route(f"{job}/status/stream", job_routes.stream, methods=["GET"]),
        Route(f"{job}/response", job_routes.result, methods=["GET"]),
        Route(f"{job}/cancel", job_routes.cancel, methods=["PUT"]),
        Route(job, job_routes.result, methods=["GET"]),
        Route(job, job_routes.remove, methods=["DELETE"]),
        Route("/run/{endpoint:path}/stream", job_routes.run_stream, methods=["POST"]),
        Route("/run/{endpoint:path}", job_routes.run, methods=["POST", "GET"]),
        Route("/{endpoint:path}", job_routes.submit, methods=["POST", "GET"]),
    ]


def _info_routes(
    engine: Engine, backend: Backend, workers: Workers, webhooks: Webhooks | None, options: QueueOptions
) -> list[Route]:
    routes = [
        Route("/", engine_page),
        Route("/health", _health(engine, backend, workers, options)),
        Route(READY_PATH, _ready(workers)),
        Route("/openapi.json", _openapi(options)),
        Route("/loras", _loras(engine)),
        Route("/devices", _devices(workers)),
        Route(METRICS_PATH, _metrics(backend, workers, options)),
    ]
    return [*routes, Route(KEYS_PATH, _keys(webhooks.signer))] if webhooks else routes


def _keys(signer: Signer) -> Reply:
    async def keys(_: HttpRequest) -> Response:
        return wire.Json(signer.key_set())

    return keys


def _health(engine: Engine, backend: Backend, workers: Workers, options: QueueOptions) -> Reply:
    async def health(http: HttpRequest) -> Response:
        info: dict[str, Any] = {"engine": engine.name, "model": engine.model, "version": engine.version}
        challenge = http.query_params.get("challenge", "")
        if options.prove and 0 < len(challenge) <= LONGEST_CHALLENGE:
            info["proof"] = options.prove(challenge, http.scope["server"][1])
        # Anyone may ask here; which job runs is nobody's business where there is a key.
        if devices := workers.devices(lambda _: not options.needs_key):
            info["devices"] = devices
        return wire.Json({"status": "ok", "server": acestep_mcp.__version__, **info, **await backend.requests.counts()})

    return health


def _ready(workers: Workers) -> Reply:
    async def ready(_: HttpRequest) -> Response:
        return wire.Json({"ready": workers.are_ready}, 200 if workers.are_ready else 503)

    return ready


def _loras(engine: Engine) -> Reply:
    async def loras(_: HttpRequest) -> Response:
        return wire.Json({"loras": await anyio.to_thread.run_sync(loras_of, engine) or ()})

    return loras


def _devices(workers: Workers) -> Reply:
    async def devices(http: HttpRequest) -> Response:
        owner = wire.owner_of(http)
        return wire.Json({"devices": workers.devices(owner.__eq__)})

    return devices


def _metrics(backend: Backend, workers: Workers, options: QueueOptions) -> Reply:
    async def metrics(http: HttpRequest) -> Response:
        if options.metrics is None:
            raise HTTPException(
                404, "Nothing is measured here. Install acestep-mcp[metrics] and start the engine again."
            )
        counts: dict[str, Any] | None = None
        with suppress(QueueUnavailable):
            counts = await backend.requests.counts()
        text, kind = options.metrics.text(http.headers.get("accept", ""), counts, workers.measured())
        return Response(text, headers={"content-type": kind})

    return metrics


async def _clean(backend: Backend, retention: float) -> None:
    """Remove responses and files whose retention has passed."""
    before = time.time() - retention
    await backend.clean(before, min(before, time.time() - LEFTOVERS_KEPT))


def _openapi(options: QueueOptions) -> Reply:
    async def openapi(http: HttpRequest) -> Response:
        from acestep_mcp.engine_server.openapi import document  # rarely needed

        return wire.Json(document(wire.base_of(http, options.public_url), needs_key=options.needs_key))

    return openapi


@asynccontextmanager
async def _task_group() -> AsyncIterator[TaskGroup]:
    """A task group that raises a single error as it is: it is the caller's own, from its block."""
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as exc:
        if len(exc.exceptions) == 1:
            raise exc.exceptions[0] from exc.exceptions[0].__cause__
        raise
