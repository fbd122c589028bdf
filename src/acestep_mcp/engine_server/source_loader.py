"""From `audio_url` to decoded audio: stored at the submit where that is quick, read when the job runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from acestep_mcp.api.errors import AceStepError, FieldError, InvalidRequest
from acestep_mcp.audio.read import read, turned_down_note
from acestep_mcp.audio.tags.file_tags import read_tags
from acestep_mcp.engine_server.file_store import FileStore, belongs, storage_errors
from acestep_mcp.engine_server.options import Fetch
from acestep_mcp.engines import Source
from acestep_mcp.net.addresses import parse_url
from acestep_mcp.net.data_uris import is_data_uri, read_data_uri

STORED_SOURCE = "job:source"
"""Replaces the address in a job's request when the bytes are already in the job's folder."""
FETCH_SECONDS = 300
MAX_ADDRESS = 8192


class SourceLoader:
    """Stores and loads the sources of requests. `fetch` None: http(s) addresses of other servers are refused."""

    def __init__(self, file_store: FileStore, fetch: Fetch | None) -> None:
        self._file_store = file_store
        self._fetch = fetch

    async def accept(self, url: str, job_id: str, base: str, owner: str = "") -> str:
        """Check an address and store its bytes for the job if that needs no download; returns the address to load.

        `base` is this server's own address, whose files only their owners can use. Raises InvalidRequest for an address that cannot be used, StorageError.
        """
        if is_data_uri(url):
            await anyio.to_thread.run_sync(self._store_data, url, job_id)
            return STORED_SOURCE
        scheme = url[:8].partition(":")[0].lower()
        if url.startswith(f"{base}/files/"):
            return await anyio.to_thread.run_sync(self._link_own, url, job_id, base, owner)
        if scheme not in {"http", "https"} or len(url) > MAX_ADDRESS:
            raise _refused(url, "must be an http(s) or data: address")
        if self._fetch is None:
            raise _refused(url, "this server downloads nothing; upload the file to it first or send a data: address")
        try:
            parse_url(url)
        except InvalidRequest as exc:
            raise _refused(url, exc.message) from exc
        return url

    @staticmethod
    def must_download(url: str) -> bool:
        """Whether an accepted address has to be downloaded before it is loaded."""
        return url != STORED_SOURCE

    async def download(self, url: str, job_id: str) -> None:
        """Store the file at an accepted address for the job; it is then at STORED_SOURCE. Raises InvalidRequest."""
        assert self._fetch is not None
        try:
            with anyio.fail_after(FETCH_SECONDS):
                await self._fetch(url, self._file_store.job(job_id) / "source")
                await anyio.to_thread.run_sync(self._file_store.keep_source, job_id)
        except TimeoutError as exc:
            raise _refused(url, f"could not be downloaded within {FETCH_SECONDS} s") from exc
        except AceStepError as exc:
            raise _refused(url, f"could not be downloaded: {exc.message}") from exc

    async def load(self, job_id: str, *, longest: float) -> Source:
        """The decoded audio that is stored for the job, at most `longest` seconds. Raises InvalidRequest."""
        path = self._file_store.source
        # Reading changes nothing, so a cancelled job need not wait for it.
        return await anyio.to_thread.run_sync(lambda: _decoded(path(job_id), longest), abandon_on_cancel=True)

    def _store_data(self, url: str, job_id: str) -> None:
        try:
            content = read_data_uri(url)
        except ValueError as exc:
            raise _refused(url, f"is not a readable data: address: {exc}") from exc
        path = self._file_store.job(job_id) / "source"
        with self._file_store.receiving() as take, storage_errors(path.parent):
            take(len(content))
            path.write_bytes(content)
        self._file_store.keep_source(job_id)

    def _link_own(self, url: str, job_id: str, base: str, owner: str) -> str:
        name = url.removeprefix(f"{base}/files/").partition("?")[0].rstrip("/")
        if not belongs(name, owner) or not self._file_store.link(name, self._file_store.job(job_id) / "source"):
            raise _refused(url, "this server does not have this file; upload it again")
        self._file_store.keep_source(job_id)
        return STORED_SOURCE


def _decoded(path: Path, longest: float) -> Source:
    sound = read(path, max_seconds=longest, name="the song")
    notes = (*sound.notes, *turned_down_note("The source", sound.gain))
    return Source(replace(sound, gain=1.0, notes=()), read_tags(path).comment, notes)


def _refused(url: str, message: str) -> InvalidRequest:
    shown = url if len(url) <= 100 else url[:97] + "..."
    return InvalidRequest.of(FieldError("audio_url", message, "file_download_error", shown))
