"""Downloads and uploads over HTTP: `GET /tracks/{id}/{file_name}` with ranges, and `POST /uploads`."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from acestep_mcp.api.edits import LONGEST_SOURCE
from acestep_mcp.api.errors import AceStepError, InvalidRequest, NotFound, StorageError
from acestep_mcp.files import DATA_ADVICE, make_folder, path_of, storage_errors
from acestep_mcp.inputs import UPLOAD_LIFETIME

if TYPE_CHECKING:
    from acestep_mcp.audio.decoder import Properties
    from acestep_mcp.library.models import Track
    from acestep_mcp.settings import Settings
    from acestep_mcp.studio.studio import Studio

UPLOAD_BYTES = 256 * 2**20
"""Ten minutes of 24-bit stereo at 48 kHz are 165 MiB."""

_EXTENSIONS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/flac": "flac",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/aiff": "aiff",
}


def key_of(track_id: str, token: str) -> str:
    """The key in a download URL, for players that cannot send the token."""
    return hmac.new(token.encode(), f"track {track_id}".encode(), hashlib.sha256).hexdigest()[:32]


def download_url(request: Request, track: Track, settings: Settings) -> str:
    """The URL of a track's file on this server, with the host name the caller used."""
    address = f"{request.base_url}tracks/{quote(track.id, safe='')}/{quote(track.path.name)}"
    return f"{address}?key={key_of(track.id, settings.bearer)}" if settings.bearer else address


async def download(studio: Callable[[], Awaitable[Studio]], request: Request) -> Response:
    """The file; Starlette handles ranges and conditions."""
    try:
        opened = await studio()
        track = await opened.catalogue.get(request.path_params["id"])
    except AceStepError as error:
        return error_response(error)
    if track.deleted or track.path.name != request.path_params["file_name"]:
        return error_response(NotFound(f"Track {track.id} has no file of that name here; list_tracks shows the songs."))
    return TrackResponse(opened, track)


class TrackResponse(FileResponse):
    """A track's file, with ranges; as a download where `attached`. It is opened once, where the music folder has it."""

    def __init__(self, studio: Studio, track: Track, *, attached: bool = False) -> None:
        is_audio = track.content_type.startswith("audio/")  # anything else could be a page that runs in this origin
        super().__init__(
            track.path,
            media_type=track.content_type if is_audio else "application/octet-stream",
            filename=track.path.name,
            content_disposition_type="inline" if is_audio and not attached else "attachment",
            headers={"X-Content-Type-Options": "nosniff"},
        )
        self._studio, self._track = studio, track

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            file = await self._studio.catalogue.file(self._track)
        except NotFound as error:
            await error_response(error)(scope, receive, send)
            return
        with file:
            self.path, self.stat_result = path_of(file), os.fstat(file.fileno())
            self.set_stat_headers(self.stat_result)
            await super().__call__(scope, receive, send)


async def upload(settings: Settings, request: Request, *, most: int = UPLOAD_BYTES) -> Response:
    """Store a source for a day; the body is the file. Answers `{"url": "upload://..."}` for `audio_url`."""
    folder = settings.data_dir / "uploads"
    part = folder / f"{secrets.token_urlsafe(24)}.part"
    try:
        await anyio.to_thread.run_sync(_prepare, folder)
        with storage_errors("write the upload in", folder, DATA_ADVICE):
            await _receive(request, part, most)
            kept, properties = await anyio.to_thread.run_sync(_accept, part)
    except AceStepError as error:
        return error_response(error)
    except ClientDisconnect:
        return Response(status_code=499)
    finally:
        part.unlink(missing_ok=True)
    facts = {"content_type": properties.content_type, "duration": properties.seconds, "expires_in": UPLOAD_LIFETIME}
    return JSONResponse({"url": f"upload://{kept.name}", **facts}, status_code=201)


async def _receive(request: Request, part: Path, most: int) -> None:
    """Raises InvalidRequest as soon as more than `most` bytes are announced or arrive."""
    announced = request.headers.get("content-length", "")
    received = int(announced[:18]) if announced.isascii() and announced.isdigit() else 0
    async with await anyio.open_file(part, "wb") as file:
        _check_size(received, most)
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            _check_size(received, most)
            await file.write(chunk)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise TooLarge(
            f"An upload may have at most {most // 2**20} MiB. Convert the file to FLAC, or send a part of it."
        )


class TooLarge(InvalidRequest):
    """An upload over the size limit."""


_STATUS = {TooLarge: 413, NotFound: 404, InvalidRequest: 422, StorageError: 507}
"""The first that fits."""


def _prepare(folder: Path) -> None:
    make_folder(folder, DATA_ADVICE, private=True)


def _accept(part: Path) -> tuple[Path, Properties]:
    """Rename a valid audio file to fit its content type. Raises InvalidRequest for any other file."""
    from acestep_mcp.audio.read import probe_source

    properties = probe_source(part, max_seconds=LONGEST_SOURCE, name="the upload")
    kept = part.with_suffix(f".{_EXTENSIONS.get(properties.content_type, 'audio')}")
    return part.rename(kept), properties


def error_response(error: AceStepError) -> JSONResponse:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 503)
    body: dict[str, Any] = {"error": {"code": error.code, "message": error.message}}
    return JSONResponse(body, status_code=status)
