"""Hosts start a server just to list its tools: that must not import what only calls need, nor write anything."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

BARE = """
from mcp.server import MCPServer
server = MCPServer("x")
@server.tool()
async def echo(text: str) -> str:
    "Say it again."
    return text
server.run()
"""
OURS = "from acestep_mcp.cli import main; main([])"
LATE = {
    "httpx", "sqlite3", "numpy", "scipy", "soundfile", "soxr", "pretty_midi", "midirenderer", "torch", "rich", "click",
    "acestep_mcp.engine_server", "acestep_mcp.engines", "acestep_mcp.client", "acestep_mcp.assembly",
    "acestep_mcp.library", "acestep_mcp.studio", "acestep_mcp.api.requests", "acestep_mcp.server.tools.table", "acestep_mcp.inputs", "acestep_mcp.server.http", "acestep_mcp.net.listen", "acestep_mcp.server.prompts",
}  # fmt: skip
REPORT_MODULES = "import atexit, json, sys; atexit.register(lambda: sys.stderr.write('MODULES ' + json.dumps(sorted(sys.modules))))\n"
MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
LEGACY = [
    {"id": 1, "method": "initialize", "params": HELLO},
    {"method": "notifications/initialized"},
    {"id": 2, "method": "resources/templates/list"},
    {"id": 3, "method": "tools/list"},
]
DISCOVERY = [
    {"id": 1, "method": "server/discover", "params": {"_meta": MODERN}},
    {"id": 3, "method": "tools/list", "params": {"_meta": MODERN}},
]


def modules(code, messages, home):
    """The modules the process had imported after only these requests."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("ACESTEP", "FAL"))}
    env |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "XDG_DATA_HOME": "",
        "XDG_CONFIG_HOME": "",
        "XDG_MUSIC_DIR": "",
    }
    lines = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)
    with subprocess.Popen(
        [sys.executable, "-c", REPORT_MODULES + code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True, encoding="utf-8",
    ) as server:  # fmt: skip
        server.stdin.write(lines)
        server.stdin.flush()
        while json.loads(server.stdout.readline()).get("id") != 3:
            pass
        _, stderr = server.communicate(timeout=20)
    return set(json.loads(stderr.rpartition("MODULES ")[2]))


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    return modules(BARE, LEGACY, tmp_path_factory.mktemp("bare"))


@pytest.mark.parametrize(
    "messages", [pytest.param(LEGACY, id="legacy", marks=pytest.mark.slow), pytest.param(DISCOVERY, id="modern")]
)
def test_listing_imports_nothing_that_only_calls_need_and_writes_nothing(bare, tmp_path, messages):
    home = tmp_path / "nothing"
    home.mkdir()
    ours = modules(OURS, messages, home)
    assert {name for name in ours - bare if name in LATE or name.partition(".")[0] in LATE} == set()
    assert "acestep_mcp.server.stdio" in ours
    assert "rich" not in ours, "a bare MCPServer imports it needlessly"
    assert list(home.iterdir()) == []
