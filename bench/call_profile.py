"""Count what one `text_to_audio` call costs besides the music: SQL statements, thread hops, JSON parsing.

    python bench/call_profile.py [--songs 9] [--callers]

The real server in this process, called by the SDK's client over memory streams, with the embedded draft engine. One
call of 5 s opens the studio and loads everything; then SONGS calls are counted, each from the call to its answer:

- SQL: statements that SQLite runs on any connection, BEGIN and COMMIT included
- hops: calls of anyio.to_thread.run_sync, anyio.from_thread.run and run_sync, and loop.run_in_executor
- loads, dumps: calls of json.loads and json.load, json.dumps and json.dump. The memory streams carry objects, so the
  protocol's own messages are not in it; nor is what pydantic parses

The draft engine's worker is a process of its own and is not counted. The embedded queue is polled, so a busy machine
adds a few of each. `--callers` shows the 15 lines of this package that cause most of each. Only the standard library
and anyio are patched.
"""

from __future__ import annotations

import argparse
import asyncio
import contextvars
import functools
import inspect
import json
import os
import sqlite3
import statistics
import tempfile
import threading
from collections import Counter
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.to_thread

KINDS = {"SQL": "SQL statements", "hops": "thread hops", "loads": "json loads", "dumps": "json dumps"}
OUTSIDE = "(outside this package)"

hopped_from = contextvars.ContextVar("hopped_from", default="")


class Counts:
    """How often each line did something, while `on`. Threads count too."""

    def __init__(self) -> None:
        self.on = False
        self.lines: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        self._lock = threading.Lock()

    def add(self, kind: str) -> None:
        if self.on:
            line = caller()
            with self._lock:
                self.lines[kind][line] += 1

    def totals(self) -> dict[str, int]:
        return {kind: lines.total() for kind, lines in self.lines.items()}


counts = Counts()


def caller() -> str:
    """The innermost line of this package, and in a worker thread the line that sent the work there."""
    own = innermost()
    if own == OUTSIDE:
        return hopped_from.get() or own
    return f"{own}  from {hopped_from.get()}" if hopped_from.get() else own


def innermost() -> str:
    frame = inspect.currentframe()
    while frame is not None:
        _, found, place = frame.f_code.co_filename.rpartition("acestep_mcp" + os.sep)
        # A context manager's own BEGIN or COMMIT belongs to the block that uses it.
        entered = frame.f_back is not None and frame.f_back.f_code.co_filename.endswith("contextlib.py")
        # A function that only passes another one to a thread is named by its caller.
        forwards = (
            frame.f_code.co_argcount == 1 and frame.f_code.co_flags & 0x04 and "to_thread" in frame.f_code.co_names
        )
        if found and not entered and not forwards:
            return f"{place}:{frame.f_lineno} {frame.f_code.co_name}"
        frame = frame.f_back
    return OUTSIDE


def patched(owner: object, name: str, kind: str) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def counted(*args, **kwargs):
        counts.add(kind)
        return original(*args, **kwargs)

    setattr(owner, name, counted)


def patched_hop(owner: object, name: str) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    async def counted(*args, **kwargs):
        counts.add("hops")
        token = hopped_from.set(innermost())  # a worker thread runs in a copy of this context
        try:
            return await original(*args, **kwargs)
        finally:
            hopped_from.reset(token)

    setattr(owner, name, counted)


def patch_everything() -> None:
    """Before this package is imported, so that no module holds an original."""
    connect = sqlite3.connect

    @functools.wraps(connect)
    def traced(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(lambda _: counts.add("SQL"))
        return connection

    sqlite3.connect = traced
    patched_hop(anyio.to_thread, "run_sync")
    patched(anyio.from_thread, "run", "hops")
    patched(anyio.from_thread, "run_sync", "hops")
    patched(asyncio.base_events.BaseEventLoop, "run_in_executor", "hops")
    patched(json, "loads", "loads")  # json.load calls it
    patched(json, "dumps", "dumps")
    patched(json, "dump", "dumps")


async def profile(songs: int) -> list[dict[str, int]]:
    from mcp import Client

    from acestep_mcp.assembly import open_studio
    from acestep_mcp.server.app import create_server
    from acestep_mcp.settings import Settings

    totals = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            music_dir=Path(folder, "music"), data_dir=Path(folder, "data"), backend="draft", log_level="ERROR"
        )
        server = create_server(lambda: open_studio(settings), settings, transport="stdio")
        async with Client(server) as client:
            for number in range(songs + 1):
                before = counts.totals()
                counts.on = number > 0
                answer = await client.call_tool("text_to_audio", {"tags": "lofi, piano", "duration": 5, "seed": number})
                counts.on = False
                status = answer.structured_content["status"]
                if status != "COMPLETED":
                    raise RuntimeError(f"song {number} is {status}")
                totals.append({kind: total - before[kind] for kind, total in counts.totals().items()})
    return totals[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=9)
    parser.add_argument("--callers", action="store_true")
    given = parser.parse_args()
    os.environ.pop("ACESTEP_LLM_URL", None)
    patch_everything()
    totals = anyio.run(profile, given.songs)
    figures = [
        f"{statistics.median(of):g} {what} ({min(of)} to {max(of)})"
        for kind, what in KINDS.items()
        if (of := [total[kind] for total in totals])
    ]
    print(f"{', '.join(figures)}; medians of {given.songs} calls, load {os.getloadavg()[0]:.1f}")
    if given.callers:
        for kind, lines in counts.lines.items():
            print(f"\n{kind}, {lines.total()} in {given.songs} calls")
            for line, count in lines.most_common(15):
                print(f"{count:6}  {line}")


if __name__ == "__main__":
    main()
