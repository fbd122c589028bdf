"""The eleven tools as a contract, and what they answer, in both protocol eras."""

import itertools
import json
import os
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import jsonschema
import pytest
from mcp import Client

from acestep_mcp.endpoints import ENDPOINTS
from acestep_mcp.errors import ConfigurationError, StorageError
from acestep_mcp.library import Progress, Status
from acestep_mcp.server import tools
from acestep_mcp.server.app import create_server
from acestep_mcp.settings import Settings

SNAPSHOTS = Path(__file__).parent / "snapshots"
WITH_THE_SONG = {"audio", "seed", "tags", "lyrics", "track"}
eras = pytest.mark.parametrize("era", ["auto", "legacy"])


def on_the_wire(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.fixture
def client(studio, settings):
    @asynccontextmanager
    async def connected(era="auto", **changed):
        server = create_server(studio, settings.model_copy(update=changed), transport="stdio")
        async with Client(server, mode=era) as opened:
            yield opened

    return connected


@pytest.mark.parametrize("tool", tools.TOOLS, ids=lambda tool: tool.name)
def test_the_tool_is_what_its_snapshot_says(tool):
    """UPDATE_SNAPSHOTS=1 writes them anew; the diff is then to be read."""
    now = json.dumps(on_the_wire(tool.entry()), indent=2, ensure_ascii=False) + "\n"
    snapshot = SNAPSHOTS / f"{tool.name}.json"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.write_text(now, encoding="utf-8")
    assert now == snapshot.read_text(encoding="utf-8")


def test_every_snapshot_belongs_to_a_tool():
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == {tool.name for tool in tools.TOOLS}


@pytest.mark.parametrize("tool", tools.TOOLS, ids=lambda tool: tool.name)
def test_a_tool_s_schema_is_plain_strict_and_has_all_four_hints(tool):
    entry = on_the_wire(tool.entry())
    text = json.dumps([entry["inputSchema"], entry["outputSchema"]])
    assert entry["inputSchema"]["additionalProperties"] is False
    assert not any(word in text for word in ("anyOf", "null", "$ref", '"title": "'))
    assert len(entry["annotations"]) == 4
    assert entry["annotations"]["readOnlyHint"] is False or entry["annotations"]["destructiveHint"] is False
    assert entry["description"]
    assert entry["title"]
    jsonschema.Draft202012Validator.check_schema(entry["inputSchema"])
    jsonschema.Draft202012Validator.check_schema(entry["outputSchema"])


def test_no_tool_that_may_cost_money_says_it_only_reads():
    for endpoint in ENDPOINTS:
        assert tools.BY_NAME[endpoint.tool].hints.read_only_hint is False
        assert list(tools.BY_NAME[endpoint.tool].entry().input_schema["properties"]) != []


@pytest.mark.anyio
@eras
async def test_the_whole_list_is_under_24_kilobytes_and_opens_no_studio(client, studio, era):
    async with client(era) as connected:
        answer = on_the_wire(await connected.list_tools())
        await connected.list_resource_templates()
        assert studio.open == 0
    assert len(answer["tools"]) == 11
    assert len(json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()) < 24_000


@pytest.mark.anyio
@eras
async def test_a_song_is_told_in_text_and_in_structured_content_alike(client, studio, era):
    async with client(era) as connected:
        answer = await connected.call_tool("text_to_audio", {"tags": "lofi", "seed": None})
        await studio.said("delivered", "job-1")
        assert studio.open == 1
    assert studio.open == 0
    facts = answer.structured_content
    path = studio.kept["tjob-1"].path
    assert facts["status"] == "COMPLETED"
    assert set(facts) >= WITH_THE_SONG
    assert facts["track"]["file_path"] == str(path)
    assert facts["audio"]["url"] == path.as_uri()
    assert (facts["engine"], facts["notes"]) == ("draft", ["a sketch"])
    assert [part.type for part in answer.content] == ["text"]
    for needed in ("COMPLETED", "job-1", "lofi", "seed: 7", "[inst]", "a sketch", facts["track"]["uri"]):
        assert needed in answer.content[0].text
    assert path.name in answer.content[0].text


@pytest.mark.anyio
@eras
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.tool)
async def test_with_no_time_to_wait_each_tool_answers_with_a_handle_that_fits_its_schema(client, studio, era, endpoint):
    studio.by_itself = False
    given = {"tags": "lofi", "prompt": "a song", "audio_url": "kept", "original_tags": "pop"}
    arguments = {name: given[name] for name in given if name in endpoint.request.model_fields}
    async with client(era, wait_seconds=0.0) as connected:
        schema = next(t for t in (await connected.list_tools()).tools if t.name == endpoint.tool).output_schema
        answer = await connected.call_tool(endpoint.tool, arguments)
    jsonschema.validate(answer.structured_content, schema)
    assert not answer.is_error
    assert answer.structured_content["status"] == "IN_PROGRESS"
    assert answer.structured_content["next_step"].startswith('call get_job with job_id="job-1"')
    assert 'job_id="job-1"' in answer.content[0].text
    assert not WITH_THE_SONG & set(answer.structured_content)


@pytest.mark.anyio
@eras
@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.UNKNOWN])
async def test_a_job_that_ended_without_a_song_is_an_error_with_code_reason_job_and_next_step(client, studio, era, status):
    studio.by_itself = False
    async with client(era) as connected, anyio.create_task_group() as tasks:

        async def fail():
            await studio.started.wait()
            await studio.finish("job-1", status, {"code": "generation_failed", "message": "The model ran out of breath."})

        tasks.start_soon(fail)
        answer = await connected.call_tool("text_to_audio", {"tags": "lofi"})
    text = answer.content[0].text
    assert answer.is_error
    for needed in (str(status), "generation_failed", "out of breath", "job-1", "next_step: "):
        assert needed in text
    assert not WITH_THE_SONG & set(answer.structured_content)


@pytest.mark.anyio
async def test_wrong_arguments_are_named_with_their_bounds_and_nothing_is_started(client, studio):
    async with client() as connected:
        answer = await connected.call_tool("text_to_audio", {"tags": "lofi", "duration": 2, "duraton": 30})
    assert answer.is_error
    assert answer.content[0].text.startswith("invalid_request: ")
    assert "duration: input should be greater than or equal to 5 (got 2)" in answer.content[0].text
    assert "duraton: is not an argument" in answer.content[0].text
    assert studio.records == {}


@pytest.mark.anyio
@eras
async def test_a_bug_s_own_text_never_reaches_the_caller(client, studio, era, monkeypatch, caplog):
    async def broken(*_):
        raise RuntimeError("the key is hunter2")

    monkeypatch.setattr(studio, "jobs", broken)
    async with client(era) as connected:
        answer = await connected.call_tool("get_job", {})
    assert answer.is_error
    assert "hunter2" not in answer.content[0].text
    assert "get_job failed" in answer.content[0].text
    assert "hunter2" in caplog.text


@pytest.mark.anyio
async def test_a_studio_that_cannot_open_is_an_error_of_ours_and_status_still_answers(settings):
    tries = []

    @asynccontextmanager
    async def broken():
        tries.append(1)
        async with anyio.create_task_group():
            raise StorageError("The disk is full. Make room.")
        yield

    async with Client(create_server(broken, settings, transport="stdio")) as connected:
        for _ in range(2):
            answer = await connected.call_tool("list_tracks", {})
            assert answer.is_error
            assert answer.content[0].text == "storage: The disk is full. Make room."
        status = await connected.call_tool("status", {})
    assert len(tries) == 3
    assert status.structured_content["problems"] == ["storage: The disk is full. Make room."]
    assert status.structured_content["data_dir"] == str(settings.data_dir)


@pytest.mark.anyio
async def test_what_is_wrong_with_the_settings_stands_in_every_error_and_in_status(studio, settings, monkeypatch):
    monkeypatch.setattr(Settings, "problems", property(lambda _: ("ACESTEP_FORMAT: no such format.",)))

    async def refuse(*_, **__):
        raise ConfigurationError("Nothing was made.")

    monkeypatch.setattr(studio, "start", refuse)
    async with Client(create_server(studio, settings, transport="stdio")) as connected:
        answer = await connected.call_tool("text_to_audio", {"tags": "lofi"})
        status = await connected.call_tool("status", {})
    assert "settings problem: ACESTEP_FORMAT: no such format." in answer.content[0].text
    assert status.structured_content["problems"] == ["ACESTEP_FORMAT: no such format."]


@pytest.mark.anyio
@eras
async def test_progress_rises_strictly_and_goes_on_without_news(client, studio, era, monkeypatch):
    monkeypatch.setattr(tools, "HEARTBEAT_SECONDS", 0.05)
    studio.by_itself = False
    seen, enough = [], anyio.Event()

    async def watch(value, total, words):
        seen.append((value, total, words))
        if len(seen) > 6:
            enough.set()

    async def work():
        await studio.started.wait()
        for fraction in (0.5, 0.2):
            await studio.advance("job-1", Progress(fraction, "rendering" + "g" * 300, 1, 2))
        await enough.wait()
        await studio.finish("job-1")

    async with client(era) as connected, anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        with anyio.fail_after(10):
            await connected.call_tool("text_to_audio", {"tags": "lofi"}, progress_callback=watch)
    values = [value for value, _, _ in seen]
    assert all(before < after for before, after in itertools.pairwise(values))
    assert all(total == 100 and len(words) <= 200 for _, total, words in seen)
    assert any(words.startswith("rendering") for _, _, words in seen)


@pytest.mark.anyio
@eras
async def test_the_idempotency_key_of_the_envelope_reaches_the_studio(client, studio, era):
    async with client(era) as connected:
        await connected.call_tool("text_to_audio", {"tags": "lofi"}, meta={"acestep/idempotencyKey": "k1"})
        wrong = await connected.call_tool("text_to_audio", {"tags": "lofi"}, meta={"acestep/idempotencyKey": 7})
    assert studio.records["job-1"].options == {"key": "k1"}
    assert wrong.is_error
    assert len(studio.records) == 1


@pytest.mark.anyio
async def test_a_call_cut_in_memory_is_told_as_cut_and_cancels_nothing(client, studio):
    studio.by_itself = False
    async with client() as connected:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connected.call_tool, "text_to_audio", {"tags": "lofi"})
            await studio.started.wait()
            tasks.cancel_scope.cancel()
        await studio.said("cut", "job-1")
    assert studio.told == [("started", "job-1"), ("cut", "job-1")]


@pytest.mark.anyio
async def test_a_wish_to_cancel_one_of_two_calls_for_the_same_job_leaves_the_job_to_the_other(client, studio, monkeypatch):
    studio.by_itself = False

    async def joined(tool, arguments, **_):
        if not studio.records:
            await type(studio).start(studio, tool, arguments)
        return studio.records["job-1"]

    monkeypatch.setattr(studio, "start", joined)
    async with client("legacy") as connected, anyio.create_task_group() as tasks:
        scopes = [anyio.CancelScope(), anyio.CancelScope()]

        async def call(scope):
            with scope:
                await connected.call_tool("text_to_audio", {"tags": "lofi"})

        for scope in scopes:
            tasks.start_soon(call, scope)
        await studio.watched("job-1", 2)
        scopes[0].cancel()
        await studio.said("cut", "job-1")
        assert ("cancelled", "job-1") not in studio.told
        scopes[1].cancel()
        await studio.said("cancelled", "job-1")


@pytest.mark.anyio
@eras
async def test_the_other_tools_tell_of_jobs_and_tracks(client, studio, era):
    studio.keep("old")
    async with client(era) as connected:

        async def ask(name, **arguments):
            answer = await connected.call_tool(name, arguments)
            assert not answer.is_error, answer.content[0].text
            for value in arguments.values():
                assert str(value) in answer.content[0].text or value is True or isinstance(value, int)
            return answer.structured_content

        await connected.call_tool("text_to_audio", {"tags": "lofi"})
        assert [job["job_id"] for job in (await ask("get_job"))["jobs"]] == ["job-1"]
        assert (await ask("get_job", job_id="job-1"))["track"]["id"] == "tjob-1"
        assert (await ask("cancel_job", job_id="job-1"))["status"] == "COMPLETED"
        first = await ask("list_tracks", limit=1)
        assert [track["id"] for track in first["tracks"]] == ["tjob-1"]
        rest = await connected.call_tool("list_tracks", {"limit": 1, "cursor": first["next_cursor"]})
        assert [track["id"] for track in rest.structured_content["tracks"]] == ["old"]
        song = await ask("get_track", track_id="old")
        assert (song["seed"], song["tags"], song["lyrics"]) == (7, "lofi", "[inst]")
        assert (await ask("delete_track", track_id="old"))["deleted"] is True
        assert (await ask("delete_track", track_id="old", restore=True))["deleted"] is False
        assert (await ask("status"))["backend"] == "draft"


@pytest.mark.anyio
async def test_a_running_job_is_cancelled_and_that_is_no_error(client, studio):
    studio.by_itself = False
    async with client(wait_seconds=0.0) as connected:
        await connected.call_tool("text_to_audio", {"tags": "lofi"})
        answer = await connected.call_tool("cancel_job", {"job_id": "job-1"})
        unknown = await connected.call_tool("get_job", {"job_id": "job-9"})
    assert not answer.is_error
    assert answer.structured_content["status"] == "CANCELLED"
    assert unknown.content[0].text == "not_found: There is no job 'job-9'."


@pytest.mark.anyio
async def test_an_unknown_tool_is_told_the_known_ones(client):
    async with client() as connected:
        answer = await connected.call_tool("make_song", {})
    assert answer.is_error
    assert "text_to_audio" in answer.content[0].text


@pytest.mark.anyio
@eras
async def test_calls_that_wait_answer_with_their_job_when_the_server_ends(studio, settings, era):
    studio.by_itself = False
    server = create_server(studio, settings, transport="stdio")

    async def end():
        await studio.started.wait()
        server.end_waits()

    async with Client(server, mode=era) as connected, anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        with anyio.fail_after(5):
            answer = await connected.call_tool("text_to_audio", {"tags": "lofi"})
    assert answer.structured_content["status"] == "IN_PROGRESS"
