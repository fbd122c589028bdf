"""Files in and out: the upload protocols of both official clients, and downloads."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, RedirectResponse, Response

from acestep_mcp.engine_server.auth import TOKEN_LIFE
from acestep_mcp.engine_server.bodies import Bodies, save, too_large
from acestep_mcp.engine_server.file_store import FileStore, belongs, content_type_of, suffix_of
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.uploads import MAX_OPEN, Upload, UploadRegister
from acestep_mcp.engine_server.wire import Json, base_of, owner_of

MAX_PARTS = 10_000

SMALL = 1 << 20


class _File(FileResponse):
    """Each block costs a switch to another thread and back, and each reader that stops holds two: a small file is one block."""

    def __init__(self, path: Path, size: int, **more: Any) -> None:
        super().__init__(path, **more)
        self.chunk_size = SMALL if size < SMALL else SMALL // 4


class FileRoutes:
    """One handler method for each route."""

    def __init__(
        self,
        file_store: FileStore,
        uploads: UploadRegister,
        new_token: Callable[[str, int], str],
        note_fetched: Callable[[str], None],
        options: QueueOptions,
    ) -> None:
        """`new_token` makes an upload token of an owner that expires at a time.

        `note_fetched` is called with the name of a file that somebody asks for, from anywhere to its end.
        """
        self._file_store = file_store
        self._new_token = new_token
        self._uploads = uploads
        self._note_fetched = note_fetched
        self._bodies = Bodies(options.max_body)
        self._options = options

    async def token(self, http: HttpRequest) -> Response:
        """The token that the Python client asks for first. It fails on an `expires_at` without a UTC offset."""
        expires = int(time.time()) + TOKEN_LIFE
        return Json(
            {
                "token": self._new_token(owner_of(http), expires),
                "token_type": "Bearer",
                "base_url": self._base(http),
                "expires_at": datetime.fromtimestamp(expires, UTC).isoformat(),
            }
        )

    async def whole(self, http: HttpRequest) -> Response:
        """Python client: the bytes in one POST."""
        upload = await self._new(http, http.headers.get("x-fal-file-name", ""), http.headers.get("content-type", ""))
        await self._receive_whole(http, upload)
        return Json({"access_url": self._file_url(http, upload)})

    async def begin_multipart(self, http: HttpRequest) -> Response:
        """Python client, large files: parts go to addresses below the file's own."""
        upload = await self._new(http, http.headers.get("x-fal-file-name", ""), http.headers.get("content-type", ""))
        return Json({"access_url": self._file_url(http, upload), "uploadId": upload.secret})

    async def initiate(self, http: HttpRequest) -> Response:
        """JavaScript client, all sizes. The upload sends no key, so its address is the secret."""
        async with self._bodies.read(http) as request:
            upload = await self._new(http, str(request.get("file_name", "")), str(request.get("content_type", "")))
        address = f"{self._base(http)}/put/{upload.secret}"
        return Json({"upload_url": address, "file_url": self._file_url(http, upload)})

    async def put(self, http: HttpRequest) -> Response:
        upload = await self._find(http)
        await self._receive_whole(http, upload)
        return Json({"file_url": self._file_url(http, upload)})

    async def put_part(self, http: HttpRequest) -> Response:
        """One part. One client reads the etag from a header, the other from the body."""
        upload = await self._find(http)
        given = http.path_params["number"]
        number = int(given) if re.fullmatch("[0-9]{1,9}", given) else 0
        if not 1 <= number <= MAX_PARTS:
            raise HTTPException(400, f"Part numbers go from 1 to {MAX_PARTS} (got {given[:20]!r}).")
        arriving = self._file_store.parts(upload.secret) / f"{number}-{secrets.token_hex(4)}"
        with self._file_store.receiving() as take, _removed_on_error(arriving):
            most = self._options.max_upload - upload.size_without(number)
            size = await save(http, arriving, most, take)
            etag = f'"{await anyio.to_thread.run_sync(_digest, arriving)}"'
            if size + upload.size_without(number) > self._options.max_upload:  # other parts arrived meanwhile
                too_large(self._options.max_upload)
            await anyio.to_thread.run_sync(self._file_store.keep_part, upload.secret, number, arriving)
        await self._uploads.add_part(upload, number, etag, size)
        return Json({"partNumber": number, "etag": etag}, headers={"etag": etag})

    async def complete(self, http: HttpRequest) -> Response:
        """Check each etag and join the parts in the order of their numbers."""
        upload = await self._find(http)
        async with self._bodies.read(http) as body:
            numbers = sorted(_checked(part, upload) for part in _listed(body))
        if sum(upload.parts[number][1] for number in numbers) > self._options.max_upload:
            too_large(self._options.max_upload)  # a part listed twice, or parts received by several servers at once
        await anyio.to_thread.run_sync(self._file_store.assemble, upload.secret, numbers, upload.name)
        await self._uploads.end(upload)
        return Json({"file_url": self._file_url(http, upload), "access_url": self._file_url(http, upload)})

    async def download(self, http: HttpRequest) -> Response:
        """A stored file, whole or in ranges; knowing its name is enough, but not for a caller with another's key."""
        name = http.path_params["name"]
        path = await self._located(name) if belongs(name, owner_of(http)) else None
        if path is None:
            raise HTTPException(404, "This file does not exist or has expired.")
        if http.method == "GET" and _to_its_end(http.headers.get("range", "")):
            self._note_fetched(name)
        if isinstance(path, str):
            # Not kept for longer than the address is good for.
            return RedirectResponse(path, 307, {"cache-control": "private, max-age=60"})
        headers = {
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox; default-src 'none'",
            "cache-control": "private, max-age=3600, immutable",
        }
        found = path.stat()
        return _File(path, found.st_size, headers=headers, media_type=content_type_of(name), stat_result=found)

    async def _located(self, name: str) -> Path | str | None:
        """The file here, or the address to which callers are sent."""
        if self._file_store.is_local:
            return self._file_store.find(name)
        address = await anyio.to_thread.run_sync(self._file_store.address, name)
        return address or await anyio.to_thread.run_sync(self._file_store.find, name)

    async def _new(self, http: HttpRequest, file_name: str, content_type: str) -> Upload:
        upload = Upload(self._file_store.new_name(suffix_of(file_name, content_type), owner_of(http)))
        if not await self._uploads.begin(upload):
            raise HTTPException(429, f"{MAX_OPEN} uploads have begun and not ended. Start this one again later.")
        return upload

    async def _find(self, http: HttpRequest) -> Upload:
        upload = await self._uploads.find(http.path_params["upload"])
        if (
            upload is None
            or http.path_params.get("name", upload.name) != upload.name
            or not belongs(upload.name, owner_of(http))
        ):
            raise HTTPException(404, "This upload does not exist or has expired. Start it again.")
        return upload

    async def _receive_whole(self, http: HttpRequest, upload: Upload) -> None:
        path = self._file_store.parts(upload.secret) / f"whole-{secrets.token_hex(4)}"
        with self._file_store.receiving() as take, _removed_on_error(path):
            await save(http, path, self._options.max_upload, take)
            await anyio.to_thread.run_sync(self._file_store.publish, path, upload.name)
        await anyio.to_thread.run_sync(self._file_store.clear_parts, upload.secret)

    def _base(self, http: HttpRequest) -> str:
        return base_of(http, self._options.public_url)

    def _file_url(self, http: HttpRequest, upload: Upload) -> str:
        return f"{self._base(http)}/files/{upload.name}"


def _to_its_end(range_header: str) -> bool:
    """Whether a request is for all the rest of a file, and not for a part in its middle."""
    return not range_header or re.fullmatch(r"\s*bytes\s*=\s*\d+-\s*", range_header) is not None


@contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    """Remove the file of a broken or refused upload."""
    with ExitStack() as on_error:
        on_error.callback(path.unlink, missing_ok=True)
        yield
        on_error.pop_all()


def _listed(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = body.get("parts")
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise HTTPException(400, 'The parts are missing: send {"parts": [{"partNumber": 1, "etag": "..."}]}.')
    return parts


def _checked(part: Mapping[str, Any], upload: Upload) -> int:
    number, etag = part.get("partNumber"), part.get("etag")
    if not isinstance(number, int) or number not in upload.parts:
        raise HTTPException(400, f"Part {number!r} has not arrived. Send it again, then complete.")
    if etag != upload.parts[number][0]:
        raise HTTPException(400, f"Part {number} has another etag. Send it again, then complete.")
    return number


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
