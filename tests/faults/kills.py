"""SIGKILL at random moments: servers, engine servers, workers and device processes, while songs are made on all five endpoints.

    python -m tests.faults.kills FOLDER COUNT [SEED]

Each kill's victim, what it was doing and the moment follow from the seed. Every server that is started takes over what the
last one left. After each kill the database must be whole and know every job whose id was answered; now and then all jobs
are waited for, and everything in `checks` must hold. Prints a line of JSON for each problem, and at last the totals.
Linux only (it finds processes in /proc).
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.faults.checks import AUDIO, NO_SONG, OPEN, TRASH, make_old, problems, temporary
from tests.faults.talk import SECONDS, GoneError, StdioServer, WebServer

ROOT = Path(__file__).parents[2]
VICTIMS = ("stdio", "http", "worker", "engine", "both", "device")
SETTLED_EVERY = 20
LONGEST_WAIT = 3.0
SETTLE_SECONDS = 240.0


def a_song() -> str:
    """A second of noise as a data: address."""
    out = io.BytesIO()
    noise = np.random.default_rng(1).integers(-(2**13), 2**13, 8000).astype(np.int16)
    soundfile.write(out, noise, 8000, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(out.getvalue()).decode()}"


SOURCE = a_song()
CALLS: dict[str, dict[str, Any]] = {
    "text_to_audio": {"tags": "lofi", "duration": 5},
    "prompt_to_audio": {"prompt": "a calm evening song", "duration": 5},
    "audio_to_audio": {"audio_url": SOURCE, "original_tags": "noise", "tags": "rock"},
    "audio_inpaint": {"audio_url": SOURCE, "tags": "jazz", "start_time": 0.2, "end_time": 0.6},
    "audio_outpaint": {"audio_url": SOURCE, "tags": "folk", "extend_after_duration": 2},
}


class World:
    """One user's folders, and what is known from outside."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.music, self.data, self.log = folder / "music", folder / "data", folder / "servers.log"
        folder.mkdir(parents=True, exist_ok=True)
        self.random = random.Random(seed)
        self.submitted: set[str] = set()
        self.files: dict[str, tuple[int, int]] = {}
        self.wrong: list[str] = []
        self.kills: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.hung = 0
        self.devices: subprocess.Popen[bytes] | None = None

    def environment(self, backend: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACESTEP_", "FAL_"))}
        return kept | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
            "HOME": str(self.data.parent),
            "ACESTEP_MUSIC_DIR": str(self.music),
            "ACESTEP_DATA_DIR": str(self.data),
            "ACESTEP_BACKEND": backend,
            "ACESTEP_LOCAL_ENGINE": "draft",
            "ACESTEP_WAIT_SECONDS": "0",
        }

    def rows(self) -> list[sqlite3.Row]:
        if not (self.data / "acestep.sqlite3").is_file():
            return []
        with closing(sqlite3.connect(self.data / "acestep.sqlite3", timeout=30)) as db:
            db.row_factory = sqlite3.Row
            return db.execute("SELECT * FROM jobs").fetchall()

    def note(self, wrong: list[str], moment: str) -> None:
        for what in wrong:
            self.wrong.append(what)
            print(json.dumps({"after": moment, "problem": what}), flush=True)

    # -- one kill

    def strike(self, number: int) -> None:
        victim = self.random.choice(VICTIMS)
        backend = "engine" if victim in ("engine", "both", "device") else "draft"
        kind = WebServer if victim == "http" or (victim != "stdio" and self.random.random() < 0.3) else StdioServer
        moment = f"kill {number}, {victim}"
        try:
            if victim == "device":
                self._start_devices()
            server = kind(self.environment(backend), self.log)
        except (GoneError, TimeoutError) as exc:
            return self.note([f"a server did not start: {exc!r}"], moment)
        try:
            self._work(server)
            time.sleep(self.random.random() * LONGEST_WAIT)
            self._kill(victim, server.process)
        except GoneError:
            self.note(["a server ended by itself"], moment)
        except TimeoutError as exc:
            self.hung += 1
            self.note([str(exc)], moment)
        finally:
            server.process.kill()
            server.process.wait()
        return self.note(self._light(), moment)

    def _work(self, server: StdioServer | WebServer) -> None:
        """One or two songs; sometimes a song is deleted or restored."""
        for _ in range(self.random.choice((1, 1, 2))):
            tool = self.random.choice(list(CALLS))
            answer = server.call(tool, **CALLS[tool], seed=self.random.randrange(2**31))
            self.calls[tool] += 1
            if "job_id" not in answer:
                self.note([f"{tool}: {answer}"], "a call")
            else:
                self.submitted.add(answer["job_id"])
        kept = sorted(row["id"] for row in self.rows() if row["status"] == "COMPLETED")
        if kept and self.random.random() < 0.4:
            restores = self.random.random() < 0.5
            answer = server.call("delete_track", track_id=self.random.choice(kept), restore=restores)
            self.calls["restore" if restores else "delete"] += 1
            if "error" in answer:
                self.note([f"delete_track: {answer}"], "a call")

    def _kill(self, victim: str, server: subprocess.Popen[bytes]) -> None:
        if victim in ("engine", "both"):
            self._end_engine()
        if victim == "worker":
            for child in children(server.pid):
                if "worker_main" in command_of(child):
                    end(child)
            time.sleep(self.random.random())
        if victim == "device" and self.devices:
            processes = [pid for pid in children(self.devices.pid) if "device_main" in command_of(pid)]
            if processes:
                end(self.random.choice(processes))
            time.sleep(self.random.random())
        server.kill()
        self.kills[victim] += 1

    def _start_devices(self) -> None:
        """An engine server with two processes, which the servers find and use until it is killed."""
        if self.devices and self.devices.poll() is None:
            return
        command = [
            sys.executable,
            "-m",
            "acestep_mcp",
            "engine",
            "--engine",
            "draft",
            "--devices",
            "cpu:2",
            "--port",
            "0",
        ]
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            self._end_engine()
            with self.log.open("ab") as log:
                self.devices = subprocess.Popen(
                    command, env=self.environment("engine"), stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            # One that a killed server had begun to start may have the database: it is known once it is ready.
            while self.devices.poll() is None and time.monotonic() < deadline:
                if self._engine() == self.devices.pid:
                    return
                time.sleep(0.1)
        raise GoneError("the engine server with two devices")

    def _engine(self) -> int | None:
        """The process of the engine server that the servers would find."""
        try:
            return json.loads((self.data / "engine" / "draft" / "engine.json").read_text(encoding="utf-8"))["pid"]
        except (OSError, ValueError):
            return None

    def _end_engine(self) -> None:
        pid = self._engine()
        if pid and ("tests.faults" in command_of(pid) or "acestep_mcp" in command_of(pid)):
            end(pid)
        if self.devices and pid == self.devices.pid:
            self.devices.wait()
            self.devices = None

    def _light(self) -> list[str]:
        known = {row["id"] for row in self.rows()}
        return [f"job {job} is not recorded" for job in self.submitted - known]

    # -- all jobs have ended

    def settle(self, moment: str) -> None:
        """A server goes on until every job has ended; then one comes a day later."""
        for backend in sorted({row["backend"] for row in self.rows() if row["status"] in OPEN} or {"draft"}):
            server = StdioServer(self.environment(backend), self.log)
            deadline = time.monotonic() + SETTLE_SECONDS
            while waiting := [row["id"] for row in self.rows() if row["status"] in OPEN]:
                for job in waiting:
                    server.call("get_job", job_id=job)
                if time.monotonic() > deadline:
                    self.hung += len(waiting)
                    break
                time.sleep(0.2)
            server.call("list_tracks")
            server.end()
        # The second sidecar of an interrupted move is removed once the move cannot go on any more.
        found = problems(self.music, self.data, self.submitted)
        self.note([what for what in found if not what.endswith(NO_SONG)], moment)
        self.note(self._finished_again(), moment)

    def a_day_later(self, moment: str) -> None:
        """A server that makes one song removes what the killed ones left."""
        leftovers = temporary(self.music, self.data)
        make_old([*leftovers, *self.music.rglob("*.json")], 2 * 86_400)
        server = StdioServer(self.environment("draft"), self.log)
        job = server.call("text_to_audio", tags="lofi", duration=5, seed=self.random.randrange(2**31))["job_id"]
        self.submitted.add(job)
        while next(row["status"] for row in self.rows() if row["id"] == job) in OPEN:
            time.sleep(0.2)
        server.call("list_tracks")
        server.end()
        left = [f"{path} is left for ever" for path in leftovers if path.exists() and "engine" not in path.parts]
        left += [f"{path} is left" for path in (self.data / "draft").iterdir()]
        self.note([*left, *problems(self.music, self.data, self.submitted)], f"{moment}, a day later")
        self._finished_again()

    def _finished_again(self) -> list[str]:
        """A song that was kept is never written again."""
        found = {}
        for folder in (self.music, self.music / TRASH):
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.suffix in AUDIO and not path.name.startswith("."):
                    about = json.loads(path.with_suffix(".json").read_bytes())
                    found[about["id"]] = (path.stat().st_ino, path.stat().st_mtime_ns)
        again = [f"the song {name} was written again" for name, was in self.files.items() if found.get(name) != was]
        self.files = found
        return again

    def totals(self) -> dict[str, Any]:
        endings = Counter(row["status"] for row in self.rows())
        reasons = Counter(json.loads(row["error"])["message"][:90] for row in self.rows() if row["error"])
        return {
            "kills": sum(self.kills.values()), "victims": dict(self.kills), "calls": dict(self.calls),
            "jobs": dict(endings), "errors": dict(reasons), "problems": len(self.wrong), "hung": self.hung,
        }  # fmt: skip


def children(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text(encoding="utf-8").split()]
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def run(folder: Path, count: int, seed: int, *, settled_every: int = SETTLED_EVERY) -> dict[str, Any]:
    world = World(folder, seed)
    try:
        for number in range(1, count + 1):
            world.strike(number)
            if number % settled_every == 0 or number == count:
                world.settle(f"kill {number}")
                if count > 5:  # the tests make few kills, and have little time
                    world.a_day_later(f"kill {number}")
                print(json.dumps(world.totals()), flush=True)
    finally:
        world._end_engine()
    return world.totals()


def main(arguments: list[str], report: Callable[[str], None] = print) -> int:
    folder, count, seed = Path(arguments[0]), int(arguments[1]), int(arguments[2]) if len(arguments) > 2 else 0
    totals = run(folder, count, seed)
    report(json.dumps(totals))
    return 1 if totals["problems"] or totals["hung"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
