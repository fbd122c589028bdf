"""Ten cues for a short film, at most two at once, with the plain MCP SDK: `python examples/ten_cues.py [PROJECT] [SECONDS]`.

Stop or kill it whenever you like and start it again: each cue has a key, and the server makes, and pays for, one song for a
key. A changed cue has another key, and so has a cue of another PROJECT. It runs where `acestep-mcp` is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys

import anyio
from mcp import Client, StdioServerParameters

AT_ONCE = 2
CUES = {
    "opening": "ambient, piano, warm strings, slow, 60 bpm",
    "morning": "acoustic guitar, folk, light, 96 bpm",
    "the letter": "solo piano, melancholic, sparse, 66 bpm",
    "leaving": "cello, strings, tense, minor, 80 bpm",
    "on the road": "indie rock, electric guitar, driving drums, 120 bpm",
    "the city": "jazz, double bass, brushed drums, night, 104 bpm",
    "chase": "drum and bass, synth bass, urgent, 174 bpm",
    "hiding": "dark ambient, low drone, quiet, 70 bpm",
    "home again": "orchestral, horns, hopeful, major, 88 bpm",
    "credits": "synth pop, bright, uplifting, 112 bpm",
}


def key_of(project: str, name: str, arguments: dict[str, object]) -> str:
    """The same for the same cue at every run."""
    text = json.dumps([project, name, arguments], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


async def make(client: Client, project: str, name: str, arguments: dict[str, object]) -> str:
    """The path of the song, or what went wrong."""
    key = key_of(project, name, arguments)
    answer = await client.call_tool("text_to_audio", arguments, meta={"acestep/idempotencyKey": key})
    while not answer.is_error and answer.structured_content["status"] in ("NEW", "IN_QUEUE", "IN_PROGRESS"):
        answer = await client.call_tool("get_job", {"job_id": answer.structured_content["job_id"]})
    if answer.is_error or answer.structured_content["status"] != "COMPLETED":
        return "failed: " + " ".join(part.text for part in answer.content if part.type == "text")
    return answer.structured_content["track"]["file_path"]


async def main(project: str = "my film", seconds: str = "30") -> int:
    server = StdioServerParameters(command=sys.executable, args=["-m", "acestep_mcp"], env=dict(os.environ))
    turns = anyio.CapacityLimiter(AT_ONCE)
    results: dict[str, str] = {}

    async def cue(client: Client, name: str, tags: str) -> None:
        async with turns:
            arguments = {"tags": tags, "lyrics": "[inst]", "duration": float(seconds)}
            results[name] = await make(client, project, name, arguments)
            print(f"{name}: {results[name]}", flush=True)

    async with Client(server) as client, anyio.create_task_group() as tasks:
        for name, tags in CUES.items():
            tasks.start_soon(cue, client, name, tags)
    return 1 if any(result.startswith("failed") for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(anyio.run(main, *sys.argv[1:]))
