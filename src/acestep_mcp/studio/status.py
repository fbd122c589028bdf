"""The state of the setup: which engine would be used and why, whether it answers, folders, spend, problems."""

from __future__ import annotations

from typing import Any

import anyio.to_thread

from acestep_mcp import __version__
from acestep_mcp.api.errors import AceStepError
from acestep_mcp.library.jobs import Jobs
from acestep_mcp.settings import Settings
from acestep_mcp.studio.backends import (
    LOCAL,
    Backends,
    Choice,
    choose_backend,
    costs,
    transcriber,
    upstream_in,
    with_kind,
    writer,
)
from acestep_mcp.studio.catalogue import Catalogue
from acestep_mcp.studio.finish import ensure_writable
from acestep_mcp.studio.views import StatusView


async def status_of(
    settings: Settings, jobs: Jobs, backends: Backends, catalogue: Catalogue, *, read_only: bool = False
) -> StatusView:
    """Does not start a local engine; `reachable` and `engine` are absent when it is not running.

    With `read_only` nothing is created: neither is it tested whether the music folder can be written, nor is the draft
    engine opened.
    """
    problems = list(settings.problems)
    try:
        choice = await choose_backend(settings, backends)
        backend: dict[str, Any] = {"backend": choice.name, "why": choice.why, "queue_url": choice.queue_url}
        backend |= {"cost": costs(settings, choice.name), "writer": writer(settings, choice.name)}
        if read_only and choice.name == "draft":
            backend |= {"reachable": True, "engine": backends.describe(choice.name)}
        elif not choice.starts:
            backend |= await _probe(choice, backends)
    except AceStepError as exc:
        backend = {"reachable": False, "trouble": exc.message}
    try:
        if not read_only:
            await anyio.to_thread.run_sync(ensure_writable, settings.music_dir)
        problems += await catalogue.problems()
    except AceStepError as exc:
        problems.append(exc.message)
    notices = jobs.notices.untold if read_only else jobs.notices.tell
    problems += await anyio.to_thread.run_sync(notices)
    return StatusView(
        problems=problems,
        version=__version__,
        transcriber=transcriber(settings),
        music_dir=str(settings.music_dir),
        data_dir=str(settings.data_dir),
        spent_today_usd=round(await anyio.to_thread.run_sync(jobs.spent_today), 6),
        max_spend_usd=settings.max_spend_usd,
        **backend,
    )


async def _probe(choice: Choice, backends: Backends) -> dict[str, Any]:
    """Whether it answers; an engine's address that is no queue may be that of a server of other people."""
    upstream = upstream_in(choice.queue_url)
    engine: dict[str, Any]
    if upstream is None:
        client = await backends.client(choice.name, choice.queue_url)
        trouble, engine = await client.reachable(), dict(backends.describe(choice.name))
        if trouble is None and choice.name == "engine":
            engine |= {name: list(found) or None for name, found in (await client.engine_lists()).items()}
        elif choice.name == "engine" and not choice.queue_url.startswith(LOCAL):
            choice = with_kind(choice, await (await backends.upstreams()).kind_at(choice.queue_url))
            upstream = upstream_in(choice.queue_url)
    if upstream is not None:
        trouble, engine = await (await backends.upstreams()).state(*upstream)
    told = {"why": choice.why, "queue_url": choice.queue_url}
    return told | {"reachable": trouble is None, "trouble": trouble, "engine": engine}
