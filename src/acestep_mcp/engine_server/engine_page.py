"""`GET /`: the engine's page for people."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from acestep_mcp.web.document import PLAYER_POLICY, PLAYER_SCRIPTS, PLAYER_STYLES
from acestep_mcp.web.page import page

STYLES = ("page.css", *PLAYER_STYLES)
SCRIPTS = (*PLAYER_SCRIPTS, "elements.js", "wire.js", "form.js", "songs.js")


async def engine_page(_: HttpRequest) -> Response:
    """The same for every engine and caller: what it shows it fetches itself, with the key where one is needed."""
    return page("engine.html", styles=STYLES, scripts=SCRIPTS, policy=PLAYER_POLICY)
