"""Pages for people as HTTP answers, with a policy that allows nothing but the page's own style and scripts."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from acestep_mcp.web.document import document

_HEADERS = {
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def page(
    html: str, *, styles: tuple[str, ...], scripts: tuple[str, ...], policy: Mapping[str, str | None] | None = None
) -> Response:
    """The page made of these assets; `policy` replaces rules of the content security policy. See `document`.

    One file works below whatever path a proxy serves it under.
    """
    content, rules = document(html, styles=styles, scripts=scripts, policy=policy)
    return Response(content, media_type="text/html", headers={**_HEADERS, "content-security-policy": rules})
