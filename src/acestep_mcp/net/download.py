"""Downloads, streamed to disk: complete, or no file is left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread
import httpx

from acestep_mcp.api.errors import NoResponse, QueueError
from acestep_mcp.files import storage_errors
from acestep_mcp.net.http_responses import HttpResponse, http_errors
from acestep_mcp.net.ssrf import PUBLIC, Reach, host_of, opened
from acestep_mcp.net.timeouts import DEFAULT_TIMEOUTS, Timeouts

MAX_FILE = 512 << 20
BLOCK = 1 << 20
TRIES = 6


async def download(
    url: str, path: Path, *, size: int | None = None, max_bytes: int = MAX_FILE, reach: Reach = PUBLIC,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> int:  # fmt: skip
    """Stream a file to `path` (overwritten; the caller renames it) and return its size in bytes.

    A broken download is restarted up to five times; one that ends at the same byte each time is cut for good. A whole file that has not the stated `size` is fetched once more:
    if it has the same size again, the statement is wrong. Raises InvalidRequest for an address that may not be used,
    QueueError, StorageError.
    """
    waits, sizes, received = timeouts.waits(), list[int](), list[int]()
    for left in reversed(range(TRIES)):
        try:
            with http_errors(f"Downloading from {host_of(url)}"), anyio.fail_after(timeouts.transfer):
                written = await _downloaded(url, path, _Limits(max_bytes, timeouts, received), reach)
            sizes.append(written)
            await _check_size(path, sizes, size)
            return written
        except (NoResponse, _Refused) as exc:
            pause = exc.pause if isinstance(exc, _Refused) else 0.0
            if not left and _is_cut(received) and isinstance(exc, NoResponse):
                message = f"{exc.what} It ended after {received[0]} bytes at each of {TRIES} tries."
                raise NoResponse(message, sent=True, is_permanent=True) from exc
            if not left or exc.is_permanent or pause > timeouts.longest_retry_after:
                raise
            await anyio.sleep(pause + next(waits))
    raise AssertionError("the last attempt returns or raises")


async def _check_size(path: Path, sizes: list[int], stated: int | None) -> None:
    """Raises NoResponse, and removes the file, when the last of `sizes` is neither the stated one nor an earlier one."""
    *earlier, written = sizes
    if stated is not None and written != stated and written not in earlier:
        await anyio.to_thread.run_sync(_removed, path)
        raise NoResponse(f"The file has {written} bytes and should have {stated}.", sent=True)


class _Refused(QueueError):
    """A download was answered with an error."""

    def __init__(self, message: str, answer: HttpResponse) -> None:
        super().__init__(message, status=answer.status, is_permanent=not answer.is_transient)
        self.pause = answer.pause or 0.0


@dataclass(frozen=True, slots=True)
class _Limits:
    """`received` gets the number of bytes that came at each try."""

    max_bytes: int
    timeouts: Timeouts
    received: list[int]


def _is_cut(received: list[int]) -> bool:
    """Whether a part of the file came at each try, and always the same: the file ends there, whatever was announced."""
    return len(received) == TRIES and len(set(received)) == 1 and received[0] > 0


async def _downloaded(url: str, path: Path, limits: _Limits, reach: Reach) -> int:
    host, max_bytes = host_of(url), limits.max_bytes
    async with opened("GET", url, reach=reach, timeouts=limits.timeouts) as response:
        if response.status_code != httpx.codes.OK:
            answer = HttpResponse(response.status_code, dict(response.headers), b"")
            then = "Try again in a minute." if answer.is_transient else "It may have expired, or it was never public."
            raise _Refused(f"{host} answered {answer.status} instead of the file. {then}", answer)
        if response.headers.get("content-encoding", "identity") != "identity":
            message = f"{host} sent the file in an encoding that was not requested. Give a file that is not compressed."
            raise QueueError(message, is_permanent=True)
        stated = response.headers.get("content-length", "")
        if stated.isdecimal() and float(stated) > max_bytes:
            raise _too_large(f"{stated[:20]} bytes", max_bytes)
        return await _written(response, path, limits)


def _too_large(what: str, max_bytes: int) -> QueueError:
    message = f"The file has {what}; at most {max_bytes} are accepted. Give a shorter or compressed one."
    return QueueError(message, is_permanent=True)


async def _written(response: httpx.Response, path: Path, limits: _Limits) -> int:
    """Write the body to disk block by block, off the event loop. A broken one leaves no file."""
    written, whole, block = 0, False, bytearray()
    target, rate = _Target(path), _Rate(limits.timeouts)
    try:
        async for piece in response.aiter_raw():
            written += len(piece)
            if written > limits.max_bytes:
                raise _too_large(f"more than {limits.max_bytes} bytes", limits.max_bytes)
            rate.check(written)
            block += piece
            if len(block) >= BLOCK:
                await anyio.to_thread.run_sync(target.write, bytes(block))
                block.clear()
        whole = True
    finally:
        limits.received.append(written)
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(target.close, bytes(block), whole)
    return written


class _Rate:
    """Whether a file comes fast enough, looked at every `timeouts.silence` seconds."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._since, self._before = anyio.current_time(), 0

    def check(self, written: int) -> None:
        """Raises NoResponse."""
        seconds = anyio.current_time() - self._since
        if seconds < self._timeouts.silence:
            return
        if written - self._before < seconds * self._timeouts.slowest:
            slow = (written - self._before) / seconds
            least = self._timeouts.slowest
            raise NoResponse(
                f"The file comes at {slow:.0f} bytes per second; at least {least:.0f} are needed.", sent=True
            )
        self._since, self._before = anyio.current_time(), written


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

    def close(self, rest: bytes, whole: bool) -> None:
        """Write the last bytes and close. An empty body is an empty file; a broken one leaves none."""
        with storage_errors("write", self._path, "choose another folder"):
            closed = False
            try:
                try:
                    if whole:
                        self.write(rest)
                finally:
                    if self._file is not None:
                        self._file.close()  # writes what is still buffered, so a full disk may show only here
                closed = True
            finally:
                if not (whole and closed):
                    _removed(self._path)


def _removed(path: Path) -> None:
    if path.is_file():  # never a device
        path.unlink()
