"""Upload local sources so that a host can read them; identical bytes are uploaded once while the upload lasts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread

from acestep_mcp.client import QueueClient
from acestep_mcp.files import open_resolved, storage_errors
from acestep_mcp.library.uploads import Uploads


class SourceUploads:
    """One per process. Of several jobs with the same source one uploads it, and the others wait."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self._locks: WeakValueDictionary[tuple[str, str], anyio.Lock] = WeakValueDictionary()

    async def address(self, client: QueueClient, path: Path, content_type: str) -> str:
        """The address at which the host can read the file. Raises StorageError when the file cannot be read, QueueError, ConfigurationError."""
        host = client.host.rest_url
        digest, stamp = await anyio.to_thread.run_sync(_identity, path)
        lock = self._locks.setdefault((host, digest), anyio.Lock())
        async with lock:
            url = await anyio.to_thread.run_sync(self._uploads.find, host, digest)
            if url and await client.still_has(url):
                return url
            url = await client.upload(path, content_type, path.name)
            if await anyio.to_thread.run_sync(_stamp, path) == stamp:  # else the file changed after it was hashed
                await anyio.to_thread.run_sync(self._uploads.remember, host, digest, url)
            return url


def _identity(path: Path) -> tuple[str, tuple[int, int] | None]:
    stamp = _stamp(path)
    with storage_errors("read the source", path, "start again with another audio_url"), open_resolved(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), stamp


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
