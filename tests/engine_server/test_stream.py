"""Events as they happen, over a real connection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from acestep_mcp.engine_server import job_queue

pytestmark = pytest.mark.anyio


async def lines(reply: httpx.Response) -> AsyncIterator[str]:
    async for line in reply.aiter_lines():
        if line:
            yield line


def state(line: str) -> dict:
    assert line.startswith("data: ")
    return json.loads(line[6:])


async def test_each_log_line_is_sent_once_and_the_stream_ends_after_completed(listening):
    async with listening() as desk:
        ticket = await desk.submit(body={"tags": "hold"})
        url = f"/fal-ai/ace-step/requests/{ticket['request_id']}/status/stream?logs=1"
        seen = []
        with anyio.fail_after(10):
            async with desk.http.stream("GET", url) as reply:
                async for line in lines(reply):
                    seen.append(state(line))
                    messages = [log["message"] for event in seen for log in event.get("logs") or []]
                    if "rendering 1/3" in messages:
                        desk.engine.release.set()
    assert messages == [f"rendering {n}/3" for n in range(4)]
    assert [event["status"] for event in seen[-2:]] == ["IN_PROGRESS", "COMPLETED"]
    assert {event["status"] for event in seen} <= {"IN_QUEUE", "IN_PROGRESS", "COMPLETED"}
    assert reply.headers["x-fal-request-id"] == ticket["request_id"]


async def test_events_come_while_the_job_waits_and_tell_its_place(listening, monkeypatch):
    monkeypatch.setattr(job_queue, "POSITION_SECONDS", 0.02)
    async with listening() as desk:
        first = await desk.submit(body={"tags": "hold"})
        await desk.running()
        second, third = await desk.submit(), await desk.submit(body={"tags": "hold"})
        places = []
        with anyio.fail_after(10):
            async with desk.http.stream("GET", third["status_url"] + "/stream") as reply:
                async for line in lines(reply):
                    places.append(state(line).get("queue_position"))
                    if places == [1]:
                        await desk.cancel(second)
                    elif places[-1] == 0:
                        await desk.cancel(first)
                    elif places[-1] is None:
                        break
    assert places[:3] == [1, 0, None]


async def test_without_logs_a_stream_tells_states_only(embedded):
    async with embedded() as desk:
        ticket = await desk.submit()
        events = await desk.events(ticket, logs=0)
    assert [event.get("logs") for event in events] == [None] * len(events)
    assert len(events) <= 3


async def test_a_quiet_stream_is_kept_alive(listening):
    async with listening(ping=0.02) as desk:
        ticket = await desk.submit(body={"tags": "hold"})
        await desk.running()
        with anyio.fail_after(10):
            async with desk.http.stream("GET", ticket["status_url"] + "/stream") as reply:
                pings = 0
                async for line in lines(reply):
                    pings += line == ": ping"
                    if pings == 3:
                        break
    assert pings == 3


async def test_an_ended_job_gives_its_whole_story_at_once(embedded):
    async with embedded() as desk:
        ticket = await desk.submit()
        await desk.end(ticket)
        events = await desk.events(ticket)
    assert len(events) == 1
    assert [log["message"] for log in events[0]["logs"]] == [f"rendering {n}/3" for n in range(4)]
    assert events[0]["metrics"]["inference_time"] > 0


async def test_a_watcher_who_leaves_does_not_end_the_job(listening):
    async with listening() as desk:
        ticket = await desk.submit(body={"tags": "hold"})
        await desk.running()
        async with desk.http.stream("GET", ticket["status_url"] + "/stream") as reply:
            await anext(lines(reply))
        desk.engine.release.set()
        assert (await desk.end(ticket)).status_code == 200


@pytest.mark.parametrize("tail", ["", "/stream"])
async def test_a_direct_caller_who_hangs_up_ends_the_job(listening, tail):
    async with listening() as desk:

        async def run() -> None:
            await desk.http.post(f"/run/fal-ai/ace-step{tail}", json={"tags": "hold", "duration": 5})

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await desk.running()
            group.cancel_scope.cancel()
        await desk.stopped()
        assert not desk.engine.release.is_set()


async def test_an_upload_that_breaks_off_leaves_nothing(listening, tmp_path):
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise ConnectionError("gone")

    async with listening() as desk:
        with pytest.raises(ConnectionError):
            await desk.http.post("/files/upload", content=broken())
        good = await desk.http.post("/files/upload", content=b"x")
        files = [path for path in (tmp_path / "queue").rglob("*") if path.is_file()]
    assert good.status_code == 200
    assert len(files) <= 2
