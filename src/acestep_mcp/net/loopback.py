"""Whether a host name means this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether it is `localhost` or a loopback address, with or without brackets."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def in_clear(origin: str) -> bool:
    """Whether traffic to this origin is unencrypted on a network."""
    parts = urlsplit(origin)
    return parts.scheme != "https" and not is_loopback(parts.hostname or "")
