"""A proxy that breaks things: it passes requests on to a real server and, by a seeded die, spoils some of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.loopback import _abort, _request

FAULTS = (
    "reset before", "reset after", "stall", "429", "500", "502", "503", "cut body", "cut head", "duplicate", "slow",
)  # fmt: skip
REFUSALS = {
    "429": (b"application/json", b'{"detail":"slow down"}'),
    "500": (b"application/json", b'{"detail":"Internal Server Error"}'),
    "502": (b"text/html", b"<html><center>nginx</center></html>"),
    "503": (b"text/plain", b"upstream connect error"),
}


class Proxy:
    """`rate` is the share of requests that are spoilt; `passed` counts those the server has got, by method and path."""

    def __init__(self, port: int, rate: float, seed: int) -> None:
        self.upstream, self.rate, self.die = port, rate, random.Random(seed)
        self.passed: Counter[str] = Counter()
        self.spoilt: Counter[str] = Counter()
        self.url = ""
        self._cards: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def _fault(self) -> str:
        """Dealt like cards: every kind comes once before any comes again."""
        self._cards = self._cards or self.die.sample(FAULTS, len(FAULTS))
        return self._cards.pop()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._one(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = await _request(reader)
        if seen is None:
            return
        fault = self._fault() if self.die.random() < self.rate else ""
        self.spoilt[fault] += 1
        if fault == "reset before":
            _abort(writer)
        elif fault == "stall":
            await reader.read()
        elif fault in REFUSALS:
            kind, body = REFUSALS[fault]
            writer.write(b"HTTP/1.1 %b X\r\nconnection: close\r\ncontent-type: %b\r\n" % (fault.encode(), kind))
            writer.write(b"content-length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
        else:
            self.passed[f"{seen.method} {seen.path}"] += 1
            await self._passed_on(seen, writer, fault)

    async def _passed_on(self, seen, writer: asyncio.StreamWriter, fault: str) -> None:
        reader, upstream = await asyncio.open_connection("127.0.0.1", self.upstream)
        try:
            headers = seen.headers | {"connection": "close", "host": self.url.removeprefix("http://")}
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            upstream.write(f"{seen.method} {seen.target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + seen.body)
            start = await reader.readuntil(b"\r\n\r\n")
            stream = b"event-stream" in start.lower()
            if fault == "reset after":
                _abort(writer)
            elif fault == "cut head":
                writer.write(start[: len(start) // 2])
                await writer.drain()
            elif stream:
                await self._events(start, reader, writer, fault)
            else:
                await self._body(start, await reader.read(), writer, fault)
        finally:
            upstream.close()

    async def _body(self, start: bytes, body: bytes, writer: asyncio.StreamWriter, fault: str) -> None:
        if fault == "slow":
            await asyncio.sleep(0.05)
        writer.write(start + (body[: len(body) // 2] if fault == "cut body" else body))
        await writer.drain()

    async def _events(self, start, reader, writer: asyncio.StreamWriter, fault: str) -> None:
        """Chunk by chunk; `duplicate` sends each event twice, `cut body` ends in the middle of one."""
        writer.write(start)
        number, last = 0, self.die.randint(1, 4)
        while size := int(await reader.readline(), 16):
            chunk = (await reader.readexactly(size + 2))[:-2]
            number += 1
            if fault == "cut body" and number == last:
                half = chunk[: size // 2]
                writer.write(b"%x\r\n%b\r\n" % (len(half), half))
                await writer.drain()
                return
            for _ in range(2 if fault == "duplicate" else 1):
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def spoiling(port: int, *, rate: float, seed: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port, rate, seed)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
