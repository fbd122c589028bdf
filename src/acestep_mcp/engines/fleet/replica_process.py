"""The engine server's side of a replica."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from acestep_mcp import __version__
from acestep_mcp.engines import Source
from acestep_mcp.engines.processes.child import WorkerProcess
from acestep_mcp.engines.processes.samples import samples_of

Resources = dict[str, float]
"""What Ray sets aside for a replica: `num_cpus` and `num_gpus`."""


class ReplicaProcess:
    """A replica, which Ray starts where the resources are free and ends with this process."""

    def __init__(
        self, ray: Any, resources: Resources, build: dict[str, Any], on_log_line: Callable[[str], None]
    ) -> None:
        """Each line of its log is passed to `on_log_line`, in a thread."""
        from acestep_mcp.engines.fleet.replica import Replica

        self.pid = 0
        self._ray = ray
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._reason = "it gave no reason; see Ray's logs there"
        self._actor = ray.remote(Replica).options(**resources, max_restarts=0).remote(build, __version__)
        threading.Thread(target=self._watch, args=(on_log_line,), daemon=True).start()

    def send(self, job: dict[str, Any], source: Source | None) -> None:
        """Start a song; its messages are received in a thread."""
        threading.Thread(target=self._follow, args=(job, source), daemon=True).start()

    def tell(self, message: dict[str, Any]) -> None:
        """Have a song stopped."""
        with suppress(self._ray.exceptions.RayError):
            self._actor.stop.remote(message["stop"])

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """The next message, EXITED at the end, or None if none arrived within `seconds`."""
        try:
            return self._messages.get(timeout=seconds) if seconds else self._messages.get_nowait()
        except queue.Empty:
            return None

    def how_it_ended(self) -> str:
        return self._reason

    def end(self) -> None:
        """Kill it, wherever it is; what it used is free again."""
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._actor)

    def _watch(self, on_log_line: Callable[[str], None]) -> None:
        try:
            for reference in self._actor.watch.options(num_returns="streaming").remote():
                message = self._ray.get(reference)
                if "log" in message:
                    on_log_line(message["log"])
                else:
                    self.pid = message.get("placed", {}).get("pid", self.pid)
                    self._messages.put(message)
        except self._ray.exceptions.RayError as exc:
            self._reason = _in_short(exc)
        self._messages.put(WorkerProcess.EXITED)

    def _follow(self, job: dict[str, Any], source: Source | None) -> None:
        """Pass on the messages about a song. Its samples stay in Ray's object store, and are read there."""
        import numpy as np

        samples = np.frombuffer(samples_of(source.sound), "<i4") if source else None
        try:
            for reference in self._actor.play.options(num_returns="streaming").remote(job, samples):
                self._messages.put(self._ray.get(reference))
        except self._ray.exceptions.RayActorError:
            return  # _watch says it
        except self._ray.exceptions.RayError as exc:
            self._messages.put({"failed": _in_short(exc), "interrupted": True, "number": job["number"]})


def _in_short(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
