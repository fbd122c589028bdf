"""An engine in a process of its own that makes several songs at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

from acestep_mcp.api.errors import AceStepError, RunInterrupted
from acestep_mcp.api.requests import EngineRequest
from acestep_mcp.engines import Audio, Engine, Source, Step, concurrency_of
from acestep_mcp.engines.processes.child import SongProcess, WorkerProcess
from acestep_mcp.engines.processes.device_engine import HEARTBEAT, STOP_SECONDS, DeviceEngine
from acestep_mcp.engines.processes.device_spec import DeviceSpec
from acestep_mcp.engines.processes.messages import job_of

_Event = Step | Audio | AceStepError


class BatchEngine(DeviceEngine):
    """As a DeviceEngine, for as many songs at once as `described` makes. A thread gives each song what is said about it."""

    def __init__(self, described: Engine, spec: DeviceSpec) -> None:
        super().__init__(described, spec)
        self.concurrency = concurrency_of(described)
        self._songs: dict[int, queue.SimpleQueue[_Event]] = {}
        self._changing = threading.RLock()

    def is_ready(self) -> bool:
        with self._changing:
            return self._has_loaded if self._child is not None else super().is_ready()

    def generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        with self._changing:
            child = self._alive()
            self._jobs += 1
            number, said = self._jobs, queue.SimpleQueue[_Event]()
            self._songs[number] = said
            child.send(job_of(request, source, number=number), source)
        event: _Event = Step("starting", 0, 1)
        is_news = False
        try:
            while isinstance(event, Step):
                if is_news or not self._has_loaded:
                    yield event
                event, is_news = _next(said, HEARTBEAT) or event, True
        finally:
            if isinstance(event, Step):
                self._stop_song(child, number, said)
            del self._songs[number]
        if isinstance(event, AceStepError):
            raise event
        self._crashes = 0
        yield event

    def unload(self) -> None:
        with self._changing:
            super().unload()

    def close(self) -> None:
        with self._changing:
            super().close()

    def _launch(self, spec: DeviceSpec) -> SongProcess:
        child = super()._launch(spec)
        threading.Thread(target=self._read, args=(child,), daemon=True).start()
        return child

    def _is_current(self, number: int) -> bool:
        return number in self._songs

    def _read(self, child: SongProcess) -> None:
        """In a thread: hand on what the process says, until it ends or is not the engine's any more."""
        while True:
            message = child.receive(HEARTBEAT)
            with self._changing:
                if child is not self._child:
                    return
                if message is not None:
                    self._hand_on(message)

    def _hand_on(self, message: dict[str, Any]) -> None:
        event = self._heed(message)
        if event is None:
            return
        if message is WorkerProcess.EXITED:
            for said in list(self._songs.values()):
                said.put(event)
        else:
            self._songs[message["number"]].put(event)

    def _stop_song(self, child: SongProcess, number: int, said: queue.SimpleQueue[_Event]) -> None:
        """Have the song stopped at its next step. Where that takes too long its process is killed, and the others begin again."""
        if child is not self._child:
            return
        child.tell({"stop": number})
        steps = int(STOP_SECONDS / HEARTBEAT)
        while steps and not isinstance(_next(said, HEARTBEAT), Audio | AceStepError):
            steps -= 1
        with self._changing:
            if steps or child is not self._child:
                return
            self._end()
            for other in list(self._songs.values()):
                other.put(
                    RunInterrupted(
                        f"The engine's process on {self.label} was ended: another song did not stop. Submit the request again."
                    )
                )


def _next(said: queue.SimpleQueue[_Event], seconds: float) -> _Event | None:
    try:
        return said.get(timeout=seconds)
    except queue.Empty:
        return None
