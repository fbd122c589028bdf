"""The use cases: make, wait, cancel, list, remake. Knows no MCP and no HTTP."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from acestep_mcp import __version__
from acestep_mcp.api.edits import edit_of, minimum_guidance
from acestep_mcp.api.endpoints import BY_TOOL, Endpoint
from acestep_mcp.api.errors import AceStepError, ConfigurationError, NotFound, StorageError
from acestep_mcp.api.requests import Request
from acestep_mcp.files import sweep
from acestep_mcp.inputs import Inputs, LocalSource, RemoteSource
from acestep_mcp.library.jobs import Jobs, new_id
from acestep_mcp.library.models import Job, Progress, Status, Track
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.settings import Settings
from acestep_mcp.studio.backends import Backends, Choice, choose, costs, may_be_local, price, submit_options, writer
from acestep_mcp.studio.estimate import length, seconds_left
from acestep_mcp.studio.finish import ensure_writable
from acestep_mcp.studio.previews import preview
from acestep_mcp.studio.run import Run
from acestep_mcp.studio.source_uploads import SourceUploads

logger = logging.getLogger(__name__)

T = TypeVar("T")
_SAY_SOMETHING = 4.0
_LOOK_AGAIN = 0.5
_HEARTBEAT = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A job and, once it is COMPLETED, its track."""

    job: Job
    track: Track | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of tracks, newest first; `next_cursor` is None on the last one. `total` counts all that match."""

    tracks: tuple[Track, ...]
    next_cursor: str | None
    total: int


class Studio:
    """Built once per process by `assembly.open_studio`, passed down; its jobs run in the task group given here."""

    def __init__(self, settings: Settings, jobs: Jobs, tracks: Tracks, backends: Backends, tasks: TaskGroup) -> None:
        self.settings = settings
        self._jobs = jobs
        self._tracks = tracks
        self._backends = backends
        self._tasks = tasks
        self._runs: dict[str, Run] = {}
        self._working = anyio.Event()
        self._changes_before = 0
        self._sources = SourceUploads(jobs.uploads)
        self._keeping = anyio.CapacityLimiter(2)
        self._beating = anyio.CapacityLimiter(1)  # its own thread: many busy jobs must not make this process look dead
        folders = (settings.music_dir, *settings.allowed_dirs)
        self._inputs = Inputs(folders, settings.data_dir / "uploads", tracks.get)

    # -- the life of this process among others

    async def open(self) -> None:
        """Say that this process lives. Other processes' jobs are taken up only from the first `work` on."""
        await _sync(self._jobs.beat)
        _, self._changes_before = await _sync(self._tracks.changed_since, -1)
        self._tasks.start_soon(self._live)

    def work(self) -> None:
        """From now on take up open jobs whose process is dead: this one stays long enough to finish them."""
        if not self._working.is_set():
            self._working.set()
            self._tasks.start_soon(_sync, self._tidy)

    def _tidy(self) -> None:
        sweep(self.settings.music_dir)
        self._inputs.prune(self._jobs.sources())

    async def _live(self) -> None:
        while True:
            try:
                await self._look_around()
            except StorageError as exc:
                logger.warning("%s", exc.message)
            with anyio.move_on_after(_HEARTBEAT):
                # The first wish to work is heard at once.
                await (anyio.sleep_forever() if self._working.is_set() else self._working.wait())

    async def _look_around(self) -> None:
        await anyio.to_thread.run_sync(self._jobs.beat, limiter=self._beating)
        if self._working.is_set():
            for job in await _sync(self._jobs.adopt, frozenset(self._runs)):
                self._go(job)
        for job_id in await _sync(self._jobs.to_cancel):
            if job_id in self._runs:
                self._runs[job_id].cancel.set()

    def _go(self, job: Job) -> None:
        if job.id not in self._runs:
            self._runs[job.id] = run = Run(job, self._jobs, self._tracks, self._backends, self._sources, self._keeping)
            self._tasks.start_soon(self._run, job.id, run)

    async def _run(self, job_id: str, run: Run) -> None:
        try:
            await run()
        finally:
            del self._runs[job_id]

    # -- making

    async def start(
        self, tool: str, arguments: Mapping[str, Any], *, idempotency_key: str | None = None, format_: str | None = None
    ) -> Job:
        """Check the arguments, put a job on disk and set it going.

        The same arguments again within 10 minutes of an answer that was never delivered (see `delivered`) give the
        first job back, with `attached` True; so does the same idempotency key at any time.
        Raises InvalidRequest, NotFound (for a source), ConfigurationError, StorageError, SpendLimitReached.
        """
        self.work()
        self._check_settings()
        endpoint = BY_TOOL[tool]
        request = endpoint.request.parse(arguments)
        choice = await self._choice()
        await _sync(ensure_writable, self.settings.music_dir)
        job = await self._job(endpoint, request, choice, format_ or self.settings.format)
        limit = self.settings.max_spend_usd
        job = await _sync(lambda: self._jobs.add(job, idempotency_key=idempotency_key, spend_limit=limit))
        if not job.attached:
            self._go(job)
        return job

    async def _choice(self) -> Choice:
        return choose(self.settings, await self._backends.local() if may_be_local(self.settings) else None)

    def _check_settings(self) -> None:
        if self.settings.problems:
            raise ConfigurationError(
                f"The settings are wrong, and nothing was made: {' '.join(self.settings.problems)} "
                "Mend them and start the server again."
            )

    async def _job(self, endpoint: Endpoint, request: Request, choice: Choice, format_: str) -> Job:
        body = request.wire()
        options: dict[str, Any] = {"format": format_, "price": price(self.settings, choice.name)}
        if choice.name != "draft":
            options["submit"] = submit_options(self.settings)
        source: LocalSource | RemoteSource | None = None
        if "audio_url" in body:
            source = await _sync(self._inputs.resolve, body["audio_url"])
        notes = minimum_guidance(request)[1]
        if isinstance(source, LocalSource):
            edit = edit_of(request, source.seconds)
            notes += edit.notes
            options |= {"source": str(source.path), "content_type": source.content_type, "edit": edit.span}
            if body["audio_url"].lstrip()[:5].lower() == "data:":
                body["audio_url"] = source.path.as_uri()
        options["seconds"] = length(request, source.seconds if isinstance(source, LocalSource) else None)
        cost = round(options["price"] * options["seconds"], 6)
        return Job(
            id=new_id(),
            endpoint=endpoint.id,
            request=body,
            status=Status.NEW,
            backend=choice.name,
            created_at=time.time(),
            queue_url=choice.queue_url,
            parent=source.parent if isinstance(source, LocalSource) else None,
            estimated_cost=cost,
            # The first thing that anybody who watches is told, before anything is submitted.
            progress=Progress(stage=f"{choice.name}, about ${cost:.4f}" if cost else ""),
            # Our own engines note these themselves.
            notes=notes if choice.name == "fal" else (),
            options=options,
        )

    async def watch(self, job_id: str, seconds: float) -> AsyncIterator[Progress]:
        """Progress at every change and at least every 4 s; ends when the job has ended or after `seconds`.

        A job whose song exists but could not be kept is tried again first.
        """
        self.work()
        if await _sync(self._jobs.revive, job_id):
            self._go(await _sync(self._jobs.get, job_id))
        deadline = anyio.current_time() + seconds
        said: Progress | None = None
        said_at = 0.0
        while True:
            run = self._runs.get(job_id)
            changed = run.changed if run else anyio.Event()
            job = await _sync(self._jobs.get, job_id)
            if job.progress != said or anyio.current_time() - said_at >= _SAY_SOMETHING:
                said, said_at = job.progress, anyio.current_time()
                yield await self._with_estimate(job)
            left = deadline - anyio.current_time()
            if job.status.is_terminal or left <= 0:
                return
            with anyio.move_on_after(min(left, _SAY_SOMETHING if run else _LOOK_AGAIN)):
                await changed.wait()

    async def _with_estimate(self, job: Job) -> Progress:
        if job.started_at is None or job.status.is_terminal:
            return job.progress
        rates = await _sync(self._jobs.rates, job.backend, job.endpoint)
        left = seconds_left(job.progress, time.time() - job.started_at, float(job.options.get("seconds", 0)), rates)
        return replace(job.progress, eta=left)

    async def outcome(self, job_id: str) -> Outcome:
        """The job as it is now, with its track. Raises NotFound with the recent ids."""
        return await _sync(self._outcome, job_id)

    def _outcome(self, job_id: str) -> Outcome:
        job = self._jobs.get(job_id)
        if job.track_id is None:
            return Outcome(job)
        try:
            return Outcome(job, self._tracks.get(job.track_id))
        except NotFound:
            return Outcome(job)

    async def delivered(self, job_id: str) -> None:
        """Say that this job's answer reached its caller: the next identical call is a new song."""
        await _sync(self._jobs.answer, job_id, "delivered")

    async def cut(self, job_id: str) -> None:
        """Say that the caller went away without an answer: the next identical call is attached to this job."""
        await _sync(self._jobs.answer, job_id, "cut")

    async def cancel(self, job_id: str) -> Outcome:
        """Cancel on request, wherever it runs, and wait up to 5 s for its end; an ended job is returned as it is."""
        job = await _sync(self._jobs.get, job_id)
        if job.status.is_terminal:
            return await self.outcome(job_id)
        await _sync(self._jobs.request_cancel, job_id)
        if job_id in self._runs:
            self._runs[job_id].cancel.set()
        async for _ in self.watch(job_id, 5):
            pass
        return await self.outcome(job_id)

    async def caller_cancelled(self, job_id: str) -> None:
        """The creating call was cancelled by an explicit notification: cancel if that saves something.

        By ACESTEP_CANCEL: auto (queued jobs, and running ones on a local engine), always, never.
        """
        await self.cut(job_id)
        job = await _sync(self._jobs.get, job_id)
        saves = job.backend != "fal" or job.status in (Status.NEW, Status.IN_QUEUE)
        if self.settings.cancel == "always" or (self.settings.cancel == "auto" and saves):
            await self.cancel(job_id)

    async def jobs(self, limit: int = 20) -> list[Job]:
        """The newest jobs first."""
        return await _sync(self._jobs.newest, limit)

    # -- tracks

    async def tracks(self, query: str = "", *, limit: int = 20, cursor: str | None = None) -> Page:
        """Tracks whose title, tags, lyrics, prompt or id contain every word of `query`, newest first."""
        found, more, total = await _sync(self._tracks.find, query, limit, cursor)
        return Page(tuple(found), more, total)

    async def track(self, name: str) -> Track:
        """By id, `acestep://tracks/ID` or file name. Raises NotFound with near matches."""
        return await _sync(self._tracks.get, name)

    async def preview(self, track: Track, max_bytes: int) -> bytes:
        """The whole song as an MP3 of at most so many bytes."""
        return await _sync(preview, track, self.settings.data_dir / "previews", max_bytes)

    async def delete(self, track_id: str) -> Track:
        """Move the file and its sidecar to the trash folder."""
        return await _sync(self._tracks.delete, track_id)

    async def restore(self, track_id: str) -> Track:
        """Bring a deleted track back."""
        return await _sync(self._tracks.restore, track_id)

    async def rebuild(self) -> int:
        """Read every sidecar again; answers how many tracks there are."""
        return await _sync(self._tracks.rebuild)

    async def changes(self) -> AsyncIterator[Track]:
        """Every track finished, deleted or restored since this studio was opened, by this process or another."""
        seen = self._changes_before
        while True:
            tracks, seen = await _sync(self._tracks.changed_since, seen)
            for track in tracks:
                yield track
            await anyio.sleep(_HEARTBEAT)

    # -- the state of things

    async def _reached(self, choice: Choice) -> dict[str, Any]:
        client = await self._backends.client(choice.name, choice.queue_url)
        trouble = await client.reachable()
        state = {"reachable": trouble is None, **({"trouble": trouble} if trouble else {})}
        return {**state, "engine": self._backends.describe(choice.name)}

    async def status(self) -> dict[str, Any]:
        """backend, why, cost, writer, reachable, engine {name, model, version}, folders, version, spend, settings problems.

        A local engine that does not run is not started for this; nothing is told of `reachable` and `engine` then.
        """
        state: dict[str, Any] = {
            "version": __version__,
            "music_dir": str(self.settings.music_dir),
            "data_dir": str(self.settings.data_dir),
            "spent_today_usd": round(await _sync(self._jobs.spent_today), 6),
            "max_spend_usd": self.settings.max_spend_usd,
            "problems": list(self.settings.problems),
        }
        try:
            choice = await self._choice()
            state |= {"backend": choice.name, "why": choice.why, "queue_url": choice.queue_url}
            state |= {"cost": costs(self.settings, choice.name), "writer": writer(self.settings, choice.name)}
            if not choice.starts:
                state |= await self._reached(choice)
        except AceStepError as exc:
            state |= {"reachable": False, "trouble": exc.message}
        try:
            await _sync(ensure_writable, self.settings.music_dir)
        except AceStepError as exc:
            state["problems"].append(exc.message)
        return state


async def _sync(function: Callable[..., T], *args: Any) -> T:
    return await anyio.to_thread.run_sync(function, *args)
