"""200 jobs queued at once at an engine server, with 8 status streams each: whether all finish, and its memory.

    python bench/watchers.py [JOBS] [WATCHERS] [ROUNDS] [KEPT]

The server runs in its own process: the queue as `acestep-mcp engine` serves it, with its database, around an engine
that makes half a second of a tone instantly, so that the queue is measured and not the music. Every watcher reads its
job's whole stream and must see it complete, and every result is fetched. Prints the time and the server's resident
memory before, at its peak and after each of ROUNDS rounds (2). Results and logs are kept for KEPT seconds (a day by
default), so memory grows by what is kept. With KEPT about the length of a round, growth after the second is a leak.
Linux only (it reads /proc).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import httpx
import numpy as np
import uvicorn

from acestep_mcp.api.requests import Request
from acestep_mcp.audio import Sound
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.net.listen import listen

SERVES = sys.argv[1:2] == ["serve"]
JOBS, WATCHERS, ROUNDS, KEPT = (200, 8, 2, 86400) if SERVES else [
    int(given) for given in (*sys.argv[1:], *("200", "8", "2", "86400")[len(sys.argv) - 1 :])
]  # fmt: skip
APP = "/fal-ai/ace-step"
RATE = 8000


class Tone:
    name, model, version = "tone", "tone-1", "1"

    def generate(self, request: Request, _: Source | None) -> Iterator[Step | Audio]:
        for number in range(28):
            yield Step("rendering", number, 27)
        wave = np.sin(np.arange(RATE // 2) * 2 * np.pi * (200 + (request.seed or 0) % 400) / RATE)
        yield Audio(Sound((wave * 2**14).astype(np.int32)[:, None] << 16, RATE), "tone", "[inst]")


async def serve(folder: Path, kept: float) -> None:
    options = QueueOptions(database=folder / "jobs.sqlite3", retention=kept)
    async with serving(Tone(), folder=folder / "files", options=options) as app:
        with closing(listen("127.0.0.1", 0, server="The bench")[0]) as listener:
            print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
            config = uvicorn.Config(app, lifespan="off", log_level="warning", backlog=4096)
            await uvicorn.Server(config).serve([listener])


@contextmanager
def server(folder: str) -> Iterator[tuple[int, str]]:
    command = [sys.executable, __file__, "serve", folder, str(KEPT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.pid, process.stdout.readline().strip()
        finally:
            process.terminate()


def memory(pid: int) -> tuple[float, float]:
    """(resident now, resident at most) in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith("Vm")}
    return sizes["VmRSS"], sizes["VmHWM"]


async def submit(http: httpx.AsyncClient, seed: int) -> str:
    reply = await http.post(APP, json={"tags": "tone", "duration": 5, "seed": seed})
    return reply.raise_for_status().json()["request_id"]


async def watch(http: httpx.AsyncClient, job: str, seen: list[str]) -> None:
    last = ""
    async with http.stream("GET", f"{APP}/requests/{job}/status/stream?logs=1") as reply:
        reply.raise_for_status()
        async for line in reply.aiter_lines():
            last = line if line.startswith("data:") else last
    if '"status":"COMPLETED"' not in last or '"error"' in last:
        raise RuntimeError(f"a watcher of {job} ended with {last}")
    seen.append(job)


async def finish_all(http: httpx.AsyncClient, first_seed: int) -> tuple[int, int]:
    """One round; (jobs with the correct result, watchers that saw the end)."""
    jobs: dict[str, int] = {}
    seen: list[str] = []

    async def one(seed: int) -> None:
        job = await submit(http, seed)
        jobs[job] = seed
        for _ in range(WATCHERS):
            tasks.start_soon(watch, http, job, seen)

    async with anyio.create_task_group() as tasks:
        for number in range(JOBS):
            tasks.start_soon(one, first_seed + number)
    right = 0
    for job, seed in jobs.items():
        answer = (await http.get(f"{APP}/requests/{job}")).raise_for_status().json()
        right += answer["seed"] == seed
    return right, len(seen)


async def main() -> None:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    with tempfile.TemporaryDirectory() as folder, server(folder) as (pid, url):
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=300, trust_env=False) as http:
            job = await submit(http, 0)  # loads everything
            await watch(http, job, [])
            print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; before: {memory(pid)[0]:.0f} MiB")
            for round_ in range(1, ROUNDS + 1):
                begun = time.perf_counter()
                right, seen = await finish_all(http, JOBS * round_)
                seconds = time.perf_counter() - begun
                now, most = memory(pid)
                print(
                    f"round {round_}: {right} of {JOBS} results correct, {seen} of {JOBS * WATCHERS} watchers saw the end, "
                    f"in {seconds:.1f} s; now {now:.0f}, peak {most:.0f} MiB"
                )


if __name__ == "__main__":
    if SERVES:
        anyio.run(serve, Path(sys.argv[2]), float(sys.argv[3]))
    else:
        anyio.run(main)
