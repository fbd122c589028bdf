"""Several devices behind one queue, with an engine that sleeps: how much faster, and what kills leave.

    python bench/fleet.py speed [--jobs N] [--seconds S] [--devices 1,2,8] [--ray]
    python bench/fleet.py draft [--jobs 6] [--devices 1,2]
    python bench/fleet.py kills [--jobs 200] [--seconds 0.5] [--every 5] [--ray]

With `--ray` they are replicas on a Ray cluster of this machine's, which is started for it and ended. Its Python is that of
ACESTEP_TESTS_RAY_PYTHON, else the one that runs this.

`speed` gives the songs of each number of devices in the time of one. `kills` kills a random process of four every few
seconds, and the server twice, until all jobs have ended; every job must end once with a song, those of normal priority
before those of low. A song whose server is killed between storing it and recording this is found by the next: no file is left
over. It gives the seconds from a kill to the replacement that has loaded its engine, and the milliseconds between two songs on
one replica.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import anyio
import httpx
import uvicorn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.engine_server.own_process import engines  # noqa: E402
from tests.support.engine_process import running  # noqa: E402
from tests.support.ray_cluster import PYTHON, Cluster, cluster, processes_of  # noqa: E402

from acestep_mcp.engine_server.app import QueueOptions, serving  # noqa: E402

RAY_PYTHON = PYTHON or sys.executable
APP = "/fal-ai/ace-step"


async def serve(folder: Path, count: int) -> None:
    options = QueueOptions(database=folder / "jobs.sqlite3")
    with ExitStack() as stack:
        each = [stack.enter_context(closing(engine)) for engine in engines(folder, count)]
        async with serving(*each, folder=folder / "files", options=options) as app:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
                config = uvicorn.Config(app, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
                await uvicorn.Server(config).serve([listener])


class Server:
    """A server of its own process."""

    def __init__(self, folder: Path, count: int, on: Cluster | None) -> None:
        command = [sys.executable, __file__, "serve", str(folder), str(count)]
        if on:
            served = ["-m", "tests.engine_server.fleet.served", on.address, str(folder), str(count), str(count)]
            command = [RAY_PYTHON, *served]
        environment = on.environment if on else None
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        self.http = httpx.Client(base_url=self.process.stdout.readline().strip(), timeout=60)
        while any(each["state"] == "starting" for each in self.health()["devices"]):
            time.sleep(0.1)

    def health(self) -> dict:
        return self.http.get("/health").json()

    def submit(self, seed: int, priority: str = "normal") -> str:
        body = {"tags": "sleep", "duration": 5, "seed": seed}
        reply = self.http.post(APP, json=body, headers={"X-Fal-Queue-Priority": priority})
        return reply.raise_for_status().json()["request_id"]

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(30)
        self.http.close()


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text(encoding="ascii").split()]


def folder_for(seconds: float) -> Path:
    folder = Path(tempfile.mkdtemp())
    (folder / "seconds").write_text(str(seconds), encoding="ascii")
    return folder


def gaps(folder: Path) -> dict[str, float]:
    """Milliseconds from the end of a song to the next on the same process."""
    ended, found = {}, []
    for line in (folder / "moments").read_text(encoding="utf-8").splitlines():
        pid, what, moment = line.split()
        if what == "end":
            ended[pid] = int(moment)
        elif pid in ended:
            found.append((int(moment) - ended.pop(pid)) / 1e6)
    found.sort()
    return {"median": round(found[len(found) // 2]), "worst": round(found[-1])} if found else {}


def measure(count: int, jobs: int, seconds: float, on: Cluster | None) -> tuple[float, dict[str, float]]:
    """Songs an hour, and the milliseconds between two."""
    folder = folder_for(seconds)
    server = Server(folder, count, on)
    try:
        began = time.monotonic()
        for seed in range(jobs):
            server.submit(seed)
        while (state := server.health())["queued"] or state["running"]:
            time.sleep(0.02)
        took = time.monotonic() - began
        assert sum(each["songs"] for each in state["devices"]) == jobs
        return jobs / took * 3600, gaps(folder)
    finally:
        server.end(signal.SIGTERM)


def speed(given: argparse.Namespace, on: Cluster | None) -> None:
    first = None
    for count in map(int, given.devices.split(",")):
        songs, between = measure(count, given.jobs, given.seconds, on)
        first = first or songs
        row = {"devices": count, "songs an hour": round(songs), "times": round(songs / first, 2)}
        row |= {"ms between songs": between}
        print(json.dumps({**row, "load": round(os.getloadavg()[0], 1)}), flush=True)


class Replacements:
    """How long each took, from the kill."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._killed: list[tuple[float, int]] = []

    def expect(self, devices: list[dict]) -> None:
        restarts = sum(each["restarts"] for each in devices)
        self._killed.append((time.monotonic(), restarts + len(self._killed) + 1))

    def look(self, devices: list[dict]) -> None:
        restarts = sum(each["restarts"] for each in devices)
        if self._killed and restarts >= self._killed[0][1] and all(each["state"] != "starting" for each in devices):
            self.seconds.append(round(time.monotonic() - self._killed.pop(0)[0], 2))

    def forget(self) -> None:
        self._killed.clear()


def kills(given: argparse.Namespace, on: Cluster | None) -> int:
    folder, chance = folder_for(given.seconds), random.Random(given.seed)
    server, replaced = Server(folder, 4, on), Replacements()
    half = given.jobs // 2
    ids = {server.submit(seed, "low" if seed < half else "normal"): seed for seed in range(given.jobs)}
    submitted = time.time_ns()
    began, killed, fronts, next_kill = time.monotonic(), 0, 0, time.monotonic() + given.every
    while (state := server.health())["queued"] or state["running"]:
        replaced.look(state["devices"])
        time.sleep(0.02)
        if time.monotonic() < next_kill:
            continue
        if fronts < 2 and killed >= 2 * (fronts + 1):
            server.end(signal.SIGKILL)
            fronts += 1
            replaced.forget()
            server = Server(folder, 4, on)
        elif found := (replicas(folder, on) if on else children(server.process.pid)):
            replaced.expect(state["devices"])
            with suppress(ProcessLookupError):
                os.kill(chance.choice(found), signal.SIGKILL)
                killed += 1
        next_kill = time.monotonic() + given.every
    answers = {job: server.http.get(f"{APP}/requests/{job}") for job in ids}
    ends = Counter(answer.status_code for answer in answers.values())
    files = len(list((folder / "files" / "files").iterdir()))
    wrong = [job for job, answer in answers.items() if answer.status_code == 200 and answer.json()["seed"] != ids[job]]
    server.end(signal.SIGTERM)
    runs = len((folder / "runs").read_text(encoding="utf-8").splitlines())
    late = _out_of_order(folder, half, submitted)
    row = {
        "jobs": len(ids),
        "ends": dict(ends),
        "left over": files - len(ids),
        "mixed up": len(wrong),
        "out of order": late,
    }
    row |= {"processes killed": killed, "servers killed": fronts, "runs": runs, "ms between songs": gaps(folder)}
    row |= {"seconds to a replacement": replaced.seconds}
    print(json.dumps({**row, "seconds": round(time.monotonic() - began), "load": round(os.getloadavg()[0], 1)}))
    return int(ends != {200: len(ids)} or not 0 <= files - len(ids) <= fronts or bool(wrong) or late > 0)


def replicas(folder: Path, on: Cluster) -> list[int]:
    """The replicas that have made a song and live."""
    seen = {int(line.split()[0]) for line in (folder / "runs").read_text(encoding="utf-8").splitlines()}
    return sorted(seen & set(processes_of(on.process.pid)))


def draft(given: argparse.Namespace, _: Cluster | None) -> None:
    """`acestep-mcp engine --devices cpu:N` with the draft engine, and songs of a minute."""
    first = None
    for count in map(int, given.devices.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "ACESTEP_DATA_DIR": folder, "ACESTEP_MUSIC_DIR": folder}
            with (
                running(environment, "--devices", f"cpu:{count}") as server,
                httpx.Client(base_url=server.address) as http,
            ):
                while any(each["state"] == "starting" for each in http.get("/health").json()["devices"]):
                    time.sleep(0.1)
                before, began = sum(os.times()[:4]), time.monotonic()
                for seed in range(given.jobs):
                    http.post(APP, json={"tags": "lofi, chill, piano", "duration": 60, "seed": seed}).raise_for_status()
                while (state := http.get("/health").json())["queued"] or state["running"]:
                    time.sleep(0.1)
                songs = given.jobs / (time.monotonic() - began) * 3600
                assert sum(each["songs"] for each in state["devices"]) == given.jobs
                server.stop(signal.SIGTERM)
            used = sum(os.times()[:4]) - before
        first = first or songs
        row = {"devices": count, "songs of a minute an hour": round(songs), "times": round(songs / first, 2)}
        row |= {"processor seconds a song, with the start": round(used / given.jobs, 2)}
        print(json.dumps({**row, "load": round(os.getloadavg()[0], 1)}), flush=True)


def _out_of_order(folder: Path, half: int, submitted: int) -> int:
    """Jobs of low priority that began after all had been submitted, and before the last of normal priority did."""
    first = sorted((path.stat().st_mtime_ns, int(path.name.split()[1])) for path in folder.glob("seen *"))
    last_normal = max(moment for moment, seed in first if seed >= half)
    return sum(submitted < moment < last_normal for moment, seed in first if seed < half)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "draft", "kills", "serve"))
    parser.add_argument("serves", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--devices")
    parser.add_argument("--every", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ray", action="store_true")
    given = parser.parse_args()
    if given.what == "serve":
        anyio.run(serve, Path(given.serves[0]), int(given.serves[1]))
        return 0
    given.jobs = given.jobs or {"speed": 16, "draft": 6, "kills": 200}[given.what]
    given.seconds = given.seconds or (2 if given.what == "speed" else 0.5)
    given.devices = given.devices or ("1,2" if given.what == "draft" else "1,2,8")
    work = {"kills": kills, "draft": draft, "speed": speed}[given.what]
    if not given.ray:
        return work(given, None) or 0
    with cluster(RAY_PYTHON, cpus=max(map(int, given.devices.split(",")))) as on:
        return work(given, on) or 0


if __name__ == "__main__":
    sys.exit(main())
