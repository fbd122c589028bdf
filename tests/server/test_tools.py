"""The tools as a contract, and what they answer, in both protocol eras."""

import base64
import itertools
import json
import os
import re
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import jsonschema
import pytest
from mcp import Client

from acestep_mcp.api.endpoints import ENDPOINTS
from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.api.schemas import output_schema
from acestep_mcp.assembly import open_studio
from acestep_mcp.library.models import Job, JobError, Outcome, Status
from acestep_mcp.server import answers
from acestep_mcp.server.app import create_server
from acestep_mcp.server.tools import context, published
from acestep_mcp.server.tools.table import BY_NAME, TOOLS
from acestep_mcp.settings import load
from acestep_mcp.studio.comparison import FEWEST, MOST
from acestep_mcp.studio.studio import Studio
from acestep_mcp.studio.takes import MOST_TAKES
from acestep_mcp.studio.views import JobView

PUBLISHED = Path(published.__file__).with_name(published.FILE_NAME)
WITH_THE_SONG = {"audio", "seed", "tags", "lyrics", "track"}
eras = pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])


def strict(schema):
    """The schema, allowing no undeclared fields."""
    schema = {name: strict(part) if isinstance(part, dict) else part for name, part in schema.items()}
    return (
        schema | {"additionalProperties": False}
        if "properties" in schema and schema.get("type") == "object"
        else schema
    )


def on_the_wire(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_the_published_list_is_the_one_of_the_table():
    """UPDATE_SNAPSHOTS=1 rewrites it; then read the diff."""
    now = json.dumps([on_the_wire(tool.entry()) for tool in TOOLS], indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PUBLISHED.write_text(now, encoding="utf-8")
    assert now == PUBLISHED.read_text(encoding="utf-8")
    assert [on_the_wire(entry) for entry in published.entries()] == json.loads(now)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_s_schema_is_plain_strict_and_has_all_four_hints(tool):
    entry = on_the_wire(tool.entry())
    text = json.dumps([entry["inputSchema"], entry.get("outputSchema", {})])
    assert entry["inputSchema"]["additionalProperties"] is False
    assert not any(word in text for word in ("anyOf", "null", "$ref", '"title": "'))
    assert len(entry["annotations"]) == 4
    assert entry["annotations"]["readOnlyHint"] is False or entry["annotations"]["destructiveHint"] is False
    assert entry["description"]
    assert entry["title"]
    jsonschema.Draft202012Validator.check_schema(entry["inputSchema"])
    jsonschema.Draft202012Validator.check_schema(entry.get("outputSchema", {}))


def test_the_published_bounds_of_takes_and_of_songs_to_compare_are_those_that_the_studio_holds_to():
    takes = BY_NAME["remake_track"].entry().input_schema["properties"]["takes"]
    assert (takes["minimum"], takes["maximum"]) == (1, MOST_TAKES)
    tracks = BY_NAME["compare_tracks"].entry().input_schema["properties"]["track_ids"]
    assert (tracks["minItems"], tracks["maxItems"]) == (FEWEST, MOST)


def test_waiting_for_a_job_is_read_only_so_that_hosts_need_not_ask_each_time():
    assert BY_NAME["get_job"].hints.read_only_hint is True


def test_no_tool_that_may_cost_money_is_marked_read_only():
    for endpoint in ENDPOINTS:
        assert BY_NAME[endpoint.tool].hints.read_only_hint is False
        assert list(BY_NAME[endpoint.tool].entry().input_schema["properties"]) != []


@pytest.mark.anyio
@eras
async def test_the_tool_list_is_under_32_kilobytes_and_opens_no_studio(client, studio_factory, era):
    async with client(era) as connected:
        answer = on_the_wire(await connected.list_tools())
        await connected.list_resource_templates()
        assert studio_factory.open_count == 0
    assert len(answer["tools"]) == len(TOOLS)
    assert len(json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()) < 32_000


@pytest.mark.anyio
async def test_the_icon_is_sent_once_and_not_with_every_answer(client):
    async with client("auto") as connected:
        answers = [on_the_wire(await connected.list_tools()), on_the_wire(await connected.call_tool("list_tracks", {}))]
        assert connected.server_info.icons[0].mime_type == "image/png"
    for answer in answers:
        stamp = answer["_meta"]["io.modelcontextprotocol/serverInfo"]
        assert set(stamp) == {"name", "title", "version"}


@pytest.mark.anyio
@eras
async def test_text_and_structured_content_describe_a_song_alike(client, studio_factory, era):
    async with client(era) as connected:
        answer = await connected.call_tool("text_to_audio", {"tags": "lofi", "seed": 9, "lyrics": None})
        await studio_factory.wait_for("delivered", "job-1")
        assert studio_factory.open_count == 1
    assert studio_factory.open_count == 0
    facts = answer.structured_content
    assert facts["status"] == "COMPLETED"
    assert set(facts) >= WITH_THE_SONG
    assert Path(facts["track"]["file_path"]).parent == studio_factory.settings.music_dir
    assert Path(facts["track"]["file_path"]).stat().st_size == facts["track"]["size"]
    assert (facts["seed"], facts["tags"], facts["lyrics"], facts["engine"]) == (9, "lofi", "[inst]", "tone")
    assert facts["backend"] == "engine", "the engine's name alone does not say which backend ran"
    assert facts["audio"]["url"].startswith("http://127.0.0.1"), "as the host gave it"
    assert [part.type for part in answer.content] == ["text"]
    for name, value in facts.items():
        for part in value.values() if isinstance(value, dict) else [value]:
            assert json.dumps(part, ensure_ascii=False).strip('"') in answer.content[0].text, name


@pytest.mark.anyio
@eras
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.tool)
async def test_without_waiting_each_tool_answers_with_a_job_that_fits_its_schema(client, studio_factory, era, endpoint):
    studio_factory.add_track("kept", seconds=2)
    given = {
        "tags": "hold",
        "prompt": "a song",
        "audio_url": "acestep://tracks/kept",
        "original_tags": "pop",
        "end_time": 1,
    }
    arguments = {name: given[name] for name in given if name in endpoint.request.model_fields}
    async with client(era, wait_seconds=0.0) as connected:
        schema = next(t for t in (await connected.list_tools()).tools if t.name == endpoint.tool).output_schema
        answer = await connected.call_tool(endpoint.tool, arguments)
    facts = answer.structured_content
    assert not answer.is_error, answer.content[0].text
    jsonschema.validate(facts, strict(schema))
    assert facts["status"] in ("NEW", "IN_QUEUE", "IN_PROGRESS")
    assert facts["next_step"].startswith(f'call get_job with job_id="{facts["job_id"]}"')
    assert facts["next_step"] in answer.content[0].text
    assert not WITH_THE_SONG & set(facts)


@pytest.mark.anyio
@eras
async def test_a_job_that_failed_is_an_error_with_code_reason_job_and_next_step(client, studio_factory, era):
    async with client(era) as connected:
        answer = await connected.call_tool("text_to_audio", {"tags": "fail"})
    assert answer.is_error
    for needed in ("FAILED generation_failed", "The string broke.", "job_id: ", "next_step: "):
        assert needed in answer.content[0].text
    assert not WITH_THE_SONG & set(answer.structured_content)


@pytest.mark.slow
@pytest.mark.anyio
async def test_every_field_of_an_answer_is_in_the_published_schema(client, studio_factory):
    studio_factory.add_track("kept", seconds=2)
    calls = [
        ("text_to_audio", {"tags": "lofi"}),
        ("audio_inpaint", {"audio_url": "acestep://tracks/kept", "tags": "lofi", "end_time": 1}),
        ("get_job", {}),
        ("get_job", {"job_id": ""}),
        ("list_tracks", {"limit": 1}),
        ("get_track", {"track_id": "kept"}),
        ("delete_track", {"track_id": "kept"}),
        ("delete_track", {"track_id": "kept", "restore": True}),
        ("status", {}),
    ]
    async with client() as connected:
        made = await connected.call_tool("text_to_audio", {"tags": "lofi", "seed": 1})
        held = await connected.call_tool("get_job", {})
        newest = held.structured_content["jobs"][0]["job_id"]
        calls += [("get_job", {"job_id": newest}), ("cancel_job", {"job_id": newest})]
        assert made.structured_content["checks"].keys() >= {"lufs", "peak_dbfs"}
        for name, arguments in calls:
            answer = await connected.call_tool(name, arguments)
            assert not answer.is_error, answer.content[0].text
            jsonschema.validate(answer.structured_content, strict(on_the_wire(BY_NAME[name].entry())["outputSchema"]))


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.UNKNOWN])
def test_every_end_without_a_song_is_an_error_result(status):
    request = TextToAudio(tags="lofi")
    job = Job("j1", "fal-ai/ace-step", request, status, "fal", 0.0, error=JobError("queue", "Gone."))
    answer = answers.job_result(Outcome(job), lambda track: track.path.as_uri())
    assert answer.is_error
    assert answer.content[0].text.splitlines()[:2] == [f"{status} queue: Gone.", "job_id: j1"]
    assert "next_step: " in answer.content[0].text
    jsonschema.validate(answer.structured_content, strict(output_schema(JobView)))


def test_a_completed_job_whose_song_was_removed_says_so():
    job = Job("j1", "fal-ai/ace-step", TextToAudio(tags="lofi"), Status.COMPLETED, "fal", 0.0)
    answer = answers.job_result(Outcome(job), lambda track: track.path.as_uri())
    assert "no longer in the music folder" in answer.content[0].text


@pytest.mark.anyio
async def test_invalid_arguments_are_named_with_their_bounds_and_nothing_is_started(client, studio_factory):
    async with client() as connected:
        answer = await connected.call_tool("text_to_audio", {"tags": "lofi", "duration": 2, "duraton": 30})
    assert answer.is_error
    assert answer.content[0].text.startswith("invalid_request: ")
    assert "duration: input should be greater than or equal to 5 (got 2)" in answer.content[0].text
    assert "duraton: is not an argument" in answer.content[0].text
    assert studio_factory.events == []


@pytest.mark.anyio
@eras
async def test_the_text_of_an_unexpected_error_never_reaches_the_caller(client, era, monkeypatch, caplog):
    async def broken(*_):
        raise RuntimeError("the key is hunter2")

    monkeypatch.setattr(Studio, "jobs", broken)
    async with client(era) as connected:
        answer = await connected.call_tool("get_job", {})
    assert answer.is_error
    assert "hunter2" not in answer.content[0].text
    assert "get_job failed" in answer.content[0].text
    assert "hunter2" in caplog.text


@pytest.mark.anyio
async def test_a_studio_that_cannot_open_is_a_known_error_and_status_still_answers(client, settings):
    settings.data_dir.write_text("not a folder", encoding="utf-8")
    async with client() as connected:
        for _ in range(2):
            answer = await connected.call_tool("list_tracks", {})
            assert answer.is_error
            assert answer.content[0].text.startswith("storage: ")
            assert str(settings.data_dir) in answer.content[0].text
        status = await connected.call_tool("status", {})
        settings.data_dir.unlink()
        assert not (await connected.call_tool("list_tracks", {})).is_error
    assert status.structured_content["problems"][0].startswith("storage: ")
    assert status.structured_content["data_dir"] == str(settings.data_dir)


@pytest.mark.anyio
async def test_settings_problems_are_in_every_error_and_in_status(tmp_path, monkeypatch):
    monkeypatch.setenv("ACESTEP_FORMAT", "opus")
    settings = load()
    [problem] = settings.problems
    async with Client(create_server(lambda: open_studio(settings), settings, transport="stdio")) as connected:
        made = await connected.call_tool("text_to_audio", {"tags": "lofi"})
        lost = await connected.call_tool("get_track", {"track_id": "none"})
        status = await connected.call_tool("status", {})
    for answer in (made, lost):
        assert f"settings problem: {problem}" in answer.content[0].text
    assert problem in status.structured_content["problems"]


@pytest.mark.anyio
@eras
@pytest.mark.slow
async def test_progress_rises_strictly_and_continues_without_changes(client, era, monkeypatch):
    monkeypatch.setattr(context, "HEARTBEAT_SECONDS", 0.05)
    seen = []

    async def on_progress(value, total, message):
        seen.append((value, total, message))

    async with client(era, wait_seconds=1) as connected:
        await connected.call_tool("text_to_audio", {"tags": "hold"}, progress_callback=on_progress)
    values = [value for value, _, _ in seen]
    assert len(seen) > 6
    assert all(before < after for before, after in itertools.pairwise(values))
    assert all(total == 100 and len(message) <= 200 for _, total, message in seen)
    assert any(message.startswith("rendering, step 3 of 3") for _, _, message in seen)


@pytest.mark.anyio
@eras
async def test_an_idempotency_key_makes_one_song_however_often_it_is_sent(client, era):
    async with client(era) as connected:
        answers = [
            await connected.call_tool("text_to_audio", {"tags": "lofi"}, meta={"acestep/idempotencyKey": key})
            for key in ("k1", "k1", "k2", 7)
        ]
    first, again, other, wrong = answers
    assert (
        first.structured_content["job_id"] == again.structured_content["job_id"] != other.structured_content["job_id"]
    )
    assert again.structured_content["notes"][0].startswith("Joined")
    assert wrong.is_error


@pytest.mark.slow
@pytest.mark.anyio
async def test_an_interrupted_call_cancels_nothing_and_the_same_call_again_joins_its_job(client, studio_factory):
    async with client(wait_seconds=0.2) as connected:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connected.call_tool, "text_to_audio", {"tags": "hold"})
            await studio_factory.wait_for("started", "job-1")
            tasks.cancel_scope.cancel()
        await studio_factory.wait_for("undelivered", "job-1")
        again = await connected.call_tool("text_to_audio", {"tags": "hold"})
        await studio_factory.wait_for("delivered", "job-1")
        new = await connected.call_tool("text_to_audio", {"tags": "hold"})
    assert again.structured_content["notes"][0].startswith("Joined")
    assert studio_factory.events[:4] == [
        ("started", "job-1"),
        ("undelivered", "job-1"),
        ("started", "job-1"),
        ("delivered", "job-1"),
    ]
    assert "notes" not in new.structured_content, "a delivered answer ends it"


@pytest.mark.anyio
async def test_cancelling_one_of_two_calls_for_the_same_job_does_not_cancel_the_job(client, studio_factory):
    async with client("legacy") as connected, anyio.create_task_group() as tasks:
        scopes = [anyio.CancelScope(), anyio.CancelScope()]

        async def call(scope):
            with scope:
                meta = {"acestep/idempotencyKey": "k"}
                await connected.call_tool("text_to_audio", {"tags": "hold"}, meta=meta)

        for scope in scopes:
            tasks.start_soon(call, scope)
        await studio_factory.until(lambda: studio_factory.watchers == 2)
        scopes[0].cancel()
        await studio_factory.wait_for("undelivered", "job-1")
        await anyio.wait_all_tasks_blocked()
        assert ("cancelled", "job-1") not in studio_factory.events
        scopes[1].cancel()
        await studio_factory.wait_for("cancelled", "job-1")
        jobs = await connected.call_tool("get_job", {})
    assert [job["status"] for job in jobs.structured_content["jobs"]] == ["CANCELLED"]


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_cancelled_remake_cancels_all_its_takes_and_a_lost_one_starts_none_twice(client, studio_factory):
    studio_factory.add_track("kept")
    again = {"track_id": "kept", "changes": {"tags": "hold"}, "takes": 3}
    async with client("legacy", wait_seconds=0.1) as connected:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connected.call_tool, "remake_track", again)
            await studio_factory.until(lambda: studio_factory.watchers == 3)
            tasks.cancel_scope.cancel()
        await studio_factory.until(lambda: [name for name, _ in studio_factory.events].count("cancelled") == 3)
        first, second = [await connected.call_tool("remake_track", again, meta=key("k")) for _ in range(2)]
    jobs = [row["job_id"] for row in first.structured_content["takes"]]
    assert len(set(jobs)) == 3
    assert [row["job_id"] for row in second.structured_content["takes"]] == jobs
    assert first.structured_content["next_step"].startswith(f"call get_job with each of job_id {', '.join(jobs)}")
    text = first.content[0].text
    assert text.startswith("0 of 3 takes finished")
    assert all(job in text for job in jobs)


def key(text):
    return {"acestep/idempotencyKey": text}


@pytest.mark.anyio
@eras
async def test_two_songs_side_by_side_show_every_fact_that_their_sidecars_hold(client, studio_factory, era):
    for name, lufs in (("one", -14.25), ("two", -16)):
        path = studio_factory.add_track(name).with_suffix(".json")
        sidecar = json.loads(path.read_text(encoding="utf-8"))
        facts = {"checks": {"lufs": lufs}, "heard": {"key": {"name": "A minor", "confidence": 0.5}, "gaps": [{}]}}
        sidecar["request"] |= {"lyrics": f"la {name}"}
        path.write_text(json.dumps(sidecar | facts), encoding="utf-8")
    async with client(era) as connected:
        answer = await connected.call_tool("compare_tracks", {"track_ids": ["one", "two"]})
        again = await connected.call_tool("compare_tracks", {"track_ids": ["one", "acestep://tracks/one"]})
        lone = await connected.call_tool("compare_tracks", {"track_ids": ["one"]})
    facts = answer.structured_content
    assert facts["measured"] == {
        "duration": [0.1, 0.1],
        "lufs": [-14.25, -16],
        "key.name": ["A minor", "A minor"],
        "key.confidence": [0.5, 0.5],
    }
    assert facts["differences"] == {"lyrics": ["la one", "la two"]}
    assert "lufs: -14.25 | -16\n" in answer.content[0].text
    [picture] = answer.content[1:]
    assert picture.mime_type == "image/png"
    assert len(base64.b64decode(picture.data)) < 200_000
    assert "one is given more than once" in again.content[0].text
    assert lone.is_error


@pytest.mark.anyio
async def test_an_answer_about_a_section_that_is_not_there_lists_those_that_are(client, studio_factory):
    studio_factory.add_track("kept", seconds=4)
    async with client() as connected:
        unknown = await connected.call_tool("remake_section", {"track_id": "kept", "section": "verse"})
        marks = [{"name": "verse", "start": 0, "end": 2}, {"name": "verse", "start": 2}]
        marked = await connected.call_tool("mark_sections", {"track_id": "kept", "sections": marks})
        texts = ["verse=0-1.5", " verse = 2.0 - "]
        again = await connected.call_tool("mark_sections", {"track_id": "kept", "sections": texts})
        bare = await connected.call_tool("mark_sections", {"track_id": "kept", "sections": ["verse 0-2"]})
        other = await connected.call_tool("remake_section", {"track_id": "kept", "section": "chorus"})
        made = await connected.call_tool("remake_section", {"track_id": "kept", "section": "verse 2"})
        wrong = await connected.call_tool(
            "mark_sections", {"track_id": "kept", "sections": [{"name": "a", "begin": 0}]}
        )
    assert "mark_sections" in unknown.content[0].text
    assert [row["end"] for row in marked.structured_content["sections"]] == [2, 4]
    assert [(row["start"], row["end"]) for row in again.structured_content["sections"]] == [(0, 1.5), (2, 4)]
    assert "sections.0: must be NAME=START-END in seconds, such as 'verse=0-20'" in bare.content[0].text
    assert "they are: verse 1 (0-1.5 s), verse 2 (2-4 s)" in other.content[0].text
    assert made.structured_content["edit"]["start"] == 2
    assert wrong.content[0].text.startswith("invalid_request: sections.0.start: is required")


@pytest.mark.anyio
@eras
async def test_the_other_tools_report_jobs_and_tracks(client, studio_factory, era):
    studio_factory.add_track("old")
    async with client(era) as connected:

        async def ask(name, **arguments):
            answer = await connected.call_tool(name, arguments)
            assert not answer.is_error, answer.content[0].text
            return answer.structured_content

        made = await ask("text_to_audio", tags="lofi")
        job, track = made["job_id"], made["track"]["id"]
        assert [row["job_id"] for row in (await ask("get_job"))["jobs"]] == [job]
        assert (await ask("get_job", job_id=job))["track"]["id"] == track
        late = await ask("cancel_job", job_id=job)
        assert late["status"] == "COMPLETED"
        assert late["next_step"].startswith("the song was finished before it could be cancelled")
        first = await ask("list_tracks", limit=1)
        assert ([row["id"] for row in first["tracks"]], first["total"]) == ([track], 2)
        rest = await ask("list_tracks", limit=1, cursor=first["next_cursor"])
        assert [row["id"] for row in rest["tracks"]] == ["old"]
        song = await ask("get_track", track_id="old")
        assert (song["seed"], song["tags"], song["lyrics"]) == (7, "lofi", "[inst]")
        assert song["url"] == Path(song["track"]["file_path"]).as_uri()
        [text, picture] = (await connected.call_tool("get_track", {"track_id": track, "picture": True})).content
        assert picture.mime_type == "image/png"
        assert base64.b64decode(picture.data).startswith(b"\x89PNG")
        assert "heard: " in text.text
        assert (await ask("delete_track", track_id="old"))["deleted"] is True
        assert (await ask("list_tracks"))["total"] == 1
        assert (await ask("delete_track", track_id="old", restore=True))["deleted"] is False
        assert (await ask("status"))["backend"] == "engine"


@pytest.mark.anyio
async def test_the_answer_for_a_running_job_says_how_long_it_will_take(client):
    async with client(wait_seconds=20.0) as connected:
        for seed in (1, 2):
            await connected.call_tool("text_to_audio", {"tags": "lofi", "duration": 5, "seed": seed})
    async with client(wait_seconds=0.0) as connected:
        made = await connected.call_tool("text_to_audio", {"tags": "hold", "duration": 240})
        with anyio.fail_after(20):
            while "IN_PROGRESS" not in (text := made.content[0].text):
                made = await connected.call_tool("get_job", {"job_id": made.structured_content["job_id"]})
    assert re.search(r"not finished: .*, about \d+ s left", text)
    assert re.search(r"about \d+ s left", made.structured_content["progress"])


@pytest.mark.anyio
async def test_cancelling_a_running_job_is_not_an_error(client):
    async with client(wait_seconds=0.0) as connected:
        made = await connected.call_tool("text_to_audio", {"tags": "hold"})
        answer = await connected.call_tool("cancel_job", {"job_id": made.structured_content["job_id"]})
        unknown = await connected.call_tool("get_job", {"job_id": "job-9"})
    assert not answer.is_error
    assert answer.structured_content["status"] == "CANCELLED"
    assert unknown.is_error
    assert unknown.content[0].text.startswith("not_found: ")


@pytest.mark.anyio
async def test_an_unknown_tool_is_an_error_that_lists_the_known_ones(client):
    async with client() as connected:
        answer = await connected.call_tool("make_song", {})
    assert answer.is_error
    assert "text_to_audio" in answer.content[0].text


@pytest.mark.anyio
@eras
async def test_waiting_calls_answer_with_their_job_when_the_server_ends(studio_factory, settings, era):
    server = create_server(studio_factory, settings, transport="stdio")

    async def end():
        await studio_factory.until(lambda: studio_factory.watchers)
        server.end_waits()

    async with Client(server, mode=era) as connected, anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        with anyio.fail_after(15):
            answer = await connected.call_tool("text_to_audio", {"tags": "hold"})
    assert answer.structured_content["status"] in ("NEW", "IN_QUEUE", "IN_PROGRESS")


@pytest.mark.anyio
async def test_a_studio_that_crashes_in_the_background_is_reopened_by_the_next_call(studio_factory, settings, caplog):
    crash = anyio.Event()

    async def crashing():
        await crash.wait()
        raise RuntimeError("a bug in the background")

    @asynccontextmanager
    async def opened():
        async with studio_factory() as studio, anyio.create_task_group() as tasks:
            tasks.start_soon(crashing)
            yield studio
            tasks.cancel_scope.cancel()

    async with Client(create_server(opened, settings, transport="stdio")) as connected:
        assert not (await connected.call_tool("list_tracks", {})).is_error
        crash.set()
        with anyio.fail_after(10):
            while studio_factory.open_count:
                await anyio.sleep(0.01)
        crash = anyio.Event()
        assert not (await connected.call_tool("list_tracks", {})).is_error
        assert studio_factory.open_count == 1
    assert "a bug in the background" in caplog.text
