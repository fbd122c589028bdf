"""Addresses: a text as a checked URL, and which IP addresses belong to the public internet."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence

import anyio
import httpx

from acestep_mcp.api.errors import InvalidRequest

PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From name and port to addresses in text form. Raises OSError when the name has none."""

# Counted as global by ipaddress in some supported Python versions: deprecated relays, documentation, local use.
_CLOSED = tuple(
    ipaddress.ip_network(net)
    for net in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def parse_url(text: str) -> httpx.URL:
    """An http(s) address of one host, without user name and password. Raises InvalidRequest for any other text.

    Reading any part of the result raises nothing.
    """
    try:
        url = httpx.URL(text)
        port = PORTS.get(url.scheme, 0) if url.port is None else url.port
        fits = url.scheme in PORTS and _is_host(url.raw_host.decode("ascii")) and 0 < port < 65536
        fits = fits and "\ufffd" not in text  # it stands for what could not be decoded
        _ = url.host, str(url)  # decoding an international name may fail only here
    except (httpx.InvalidURL, ValueError) as exc:  # a UnicodeError is a ValueError
        raise InvalidRequest(f"{_short(text)} is not a valid address ({str(exc)[:100]!r}).") from exc
    if not fits:
        raise InvalidRequest(f"{_short(text)} is not an http(s) address.")
    if url.userinfo:
        raise InvalidRequest(f"The address of {url.host} holds a user name or password; leave that out.")
    return url


def _is_host(name: str) -> bool:
    if ":" not in name:
        return _HOST.fullmatch(name) is not None
    return ipaddress.IPv6Address(name).scope_id is None


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def is_public(address: str) -> bool:
    """Whether an address in text form is on the public internet; IPv4 inside IPv6 is unwrapped."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return False
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    closed = any(ip in net for net in _CLOSED if net.version == ip.version)
    return ip.is_global and not (closed or ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Resolve with the operating system."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
