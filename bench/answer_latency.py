"""Time from "completed at the engine server" to "tool result sent", and the cost of watching one job.

    python bench/answer_latency.py [SONGS] [SECONDS] [WATCHED]

Two processes, as users run them: an engine server on loopback (the queue as `acestep-mcp engine` serves it, with its
database, around an engine that takes 0.3 s for SECONDS (5) of stereo noise at 48 kHz), and `acestep-mcp` over stdio,
configured to use it. SONGS (41) tools are called one after the other. The clock starts in the engine server when the
job becomes COMPLETED, and stops when the answer has been read from the MCP server's pipe; both processes share one
monotonic clock. Between the two: the status stream's last event, the result, the download, and saving the song (tags
written, decoded, measured, indexed).

Then one job runs for WATCHED (20) seconds with no messages from its engine, and the processor time of both processes
is measured. Linux only (it reads /proc).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import anyio
import numpy as np
import uvicorn

from acestep_mcp.api.requests import Request
from acestep_mcp.audio import Sound
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engine_server.job_queue import JobQueue
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.net.listen import listen

RATE = 48000


class Noise:
    """Noise at -20 dB. A job with the tags "wait N" takes N seconds."""

    name, model, version, device = "noise", "noise-1", "1", None

    def __init__(self, seconds: float) -> None:
        noise = np.random.default_rng(0).normal(0, 0.1, (round(RATE * seconds), 2))
        self._pcm = (np.clip(noise, -1, 1) * (2**15 - 1)).astype(np.int32) << 16

    def generate(self, request: Request, _: Source | None) -> Iterator[Step | Audio]:
        yield Step("rendering", 0, 27)
        first, _, seconds = request.tags.partition(" ")
        # Long enough to be watched; otherwise submitting would be measured too.
        time.sleep(float(seconds) if first == "wait" else 0.3)
        yield Step("rendering", 27, 27)
        yield Audio(Sound(self._pcm, RATE), request.tags, "[inst]")

    def unload(self) -> None:
        pass

    def close(self) -> None:
        pass


async def serve(folder: Path, seconds: float) -> None:
    finish = JobQueue.finish

    def finish_and_report(line, job, answer):
        finish(line, job, answer)
        print(json.dumps({"ended": time.monotonic()}), flush=True)

    JobQueue.finish = finish_and_report
    options = QueueOptions(database=folder / "jobs.sqlite3")
    async with serving(Noise(seconds), folder=folder / "files", options=options) as app:
        with closing(listen("127.0.0.1", 0, server="The bench")[0]) as listener:
            print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
            config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False)
            await uvicorn.Server(config).serve([listener])


class Pipe:
    """A process that exchanges JSON lines."""

    def __init__(self, *command: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | environment,
            text=True,
            encoding="utf-8",
        )

    def send(self, **message) -> None:
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def receive(self, **wanted):
        for line in self.process.stdout:
            message = json.loads(line)
            if wanted.items() <= message.items():
                return message, time.monotonic()
        raise RuntimeError(f"the process ended without sending {wanted}")

    def cpu(self) -> float:
        """Processor seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def opened(server: Pipe) -> None:
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    server.send(id=0, method="initialize", params=client)
    server.receive(id=0)
    server.send(method="notifications/initialized")


def make(server: Pipe, engine: Pipe, number: int) -> tuple[float, str]:
    """Seconds from the job's end to its answer, and the job's status."""
    arguments = {"tags": "noise", "duration": 5, "seed": number}
    server.send(id=number, method="tools/call", params={"name": "text_to_audio", "arguments": arguments})
    ended = next(json.loads(line)["ended"] for line in engine.process.stdout)
    answer, answered = server.receive(id=number)
    status = answer["result"]["structuredContent"]["status"]
    if status != "COMPLETED":
        raise RuntimeError(f"song {number} is {status}")
    return answered - ended, status


def watched(server: Pipe, engine: Pipe, seconds: int) -> tuple[float, float]:
    """The share of a core that the MCP server and the engine server use while one job runs."""
    arguments = {"tags": f"wait {seconds + 4}", "duration": 5}
    server.send(id=10**6, method="tools/call", params={"name": "text_to_audio", "arguments": arguments})
    time.sleep(2)
    before = [pipe.cpu() for pipe in (server, engine)]
    time.sleep(seconds)
    after = [pipe.cpu() for pipe in (server, engine)]
    return tuple((end - begin) / seconds for begin, end in zip(before, after, strict=True))


def main(songs: int, seconds: float, watching: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = Pipe(__file__, "serve", folder, str(seconds))
        url = json.loads(engine.process.stdout.readline())["url"]
        places = {"ACESTEP_MUSIC_DIR": f"{folder}/music", "ACESTEP_DATA_DIR": f"{folder}/data"}
        server = Pipe("-m", "acestep_mcp", ACESTEP_ENGINE_URL=url, **places)
        try:
            opened(server)
            make(server, engine, 1)  # loads everything
            times = sorted(make(server, engine, 2 + number)[0] * 1000 for number in range(songs))
            middle, late = statistics.median(times), times[round(0.9 * (songs - 1))]
            print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            print(
                f"{songs} songs of {seconds:g} s: median {middle:.1f} ms, 90th percentile {late:.1f}, fastest {times[0]:.1f}"
            )
            if watching:
                ours, theirs = watched(server, engine, watching)
                print(
                    f"watching one job for {watching} s: {ours:.2%} of a core in acestep-mcp, {theirs:.2%} in the engine server"
                )
        finally:
            for pipe in (server, engine):
                pipe.process.kill()
                pipe.process.wait()


if __name__ == "__main__":
    given = sys.argv[1:]
    if given[:1] == ["serve"]:
        anyio.run(serve, Path(given[1]), float(given[2]))
    else:
        songs, seconds, watching = (*given, *("41", "5", "20")[len(given) :])
        main(int(songs), float(seconds), int(watching))
