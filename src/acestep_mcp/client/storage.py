"""Uploading to a host's storage: one PUT, or parts above 90 MB. The key is sent only to begin an upload."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import anyio.to_thread

from acestep_mcp.api.errors import AceStepError, InvalidRequest, QueueError
from acestep_mcp.client.host import Host
from acestep_mcp.client.retry import until_answered
from acestep_mcp.files import open_resolved, storage_errors
from acestep_mcp.net.addresses import parse_url
from acestep_mcp.net.http_responses import HttpResponse
from acestep_mcp.net.ssrf import Body, Reach, origin, send

WHOLE_UP_TO = 90 * 1000 * 1000
PART = 10 * 1000 * 1000
BLOCK = 1 << 20
MAX_STORAGE_URL = 16_384
_QUERY = "?storage_type=fal-cdn-v3"

T = TypeVar("T")

Ask = Callable[[str, Mapping[str, Any]], Awaitable[HttpResponse]]
"""POSTs JSON to an address of the storage, with the key and with retries."""


@dataclass(frozen=True, slots=True)
class HostStorage:
    """A host's storage. `ask` begins uploads, `reach` limits the addresses that bytes are sent to."""

    host: Host
    ask: Ask
    reach: Reach

    async def upload(self, path: Path, content_type: str, file_name: str) -> str:
        """Upload a file and return its address. `path` has no links in it. Raises StorageError when it cannot be read here, QueueError."""
        file = await _local(partial(open_resolved, path), path)
        with file:
            return await self._upload(file, content_type, file_name)

    async def _upload(self, file: BinaryIO, content_type: str, file_name: str) -> str:
        size = os.fstat(file.fileno()).st_size
        whole = size <= WHOLE_UP_TO
        begin = "/storage/upload/initiate" + ("" if whole else "-multipart") + _QUERY
        answer = await self.ask(begin, {"content_type": content_type, "file_name": file_name})
        upload_url, file_url = self._addresses(answer)
        if whole:
            body = Body(partial(_blocks, file), size, {"Content-Type": content_type})
            await self._put("PUT", upload_url, body)
        else:
            await self._in_parts(file, upload_url, size)
        return file_url

    async def _in_parts(self, file: BinaryIO, upload_url: str, size: int) -> None:
        """One part after the other: the upload link is the bottleneck, and this bounds memory."""
        parts = []
        for number, start in enumerate(range(0, size, PART), start=1):
            piece = await _local(partial(_piece, file, start), Path(file.name))
            answer = await self._put("PUT", _below(upload_url, str(number)), Body(piece))
            reply = answer.json()
            etag = reply.get("etag") if isinstance(reply, Mapping) else None
            etag = etag or answer.headers.get("etag")
            if not isinstance(etag, str):
                raise QueueError(f"The storage of {self.host.label} gave no etag for part {number}. Try again.")
            parts.append({"partNumber": number, "etag": etag})
        await self._put("POST", _below(upload_url, "complete"), _json({"parts": parts}))

    async def _put(self, method: str, url: str, body: Body) -> HttpResponse:
        """Send bytes, with retries: the upload is idempotent."""
        timeouts = self.host.timeouts
        try:
            ask = partial(send, method, url, body=body, reach=self.reach, timeouts=timeouts)
            answer = await until_answered(ask, timeouts)
        except InvalidRequest as exc:
            message = f"{self.host.label} gave an unusable upload address: {exc.message}"
            raise QueueError(message, is_permanent=True) from exc
        if not 200 <= answer.status < 300:
            then = "Try again later." if answer.is_transient else "Give another file, or report it to the host."
            message = f"The storage of {self.host.label} refused the upload with {answer.status}. {then}"
            raise QueueError(message, status=answer.status, is_permanent=not answer.is_transient)
        return answer

    def _addresses(self, answer: HttpResponse) -> tuple[str, str]:
        body = answer.json()
        body = body if isinstance(body, Mapping) else {}
        urls = body.get("upload_url"), body.get("file_url")
        if not all(isinstance(url, str) and len(url) <= MAX_STORAGE_URL for url in urls):
            raise QueueError(f"The storage of {self.host.label} gave no upload address. Try again later.")
        try:
            usable = all(
                parse_url(url).scheme == "https" or origin(url) in self.reach.origins for url in map(str, urls)
            )
        except AceStepError:
            usable = False
        if not usable:
            raise QueueError(f"The storage of {self.host.label} gave an address that is not https.")
        return str(urls[0]), str(urls[1])


def _below(url: str, name: str) -> str:
    """An address below another one, before its query."""
    path, mark, query = url.partition("#")[0].partition("?")
    return f"{path.rstrip('/')}/{name}{mark}{query}"


def _json(value: Mapping[str, Any]) -> Body:
    content = json.dumps(value).encode()
    return Body(content, headers={"Content-Type": "application/json"})


def _piece(file: BinaryIO, start: int) -> bytes:
    file.seek(start)
    return file.read(PART)


async def _blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    file.seek(0)  # again at each try
    while block := await _local(partial(file.read, BLOCK), Path(file.name)):
        yield block


async def _local(work: Callable[[], T], path: Path) -> T:
    """Run one file operation off the event loop; its OSError becomes a StorageError."""
    with storage_errors("read", path, "give another file"):
        return await anyio.to_thread.run_sync(work)
