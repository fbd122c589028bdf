"""A tool call, the queue and the process that makes the song are one trace, where an OpenTelemetry SDK is set up."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

pytest.importorskip("opentelemetry.sdk", reason="the OpenTelemetry SDK is not installed")

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from acestep_mcp.api import tracing
from acestep_mcp.client import Host, QueueClient
from tests.support import fal_replies as fal
from tests.support.engine_process import OURS, running
from tests.support.loopback import listening

pytestmark = pytest.mark.anyio

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
APP = "/fal-ai/ace-step"


@pytest.fixture
def spans(monkeypatch):
    """What has ended so far, by name."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return lambda: {span.name: span for span in exporter.get_finished_spans()}


async def test_accepting_waiting_and_running_are_below_the_callers_span(embedded, spans):
    async with embedded() as desk:
        headers = {"traceparent": PARENT, "tracestate": "vendor=1"}
        await desk.end(await desk.submit(headers=headers))
        first = spans()
        failed = await desk.submit(body={"tags": "fail, a private text"}, headers=headers)
        await desk.end(failed)
    assert {span.context.trace_id for span in first.values()} == {int(TRACE, 16)}
    accepted = first["accept fal-ai/ace-step"]
    assert accepted.parent.span_id == int("b7ad6b7169203331", 16)
    parents = {first[name].parent.span_id for name in ("wait", "run fal-ai/ace-step")}
    assert parents == {accepted.context.span_id}
    assert first["run fal-ai/ace-step"].attributes["acestep.result"] == "song"
    run = spans()["run fal-ai/ace-step"]
    assert (run.attributes["acestep.result"], run.attributes["acestep.device"]) == ("failed", "own")
    assert run.attributes["acestep.request_id"] == failed["request_id"]
    assert "private" not in json.dumps([span.to_json() for span in spans().values()])
    assert first["wait"].start_time <= first["wait"].end_time


async def test_a_refused_request_is_an_error_that_names_no_text(embedded, spans):
    async with embedded() as desk:
        reply = await desk.http.post(APP, json={"tags": "a private text", "duration": 9999})
    [span] = spans().values()
    assert reply.status_code == 422
    assert (span.status.status_code, span.attributes["error.type"]) == (trace.StatusCode.ERROR, "InvalidRequest")
    assert span.events == ()
    assert "9999" not in span.to_json()


async def test_without_an_sdk_the_callers_span_is_kept_with_the_job_and_nothing_that_only_looks_like_one(
    embedded, tmp_path
):
    database = tmp_path / "jobs.sqlite3"
    sent = {"traceparent": PARENT, "tracestate": "vendor=1", "baggage": "user=anne"}
    async with embedded(database=database) as desk:
        for headers in (sent, {"traceparent": "00-x"}, {"tracestate": "vendor=1"}, {}):
            await desk.submit(headers=headers)
    with closing(sqlite3.connect(database)) as db:
        kept = [json.loads(terms)["trace"] for (terms,) in db.execute("SELECT terms FROM job ORDER BY sequence")]
    assert kept == [{"traceparent": PARENT, "tracestate": "vendor=1"}, {}, {}, {}]


@pytest.mark.parametrize("name", ["fal", "engine"])
async def test_an_engine_server_gets_the_span_and_fal_does_not(spans, name):
    async with (
        listening(lambda _: fal.submitted(server.url)) as server,
        QueueClient(Host(server.url, server.url, None, name)) as client,
    ):
        await client.submit("fal-ai/ace-step", {"tags": "lofi"})
    [seen] = server.seen
    [span] = spans().values()
    assert ("traceparent" in seen.headers) is (name == "engine")
    assert name == "fal" or f"{span.context.span_id:016x}" in seen.headers["traceparent"]


def test_without_the_api_nothing_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    with tracing.span("a") as record:
        record("done")
    tracing.past_span("b", 0, {"traceparent": PARENT})
    assert tracing.handed_on({}) == {}
    assert tracing.handed_on({"traceparent": PARENT}) == {"traceparent": PARENT}
    assert "opentelemetry.trace" not in sys.modules


SETUP = """
import json, os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

class ToFile(SpanExporter):
    def export(self, spans):
        with open(os.environ["OTEL_TEST_FILE"], "a", encoding="utf-8") as file:
            for span in spans:
                parent = span.parent and span.parent.span_id
                line = [span.name, span.context.trace_id, span.context.span_id, parent, os.getpid()]
                file.write(json.dumps(line) + "\\n")
        return SpanExportResult.SUCCESS

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ToFile()))
trace.set_tracer_provider(provider)
"""
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
CALL = {"name": "text_to_audio", "arguments": {"tags": "piano", "duration": 5, "seed": 1}}


@contextmanager
def server(environment: dict[str, str]):
    with subprocess.Popen(
        [*OURS, "serve"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.process
def test_a_tool_call_the_queue_and_the_process_of_a_device_are_one_trace(environment, tmp_path: Path):
    """Each process is set up as `opentelemetry-instrument` does it, by a module that Python imports when it starts."""
    (tmp_path / "sitecustomize.py").write_text(SETUP, encoding="utf-8")
    file = tmp_path / "spans"
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment |= {"PYTHONPATH": path, "OTEL_TEST_FILE": str(file)}
    with running(environment, "--devices", "cpu:1", "--data-dir", str(tmp_path / "engine")) as engine:
        told = {"ACESTEP_BACKEND": "engine", "ACESTEP_ENGINE_URL": engine.address}
        with server(environment | told) as process:
            for number, (method, params) in enumerate((("initialize", HELLO), ("tools/call", CALL)), 1):
                message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()
            answer = next(message for line in process.stdout if (message := json.loads(line)).get("id") == 2)
        health = httpx.get(f"{engine.address}/health").json()
        engine_pid = engine.process.pid
    assert not answer["result"].get("isError"), answer
    assert health["devices"][0]["songs"] == 1
    spans = {name: rest for name, *rest in map(json.loads, file.read_text(encoding="utf-8").splitlines())}
    names = ["tools/call text_to_audio", *(f"{verb} fal-ai/ace-step" for verb in ("submit", "accept", "run"))]
    tool, submitted, accepted, ran = [spans[name] for name in names]
    made, waited = spans["generate"], spans["wait"]
    assert len({span[0] for span in (tool, submitted, accepted, waited, ran, made)}) == 1
    assert submitted[2] == tool[1]
    assert accepted[2] == submitted[1]
    assert waited[2] == ran[2] == accepted[1]
    assert made[2] == ran[1]
    assert tool[3] == submitted[3] == process.pid
    assert accepted[3] == ran[3] == engine_pid
    assert made[3] not in (process.pid, engine_pid)
