"""Who is meant by a host name: this machine alone, or others too."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it: `localhost`, or an address of the loopback range, in brackets or not."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def in_clear(origin: str) -> bool:
    """Whether what is sent to an origin can be read on the way: without TLS, to another machine."""
    parts = urlsplit(origin)
    return parts.scheme != "https" and not is_loopback(parts.hostname or "")
