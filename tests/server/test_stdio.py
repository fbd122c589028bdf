"""Each way a call can end on a pipe, with real processes, in both protocol eras."""

import json
import signal
import sys

import anyio
import pytest
from mcp.types import JSONRPCRequest

from acestep_mcp.server.stdio import Unanswered
from acestep_mcp.server.tools.table import TOOLS

pytestmark = pytest.mark.process

MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def greet(process):
    process.send(id="hello", method="initialize", params=HELLO)
    answer = process.answer_to("hello")
    process.send(method="notifications/initialized")
    return answer["result"]


def begin(process, era, request_id, **arguments):
    params = {"name": "text_to_audio", "arguments": {"tags": "hold", **arguments}}
    if era == "modern":
        params["_meta"] = MODERN
    process.send(id=request_id, method="tools/call", params=params)


def started(spawn, era):
    process = spawn("stdio")
    if era == "legacy":
        greet(process)
    begin(process, era, 1)
    process.read_until("started job-1")
    return process


@pytest.mark.parametrize("era", [pytest.param("legacy", marks=pytest.mark.slow), "modern"])
def test_only_a_user_s_cancel_cancels_the_job_not_a_host_s_timeout_or_the_end_of_the_pipe(spawn, era):
    process = spawn("stdio")
    if era == "legacy":
        greet(process)
    begin(process, era, 0, tags="lofi")
    assert process.answer_to(0)["result"]["structuredContent"]["status"] == "COMPLETED"
    process.read_until("delivered job-1")
    begin(process, era, 2)
    process.read_until("started job-2")
    reason = "McpError: MCP error -32001: Request timed out"
    process.send(method="notifications/cancelled", params={"requestId": 2, "reason": reason})
    process.read_until("undelivered job-2")
    begin(process, era, "three", seed=3)
    process.read_until("started job-3")
    cancel = {"requestId": "three", "reason": "AbortError: stopped by the user"}
    process.send(method="notifications/cancelled", params=cancel)
    process.read_until("cancelled job-3")
    begin(process, era, 4, seed=4)
    process.read_until("started job-4")
    process.popen.stdin.close()
    events, code = process.end()
    assert code == 0
    assert "undelivered job-4" in events
    assert events[-1] == "closed"
    assert [line for line in events if line.startswith(("cancelled", "delivered"))] == [
        "delivered job-1",
        "cancelled job-3",
    ]


@posix
@pytest.mark.parametrize(("era", "number"), [("legacy", signal.SIGTERM), ("modern", signal.SIGINT)])
def test_a_signal_lets_the_waiting_call_answer_with_its_job_and_closes_the_studio(spawn, era, number):
    process = started(spawn, era)
    process.popen.send_signal(number)
    handle = process.answer_to(1)["result"]["structuredContent"]
    events, code = process.end()
    assert handle["status"] in ("NEW", "IN_QUEUE", "IN_PROGRESS")
    assert code == 128 + number
    assert events == ["opened", "started job-1", "delivered job-1", "closed"], "".join(process.lines)


@pytest.mark.slow
def test_nothing_is_delivered_to_a_client_that_closed_only_our_stdout_and_the_process_ends(spawn):
    process = started(spawn, "legacy")
    process.popen.stdout.close()
    process.send(id=2, method="tools/call", params={"name": "status", "arguments": {}})
    events, _ = process.end()
    assert not [line for line in events if line.startswith("delivered")]


def test_discovery_may_precede_the_handshake_on_the_same_pipe(spawn):
    process = spawn("stdio")
    for request_id in (1, 2):
        process.send(id=request_id, method="server/discover", params={"_meta": MODERN})
        discovered = process.answer_to(request_id)["result"]
        assert discovered["supportedVersions"] == ["2026-07-28"]
        assert discovered["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "acestep-mcp"
    capabilities = greet(process)["capabilities"]
    assert capabilities["resources"] == {"listChanged": True, "subscribe": False}
    process.send(id=3, method="tools/list")
    assert len(process.answer_to(3)["result"]["tools"]) == len(TOOLS)


def test_a_modern_client_needs_no_handshake_after_a_discovery(spawn):
    process = spawn("stdio")
    process.send(id=1, method="server/discover", params={"_meta": MODERN})
    process.answer_to(1)
    process.send(id=2, method="tools/list", params={"_meta": MODERN})
    assert len(process.answer_to(2)["result"]["tools"]) == len(TOOLS)
    process.popen.stdin.close()
    assert process.end() == ([], 0), "listing the tools must not open the studio"


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_an_answer_written_after_the_end_of_stdin_is_delivered(spawn, era):
    process = spawn("stdio")
    if era == "legacy":
        greet(process)
    begin(process, era, 1, tags="lofi")
    process.popen.stdin.close()
    assert process.answer_to(1)["result"]["structuredContent"]["status"] == "COMPLETED"
    events, code = process.end()
    assert (events, code) == (["opened", "started job-1", "delivered job-1", "closed"], 0)


CALL = '"method":"tools/call","params":{"name":"text_to_audio","arguments":{"tags":"lofi \\ud83d","id":5}}'
UNREADABLE = [
    ('{"jsonrpc":"2.0","id":77,' + CALL + "}", 77, -32700),
    ("{" + CALL + ',"jsonrpc":"2.0","id":"at the end"}', "at the end", -32700),
    ('{"jsonrpc": "2.0", "id": "cut", "method": "tools/call", "params": {"na', "cut", -32700),
    ('{"method":"x","params":{"a":1,"id":9},"jsonrpc":"2.0"', None, -32700),
    ("not JSON", None, -32700),
    ('{"id":007,"method":x}', None, -32700),
    ('{"id":\u0664,"method":x}', None, -32700),
    ('{"id":"a\tb","method":x}', "a\tb", -32700),
    ("[" * 5000, None, -32700),
    ('{"jsonrpc":"2.0","id":78,"method":7}', 78, -32600),
    ('{"id":79,"method":"tools/list"}', 79, -32600),
    ('{"jsonrpc":"2.0","id":true,"method":7}', None, -32600),
    ('[{"jsonrpc":"2.0","id":80,"method":"tools/list"}]', None, -32600),
    ("7", None, -32600),
    ('{"jsonrpc":"2.0","id":"half \\ud83d","method":"tools/list"}', None, -32700),
    ('{"jsonrpc":"2.0","id":"half \\ud83d","method":7}', None, -32700),
    ('{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', None, -32600),
    ('{"jsonrpc":"2.0","id":null,"method":"ping"}', None, -32600),
    ('{"jsonrpc":"2.0","id":[1],"method":"tools/call"}', None, -32600),
]


def test_a_line_that_is_no_message_gets_an_error_with_its_id_and_the_next_line_is_answered(spawn):
    process = spawn("stdio")
    process.popen.stdin.write("\n \n")
    for line, request_id, code in UNREADABLE:
        process.popen.stdin.write(line + "\n")
        process.popen.stdin.flush()
        answer = process.receive()
        assert (answer["id"], answer["error"]["code"]) == (request_id, code), (line[:80], answer)
    hello = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": MODERN}}
    process.popen.stdin.write(f"\ufeff{json.dumps(hello)}\n")
    process.popen.stdin.flush()
    assert len(process.receive()["result"]["tools"]) == len(TOOLS)
    process.popen.stdin.close()
    _, code = process.end()
    assert code == 0
    assert "is not valid JSON" in "".join(process.lines)


@pytest.mark.anyio
async def test_a_request_id_that_is_used_twice_waits_for_both_answers():
    unanswered = Unanswered()
    for request_id in (1, "1"):
        unanswered.add(JSONRPCRequest(jsonrpc="2.0", id=request_id, method="tools/list"))
    unanswered.remove(1)
    with anyio.move_on_after(0.05) as scope:
        await unanswered.wait_empty()
    assert scope.cancelled_caught
    unanswered.remove("1")
    unanswered.remove("never asked")
    await unanswered.wait_empty()
