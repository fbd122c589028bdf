"""Following a request: events of a stream, and what is new in each update."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import anyio
import httpx

from acestep_mcp.api.errors import NoResponse
from acestep_mcp.api.updates import Completed, InProgress, Log, Queued, Update
from acestep_mcp.net.lenient_json import read_json

MAX_EVENT = 4 << 20
DRAIN_SECONDS = 0.1
MAX_LINES = 20_000
"""Log lines of one request that are reported; more come only from a host that is broken."""


async def events(chunks: AsyncIterable[bytes], clean: Callable[[str], str]) -> AsyncIterator[Any]:
    """The JSON of each event of a `text/event-stream`, cleaned; comments and other fields are skipped.

    Raises NoResponse for an event that is not JSON, or larger than 4 MiB.
    """
    data, size = bytearray(), 0
    async for line in _lines(chunks):
        if line.startswith(b"data:"):
            data += line[5:].removeprefix(b" ") + b"\n"
            size += len(line)
        elif not line and data:
            if (event := read_json(bytes(data), clean)) is None:
                raise NoResponse("The status stream sent something that is not JSON.", sent=True)
            yield event
            data, size = bytearray(), 0
        if size > MAX_EVENT:
            raise NoResponse("The status stream sent an event of more than 4 MiB.", sent=True)


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Lines without their ends. What follows the last line end is incomplete and dropped."""
    rest = bytearray()
    async for chunk in chunks:
        rest += chunk
        if b"\n" in chunk:
            *whole, rest = rest.split(b"\n")
            for line in whole:
                yield bytes(line.removesuffix(b"\r"))
        if len(rest) > MAX_EVENT:
            raise NoResponse("The status stream sent a line of more than 4 MiB.", sent=True)


async def drain(news: AsyncIterator[Any]) -> None:
    """Read a stream to its end after the last event, so that its connection can be reused."""
    with anyio.move_on_after(DRAIN_SECONDS), suppress(httpx.HTTPError, NoResponse):
        async for _ in news:
            pass


class Watch:
    """Remembers what was reported about one request, so that nothing is reported twice.

    A stream sends new log lines only, a poll all lines so far. A line is identified by its time, level and
    text; a repeated line without a time in a stream counts as new.
    """

    def __init__(self) -> None:
        self._state: Update | None = None
        self._lines: Counter[Log] = Counter()
        self._reported = 0

    def news(self, update: Update, *, whole: bool) -> Update | None:
        """The update with only its new lines, or None when nothing changed. `whole`: it holds all lines so far."""
        if isinstance(update, Queued):
            return self._changed(update)
        fresh = self._new_lines(update.logs, whole=whole)
        if isinstance(update, Completed):
            return Completed(fresh, update.error, update.error_type, update.inference_time)
        started = self._changed(InProgress())
        return InProgress(fresh) if fresh or started else None

    def _changed(self, state: Update) -> Update | None:
        before, self._state = self._state, state
        return None if state == before else state

    def _new_lines(self, lines: tuple[Log, ...], *, whole: bool) -> tuple[Log, ...]:
        known = Counter(self._lines)
        fresh = []
        for line in lines:
            if known[line] and (whole or line.timestamp):
                known[line] -= 1
            elif self._reported < MAX_LINES:
                self._reported += 1
                self._lines[line] += 1
                fresh.append(line)
        return tuple(fresh)
