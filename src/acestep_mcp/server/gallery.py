"""The gallery: a page for people at `/`, and the JSON routes that it uses.

Routes take the ids of tracks, never names or paths of files.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from acestep_mcp.api.errors import AceStepError, InvalidRequest, NotFound
from acestep_mcp.server.browser_sessions import (
    FOLDER,
    SESSION_PATH,
    BrowserSessions,
    clear_cookie,
    refusal,
    set_cookie,
)
from acestep_mcp.server.transfers import TrackResponse, error_response
from acestep_mcp.studio.build_views import deletion_view, track_list, track_with_versions
from acestep_mcp.web.document import PLAYER_POLICY, PLAYER_SCRIPTS, PLAYER_STYLES
from acestep_mcp.web.page import page

if TYPE_CHECKING:
    from acestep_mcp.library.models import Track
    from acestep_mcp.server.app import AceStepServer
    from acestep_mcp.studio.studio import Studio

STYLES = ("page.css", *PLAYER_STYLES, "gallery.css")
SCRIPTS = (*PLAYER_SCRIPTS, "elements.js", "gallery.js")
PAGE_SIZE = 30
_MOST_QUERY = 500
_MOST_LOGIN_BYTES = 4096
_HEADERS = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}

OpenStudio = Callable[[], "Awaitable[Studio]"]
Route = Callable[[OpenStudio, Request], Awaitable[Response]]


def add_routes(server: AceStepServer, sessions: BrowserSessions) -> None:
    """Add the gallery's routes to the server's own."""
    routes: tuple[tuple[str, str, Route], ...] = (
        ("GET", "tracks", _tracks),
        ("GET", "tracks/{id}", _track),
        ("DELETE", "tracks/{id}", _delete),
        ("POST", "tracks/{id}/restore", _restore),
        ("GET", "tracks/{id}/audio", _audio),
    )
    for method, path, answer in routes:
        methods = ["GET", "HEAD"] if method == "GET" else [method]
        server.custom_route(f"{FOLDER}{path}", methods=methods)(partial(_answered, answer, server.open_studio))
    server.custom_route(SESSION_PATH, methods=["POST"])(partial(_login, sessions))
    server.custom_route(SESSION_PATH, methods=["GET"])(partial(_session, sessions))
    server.custom_route(SESSION_PATH, methods=["DELETE"])(partial(_logout, sessions))


def wants_page(request: Request) -> bool:
    """Whether the caller asks for HTML by name, as browsers do and programs do not."""
    for entry in request.headers.get("accept", "").split(","):
        kind, _, parameters = entry.partition(";")
        if kind.strip().lower() == "text/html":
            return parameters.replace(" ", "").lower() not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def gallery_page() -> Response:
    """The same for every caller: what it shows it fetches itself."""
    response = page("gallery.html", styles=STYLES, scripts=SCRIPTS, policy=PLAYER_POLICY)
    response.headers["vary"] = "accept"
    return response


async def _answered(answer: Route, studio: OpenStudio, request: Request) -> Response:
    try:
        response = await answer(studio, request)
    except AceStepError as error:
        response = error_response(error)
    response.headers.update(_HEADERS)
    return response


async def _tracks(studio: OpenStudio, request: Request) -> Response:
    """A page of songs, newest first: `q` are words to find, `cursor` is the end of the page before, `trash=1`."""
    asked = request.query_params
    query = asked.get("q", "")
    if len(query) > _MOST_QUERY:
        raise InvalidRequest(f"Search for at most {_MOST_QUERY} characters (got {len(query)}).")
    catalogue = (await studio()).catalogue
    found = await catalogue.page(query, limit=PAGE_SIZE, cursor=asked.get("cursor"), deleted=asked.get("trash") == "1")
    return JSONResponse({**track_list(found).facts(), "problems": list(found.problems)})


async def _track(studio: OpenStudio, request: Request) -> Response:
    opened = await studio()
    track = await _found(opened, request)
    made_from = None
    if track.parent:
        with contextlib.suppress(AceStepError):  # removed for good: the song itself is still there
            made_from = await _of_id(opened, track.parent)
    versions = await opened.catalogue.made_from(track.id)
    address = f"{FOLDER}tracks/{track.id}/audio".lstrip("/")
    return JSONResponse(track_with_versions(track, made_from, versions, lambda _: address).facts())


async def _delete(studio: OpenStudio, request: Request) -> Response:
    opened = await studio()
    track = await _found(opened, request)
    return JSONResponse(deletion_view(await opened.catalogue.delete(track.id)).facts())


async def _restore(studio: OpenStudio, request: Request) -> Response:
    opened = await studio()
    track = await _found(opened, request)
    return JSONResponse(deletion_view(await opened.catalogue.restore(track.id)).facts())


async def _audio(studio: OpenStudio, request: Request) -> Response:
    """The file, with ranges; `download=1` makes it an attachment."""
    opened = await studio()
    track = await _found(opened, request)
    if track.deleted:
        raise NotFound(f"The file of track {track.id} is not in the music folder. If it is in the trash, restore it.")
    return TrackResponse(opened, track, attached=request.query_params.get("download") == "1")


async def _found(studio: Studio, request: Request) -> Track:
    return await _of_id(studio, request.path_params["id"])


async def _of_id(studio: Studio, track_id: str) -> Track:
    """Raises NotFound also for what the catalogue would find by a file's name."""
    try:
        track = await studio.catalogue.get(track_id)
    except NotFound:  # its advice is for callers of tools
        track = None
    if track is None or track.id != track_id:
        raise NotFound(f"There is no track with the id {track_id[:80]!r}. Search for the song in the gallery.")
    return track


async def _login(sessions: BrowserSessions, request: Request) -> Response:
    """Exchange the token for a session; the body is `{"token": "..."}`."""
    value = sessions.begin(await _given_token(request))
    if value is None:
        return refusal(HTTPStatus.UNAUTHORIZED, "This is not the server's token. It is the one set as ACESTEP_TOKEN.")
    response = Response(status_code=HTTPStatus.NO_CONTENT, headers=_HEADERS)
    set_cookie(response, request, value)
    return response


async def _session(sessions: BrowserSessions, _: Request) -> Response:
    """Reached only by who may see the gallery; `needs_token` is false where everyone on this machine may."""
    return JSONResponse({"needs_token": sessions.needs_token}, headers=_HEADERS)


async def _logout(sessions: BrowserSessions, request: Request) -> Response:
    sessions.end(request)
    response = Response(status_code=HTTPStatus.NO_CONTENT, headers=_HEADERS)
    clear_cookie(response, request)
    return response


async def _given_token(request: Request) -> str:
    """Empty for any other body."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_LOGIN_BYTES:
            return ""
    try:
        given: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    token = given.get("token") if isinstance(given, dict) else None
    return token if isinstance(token, str) else ""
