"""Servers that log JSON: every line on stderr is an object, with the ids of the job and the request it concerns."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import httpx
import pytest

pytestmark = pytest.mark.process

OURS = (sys.executable, "-m", "acestep_mcp")
KEY = "canary-of-a-key"


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def message(number: int, method: str, **params) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n"


HELLO = message(
    1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "test", "version": "1"}
)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to catch")
def test_client_and_engine_name_the_same_request_in_lines_of_json(environment) -> None:
    environment |= {"ACESTEP_LOG_FORMAT": "json", "ACESTEP_ENGINE_KEY": KEY}
    with subprocess.Popen(
        [*OURS, "engine", "--port", "0", "--data-dir", environment["ACESTEP_DATA_DIR"] + "/e"],
        env=environment, stderr=subprocess.PIPE, text=True,
    ) as engine:  # fmt: skip
        try:
            first = json.loads(engine.stderr.readline())
            address = first["message"].split(" served at ")[1].split(" ")[0]
            call = message(2, "tools/call", name="text_to_audio", arguments={"tags": "lofi", "duration": 5})
            ended = message(3, "tools/call", name="get_job", arguments={"job_id": "none\x1b"})
            client = subprocess.run(
                [*OURS, "serve", "--log-format", "json"], input=HELLO + call + ended + "rubbish\n", text=True,
                env=environment | {"ACESTEP_ENGINE_URL": address, "ACESTEP_LOG_FORMAT": "text"}, capture_output=True,
                timeout=60, check=False,
            )  # fmt: skip
            listed = httpx.get(address + "/health").json()
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.wait(20)
        rest = engine.stderr.read()
    assert listed["status"] == "ok"
    told = lines_of(client.stderr)
    [submitted] = [line for line in told if " is request " in line["message"]]
    assert submitted["job_id"] in submitted["message"]
    assert submitted["request_id"] in submitted["message"]
    assert submitted["call_id"] == "2"
    assert any("refused" in line["message"] for line in told)
    assert KEY not in client.stderr + rest + json.dumps(first)
    lines_of(rest)


def test_an_error_at_the_start_is_a_line_too(environment) -> None:
    done = subprocess.run(
        [*OURS, "engine", "--host", "0.0.0.0", "--log-format", "json"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "without a key" in lines_of(done.stderr)[-1]["message"]
