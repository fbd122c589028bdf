"""`GET /`: a page for people, in one piece, so that it works below whatever path a proxy puts before it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

_STYLE, _SCRIPT = "page.css", ("wire.js", "form.js", "songs.js")
_HEADERS = {
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


async def page(_: HttpRequest) -> Response:
    """The same for everybody: it holds nothing of this engine, and asks for all it shows, with the key where needed."""
    content, policy = _built()
    return Response(content, media_type="text/html", headers={**_HEADERS, "content-security-policy": policy})


@cache
def _built() -> tuple[str, str]:
    """The page, and the policy that lets its own style and script run, named by their digests, and nothing else."""
    style, script = _asset(_STYLE), "\n".join(map(_asset, _SCRIPT))
    content = _asset("page.html").replace("/* style */", style, 1).replace("/* script */", script, 1)
    rules = {
        "default-src": "'none'",
        "style-src": _digest(style),
        "script-src": _digest(script),
        "connect-src": "'self'",
        "media-src": "'self'",
        "img-src": "data:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        # No text can become markup or code, whatever the script does with it.
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return content, "; ".join(f"{name} {value}" for name, value in rules.items())


def _asset(name: str) -> str:
    """Read as text, so that every kind of line end becomes the one that browsers digest."""
    return resources.files("acestep_mcp.web").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
