"""The Host and Origin of a request, parsed strictly: whether it is meant for this server, and sent by its own pages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

_PORTS = {"http": 80, "https": 443}
_AUTHORITY = re.compile(r"(?:([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)|\[([0-9a-f:.]{2,45})\])(?::([0-9]{1,5}))?", re.IGNORECASE)


def authority(text: str) -> tuple[str, int | None] | None:
    """The name (lower case, without brackets) and the port of `host[:port]`. None for everything else."""
    found = _AUTHORITY.fullmatch(text)
    if found is None or len(text) > 300:
        return None
    name, address, port = found.groups()
    if address is not None:
        try:
            address = str(IPv6Address(address))
        except ValueError:
            return None
    return str(name or address).lower(), None if port is None else int(port)


class OwnHosts:
    """The names of this server, with a port where only that one is meant; `addresses` allows every IP address.

    No name server can make a numeric address point to this machine, so a page of another site cannot use one.
    """

    def __init__(self, names: Iterable[str], *, addresses: bool = False, every: bool = False) -> None:
        parsed = (authority(name) or authority(f"[{name}]") for name in names)
        self._names = frozenset(name for name in parsed if name)
        self._addresses, self._every = addresses, every

    def has(self, host: str) -> bool:
        """Whether a Host header names this server."""
        given = authority(host)
        if given is None:
            return False
        known = given in self._names or (given[0], None) in self._names
        return self._every or known or (self._addresses and _is_ip(given[0]))

    def is_own(self, origin: str, host: str) -> bool:
        """Whether an Origin header is that of a page of this server, whose Host header was `host`.

        Another port of the same name is another origin. Behind a proxy that changes Host, the origin is one of the names.
        """
        scheme, _, rest = origin.partition("://")
        given, own = authority(rest), authority(host)
        if given is None or scheme not in _PORTS:
            return False
        default = _PORTS[scheme]
        port = default if given[1] is None else given[1]
        if own and (given[0], port) == (own[0], default if own[1] is None else own[1]):
            return True
        names = {(name, default if at is None else at) for name, at in self._names if not _is_local(name)}
        return (given[0], port) in names


def _is_local(name: str) -> bool:
    return name == "localhost" or _is_ip(name)


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
