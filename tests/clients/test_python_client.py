"""The official Python client against real processes: stdio and HTTP, in both protocol eras."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import PromptReference, ResourceTemplateReference, TextContent

from acestep_mcp.server.tools.table import TOOLS

ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
OPEN = {"NEW", "IN_QUEUE", "IN_PROGRESS"}

pytestmark = [pytest.mark.anyio, pytest.mark.process]
Connect = Callable[..., AbstractAsyncContextManager[Client]]


HANDLES = pytest.mark.parametrize(
    ("transport", "era"), [pytest.param("stdio", "auto", marks=pytest.mark.long), ("http", "legacy")]
)
EVERY = pytest.mark.parametrize(
    ("transport", "era"),
    [
        ("stdio", "auto"),
        ("http", "legacy"),
        pytest.param("stdio", "legacy", marks=pytest.mark.long),
        pytest.param("http", "auto", marks=pytest.mark.long),
    ],
)
ONE = pytest.mark.parametrize(
    ("transport", "era"), [("stdio", "auto"), pytest.param("http", "legacy", marks=pytest.mark.long)]
)


@pytest.fixture
def connect(transport: str, era: str, environment: dict[str, str], served: Callable[..., str]) -> Connect:
    """A client of a server of its own; settings by name."""

    def connected(**more: str) -> AbstractAsyncContextManager[Client]:
        if transport == "http":
            return Client(served(**more), mode=era)
        command = [sys.executable, "-m", "acestep_mcp"]
        return Client(
            StdioServerParameters(command=command[0], args=command[1:], env=environment | more), mode=era
        )  # fmt: skip

    return connected


async def ended(client: Client, job_id: str) -> dict:
    with anyio.fail_after(40):
        while True:
            facts = (await client.call_tool("get_job", {"job_id": job_id})).structured_content
            if facts["status"] not in OPEN:
                return facts
            await anyio.sleep(0.1)


@EVERY
async def test_a_song_is_made_with_progress_read_back_and_completed(connect: Connect, era: str) -> None:
    progress: list[tuple[float, float | None, str | None]] = []

    async def tell(value: float, total: float | None, message: str | None) -> None:
        progress.append((value, total, message))

    with anyio.fail_after(50):
        async with connect() as client:
            assert client.protocol_version == ERAS[era]
            assert len((await client.list_tools()).tools) == len(TOOLS)
            song = await client.call_tool(
                "text_to_audio", {"tags": "piano, calm", "duration": 5, "seed": 7}, progress_callback=tell
            )
            await _check_song(client, song, progress)


async def _check_song(client: Client, song, progress: list) -> None:
    facts = song.structured_content
    assert (song.is_error, facts["status"], facts["seed"], facts["lyrics"]) == (False, "COMPLETED", 7, "[inst]")
    assert [type(block) for block in song.content] == [TextContent]
    assert facts["track"]["file_path"] in song.content[0].text
    values = [value for value, _, _ in progress]
    assert values == sorted(set(values))
    assert len(values) > 1
    assert all(message for _, _, message in progress)

    played = await client.call_tool("play_track", {"track_id": facts["track"]["id"]})
    assert facts["track"]["file_path"] in played.content[0].text
    assert [one["id"] for one in played.structured_content["tracks"] if one.get("shown")] == [facts["track"]["id"]]

    uris = [resource.uri for resource in (await client.list_resources()).resources]
    assert {facts["track"]["uri"], f"{facts['track']['uri']}/audio", "acestep://tracks", "acestep://jobs"} <= {*uris}
    for uri in uris:
        [content] = (await client.read_resource(uri)).contents
        assert getattr(content, "blob", None) or content.text

    track_id = facts["track"]["id"]
    reference = ResourceTemplateReference(type="ref/resource", uri="acestep://tracks/{id}")
    answer = await client.complete(reference, {"name": "id", "value": track_id[:3]})
    assert track_id in answer.completion.values
    reference = PromptReference(type="ref/prompt", name="extend-a-track")
    assert track_id in (await client.complete(reference, {"name": "track", "value": ""})).completion.values
    prompts = (await client.list_prompts()).prompts
    assert len(prompts) == 7
    for prompt in prompts:
        given = {argument.name: track_id for argument in prompt.arguments or []}
        [message, *_] = (await client.get_prompt(prompt.name, given)).messages
        assert len(message.content.text) > 200


@pytest.mark.slow  # the fast suite asks the tools themselves: tests/server/test_tools.py
@HANDLES
async def test_every_tool_that_makes_a_song_hands_its_job_over_at_once(connect: Connect) -> None:
    with anyio.fail_after(50):
        async with connect(ACESTEP_WAIT_SECONDS="0") as client:
            first = await client.call_tool("text_to_audio", {"tags": "piano", "duration": 5})
            source = (await ended(client, first.structured_content["job_id"]))["track"]["id"]
            edit = {"audio_url": source, "tags": "strings"}
            asked = {
                "prompt_to_audio": {"prompt": "a quiet morning", "duration": 240},
                "audio_to_audio": edit | {"original_tags": "piano"},
                "audio_inpaint": edit | {"start_time": 1, "end_time": 3},
                "audio_outpaint": edit | {"extend_after_duration": 100},
            }
            handles = [first, *[await client.call_tool(tool, arguments) for tool, arguments in asked.items()]]
            for handle in handles:
                await _check_handle(client, handle)


async def _check_handle(client: Client, handle) -> None:
    facts = handle.structured_content
    assert not handle.is_error, handle.content
    assert facts["status"] in OPEN | {"COMPLETED"}
    assert facts["job_id"] in handle.content[0].text
    assert {"audio", "track"} <= facts.keys() if facts["status"] == "COMPLETED" else "audio" not in facts
    cancelled = (await client.call_tool("cancel_job", {"job_id": facts["job_id"]})).structured_content
    assert cancelled["status"] in {"CANCELLED", "COMPLETED"}


@pytest.mark.parametrize(
    ("transport", "era"), [("stdio", "auto"), pytest.param("http", "legacy", marks=pytest.mark.slow)]
)
async def test_a_cancelled_call_cancels_its_job(connect: Connect) -> None:
    with anyio.fail_after(50):
        async with connect() as client:
            with anyio.CancelScope() as scope:

                async def stop(value: float, total: float | None, message: str | None) -> None:
                    if message != "preparing":
                        scope.cancel()

                await client.call_tool("text_to_audio", {"tags": "orchestra", "duration": 60}, progress_callback=stop)
            assert scope.cancelled_caught
            [job, *_] = (await client.call_tool("get_job", {})).structured_content["jobs"]
            facts = await ended(client, job["job_id"])
    assert facts["status"] == "CANCELLED"


@pytest.mark.slow  # in short: tests/studio/test_processes.py
@ONE
async def test_a_song_whose_process_has_gone_is_there_at_the_next_start(
    connect: Connect, transport: str, tmp_path: Path
) -> None:
    with anyio.fail_after(50):
        async with connect(ACESTEP_WAIT_SECONDS="0") as client:
            handle = await client.call_tool("text_to_audio", {"tags": "piano", "duration": 10})
        if transport == "stdio":
            assert list((tmp_path / "music").glob("*.wav")) == []
        async with connect(ACESTEP_WAIT_SECONDS="0") as client:
            facts = await ended(client, handle.structured_content["job_id"])
    assert facts["status"] == "COMPLETED"
    assert Path(facts["track"]["file_path"]).is_file()
