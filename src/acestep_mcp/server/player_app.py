"""The player as an MCP App: the page that a host shows in the chat."""

from __future__ import annotations

from mcp.server.apps import APP_MIME_TYPE
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import Resource

URI = "ui://acestep/player.html"

_META = {"ui": {"prefersBorder": True}}
_POLICY = {
    "connect-src": "'none'",
    "media-src": "data:",
    # This rule has no meaning in a page; the host decides what frames it.
    "frame-ancestors": None,
}
RESOURCE = Resource(
    uri=URI,
    name="player",
    title="Player",
    description="The player that play_track shows in hosts with MCP Apps.",
    mime_type=APP_MIME_TYPE,
    _meta=_META,
)


def read() -> ReadResourceContents:
    """The page, with its content security policy inside: the host serves it, so that we have no say in the headers."""
    from acestep_mcp.web.document import PLAYER_POLICY, PLAYER_SCRIPTS, PLAYER_STYLES, document

    html, policy = document(
        "player.html",
        styles=(*PLAYER_STYLES, "player_app.css"),
        scripts=(*PLAYER_SCRIPTS, "player_app.js"),
        policy={**PLAYER_POLICY, **_POLICY},
    )
    return ReadResourceContents(content=html.replace("{policy}", policy, 1), mime_type=APP_MIME_TYPE, meta=_META)
