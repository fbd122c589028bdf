"""Making songs: start a job, follow it, cancel it."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from acestep_mcp.api.errors import AceStepError, ConfigurationError, NotFound, StorageError, isolated
from acestep_mcp.api.requests import ApiRequest
from acestep_mcp.inputs import Inputs
from acestep_mcp.library.jobs import Jobs, Rates
from acestep_mcp.library.models import Job, Outcome, Progress, Status
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.settings import Settings
from acestep_mcp.studio.backends import Backends, Choice, choose_backend
from acestep_mcp.studio.catalogue import Catalogue
from acestep_mcp.studio.estimate import with_estimate
from acestep_mcp.studio.finish import Finishing, ensure_writable
from acestep_mcp.studio.new_job import new_job
from acestep_mcp.studio.run import Run
from acestep_mcp.studio.sections import section_request
from acestep_mcp.studio.status import status_of
from acestep_mcp.studio.submitter import Submitter
from acestep_mcp.studio.takes import Remake, plan_remake
from acestep_mcp.studio.transcripts import Transcripts
from acestep_mcp.studio.turns import Turns
from acestep_mcp.studio.views import StatusView

logger = logging.getLogger(__name__)

T = TypeVar("T")
_REPORT_SECONDS = 4.0
_POLL_SECONDS = 0.5
_HEARTBEAT_SECONDS = 1.0


class Studio:
    """One per process, opened by `assembly.open_studio`; its jobs run in the task group given here."""

    def __init__(
        self,
        settings: Settings,
        jobs: Jobs,
        tracks: Tracks,
        backends: Backends,
        tasks: TaskGroup,
        working_dir: Path | None = None,
    ) -> None:
        self.settings = settings
        self._jobs = jobs
        self._tracks = tracks
        self._backends = backends
        self._tasks = tasks
        self.clean: Callable[[], None] = self.tidy  # may remove more
        self._runs: dict[str, Run] = {}
        self._adopting = anyio.Event()
        # A command ends soon: it takes over no other jobs than those that it waits for.
        self._awaited: set[str] | None = set() if working_dir else None
        self._submitter = Submitter(jobs)
        transcripts = Transcripts(backends.transcript, tracks, tasks)
        self._finishing = Finishing(anyio.CapacityLimiter(2), transcripts.add_to)
        # Its own thread, so that many busy jobs do not delay it.
        self._heartbeat = anyio.CapacityLimiter(1)
        self._turns = Turns()
        folders = (settings.music_dir, *settings.allowed_dirs)
        self.catalogue = Catalogue(tracks, settings.data_dir / "previews", folders)
        self._inputs = Inputs(folders, settings.data_dir / "uploads", tracks.get, working_dir)

    # -- this process among others

    async def open(self) -> None:
        """Start the heartbeat. Jobs of dead processes are taken over only after `adopt_jobs`."""
        with suppress(StorageError):  # where nothing can be written, songs can be looked up; each round tries again
            await _sync(self._jobs.leases.beat)
        await self.catalogue.open()
        self._tasks.start_soon(self._run_rounds)

    def adopt_jobs(self) -> None:
        """Take over the open jobs of dead processes from now on: those that are awaited or, in a server, all."""
        if not self._adopting.is_set():
            self._adopting.set()
            self._tasks.start_soon(self._clean_daily)

    async def _clean_daily(self) -> None:
        while True:
            await _sync(self.clean)
            await anyio.sleep(86_400)

    def tidy(self) -> None:
        """Remove what killed processes left, and old uploads that no job needs. Raises StorageError."""
        self.catalogue.tidy()
        self._inputs.prune(self._jobs.sources())

    async def _run_rounds(self) -> None:
        while True:
            try:
                with isolated(logger, "a round failed because of a bug"):
                    await self._round()
            except AceStepError as exc:
                logger.warning("%s", exc.message)
            with anyio.move_on_after(_HEARTBEAT_SECONDS):
                # The first call of `adopt_jobs` takes effect at once.
                await (anyio.sleep_forever() if self._adopting.is_set() else self._adopting.wait())

    async def _round(self) -> None:
        running = frozenset(self._runs) if self._adopting.is_set() else None
        adopted, to_cancel = await anyio.to_thread.run_sync(self._poll_database, running, limiter=self._heartbeat)
        for job in adopted:
            self._start_run(job)
        for job_id in to_cancel:
            if job_id in self._runs:
                self._runs[job_id].cancel.set()

    def _poll_database(self, running: frozenset[str] | None) -> tuple[list[Job], list[str]]:
        """In one thread hop: the heartbeat, jobs to take over, and cancel requests."""
        self._jobs.leases.beat()
        return [] if running is None else self._jobs.adopt(running, self._awaited), self._jobs.cancel_requests()

    def _start_run(self, job: Job, rates: Rates | None = None) -> None:
        """Run the job here; `rates` are those of earlier jobs, when they are known already."""
        if job.id not in self._runs:
            run = Run(job, self._jobs, self._tracks, self._backends, self._submitter, self._finishing)
            run.rates = rates
            self._runs[job.id] = run
            self._tasks.start_soon(self._run, job.id, run)

    async def _run(self, job_id: str, run: Run) -> None:
        try:
            with isolated(logger, "job %s failed because of a bug", job_id):
                async with self._turns.of(run.job, run.cancel, run.show):
                    await run()
        except AceStepError as exc:
            logger.warning("job %s: %s", job_id, exc.message)
        finally:
            del self._runs[job_id]

    # -- making

    async def start(self, request: ApiRequest, *, idempotency_key: str | None = None) -> Job:
        """Store a job for the request and run it.

        The same request within 10 minutes of an undelivered answer (see `delivered`) returns the first job with
        `attached` True; so does the same idempotency key at any time.
        Raises InvalidRequest, NotFound (for a source), ConfigurationError, StorageError, SpendLimitReached.
        """
        [job] = await self._start(lambda choice: [(self._new_job(request, choice), idempotency_key)])
        return job

    async def remake(
        self, name: str, changes: Mapping[str, Any], takes: int, *, idempotency_key: str | None = None
    ) -> list[Job]:
        """`start` for every take of a track's request: all are stored, or none. Two of them run at once on one host.

        Raises InvalidRequest also for a track without a recorded request.
        """
        remake = plan_remake(await self.catalogue.get(name), changes, takes)
        return await self._start(lambda choice: self._takes(remake, choice, idempotency_key))

    def _takes(self, remake: Remake, choice: Choice, key: str | None) -> list[tuple[Job, str | None]]:
        """Jobs with seeds that were not used yet, each with its key; those of an undelivered answer come again."""
        found: dict[int, tuple[Job, str | None]] = {}
        for number in range(remake.takes):
            for seed in remake.seeds(number, key):
                if seed in found:
                    continue
                job = remake.related(self._new_job(remake.request(seed), choice))
                if key is not None or seed == remake.seed or not self._jobs.is_made(job):
                    found[seed] = job, key and f"{key}/{number + 1}"
                    break
        return list(found.values())

    def _new_job(self, request: ApiRequest, choice: Choice) -> Job:
        return new_job(request, choice, self.settings, self._inputs)

    async def _start(self, plan: Callable[[Choice], list[tuple[Job, str | None]]]) -> list[Job]:
        self.adopt_jobs()
        if self.settings.problems:
            raise ConfigurationError(
                f"Nothing was made, because settings are wrong: {' '.join(self.settings.problems)} "
                "Fix them and start the program again."
            )
        choice = await choose_backend(self.settings, self._backends)
        jobs, rates = await _sync(self._add, plan, choice)
        for job in jobs:
            if not job.attached:
                self._start_run(job, rates)
        return jobs

    def _add(self, plan: Callable[[Choice], list[tuple[Job, str | None]]], choice: Choice) -> tuple[list[Job], Rates]:
        """Runs in a thread. The stored jobs, or earlier ones that this call repeats; and the rates of earlier jobs."""
        ensure_writable(self.settings.music_dir)
        self._jobs.leases.beat()  # before it has a job, so that no other process takes that for an orphan
        added = self._jobs.add_all(plan(choice), spend_limit=self.settings.max_spend_usd)
        return added, self._jobs.rates(added[0].backend, added[0].endpoint)

    async def section_request(self, name: str, section: str, given: Mapping[str, Any]) -> ApiRequest:
        """The edit that makes a section of a track again, with the `given` fields. Raises NotFound listing the sections."""
        return section_request(await self.catalogue.get(name), section, given)

    async def watch(self, job_id: str, seconds: float) -> AsyncIterator[Progress]:
        """Progress at every change and at least every 4 s, until the job has ended or `seconds` have passed.

        A job whose song exists but could not be saved is reopened first.
        """
        if self._awaited is not None:
            self._awaited.add(job_id)
        self.adopt_jobs()
        if job_id not in self._runs and await _sync(self._jobs.reopen, job_id):
            self._start_run(await _sync(self._jobs.get, job_id))
        deadline = anyio.current_time() + seconds
        reported: Progress | None = None
        reported_at = reached = 0.0
        run: Run | None = None
        while True:
            # A run that has ended still knows how; without one the job may be changed by another process.
            run = self._runs.get(job_id) or (run if run and run.job.status.is_terminal else None)
            changed = run.changed if run else anyio.Event()
            job = run.job if run else await _sync(self._jobs.get, job_id)
            if (why := self._submitter.waits.get(job_id)) and not job.status.is_terminal:
                job = job.changed(progress=Progress(job.progress.fraction, f"waiting. {why}"))
            if job.progress != reported or anyio.current_time() - reported_at >= _REPORT_SECONDS:
                reported, reported_at = job.progress, anyio.current_time()
                progress = await self._with_estimate(job)
                reached = max(reached, progress.fraction)
                yield replace(progress, fraction=reached)
            left = deadline - anyio.current_time()
            if job.status.is_terminal or left <= 0:
                return
            with anyio.move_on_after(min(left, _REPORT_SECONDS if run else _POLL_SECONDS)):
                await changed.wait()

    async def _with_estimate(self, job: Job) -> Progress:
        if job.started_at is None or job.status.is_terminal or job.progress.queue_position is not None:
            return job.progress
        run = self._runs.get(job.id)
        if run is None or run.rates is None:
            rates = await _sync(self._jobs.rates, job.backend, job.endpoint)
            if run is not None:
                run.rates = rates
        else:
            rates = run.rates
        return with_estimate(job.progress, max(0.0, time.time() - job.started_at), job.options.seconds, rates)

    async def outcome(self, job_id: str) -> Outcome:
        """The job as it is now, with its track. Raises NotFound with the recent ids."""
        found = await _sync(self._outcome, job_id)
        if found.job.status.is_terminal:
            return found
        return replace(found, job=found.job.changed(progress=await self._with_estimate(found.job)))

    def _outcome(self, job_id: str) -> Outcome:
        job = self._jobs.get(job_id)
        with suppress(NotFound):
            if job.track_id is not None:
                return Outcome(job, self._tracks.get(job.track_id))
        return Outcome(job)

    async def delivered(self, job_id: str) -> None:
        """Record that the caller has the answer: the next identical call makes a new song."""
        await _sync(self._jobs.record_answer, job_id, "delivered")

    async def undelivered(self, job_id: str) -> None:
        """Record that the caller left without an answer: the next identical call is attached to this job."""
        await _sync(self._jobs.record_answer, job_id, "cut")

    async def cancel(self, job_id: str) -> Outcome:
        """Cancel the job, whichever process runs it, and wait up to 5 s; a job that has ended stays as it is."""
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
        """The call that created the job was explicitly cancelled: cancel the job as ACESTEP_CANCEL says.

        auto cancels what would still cost money or time: queued jobs, and running ones that are not at fal.
        """
        await self.undelivered(job_id)
        job = await _sync(self._jobs.get, job_id)
        saves = job.backend != "fal" or job.status in (Status.NEW, Status.IN_QUEUE)
        if self.settings.cancel == "always" or (self.settings.cancel == "auto" and saves):
            await self.cancel(job_id)

    async def stop(self, job_id: str, *, created: bool = True) -> Job:
        """A person stopped the command that waits for the job; if the command `created` it, this is `caller_cancelled`.

        A job that ran here and is not cancelled is taken over by no other process until somebody waits for it.
        """
        if created:
            await self.caller_cancelled(job_id)
        job = await _sync(self._jobs.get, job_id)
        if not job.status.is_terminal and await _sync(self._jobs.is_owned, job_id):
            await _sync(self._jobs.record_answer, job_id, "stopped")
        return job

    async def jobs(self, limit: int = 20) -> list[Job]:
        """The newest jobs first."""
        return await _sync(self._jobs.newest, limit)

    async def status(self) -> StatusView:
        """The state of the setup."""
        return await status_of(self.settings, self._jobs, self._backends, self.catalogue)


async def _sync(function: Callable[..., T], *args: Any) -> T:
    return await anyio.to_thread.run_sync(function, *args)
