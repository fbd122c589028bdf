"""The replicas of an engine server: how many there are, and which model they play."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acestep_mcp.engines import Audio, Engine, Source, Step
from acestep_mcp.engines.fleet.replica_process import ReplicaProcess, Resources
from acestep_mcp.engines.processes.device_engine import DeviceEngine
from acestep_mcp.engines.processes.device_spec import DeviceSpec

logger = logging.getLogger(__name__)

QUIET_SECONDS = 60.0
_PLACE_SECONDS = 60.0
"""A replica that Ray has not placed for this time waits for a machine, and nothing waits for it."""

Build = Callable[[str | None], DeviceSpec]
"""What a replica is started with, given the folder of the weights."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many replicas there may be; there have to be too many for `quiet` seconds before one is ended."""

    least: int = 1
    most: int = 1
    quiet: float = QUIET_SECONDS


class ReplicaEngine(DeviceEngine):
    """Generates on a replica; has none, and takes no job, while it is not wanted. Both change between two songs."""

    def __init__(self, number: int, described: Engine, fleet: Fleet) -> None:
        super().__init__(described, fleet.spec)
        self.device = None  # Ray, not a file of this machine, keeps others off the device
        self.label = f"ray:{number}"
        self.is_wanted = self.is_playing = self.is_to_be_renewed = False
        self._fleet = fleet
        self._launched: DeviceSpec | None = None
        self._launched_at = 0.0

    def is_ready(self) -> bool:
        if not self.is_playing and (self.is_to_be_renewed or not self.is_wanted):
            self.is_to_be_renewed = False
            self._end()
            if not self.is_wanted:
                self.failure = None
                return False
        return super().is_ready()

    def generate(self, request: Any, source: Source | None) -> Iterator[Step | Audio]:
        self.is_playing = True
        try:
            yield from super().generate(request, source)
        finally:
            self.is_playing = False

    @property
    def is_outdated(self) -> bool:
        """Whether its replica has been started for other weights than those of now."""
        return self._child is not None and self._launched is not self._fleet.spec

    @property
    def is_settled(self) -> bool:
        """Whether its replica plays, or waits for a machine that may never come."""
        is_placed = self.node is not None
        waits = self._child is not None and not is_placed and time.monotonic() > self._launched_at + _PLACE_SECONDS
        return self.state == "ready" or waits

    def _launch(self, spec: DeviceSpec) -> ReplicaProcess:  # noqa: ARG002 - that of now, not that of the first start
        self._launched, self._launched_at = self._fleet.spec, time.monotonic()
        return self._fleet.launch(self._log)

    def _heed(self, message: dict[str, Any]) -> Any:
        if "placed" in message:
            self.node = message["placed"]["node"]
            return None
        return super()._heed(message)

    def _end(self) -> None:
        self.node = None
        super()._end()


class Fleet:
    """As many replicas as there are jobs, within bounds."""

    def __init__(
        self,
        ray: Any,
        described: Engine,
        build: Build,
        bounds: Bounds,
        *,
        resources: Resources,
        weights: str | None = None,
    ) -> None:
        """`weights` may be a link: when it leads elsewhere, each replica is replaced after its song, one at a time."""
        self._ray, self._build, self._resources = ray, build, resources
        self.weights = weights
        self._bounds = bounds
        self._found = weights
        self._found = self._find()
        self.spec = build(self._found)
        self._enough_since = time.monotonic()
        self.engines = [ReplicaEngine(number, described, self) for number in range(bounds.most)]
        self.scale(0, 0)

    def launch(self, on_log_line: Callable[[str], None]) -> ReplicaProcess:
        return ReplicaProcess(self._ray, self._resources, self.spec.build, on_log_line)

    def scale(self, waiting: int, playing: int) -> None:
        """Want as many replicas as jobs wait and are played; fewer only when there have been too many for a while."""
        wanted = min(max(self._bounds.least, waiting + playing), len(self.engines))
        present = [each for each in self.engines if each.is_wanted]
        now = time.monotonic()
        if wanted >= len(present):
            self._enough_since = now
            for each in [each for each in self.engines if not each.is_wanted][: wanted - len(present)]:
                each.is_wanted = True
        elif now - self._enough_since >= self._bounds.quiet:
            by_use = sorted(present, key=lambda each: (each.is_playing, each.state == "ready"))
            for each in by_use[: len(present) - wanted]:
                each.is_wanted = False
        self._follow_weights()
        self._renew_one()

    def _follow_weights(self) -> None:
        if (found := self._find()) != self._found:
            logger.info("the weights are now %s: the replicas are replaced one by one", found)
            self._found, self.spec = found, self._build(found)

    def _find(self) -> str | None:
        """The folder that the weights are in now; what is not there for a moment has not changed."""
        if self.weights is None:
            return None
        real = Path(self.weights).resolve()
        return str(real) if real.is_dir() else self._found

    def _renew_one(self) -> None:
        present = [each for each in self.engines if each.is_wanted]
        old = [each for each in present if each.is_outdated]
        if old and all(each.is_settled for each in present if not each.is_outdated):
            old[0].is_to_be_renewed = True
