"""Two servers and the command line on one library, while its database is locked or its disk is full.

    python -m tests.faults.together KIND [--seconds 30] [--lease 15] [--trials 1]

KIND is `locked` (this process holds the database's lock) or `full` (a real disk of 8 MiB, for which it must be root). Songs
are being made by both servers when the fault begins, and are asked for by all three during it. Prints a line of JSON for each
trial: how many songs were asked for and made, the slowest answer of a reading call during the fault, and what is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.faults.checks import OPEN, problems
from tests.faults.kills import World
from tests.faults.places import FAULTS, small_disk
from tests.faults.talk import StdioServer, WebServer

KINDS = ("locked", "full")
SLOWEST = 10.0
_WAIT = 120.0


class Together:
    """One library with its servers, and what is seen from outside."""

    def __init__(self, kind: str, folder: Path, disk: Path, lease: float, seed: int) -> None:
        self.world = World(disk, seed)
        self.world.log, self.made = folder / "servers.log", folder / "made.txt"
        self.fault = FAULTS[kind](disk, random.Random(seed))
        self.environment = self.world.environment("draft") | {
            "FAULTS_LEASE": str(lease),
            "FAULTS_MADE": str(self.made),
        }
        self.asked = 0
        self.slowest = 0.0
        self.wrong: list[str] = []

    def song(self) -> dict[str, Any]:
        self.asked += 1
        return {"tags": "lofi", "duration": 5, "seed": self.asked}

    def start(self, server: StdioServer | WebServer) -> None:
        """Ask for a song. A refusal during the fault must name it."""
        answer = server.call("text_to_audio", **self.song())
        if "error" in answer:
            self._check(answer["error"], "a call")
        else:
            self.world.submitted.add(answer["job_id"])

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server", *arguments], env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def end_of(self, command: subprocess.Popen[str]) -> None:
        try:
            _, told = command.communicate(timeout=_WAIT)
        except subprocess.TimeoutExpired:
            command.kill()
            self.wrong.append("a command hung")
            return
        if command.returncode:
            self._check(told, "a command")

    def _check(self, told: str, who: str) -> None:
        if "bug in acestep-mcp" in told or not any(words in told for words in ("has locked it", "is full")):
            self.wrong.append(f"{who} was told: {told[-500:]}")

    def read(self, server: StdioServer | WebServer, job: str) -> None:
        for tool, arguments in (("list_tracks", {}), ("get_job", {"job_id": job}), ("status", {})):
            began = time.monotonic()
            answer = server.call(tool, **arguments)
            self.slowest = max(self.slowest, time.monotonic() - began)
            if "error" in answer:
                self.wrong.append(f"{tool} did not answer: {answer['error'][:500]}")

    def run(self, seconds: float) -> None:
        stdio, http = StdioServer(self.environment, self.world.log), WebServer(self.environment, self.world.log)
        try:
            self.start(stdio)
            first = next(iter(self.world.submitted))
            self._settle(stdio)
            self.start(stdio)
            self.start(http)
            time.sleep(self.world.random.uniform(0, 1.2))
            self.fault.begin()
            commands = self._during(stdio, http, first, seconds)
            for command in commands:
                self.end_of(command)
            self._settle(stdio)
            stdio.end()
        finally:
            self.fault.end()
            for server in (stdio, http):
                server.process.kill()
                server.process.wait()
        self.wrong += self._outcome()

    def _during(self, stdio: StdioServer, http: WebServer, first: str, seconds: float) -> list[subprocess.Popen[str]]:
        """Read and ask until the fault ends; the commands that were started meanwhile."""
        until = time.monotonic() + seconds
        self.read(http, first)
        asking = threading.Thread(target=self.start, args=(http,))
        asking.start()
        song = ("--tags", "lofi", "--duration", "5", "--seed", str(self.song()["seed"]))
        commands = [self.command("make", "text-to-audio", *song), self.command("jobs", "wait", first)]
        while time.monotonic() < until:
            self.read(stdio, first)
            time.sleep(0.5)
        self.fault.end()
        asking.join()
        return commands

    def _settle(self, server: StdioServer) -> None:
        """Wait until all jobs have ended, as a model does; it asks again for a song that could not be saved."""
        deadline = time.monotonic() + _WAIT
        while waiting := [row["id"] for row in self.world.rows() if row["status"] in (*OPEN, "FAILED")]:
            for job in waiting:
                server.call("get_job", job_id=job)
            if time.monotonic() > deadline:
                self.wrong.append(f"{len(waiting)} jobs did not end")
                return
            time.sleep(0.2)

    def _outcome(self) -> list[str]:
        rows = self.world.rows()
        begun = Counter(self.made.read_text(encoding="ascii").split())
        return [
            *problems(self.world.music, self.world.data, self.world.submitted),
            *(f"the song with seed {seed} was made {count} times" for seed, count in begun.items() if count > 1),
            *(f"job {row['id']} is {row['status']}: {row['error']}" for row in rows if row["status"] != "COMPLETED"),
        ]


def trial(kind: str, seconds: float, lease: float, seed: int) -> dict[str, Any]:
    """Raises CalledProcessError or OSError where no disk can be mounted."""
    with tempfile.TemporaryDirectory() as above, ExitStack() as stack:
        folder, disk = Path(above), Path(above) / "disk"
        disk.mkdir()
        if kind == "full":
            stack.enter_context(small_disk(disk, "8m"))
        together = Together(kind, folder, disk, lease, seed)
        together.run(seconds)
        songs = len([*together.world.music.glob("*.json")])
        if together.slowest > SLOWEST:
            together.wrong.append(f"a reading call took {together.slowest:.1f} s")
        return {"kind": kind, "seed": seed, "asked": together.asked, "songs": songs,
                "slowest_read": round(together.slowest, 2), "broken": together.wrong}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--lease", type=float, default=15)
    parser.add_argument("--trials", type=int, default=1)
    given = parser.parse_args()
    reports = [trial(given.kind, given.seconds, given.lease, seed) for seed in range(given.trials)]
    sys.stdout.write("".join(json.dumps(report) + "\n" for report in reports))
    sys.exit(any(report["broken"] for report in reports))


if __name__ == "__main__":
    os.umask(0o022)
    main()
