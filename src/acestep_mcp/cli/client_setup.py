"""Setup lines for clients of an engine server, to copy."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from urllib.parse import urlsplit


def lines(
    address: str,
    authority: Path | None,
    *,
    has_key: bool,
    engine: str = "draft",
    remark: str = "a sketch, not ACE-Step",
) -> list[str]:
    """What to print when the server at `address` has started. The key is never part of it."""
    lines_out = [f"The {engine} engine is served at {address} ({remark}). Ctrl-C stops it; its jobs are kept."]
    if has_key:
        lines_out += [
            "Callers need its key: ACESTEP_ENGINE_KEY for acestep-mcp, FAL_KEY or credentials for fal's clients."
        ]
        lines_out += _open_letter(address)
    else:
        lines_out += ["It needs no key. fal's Python client requires one: use any text."]
    trust = [_set("SSL_CERT_FILE", str(authority))] if authority else []
    return [
        *lines_out,
        *_block("a browser:", [address]),
        *_block("acestep-mcp:", [_set("ACESTEP_ENGINE_URL", address), *trust]),
        *_block("fal's Python client:", _python(address, trust)),
        *_block("fal's JavaScript client:", _javascript(address, authority)),
    ]


def _open_letter(address: str) -> list[str]:
    from acestep_mcp.net.loopback import is_loopback

    parts = urlsplit(address)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return []
    message = "Plain http is not encrypted: others can read the key and the songs. Start the engine with --tls-dir"
    return [f"{message}, or, if you trust the network, set ACESTEP_INSECURE=1 for acestep-mcp."]


def _block(title: str, body: list[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in body)]


def _python(address: str, trust: list[str]) -> list[str]:
    """The client uses TLS for hosts from its environment; plain http can only be set in the program."""
    scheme, _, place = address.partition("://")
    if scheme == "https":
        hosts = [_set("FAL_QUEUE_RUN_HOST", place), _set("FAL_RUN_HOST", f"{place}/run"), *trust]
        return [*hosts, "and in the program, for uploads:", *_uploads(address)]
    formats = f'fal.QUEUE_URL_FORMAT, fal.RUN_URL_FORMAT = "{address}/", "{address}/run/"'
    return [*_uploads(address), formats]


def _uploads(address: str) -> list[str]:
    return ["import fal_client.client as fal", f'fal.REST_URL = fal.CDN_URL = "{address}"']


def _javascript(address: str, authority: Path | None) -> list[str]:
    trust = [_set("NODE_EXTRA_CA_CERTS", str(authority))] if authority else []
    return [*trust, f'fal.config({{ proxyUrl: {{ url: "{address}/api/fal/proxy", when: "always" }} }})']


def _set(name: str, value: str) -> str:
    if sys.platform == "win32":
        return f'$env:{name} = "{value}"'
    return f"export {name}={shlex.quote(value)}"
