"""Time from spawn to the answer to `tools/list`: this server against a bare `MCPServer` with one tool.

    python bench/startup.py [RUNS]

The two alternate; the results are medians.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

BARE = """
from mcp.server import MCPServer
server = MCPServer("x")
@server.tool()
async def echo(text: str) -> str:
    "Repeat the text."
    return text
server.run()
"""
OURS = "import sys; from acestep_mcp.cli import main; sys.exit(main([]))"
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
MESSAGES = (
    {"id": 1, "method": "initialize", "params": HELLO},
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/list"},
)


def seconds(code, folder):
    """Wall-clock and processor seconds from spawning the interpreter with this code to the answer to `tools/list`."""
    env = {**os.environ, "ACESTEP_MUSIC_DIR": folder, "ACESTEP_DATA_DIR": folder}
    started = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
    )
    for message in MESSAGES:
        server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    server.stdin.flush()
    while json.loads(server.stdout.readline()).get("id") != 2:
        pass
    took = time.perf_counter() - started
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    server.stdin.close()
    server.stdout.read()
    server.wait(10)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(runs):
    with tempfile.TemporaryDirectory() as folder:
        for code in (BARE, OURS):
            seconds(code, folder)
        pairs = [(seconds(BARE, folder), seconds(OURS, folder)) for _ in range(runs)]
        touched = os.listdir(folder)
    for number, clock in enumerate(("wall", "processor")):
        bare = statistics.median(bare[number] for bare, _ in pairs)
        ours = statistics.median(ours[number] for _, ours in pairs)
        print(f"{clock}: bare {bare:.3f} s, acestep-mcp {ours:.3f} s, ratio {ours / bare:.3f}")
    print(f"medians of {runs} runs each, alternating; processor time includes the process's exit")
    if touched:
        sys.exit(f"starting wrote to the folders: {touched}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
