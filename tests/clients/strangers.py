"""Whom a program talks to."""

from __future__ import annotations

import sys
from typing import Any


def strangers() -> set[str]:
    """Fills, from now on, with every host but this machine that anything here asks for or connects to."""
    met: set[str] = set()

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        host = arguments[0] if event == "socket.getaddrinfo" else None
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        if host not in {None, "127.0.0.1", b"127.0.0.1"}:
            met.add(str(host))

    sys.addaudithook(heard)
    return met
