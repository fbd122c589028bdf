"""A device that makes several songs at once, in one process."""

from __future__ import annotations

import os
import signal

import anyio
import pytest

from acestep_mcp.engines import Engine
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.processes import batch_engine
from acestep_mcp.engines.processes.batch_engine import BatchEngine
from acestep_mcp.engines.processes.devices import engines_for
from acestep_mcp.engines.registry import EngineSpec
from tests.engine_server.test_devices import fleet
from tests.support.engine import Tone

pytestmark = pytest.mark.anyio


@pytest.mark.process
async def test_songs_are_made_at_once_cancelled_one_by_one_and_made_again_alone_when_their_process_ends(tmp_path):
    async with fleet(tmp_path, 1, at_once=2) as desk:
        await desk.until("ready")
        tickets = [await desk.submit(body={"tags": f"hold {name}", "seed": ord(name)}) for name in "abc"]
        first, second = await desk.began(2)
        assert first[0] == second[0]
        assert {first[1], second[1]} == {"hold a", "hold b"}
        assert (await desk.get(tickets[2], "/status")).json()["queue_position"] == 0
        await desk.cancel(tickets[0])
        assert (await desk.end(tickets[0])).status_code == 499
        assert (await desk.began(3))[2] == (first[0], "hold c")
        os.kill(first[0], signal.SIGKILL)
        fourth = (await desk.began(4))[3]
        await anyio.sleep(0.3)
        assert len(desk.runs()) == 4  # alone: one of the two may have ended the process
        desk.release()
        results = [await desk.end(ticket) for ticket in tickets[1:]]
        assert [result.json().get("seed") for result in results] == [ord("b"), ord("c")]
        pids = {pid for pid, _ in desk.runs()[3:]}
    assert pids == {fourth[0]} != {first[0]}
    assert [tags for _, tags in desk.runs()].count("hold b") == 2


@pytest.mark.process
@pytest.mark.long
async def test_a_song_that_does_not_stop_is_killed_with_its_process_and_the_other_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_engine, "STOP_SECONDS", 0.5)
    async with fleet(tmp_path, 1, at_once=2) as desk:
        await desk.until("ready")
        stuck = await desk.submit(body={"tags": "stuck", "seed": 1})
        held = await desk.submit(body={"tags": "hold", "seed": 2})
        before = await desk.began(2)
        await desk.cancel(stuck)
        assert (await desk.end(stuck)).status_code == 499
        after = (await desk.began(3))[2]
        desk.release()
        assert (await desk.end(held)).status_code == 200
    assert after[1] == "hold"
    assert after[0] != before[0][0]


class Several(Tone):
    concurrency = 3


def test_a_batch_on_each_device_is_an_engine_of_its_own(tmp_path):
    def build(_: EngineOptions) -> Engine:
        return Several()

    spec = EngineSpec("several", "tones", build, lambda _: None)
    engines = engines_for(spec, EngineOptions(data_dir=tmp_path, batch=3), "cpu:2")
    assert [(type(each), each.concurrency, each.label) for each in engines] == [
        (BatchEngine, 3, "cpu:0"), (BatchEngine, 3, "cpu:1"),
    ]  # fmt: skip
