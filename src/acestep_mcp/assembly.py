"""Opens a Studio from the settings. The only module that knows every package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from acestep_mcp.api.errors import ConfigurationError, StorageError
from acestep_mcp.api.wording import COMMANDS, TOOLS, Wording
from acestep_mcp.net.timeouts import Timeouts
from acestep_mcp.settings import Settings
from acestep_mcp.studio.backends import LOCAL, LocalEngine, fal_model, upstream_in
from acestep_mcp.studio.catalogue import Catalogue
from acestep_mcp.studio.status import status_of
from acestep_mcp.studio.studio import Studio

if TYPE_CHECKING:
    from pydantic import SecretStr

    from acestep_mcp.client import Host, QueueClient
    from acestep_mcp.engine_server.launch.launcher import EngineLauncher
    from acestep_mcp.engine_server.options import Fetch, Post, Writer
    from acestep_mcp.engine_server.upstream import Upstreams
    from acestep_mcp.engines import Engine
    from acestep_mcp.engines.model.options import EngineOptions
    from acestep_mcp.library.database import Database
    from acestep_mcp.library.jobs import Jobs
    from acestep_mcp.library.models import Track
    from acestep_mcp.library.tracks import Tracks
    from acestep_mcp.net.chosen_server import ChosenServer
    from acestep_mcp.studio.views import StatusView

_LOCAL_TIMEOUTS = Timeouts(outage=3)  # an engine on this machine that does not answer has ended and is started again
_TRANSCRIBED_BYTES = 2 << 20


@asynccontextmanager
async def open_studio(
    settings: Settings, *, lease: float = 15.0, working_dir: Path | None = None
) -> AsyncIterator[Studio]:
    """The studio of this process, with its database and its queue clients.

    A process without a heartbeat for `lease` seconds counts as dead, and its jobs are taken over. Leaving cancels no
    job: the next process finishes them. With `working_dir` the caller is a person at a terminal: messages name commands,
    and any file that this person can read may be edited. Raises StorageError when the database cannot be used.
    """
    from acestep_mcp.library.database import Database
    from acestep_mcp.library.jobs import Jobs
    from acestep_mcp.library.retention import Retention

    database = await anyio.to_thread.run_sync(Database, settings.database)
    wording = COMMANDS if working_dir else TOOLS
    try:
        jobs = Jobs(database, lease=lease, wording=wording)
        with _ungrouped():
            async with QueueClients.open(settings, jobs) as clients, anyio.create_task_group() as runs:
                tracks = tracks_of(settings, database, wording)
                studio = Studio(settings, jobs, tracks, clients, runs, working_dir)
                old = Retention(tracks, settings.data_dir, settings.trash_days)
                studio.clean = partial(old.clean, jobs.leases.alive, studio.tidy)
                try:
                    await studio.open()
                    yield studio
                finally:
                    runs.cancel_scope.cancel()
    finally:
        database.close()


async def status_only(settings: Settings) -> StatusView:
    """The state of the setup for a person at a terminal, without a trace on the disk. Raises StorageError."""
    from acestep_mcp.library.database import Database
    from acestep_mcp.library.jobs import Jobs

    database = await anyio.to_thread.run_sync(partial(Database, settings.database, copied=True))
    try:
        jobs = Jobs(database, wording=COMMANDS)
        catalogue = Catalogue(tracks_of(settings, database, COMMANDS), settings.data_dir)
        with _ungrouped():
            async with QueueClients.open(settings, jobs) as clients:
                return await status_of(settings, jobs, clients, catalogue, read_only=True)
    finally:
        database.close()


def rebuild_index(settings: Settings) -> tuple[int, list[str]]:
    """Read every sidecar again; the number of songs, and the notices not shown yet. Raises StorageError."""
    from acestep_mcp.library.database import Database
    from acestep_mcp.library.jobs import Jobs

    with closing(Database(settings.database)) as database:
        return tracks_of(settings, database).rebuild(), Jobs(database).notices.tell()


def tracks_of(settings: Settings, database: Database, wording: Wording = TOOLS) -> Tracks:
    """The songs in the music folder."""
    from acestep_mcp.library.tracks import Tracks

    return Tracks(database, settings.music_dir, _audio_facts, wording, _midi)


def _midi(track: Track, song: BinaryIO) -> bytes:
    """The composition of a draft. Raises InvalidRequest for other tracks."""
    from acestep_mcp.audio.tags.file_tags import read_tags
    from acestep_mcp.engines.draft.midi_export import midi_of

    return midi_of(read_tags(song).comment, str(track.sidecar.get("lyrics") or ""))


def _audio_facts(path: Path) -> dict[str, Any]:
    """What a sidecar holds of its file. Raises InvalidRequest for what is not audio."""
    from acestep_mcp.audio.read import probe

    found = probe(path)
    names = ("sample_rate", "channels", "bits", "format", "content_type")
    return {"duration": round(found.seconds, 6)} | {name: getattr(found, name) for name in names}


@contextmanager
def _ungrouped() -> Iterator[None]:
    """Unwrap an exception group with a single error, as the studio's task groups raise it."""
    try:
        yield
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from error.__cause__


def outbound_http(*, webhooks: bool) -> tuple[Fetch, Post | None]:
    """How an engine server downloads https sources and, where allowed, posts webhooks; both to public hosts only."""
    from acestep_mcp.net.download import download
    from acestep_mcp.net.ssrf import post

    return download, post if webhooks else None


def engine_options(settings: Settings) -> EngineOptions:
    """What an engine on this machine loads, and on which device it runs."""
    from acestep_mcp.engines.model.options import EngineOptions

    return EngineOptions(**{name: getattr(settings, name) for name in EngineOptions.model_fields})


def writer_of(settings: Settings) -> Writer:
    """What writes tags and lyrics for prompts: the language model named in the settings, else the built-in rules.

    When the model fails, the rules write instead, and the song's notes say why.
    """
    if settings.llm_url is None:
        from acestep_mcp.engine_server.options import write_song_text

        return write_song_text
    from acestep_mcp.engine_server.model_writer import ModelSettings, model_writer

    return model_writer(ModelSettings(settings.llm_url, settings.llm_model, settings.llm_key, settings.insecure))


class QueueClients:
    """One queue client per host, opened at its first job and closed at the end."""

    def __init__(self, settings: Settings, jobs: Jobs, tasks: TaskGroup) -> None:
        from acestep_mcp.client import ClientPool

        self._settings = settings
        self._jobs = jobs
        self._pool = ClientPool(tasks)
        self._starting = anyio.Lock()
        self._draft_engine: Engine | None = None
        self._found: Upstreams | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, jobs: Jobs) -> AsyncIterator[Self]:
        """Close it after the runs: one that is submitting still needs its client. The lease ends last."""
        async with anyio.create_task_group() as tasks:
            clients = cls(settings, jobs, tasks)
            try:
                yield clients
            finally:
                clients._pool.close()
                with anyio.CancelScope(shield=True), suppress(StorageError):  # an old heartbeat is forgotten
                    await anyio.to_thread.run_sync(jobs.leases.leave)

    async def client(self, name: str, queue_url: str) -> QueueClient:
        host = await self._local_host(queue_url) if queue_url.startswith(LOCAL) else queue_url
        return await self._pool.get((name, host), partial(self._opened, name, host))

    async def _opened(self, name: str, host: str | Host, stack: AsyncExitStack) -> QueueClient:
        if name == "draft":
            return await self._draft(stack)
        if isinstance(host, str) and (found := upstream_in(host)):
            return await self._upstream(*found, stack)
        return self._remote(name, host)

    async def upstreams(self) -> Upstreams:
        if self._found is None:
            # In a thread, so that the event loop answers other calls meanwhile.
            await anyio.to_thread.run_sync(import_module, "acestep_mcp.engine_server.upstream")
            from acestep_mcp.engine_server.upstream import Upstreams

            form = self._settings.format
            ledger = self._settings.data_dir / "upstream"
            self._found = Upstreams(self._chosen, ledger, "wav" if form == "ogg" else form)
        return self._found

    def _chosen(self, url: str) -> ChosenServer:
        from acestep_mcp.net import keys
        from acestep_mcp.net.chosen_server import ChosenServer

        key = self._engine_key(url)
        given = keys.usable(key.get_secret_value(), "ACESTEP_ENGINE_KEY") if key else None
        server = ChosenServer("ACESTEP_ENGINE", url, given, self._settings.insecure)
        server.check()
        return server

    def _engine_key(self, url: str) -> SecretStr | None:
        """A job may be recorded with an earlier engine: the key belongs to the configured engine only."""
        is_known = url.rstrip("/") == (self._settings.engine_url or "").rstrip("/")
        return self._settings.engine_key if is_known else None

    async def local_engine(self) -> LocalEngine:
        from acestep_mcp.engines.registry import ENGINES

        name = self._settings.local_engine
        running = await self._local(name).find()
        options = engine_options(self._settings)
        reason = None if running else await anyio.to_thread.run_sync(ENGINES[name].unavailable_reason, options)
        return LocalEngine(name, running.address if running else None, reason)

    def _local(self, name: str) -> EngineLauncher:
        from acestep_mcp.engine_server.launch.launcher import EngineLauncher, IdleLimits

        settings = self._settings
        return EngineLauncher(name, settings.data_dir, IdleLimits(settings.local_idle_unload, settings.local_idle_exit))

    async def _local_host(self, queue_url: str) -> Host:
        """The local engine's current address; the engine is started if it is not running."""
        from acestep_mcp.client import Host
        from acestep_mcp.engines.registry import ENGINES

        name = queue_url.removeprefix(LOCAL)
        if name not in ENGINES:
            raise ConfigurationError(
                f"This job belongs to the engine {name!r}, which this version does not have. Update acestep-mcp."
            )
        async with self._starting:
            running = await self._local(name).running()
        return Host.engine(running.address, running.key or self._settings.engine_key, timeouts=_LOCAL_TIMEOUTS)

    async def transcript(self, song: Path) -> str | None:
        from acestep_mcp.audio.preview import mp3_preview
        from acestep_mcp.net import keys
        from acestep_mcp.net.transcription import Transcription

        of = self._settings
        if of.asr_url is None:
            return None
        key = keys.usable(of.asr_key.get_secret_value(), "ACESTEP_ASR_KEY") if of.asr_key else None
        mp3 = await anyio.to_thread.run_sync(partial(mp3_preview, song, max_bytes=_TRANSCRIBED_BYTES))
        return await Transcription(of.asr_url, of.asr_model, key, of.insecure).words_of(mp3)

    def describe(self, name: str) -> dict[str, str | None]:
        if engine := self._draft_engine if name == "draft" else None:
            return {"name": engine.name, "model": engine.model, "version": engine.version}
        return {"name": name, "model": fal_model(self._settings) if name == "fal" else None, "version": None}

    async def _draft(self, stack: AsyncExitStack) -> QueueClient:
        await anyio.to_thread.run_sync(import_module, "acestep_mcp.engines.draft")
        from acestep_mcp.engines.registry import ENGINES

        self._draft_engine = engine = ENGINES["draft"].create(engine_options(self._settings))
        return await self._embedded(engine, "draft", writer_of(self._settings), stack)

    async def _upstream(self, kind: str, url: str, stack: AsyncExitStack) -> QueueClient:
        """A server that other people wrote."""
        upstreams, writer = await self.upstreams(), writer_of(self._settings)
        if self._settings.llm_url is None:
            writer = upstreams.writer(kind, url, otherwise=writer)
        return await self._embedded(upstreams.engine(kind, url), upstreams.folder(url), writer, stack)

    async def _embedded(self, engine: Engine, folder: str, writer: Writer, stack: AsyncExitStack) -> QueueClient:
        """An engine with its own in-process queue, without a socket."""
        stack.callback(engine.close)
        for module in ("acestep_mcp.engine_server.app", "acestep_mcp.audio.read"):
            await anyio.to_thread.run_sync(import_module, module)
        from acestep_mcp.client import Host, QueueClient, in_process
        from acestep_mcp.engine_server.app import QueueOptions, serving
        from acestep_mcp.library.process_folders import claim
        from acestep_mcp.net.download import download

        leases, folders = self._jobs.leases, self._settings.data_dir / folder
        own, release = await anyio.to_thread.run_sync(lambda: claim(folders, leases.process, leases.alive()))
        stack.callback(release)
        options = QueueOptions(fetch=download, writer=writer)
        app = await stack.enter_async_context(serving(engine, folder=own, options=options))
        # Polled ever more slowly: sixty-four waiting jobs must not keep a core busy.
        host = replace(Host.draft(), poll=(0.05, 0.25))
        return QueueClient(host, transport=in_process(app))

    def _remote(self, name: str, host: str | Host) -> QueueClient:
        from acestep_mcp.client import Host, QueueClient

        if isinstance(host, Host):
            return QueueClient(host)
        if name == "engine":
            return QueueClient(Host.engine(host, self._engine_key(host), insecure=self._settings.insecure))
        if self._settings.key is None:
            raise ConfigurationError("This job was submitted to fal, but FAL_KEY is not set now. Set it again.")
        return QueueClient(Host.fal(self._settings.key))
