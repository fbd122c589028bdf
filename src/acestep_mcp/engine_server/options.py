"""Options of an engine server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from acestep_mcp.engine_server.api_keys import ApiKeys
from acestep_mcp.songwriter.song_text import SongText

if TYPE_CHECKING:
    from acestep_mcp.engine_server.metrics import Metrics

Writer = Callable[[str, bool, float, int], Awaitable[SongText]]
"""Called with prompt, instrumental, duration in seconds, seed."""

Fetch = Callable[[str, Path], Awaitable[object]]
"""Downloads an address to a file, public addresses only. Raises one of our errors."""

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]
"""Posts a body with headers to an address and returns the status, without following redirects.

Raises InvalidRequest for an address that may not be used, such as a private one; another of our errors otherwise.
"""


Prove = Callable[[str, int], str]
"""Called with a challenge and the port it came to; returns a proof that only this server can give."""


async def write_song_text(prompt: str, instrumental: bool, duration: float, seed: int) -> SongText:
    """The rule-based writer, in a thread that a cancelled job does not wait for."""
    from acestep_mcp.songwriter.writer import write_by_rules

    work = partial(write_by_rules, prompt, instrumental=instrumental, duration=duration, seed=seed)
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


Scale = Callable[[int, int], None]
"""Called in a thread with the numbers of waiting and running jobs, about once a second."""


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Sizes are bytes, times seconds. `max_remembered` bounds the texts of all jobs, `max_stored` uploads and sources.

    `database` None keeps jobs in memory and removes every file at exit; a path makes them durable. `allowed_hosts`
    adds names to those the Host header may always hold: loopback names, IP addresses and `public_url`'s own host
    ("*" allows all). `jobs`, the address of a PostgreSQL database, takes the place of `database`: all servers with the same
    one share their jobs, and their files at `files`, which fsspec opens; with `sends_files` callers get files from here
    and never an address of the bucket. A server that has not been heard for `lease` loses its jobs to the others. `fetch` None refuses http(s) sources, `post` None refuses webhooks. After SIGTERM the jobs
    that run have `drain` to end. After `idle_unload` without a job the engine unloads; None keeps it loaded. `prove` answers a challenge at /health. `metrics` is what /metrics shows. `key` opens everything;
    `keys`, which take its place, open each what was made with it.
    """

    database: Path | None = None
    jobs: str | None = field(default=None, repr=False)
    files: str | None = None
    sends_files: bool = False
    lease: float = 15
    key: str | None = field(default=None, repr=False)
    keys: ApiKeys | None = None
    public_url: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    retention: float = 24 * 3600
    max_body: int = 32 * 2**20
    max_upload: int = 512 * 2**20
    max_queue: int = 1000
    max_remembered: int = 128 << 20
    max_stored: int = 8 << 30
    ping: float = 15
    writer: Writer = write_song_text
    fetch: Fetch | None = None
    post: Post | None = None
    drain: float = 0
    idle_unload: float | None = None
    prove: Prove | None = None
    metrics: Metrics | None = None
    scale: Scale | None = None

    @property
    def needs_key(self) -> bool:
        return bool(self.key or self.keys)
