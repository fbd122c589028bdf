"""A real HTTP server on loopback whose every answer a test decides, faults of the wire included."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Seen:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """`raw`: these bytes are the whole answer. `cut`: only so many bytes of the body leave before a reset. `reset`: nothing does. `stall`: nothing ever does.

    `after`: it leaves when this happens. `stream`: chunks sent one by one, `pause` seconds apart; after the last the connection closes as `clean` says, or hangs.
    """

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    stall: bool = False
    stream: Sequence[bytes] | None = None
    clean: bool = True
    hang: bool = False
    pause: float = 0
    raw: bytes | None = None
    after: asyncio.Event | None = None

    def payload(self) -> tuple[bytes, dict[str, str]]:
        if isinstance(self.body, bytes):
            return self.body, self.headers
        return json.dumps(self.body).encode(), {"content-type": "application/json"} | self.headers


Script = Callable[[Seen], Reply]


class Server:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[Seen] = []
        self.port = 0
        self.scheme = "http"
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def requests(self, method: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == method]

    def everything(self) -> bytes:
        """All that was ever sent here, as one text to search."""
        return b"\n".join(f"{s.method} {s.target} {s.headers}".encode() + s.body for s in self.seen)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            seen = await _request(reader)
            if seen:
                self.seen.append(seen)
                await _answer(self.script(seen), reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, target, headers, body)


async def _answer(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if reply.stall:
        await reader.read()
        return
    if reply.after:
        await reply.after.wait()
    if reply.reset:
        _abort(writer)
        return
    if reply.raw is not None:
        writer.write(reply.raw)
        await writer.drain()
        return
    body, headers = reply.payload()
    length = {} if reply.stream is not None else {"content-length": str(len(body))}
    head = f"HTTP/1.1 {reply.status} X\r\nconnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (length | headers).items())
    if reply.stream is not None:
        head += "transfer-encoding: chunked\r\n"
    writer.write(head.encode() + b"\r\n")
    if reply.stream is not None:
        for chunk in reply.stream:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
            if reply.pause:
                await asyncio.sleep(reply.pause)
        if reply.hang:
            await reader.read()
        elif reply.clean:
            writer.write(b"0\r\n\r\n")
    else:
        writer.write(body[: reply.cut])
    await writer.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def listening(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(script)
    listener = await asyncio.start_server(server.connected, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    server.scheme = "https" if tls else "http"
    try:
        yield server
    finally:
        listener.close()
        await server.close()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
