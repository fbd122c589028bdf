"""Builds pages for people: one file with its style and scripts inline, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from starlette.responses import Response

_HEADERS = {
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_POLICY = {
    "default-src": "'none'",
    "connect-src": "'self'",
    "media-src": "'self'",
    "img-src": "data:",
    "form-action": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    # Text can never become markup or code, whatever a script does with it.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


def page(html: str, *, style: str, scripts: tuple[str, ...], policy: Mapping[str, str] | None = None) -> Response:
    """The page made of these assets; `policy` replaces rules of the content security policy.

    The style and the scripts, joined in this order, go where the HTML says `/* style */` and `/* script */`. One file
    works below whatever path a proxy serves it under.
    """
    content, digests = _built(html, style, scripts)
    rules = "; ".join(f"{name} {value}" for name, value in {**_POLICY, **digests, **(policy or {})}.items())
    return Response(content, media_type="text/html", headers={**_HEADERS, "content-security-policy": rules})


@cache
def _built(html: str, style: str, scripts: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The page, and the rules that allow its own style and script by their digests."""
    css, script = _asset(style), "\n".join(map(_asset, scripts))
    content = _asset(html).replace("/* style */", css, 1).replace("/* script */", script, 1)
    return content, {"style-src": _digest(css), "script-src": _digest(script)}


def _asset(name: str) -> str:
    """Read as text, so that line ends become the ones that browsers hash."""
    return resources.files("acestep_mcp.web").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
