"""Downloads, streamed to disk: complete, or no file is left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread
import httpx

from acestep_mcp.api.errors import QueueError
from acestep_mcp.files import storage_errors
from acestep_mcp.net.http_responses import HttpResponse, NoResponse, http_errors
from acestep_mcp.net.ssrf import PUBLIC, Reach, host_of, opened
from acestep_mcp.net.timeouts import DEFAULT_TIMEOUTS, Timeouts

MAX_FILE = 1 << 30
BLOCK = 1 << 20
TRIES = 6


async def download(
    url: str, path: Path, *, size: int | None = None, max_bytes: int = MAX_FILE, reach: Reach = PUBLIC,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> int:  # fmt: skip
    """Stream a file to `path` (overwritten; the caller renames it) and return its size in bytes.

    A broken or short download is restarted up to five times. `size` is checked when given.
    Raises InvalidRequest for an address that may not be used, QueueError, StorageError.
    """
    waits = timeouts.waits()
    for left in reversed(range(TRIES)):
        try:
            with http_errors(f"Downloading from {host_of(url)}"), anyio.fail_after(timeouts.transfer):
                return await _downloaded(url, path, _Wanted(size, max_bytes), reach, timeouts)
        except NoResponse:
            if not left:
                raise
        except _Refused as exc:
            pause = exc.answer.pause or 0
            if not left or not exc.answer.is_transient or pause > timeouts.longest_retry_after:
                raise
            await anyio.sleep(pause)
        await anyio.sleep(next(waits))
    raise AssertionError("the last attempt returns or raises")


@dataclass(frozen=True, slots=True)
class _Wanted:
    size: int | None
    max_bytes: int


class _Refused(QueueError):
    """A download was answered with an error."""

    def __init__(self, message: str, answer: HttpResponse) -> None:
        super().__init__(message, status=answer.status)
        self.answer = answer


async def _downloaded(url: str, path: Path, wanted: _Wanted, reach: Reach, timeouts: Timeouts) -> int:
    host = host_of(url)
    async with opened("GET", url, reach=reach, timeouts=timeouts) as response:
        if response.status_code != httpx.codes.OK:
            answer = HttpResponse(response.status_code, dict(response.headers), b"")
            then = "Try again in a minute." if answer.is_transient else "It may have expired, or it was never public."
            raise _Refused(f"{host} answered {answer.status} instead of the file. {then}", answer)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise QueueError(f"{host} sent the file in an encoding that was not requested.")
        stated = response.headers.get("content-length", "")
        if stated.isdigit() and int(stated) > wanted.max_bytes:
            raise QueueError(f"The file is {stated} bytes; at most {wanted.max_bytes} are accepted.")
        written = await _written(response, path, wanted.max_bytes)
    if wanted.size is not None and written != wanted.size:
        await anyio.to_thread.run_sync(_removed, path)
        raise NoResponse(f"The file from {host} has {written} bytes and should have {wanted.size}.", sent=True)
    return written


async def _written(response: httpx.Response, path: Path, max_bytes: int) -> int:
    """Write the body to disk block by block, off the event loop. A broken one leaves no file."""
    written, whole = 0, False
    target = _Target(path)
    try:
        async for block in response.aiter_raw(BLOCK):
            written += len(block)
            if written > max_bytes:
                raise QueueError(f"The file is larger than {max_bytes} bytes, the most that is accepted.")
            await anyio.to_thread.run_sync(target.write, block)
        whole = True
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(target.close, whole)
    return written


class _Target:
    """The file being written. It is opened with its first block, to spare a thread hop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, block: bytes) -> None:
        with storage_errors("write", self._path, "choose another folder"):
            if self._file is None:
                self._file = self._path.open("wb")
            self._file.write(block)

    def close(self, whole: bool) -> None:
        """An empty body is an empty file; a broken one leaves none."""
        with storage_errors("write", self._path, "choose another folder"):
            closed = False
            try:
                if whole and self._file is None:
                    self._file = self._path.open("wb")
                if self._file is not None:
                    self._file.close()  # writes what is still buffered, so a full disk may show only here
                closed = True
            finally:
                if not (whole and closed):
                    _removed(self._path)


def _removed(path: Path) -> None:
    if path.is_file():  # never a device
        path.unlink()
