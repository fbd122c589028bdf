"""An engine in a process of its own, on one device: a crash ends one attempt at one song, and no server."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from acestep_mcp.api.environment import MODEL_KEYS, MODELS, TRACING, inherited
from acestep_mcp.api.errors import AceStepError, GenerationFailed, RunInterrupted
from acestep_mcp.api.requests import EngineRequest
from acestep_mcp.engines import Audio, Engine, Source, Step, loras_of
from acestep_mcp.engines.processes.child import SongProcess, WorkerProcess
from acestep_mcp.engines.processes.device_spec import DeviceSpec
from acestep_mcp.engines.processes.messages import event_in, job_of

logger = logging.getLogger(__name__)

_MODULE = "acestep_mcp.engines.processes.device_main"
HEARTBEAT = 0.2
STOP_SECONDS = 5.0
"""How long a song that is no longer wanted may take to its next step; then its process is killed."""
_LONGEST_PAUSE = 60.0
_MOST_FAILED_STARTS = 3
"""After so many in a row the device counts as failed."""


class DeviceEngine:
    """Generates in a process that is started by `is_ready` or the first song, and again after it has died.

    `described` is the engine as this process knows it: its names and the device's lock. It is not run here.
    """

    def __init__(self, described: Engine, spec: DeviceSpec) -> None:
        self.name, self.model, self.version = described.name, described.model, described.version
        self.device = described.device
        self.label = spec.name
        self.failure: str | None = None
        """Why the process could not be started the last time."""
        self.node: str | None = None
        """The machine of the process, where that is another one."""
        self.is_wanted = True
        self.restarts = 0
        self.memory: dict[str, int] = {}
        self._described, self._spec = described, spec
        self._child: SongProcess | None = None
        self._has_loaded = self._is_resting = self._is_closed = False
        self._jobs = self._crashes = self._failed_starts = 0
        self._not_before = 0.0

    @property
    def loras(self) -> tuple[str, ...] | None:
        """The adapters that are there now; None leaves their names to the engine."""
        return loras_of(self._described)

    @property
    def state(self) -> str:
        """`ready`, `starting`, `failed`, or `unloaded`."""
        if self.failure:
            return "failed"
        return "unloaded" if self._is_resting else "ready" if self._has_loaded else "starting"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def is_ready(self) -> bool:
        """Whether the model is loaded, or was unloaded on purpose. A process that is missing is started, without waiting for it.

        After several crashes or failed starts in a row a while passes before the next one. Not to be called during a song.
        """
        if self._child is not None:
            while (message := self._child.receive(0)) is not None:
                self._heed(message)
                if message is WorkerProcess.EXITED:
                    break
        if self._child is None and not self._is_resting and time.monotonic() >= self._not_before:
            self._start()
        return self._has_loaded or self._is_resting

    def generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        """The song. Raises RunInterrupted when the process or its memory ends first, else as the engine itself does."""
        child = self._alive()
        self._jobs += 1
        child.send(job_of(request, source, number=self._jobs), source)
        event: Step | Audio | AceStepError = Step("starting", 0, 1)
        is_news = False
        try:
            while isinstance(event, Step):
                if is_news or not self._has_loaded:
                    yield event
                message = child.receive(HEARTBEAT)
                event, is_news = event if message is None else self._heed(message) or event, True
        finally:
            if isinstance(event, Step):
                self._stop(child)
        if isinstance(event, AceStepError):
            raise event
        self._crashes = 0
        yield event

    def unload(self) -> None:
        """End the process, which frees all it used. The next song starts another."""
        self._is_resting = True
        self._end()

    def close(self) -> None:
        self._is_closed = True
        self._end()

    def _alive(self) -> SongProcess:
        """The process, perhaps a new one. Raises GenerationFailed while it cannot be started."""
        self._is_resting = False
        self.is_ready()
        if self._child is not None:
            return self._child
        if self.failure:
            raise GenerationFailed(self.failure)
        raise RunInterrupted(
            f"The engine's process on {self.label} ended before the song began. Submit the request again."
        )

    def _start(self) -> None:
        if self._is_closed:
            return
        try:
            self._child = self._launch(self._spec)
        except OSError as exc:
            self._failed_start(f"no process can be started ({exc.strerror})")

    def _launch(self, spec: DeviceSpec) -> SongProcess:
        environment = {**inherited(f"{MODELS}|{TRACING}", keys=MODEL_KEYS), "PYTHONUTF8": "1", **spec.environment}
        return WorkerProcess(_MODULE, environment, first=spec.build, on_log_line=self._log)

    def _heed(self, message: dict[str, Any]) -> Step | Audio | AceStepError | None:
        """Take in what the process says; what it says about the current song is returned."""
        if message is WorkerProcess.EXITED:
            return self._died()
        self.memory = message.get("memory", self.memory)
        if "ready" in message:
            self._has_loaded, self.failure, self._failed_starts = True, None, 0
            return None
        if "number" not in message:  # it could not be started, and exits
            self.failure = f"The engine on {self.label} could not be started: {message['failed']}"
            return None
        if not self._is_current(message["number"]):
            return None
        if "interrupted" in message:
            return RunInterrupted(f"On {self.label}: {message['failed']}")
        return GenerationFailed("The song was stopped.") if "stopped" in message else event_in(message)

    def _is_current(self, number: int) -> bool:
        """Whether a song of this number is being made."""
        return number == self._jobs

    def _died(self) -> AceStepError:
        """The process has exited: say why, and decide when it is started again."""
        assert self._child is not None
        how = self._child.how_it_ended()
        was_ready = self._has_loaded
        self._end()
        self.restarts += 1
        logger.warning("the process on %s ended and is started again: %s", self.label, how)
        if not was_ready:
            was_told = self.failure
            self._failed_start(f"its process ended, {how}")
            if was_told:
                return GenerationFailed(was_told)
        else:
            self._crashes += 1
            self._not_before = time.monotonic() + min(2.0**self._crashes - 2, _LONGEST_PAUSE)
        return RunInterrupted(
            f"The engine's process on {self.label} ended in the middle of the song, {how}. "
            "Ask for a shorter song, or see the engine server's log."
        )

    def _failed_start(self, why: str) -> None:
        self._failed_starts += 1
        self._not_before = time.monotonic() + min(2.0 ** (self._failed_starts - 1), _LONGEST_PAUSE)
        if self._failed_starts >= _MOST_FAILED_STARTS and not self.failure:
            self.failure = f"The engine on {self.label} could not be started: {why}"

    def _stop(self, child: SongProcess) -> None:
        """Have the current song stopped at its next step; kill the process where that takes too long."""
        if child is not self._child:
            return  # it has died
        child.tell({"stop": self._jobs})
        give_up = time.monotonic() + STOP_SECONDS
        while time.monotonic() < give_up:
            message = child.receive(HEARTBEAT)
            if message is not None and (event := self._heed(message)) is not None and not isinstance(event, Step):
                return
        self._end()

    def _end(self) -> None:
        child, self._child = self._child, None
        self._has_loaded = False
        self.memory = {}
        if child:
            child.end()

    def _log(self, line: str) -> None:
        logger.info("%s: %s", self.label, line)
