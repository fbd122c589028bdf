"""GET /metrics: what a scrape contains, who may ask, and that the board in deploy/ asks for nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

pytest.importorskip("prometheus_client", reason="the extra metrics is not installed")

from prometheus_client.parser import text_string_to_metric_families

from acestep_mcp.engine_server.idle_monitor import IdleMonitor
from acestep_mcp.engine_server.metrics import Metrics

pytestmark = pytest.mark.anyio

BOARD = Path(__file__).parents[2] / "deploy" / "grafana.json"


async def scraped(http) -> dict[tuple[str, ...], float]:
    """The values by name, with the labels' values."""
    reply = await http.get("/metrics")
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/plain; version=")
    found = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            found[(sample.name, *sample.labels.values())] = sample.value
    return found


async def test_a_scrape_counts_jobs_attempts_times_and_steps(embedded):
    async with embedded(metrics=Metrics()) as desk:
        for tags in ("lofi", "fail", "refuse"):
            await desk.end(await desk.submit(body={"tags": tags}))
        held = await desk.submit(body={"tags": "hold"})
        assert await anyio.to_thread.run_sync(desk.engine.held.wait, 5)
        waiting = await desk.submit(body={"tags": "hold"})
        during = await scraped(desk.http)
        await desk.cancel(held)
        await desk.cancel(waiting)
        await desk.end(held)
        with anyio.fail_after(5):
            while (after := await scraped(desk.http)).get(("acestep_attempts_total", "cancelled")) != 1:
                await anyio.sleep(0.01)
    assert (during["acestep_jobs", "queued"], during["acestep_jobs", "running"]) == (1, 1)
    assert (during["acestep_device_jobs", "own"], during["acestep_device_up", "own"]) == (1, 1)
    assert (after["acestep_jobs", "queued"], after["acestep_jobs", "running"]) == (0, 0)
    assert (after["acestep_attempts_total", "song"], after["acestep_attempts_total", "failed"]) == (1, 2)
    assert after["acestep_job_wait_seconds_count",] == 4
    assert after["acestep_job_run_seconds_count", "fal-ai/ace-step"] == 4
    assert after["acestep_steps_total", "own"] >= 4 + 3 + 3 + 2
    assert after["acestep_queue_up",] == 1


async def test_no_id_and_no_text_of_a_job_is_a_label(embedded):
    async with embedded(metrics=Metrics()) as desk:
        ticket = await desk.submit(body={"tags": "a very private wish", "lyrics": "[verse]\nonly for you"})
        await desk.end(ticket)
        text = (await desk.http.get("/metrics")).text
    assert ticket["request_id"] not in text
    assert "private" not in text
    assert "only for you" not in text
    assert set(re.findall(r"(\w+)=\"", text)) == {"state", "device", "result", "endpoint", "le"}


async def test_where_there_is_a_key_only_its_owner_reads_them(embedded):
    async with embedded(metrics=Metrics(), key="k") as desk:
        assert (await desk.http.get("/metrics")).status_code == 401
        desk.http.headers["authorization"] = "Bearer k"
        assert (await scraped(desk.http))["acestep_queue_up",] == 1


async def test_a_server_that_measures_nothing_says_how_it_would(embedded):
    async with embedded() as desk:
        reply = await desk.http.get("/metrics")
    assert reply.status_code == 404
    assert "acestep-mcp[metrics]" in reply.json()["detail"]


async def test_the_board_asks_only_for_what_a_scrape_contains(embedded):
    async with embedded(metrics=Metrics()) as desk:
        await desk.end(await desk.submit())
        text = (await desk.http.get("/metrics")).text
    there = set(re.findall(r"^(\w+)", text, re.MULTILINE)) | set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [variable["definition"] for variable in board["templating"]["list"] if "definition" in variable]
    asked = {name for query in queries for name in re.findall(r"\b(?:acestep|process)_\w+", query)}
    ours = {name for name in there if name.startswith("acestep_") and not name.endswith("_created")}
    assert len(queries) > 15
    assert asked - there == set()
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in ours - asked} <= {re.sub("_(bucket|sum|count)$", "", name) for name in asked}  # fmt: skip


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/ready/"])
async def test_monitoring_does_not_keep_an_unused_server_running(path):
    asked = []

    async def app(scope, receive, send):
        asked.append(scope["path"])

    monitor = IdleMonitor(app, lambda: False)
    await anyio.sleep(0.03)
    await monitor({"type": "http", "path": path, "query_string": b""}, None, None)
    assert monitor.is_over(0.02)
    assert asked == [path]
    used = IdleMonitor(app, lambda: False)
    await anyio.sleep(0.03)
    await used({"type": "http", "path": "/files/x", "query_string": b""}, None, None)
    assert not used.is_over(0.02)
