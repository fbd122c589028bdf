"""`acestep-mcp engine` as the process that a person starts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

OURS = (sys.executable, "-m", "acestep_mcp")


@dataclass
class Running:
    """An engine that answers, its address, and its stderr up to the last setup line."""

    process: subprocess.Popen[str]
    address: str
    told: str

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def running(environment: dict[str, str], *arguments: str) -> Iterator[Running]:
    """An engine on a free port; killed at the end."""
    with subprocess.Popen(
        [*OURS, "engine", "--port", "0", *arguments], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            told = ""
            for line in process.stderr:
                told += line
                if "proxyUrl" in line:
                    break
            found = re.search(r"served at (\S+) ", told)
            assert found, told
            yield Running(process, found[1], told)
        finally:
            process.kill()


@contextmanager
def started_for(environment: Mapping[str, str]) -> Iterator[None]:
    """Engines that are started automatically for programs with this environment end with the block."""
    try:
        yield
    finally:
        for engine in engines_below(environment):
            os.kill(engine["pid"], getattr(signal, "SIGKILL", signal.SIGTERM))


def engines_below(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the engines that were started automatically say of themselves."""
    return [json.loads(file.read_text("utf-8")) for file in Path(environment["ACESTEP_DATA_DIR"]).rglob("engine.json")]


def log_below(environment: Mapping[str, str]) -> str:
    """The log of the only engine that was started automatically."""
    [file] = Path(environment["ACESTEP_DATA_DIR"]).rglob("engine.log")
    return file.read_text("utf-8")


def until(http: httpx.Client, path: str, job: str, wanted: str) -> None:
    """Wait for a text in the status stream, or for the end of the job."""
    with http.stream("GET", f"{path}/requests/{job}/status/stream", params={"logs": 1}) as reply:
        for line in reply.iter_lines():
            if wanted in line:
                return
    pytest.fail(f"job {job} never said {wanted}")
