"""What Ray runs on a machine of the cluster: one engine, which makes one song after the other."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from acestep_mcp import __version__
from acestep_mcp.engines.processes.messages import NumberedJob, numbered_job, source_of
from acestep_mcp.engines.processes.songs import loaded, messages_about


class Replica:
    """An actor of Ray with an engine, all of whose work is done in one thread.

    Ray does not stop a synchronous generator whose call is cancelled: here each step is awaited, and `stop` ends the song
    at the next one.
    """

    def __init__(self, build: dict[str, Any], version: str) -> None:
        self._build, self._version = build, version
        self._engine: Any = None
        self._stopped = -1
        self._thread = ThreadPoolExecutor(1)
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def watch(self) -> AsyncIterator[dict[str, Any]]:
        """Where it is, whether the engine is loaded, and each log line. Ends if the engine cannot be loaded."""
        import ray

        loop = asyncio.get_running_loop()
        logging.getLogger().addHandler(_LogLines(lambda line: loop.call_soon_threadsafe(self._said.put_nowait, line)))
        yield {"placed": {"node": ray.util.get_node_ip_address(), "pid": os.getpid()}}
        if self._version != __version__:
            yield {
                "failed": f"acestep-mcp {__version__} is installed there, and {self._version} here. Install the same."
            }
            return
        self._engine, said = await loop.run_in_executor(self._thread, loaded, self._build)
        while not self._said.empty():
            yield self._said.get_nowait()
        yield said
        while self._engine is not None:
            yield await self._said.get()

    async def play(self, line: dict[str, Any], samples: Any) -> AsyncIterator[dict[str, Any]]:
        """The messages about one song; that with the song has its `samples`."""
        import numpy as np

        shape = line["source"]
        job = numbered_job(line, source_of(shape, samples) if shape else None)
        messages = messages_about(self._engine, job, self._is_stopped)
        run = partial(asyncio.get_running_loop().run_in_executor, self._thread)
        step = None
        try:
            while (told := await run(next, messages, None)) is not None:
                message, made = told
                if made is not None:
                    yield {**message, "samples": np.frombuffer(made, "<i4")}
                elif message.get("step") != step or step is None:
                    step = message.get("step")
                    yield message
        finally:
            await run(messages.close)

    async def stop(self, number: int) -> None:
        self._stopped = number

    def _is_stopped(self, job: NumberedJob) -> bool:
        return job.number <= self._stopped


class _LogLines(logging.Handler):
    def __init__(self, say: Callable[[dict[str, Any]], object]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say({"log": self.format(record)})
