"""Options of an engine server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio.to_thread


class Words(Protocol):
    """Tags and lyrics for a prompt; `writer` names who wrote them, `notes` go to the answer's own."""

    @property
    def tags(self) -> str: ...
    @property
    def lyrics(self) -> str: ...
    @property
    def writer(self) -> str: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


Writer = Callable[[str, bool, float, int], Awaitable[Words]]
"""Called with prompt, instrumental, duration in seconds, seed."""

Fetch = Callable[[str, Path], Awaitable[object]]
"""Downloads an address to a file, public addresses only. Raises one of our errors."""

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]
"""Posts a body with headers to an address and returns the status, without following redirects.

Raises InvalidRequest for an address that may not be used, such as a private one; another of our errors otherwise.
"""


Prove = Callable[[str, int], str]
"""Called with a challenge and the port it came to; returns a proof that only this server can give."""


async def write_words(prompt: str, instrumental: bool, duration: float, seed: int) -> Words:
    """The engines' own writer, in a thread that a cancelled job does not wait for."""
    from acestep_mcp.songwriter.writer import write

    work = partial(write, prompt, instrumental=instrumental, duration=duration, seed=seed)
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Sizes are bytes, times seconds.

    `database` None keeps jobs in memory and removes every file at exit; a path makes them durable. `allowed_hosts`
    adds names to those the Host header may always hold: loopback names, IP addresses and `public_url`'s own host
    ("*" allows all). `fetch` None refuses http(s) sources, `post` None refuses webhooks. After `idle_unload` without a
    job the engine unloads; None keeps it loaded. `prove` answers a challenge at /health.
    """

    database: Path | None = None
    key: str | None = field(default=None, repr=False)
    public_url: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    retention: float = 24 * 3600
    max_body: int = 32 * 2**20
    max_upload: int = 512 * 2**20
    max_queue: int = 1000
    ping: float = 15
    writer: Writer = write_words
    fetch: Fetch | None = None
    post: Post | None = None
    idle_unload: float | None = None
    prove: Prove | None = None
