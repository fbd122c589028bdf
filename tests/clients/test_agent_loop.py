"""An agent's loop of ten steps through the official client over stdio: every decision follows from an answer."""

from __future__ import annotations

import sys
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

pytestmark = [pytest.mark.anyio, pytest.mark.process]
OPEN = {"NEW", "IN_QUEUE", "IN_PROGRESS"}
LYRICS = """[verse]
Rain on the window and the kettle on
[chorus]
Slow down, let the record spin
[verse]
Snow on the window and the kettle gone
[chorus]
Slow down, let the morning in"""


class Agent:
    """Calls tools and waits as their answers say; a wrong call ends the test."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.steps: list[str] = []

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        self.steps.append(tool)
        facts = await self._asked(tool, arguments)
        if facts.get("status") in OPEN:
            return await self._ended(facts["job_id"])
        for take in facts.get("takes", []):
            if take["status"] in OPEN:
                take["track"] = (await self._ended(take["job_id"]))["track"]["id"]
        return facts

    async def _ended(self, job_id: str) -> dict[str, Any]:
        while (facts := await self._asked("get_job", {"job_id": job_id}))["status"] in OPEN:
            assert job_id in facts["next_step"]
        assert facts["status"] == "COMPLETED"
        return facts

    async def _asked(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.call_tool(tool, arguments)
        assert not answer.is_error, (tool, arguments, answer.content[0].text)
        return answer.structured_content


async def test_an_agent_writes_chooses_repairs_extends_and_exports_without_one_wrong_call(
    environment: dict[str, str],
) -> None:
    command = StdioServerParameters(command=sys.executable, args=["-m", "acestep_mcp"], env=environment)
    with anyio.fail_after(58):
        async with Client(command) as client:
            call = Agent(client)
            assert (await call("status"))["backend"] == "draft"
            song = await call("text_to_audio", tags="pop, piano, 120 bpm", lyrics=LYRICS, duration=16)
            takes = (await call("remake_track", track_id=song["track"]["id"], takes=2))["takes"]

            compared = await call("compare_tracks", track_ids=[song["track"]["id"], *(take["track"] for take in takes)])
            assert list(compared["differences"]) == ["seed"]
            ids = [row["id"] for row in compared["tracks"]]
            loudness, silent = compared["measured"]["lufs"], compared["measured"]["silent"]
            best = min(
                (abs(value + 14), track) for value, bad, track in zip(loudness, silent, ids, strict=True) if not bad
            )[1]

            track = await call("get_track", track_id=best)
            section = [row["name"] for row in track["sections"] if row["name"].startswith("chorus")][-1]
            repaired = await call("remake_section", track_id=best, section=section, variance=0.8)
            assert repaired["checks"]["unchanged_outside"] is True
            assert repaired["checks"]["outside_difference"].startswith("-inf")

            longer = await call(
                "audio_outpaint", audio_url=repaired["track"]["id"], tags=track["tags"], lyrics="[outro]\nSlow down",
                extend_after_duration=5,
            )  # fmt: skip
            line = (await call("get_track", track_id=longer["track"]["id"]))["descent"]
            assert [step["made_by"] for step in line][-2:] == ["audio_inpaint", "audio_outpaint"]
            assert line[-1]["changed"].startswith("5 s after added")
            copy = await call("export_track", track_id=longer["track"]["id"], format="flac")
            unwanted = next(track_id for track_id in ids if track_id != best)
            assert (await call("delete_track", track_id=unwanted))["deleted"] is True
    assert copy["file_path"].endswith(".flac")
    assert len(call.steps) == 10
