"""The first call opens the studio. It may be cancelled or disconnect at any moment; the next call must still answer."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

import acestep_mcp

pytestmark = pytest.mark.process

MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
BOTH = {"Accept": "application/json, text/event-stream"}
SECONDS = 20

ERAS = [pytest.param("legacy", marks=pytest.mark.slow), "modern"]
QUICK = {(20, "modern", "warm")}
# Each delay, and each pair of era and code.
SLOW = {(0, "legacy", "cold"), (50, "modern", "cold"), (100, "legacy", "warm"), (300, "modern", "warm")}
MOMENTS = pytest.mark.parametrize(
    ("delay", "era", "code"),
    [
        pytest.param(
            *moment,
            id=f"{moment[0]}ms-{moment[1]}-{moment[2]}",
            marks=[] if moment in QUICK else pytest.mark.slow if moment in SLOW else pytest.mark.long,
        )
        for moment in itertools.product((0, 20, 50, 100, 300), ("legacy", "modern"), ("warm", "cold"))
    ],
    indirect=["code"],
)


@pytest.fixture(scope="module")
def uncompiled(tmp_path_factory):
    """A folder with a copy of the package. It stays uncompiled, because the servers that run it write no bytecode."""
    copy = tmp_path_factory.mktemp("code")
    shutil.copytree(
        Path(acestep_mcp.__file__).parent, copy / "acestep_mcp", ignore=shutil.ignore_patterns("__pycache__")
    )
    prompts = Path(acestep_mcp.__file__).parents[2] / "prompts"
    if prompts.is_dir():
        shutil.copytree(prompts, copy / "acestep_mcp" / "prompts")
    yield copy
    assert not [*copy.rglob("*.pyc")]


@pytest.fixture
def code(request, environment):
    """The environment of a server whose modules are already compiled ("warm") or not yet ("cold")."""
    if request.param == "cold":
        copy = request.getfixturevalue("uncompiled")
        environment["PYTHONPATH"] = os.pathsep.join([str(copy), environment["PYTHONPATH"]])
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return environment


def call(tool, era, request_id, **arguments):
    params = {"name": tool, "arguments": arguments, **({"_meta": MODERN} if era == "modern" else {})}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


@pytest.fixture
def start():
    """Start processes; kill those still running at the end."""
    started = []

    def start(*command, **options):
        started.append(subprocess.Popen([sys.executable, "-m", "acestep_mcp", *command], text=True, **options))
        return started[-1]

    yield start
    for process in started:
        with process:  # closes its pipes
            process.kill()


class Pipe:
    def __init__(self, start, environment):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.popen = start(**pipes, env=environment)

    def send(self, message):
        self.popen.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.popen.stdin.flush()

    def answer_to(self, request_id):
        while line := self.popen.stdout.readline():
            if (message := json.loads(line)).get("id") == request_id:
                return message
        pytest.fail(f"the server ended without an answer to {request_id}")


@MOMENTS
def test_on_a_pipe_the_server_answers_and_ends_after_its_first_call_was_cancelled(start, code, era, delay):
    server = Pipe(start, code)
    if era == "legacy":
        server.send({"id": 0, "method": "initialize", "params": HELLO})
        server.answer_to(0)
        server.send({"method": "notifications/initialized"})
    else:  # the server is running: the delay counts from the call, not from the start of the process
        server.send({"id": 0, "method": "tools/list", "params": {"_meta": MODERN}})
        server.answer_to(0)
    server.send(call("list_tracks", era, 1))
    time.sleep(delay / 1000)
    server.send({"method": "notifications/cancelled", "params": {"requestId": 1, "reason": "stopped by the user"}})
    server.send(call("list_tracks", era, 2))
    assert server.answer_to(2)["result"]["structuredContent"]["total"] == 0
    server.popen.stdin.close()
    assert server.popen.wait(SECONDS) == 0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answer(reply):
    data = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: {")]
    return json.loads(data[-1] if data else reply.text)


def headers_of(http, era):
    """The headers of a `tools/call` of list_tracks; for a legacy client this opens a session first."""
    if era == "modern":
        return BOTH | {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "list_tracks"}
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}
    session = http.post("/mcp", json=hello, headers=BOTH).headers["mcp-session-id"]
    headers = BOTH | {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": session}
    http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)
    return headers


def call_and_leave(port, body, headers, seconds):
    lines = ["POST /mcp HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        time.sleep(seconds)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a server can answer")
@MOMENTS
def test_over_http_the_server_answers_and_ends_after_its_first_caller_disconnects(start, code, era, delay):
    port = free_port()
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    server = start("serve", "--http", "--port", str(port), **pipes, env=code)
    while "MCP is served at" not in (line := server.stderr.readline()):
        assert line, "the server ended before it listened"
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS) as http:
        headers = headers_of(http, era)
        call_and_leave(port, json.dumps(call("list_tracks", era, 1)).encode(), headers, delay / 1000)
        second = http.post("/mcp", json=call("list_tracks", era, 2), headers=headers)
        assert answer(second)["result"]["structuredContent"]["total"] == 0
        server.terminate()
        server.communicate(timeout=SECONDS)


@pytest.mark.parametrize(
    ("era", "code"),
    [
        ("modern", "warm"),
        pytest.param("legacy", "cold", marks=pytest.mark.slow),
        pytest.param("legacy", "warm", marks=pytest.mark.long),
        pytest.param("modern", "cold", marks=pytest.mark.long),
    ],
    indirect=["code"],
)
def test_requests_from_a_file_are_all_answered_and_the_server_ends_with_0(code, era):
    messages = [call("text_to_audio", era, 1, tags="lofi, piano", duration=5), call("status", era, 2)]
    if era == "legacy":
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}
        messages = [hello, {"jsonrpc": "2.0", "method": "notifications/initialized"}, *messages]
    done = subprocess.run(
        [sys.executable, "-m", "acestep_mcp"],
        input="".join(json.dumps(message) + "\n" for message in messages),
        capture_output=True, env=code, text=True, timeout=3 * SECONDS, check=False,
    )  # fmt: skip
    answers = {message["id"]: message for message in map(json.loads, done.stdout.splitlines()) if "id" in message}
    assert done.returncode == 0, done.stderr
    assert answers.keys() == {message["id"] for message in messages if "id" in message}
    assert answers[2]["result"]["structuredContent"]["backend"] == "draft"
    song = answers[1]["result"]["structuredContent"]
    assert song["status"] == "COMPLETED", done.stderr
    assert Path(song["track"]["file_path"]).is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="only here may a file have a name that is not UTF-8")
@pytest.mark.parametrize("era", ERAS)
def test_a_near_match_whose_name_is_not_utf_8_is_shown_and_ends_nothing(start, environment, era):
    music = Path(environment["ACESTEP_MUSIC_DIR"])
    music.mkdir()
    Path(os.fsdecode(os.fsencode(music) + b"/song \xff\xfe.wav")).write_bytes(b"x")
    server = Pipe(start, environment)
    if era == "legacy":
        server.send({"id": 0, "method": "initialize", "params": HELLO})
        server.answer_to(0)
        server.send({"method": "notifications/initialized"})
    server.send(call("audio_inpaint", era, 1, audio_url="song.wav", tags="lofi"))
    assert "song ??.wav" in server.answer_to(1)["result"]["content"][0]["text"]
    server.send(call("list_tracks", era, 2))
    assert server.answer_to(2)["result"]["structuredContent"]["total"] == 0
