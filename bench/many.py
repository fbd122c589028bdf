"""Sixty-four songs requested at once from one stdio server: whether all finish, and how its memory grows.

    python bench/many.py [COUNT]

Prints the total time and the server's resident memory before, at its peak and after, for two rounds: growth from round
to round is a leak. Linux only (it reads /proc).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 64


def memory(pid: int) -> tuple[float, float]:
    """(resident now, resident at most) in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith("Vm")}
    return sizes["VmRSS"], sizes["VmHWM"]


def server() -> int:
    """The process id of the server, a child of this process."""
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        for child in (task / "children").read_text(encoding="utf-8").split():
            if b"acestep_mcp" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise RuntimeError("no server was started")


async def make(client: Client, number: int, songs: list[dict[str, object]]) -> None:
    arguments = {"tags": ["lofi", "rock", "jazz", "techno"][number % 4], "duration": 10, "seed": number}
    answer = await client.call_tool("text_to_audio", arguments)
    while True:
        facts = answer.structured_content
        if facts is None or answer.is_error:
            raise RuntimeError(str(answer.content))
        if facts["status"] == "COMPLETED":
            break
        answer = await client.call_tool("get_job", {"job_id": facts["job_id"]})
    if facts["seed"] != number:
        raise RuntimeError(f"song {number} came with seed {facts['seed']}")
    songs.append(facts)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "ACESTEP_MUSIC_DIR": f"{folder}/music", "ACESTEP_DATA_DIR": f"{folder}/data"}
        parameters = StdioServerParameters(command=sys.executable, args=["-m", "acestep_mcp"], env=environment)
        async with Client(parameters) as client:
            songs: list[dict[str, object]] = []
            await make(client, 10**6, songs)  # loads everything
            pid = server()
            print(f"before: {memory(pid)[0]:.0f} MiB")
            for round_ in (1, 2):
                songs, begun = [], time.perf_counter()
                async with anyio.create_task_group() as tasks:
                    for number in range(COUNT):
                        tasks.start_soon(make, client, COUNT * round_ + number, songs)
                seconds = time.perf_counter() - begun
                now, most = memory(pid)
                print(
                    f"round {round_}: {len(songs)} songs of 10 s in {seconds:.1f} s; now {now:.0f}, peak {most:.0f} MiB"
                )


anyio.run(main)
