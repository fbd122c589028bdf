"""Engines that tests run in processes of their own; `build` is what such a process calls."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError, OutOfMemory
from acestep_mcp.api.requests import Request
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.processes.batch_engine import BatchEngine
from acestep_mcp.engines.processes.device_engine import DeviceEngine
from acestep_mcp.engines.processes.device_spec import DeviceSpec
from tests.support.engine import Tone

ROOT = Path(__file__).parents[2]


class Told(Tone):
    """Notes each run, as tags and process, in the file `runs`.

    Tags: "hold" waits for the file `release`; "die" ends the process, "lost" loses its device and "memory" has none, "once" at the first attempt
    only; "sleep" takes as many seconds as the file `seconds` says.
    """

    def __init__(self, folder: Path, weights: str | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._weights = f", by {Path(weights).name}" if weights else ""

    def generate(self, request: Request, source: Source | None) -> Iterator[Step | Audio]:
        with (self._folder / "runs").open("a", encoding="utf-8") as file:
            file.write(
                f"{os.getpid()} {request.tags}{f', from {source.sound.seconds:g} s' if source else ''}{self._weights}\n"
            )
        yield Step("rendering", 1, 3)
        if self._is_the_first(request) or "once" not in request.tags:
            if "die" in request.tags:
                os.kill(os.getpid(), signal.SIGKILL)
            if "lost" in request.tags:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            if "memory" in request.tags:
                raise OutOfMemory("The memory of the device is full.")
        while "hold" in request.tags and not (self._folder / "release").exists():
            time.sleep(0.01)
            yield Step("rendering", 2, 3)
        if "stuck" in request.tags:
            time.sleep(60)
        if "sleep" in request.tags:
            yield from self._sleep(float((self._folder / "seconds").read_text(encoding="ascii")))
        yield from super().generate(request.model_copy(update={"tags": "a tone"}), source)

    def _sleep(self, seconds: float) -> Iterator[Step]:
        end = time.monotonic() + seconds
        self._note("begin")
        while (left := end - time.monotonic()) > 0:
            yield Step("sleeping", 0, 1)
            time.sleep(min(left, 0.05))
        self._note("end")

    def _note(self, what: str) -> None:
        """When a song begins and ends to sleep, in the file `moments`."""
        with (self._folder / "moments").open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {what} {time.time_ns()}\n")

    def _is_the_first(self, request: Request) -> bool:
        try:
            (self._folder / f"seen {request.seed}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def build(given: dict[str, Any]) -> Told:
    if "refuses" in given:
        raise ConfigurationError(given["refuses"])
    weights = given.get("weights")
    if weights and weights.endswith("broken"):
        raise ConfigurationError("These weights are broken. Fetch them again.")
    engine = Told(Path(given["folder"]), weights)
    engine.concurrency = given.get("at_once", 1)
    return engine


def engines(folder: Path, count: int, **given: Any) -> list[DeviceEngine]:
    """Engines on so many devices, each with a process."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), *filter(None, sys.path)])
    given = {"folder": str(folder), **given}
    described = Tone()
    described.concurrency = given.get("at_once", 1)
    made = BatchEngine if described.concurrency > 1 else DeviceEngine
    specs = [DeviceSpec(f"test:{number}", f"{__name__}:build", given, {"PYTHONPATH": path}) for number in range(count)]
    return [made(described, spec) for spec in specs]
