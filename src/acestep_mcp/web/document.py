"""Builds one HTML file from assets, with its style and scripts inline and a content security policy that allows them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources

PLAYER_STYLES = ("player.css",)
PLAYER_SCRIPTS = ("wavesurfer.js", "waveform.js", "player.js")
"""What a page with the shared player contains, before its own scripts."""
PLAYER_POLICY = {"trusted-types": "default"}
"""waveform.js allows one template of wavesurfer.js to become markup, and nothing else."""

POLICY = {
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


def document(
    html: str, *, styles: tuple[str, ...], scripts: tuple[str, ...], policy: Mapping[str, str | None] | None = None
) -> tuple[str, str]:
    """The page made of these assets, and its content security policy; `policy` replaces rules of `POLICY`, and None removes one.

    The styles and the scripts, each joined in this order, go where the HTML says `/* style */` and `/* script */`.
    """
    content, digests = _built(html, styles, scripts)
    rules = {**POLICY, **digests, **(policy or {})}
    return content, "; ".join(f"{name} {value}" for name, value in rules.items() if value is not None)


@cache
def _built(html: str, styles: tuple[str, ...], scripts: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The page, and the rules that allow its own style and script by their digests."""
    css, script = "\n".join(map(_asset, styles)), "\n".join(map(_asset, scripts))
    content = _asset(html).replace("/* style */", css, 1).replace("/* script */", script, 1)
    return content, {"style-src": _digest(css), "script-src": _digest(script)}


def _asset(name: str) -> str:
    """Read as text, so that line ends become the ones that browsers hash."""
    return resources.files("acestep_mcp.web").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
