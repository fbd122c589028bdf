"""Listed resources can be read and changes are notified, in both protocol eras."""

import base64
import json
import os

import anyio
import pytest
import soundfile
from mcp import MCPError
from mcp.types import INVALID_PARAMS, PromptReference, ResourceListChangedNotification, ResourceTemplateReference

from acestep_mcp.server import resources

eras = pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])


async def listed(client):
    found, cursor = [], None
    while True:
        page = await client.list_resources(cursor=cursor)
        found += page.resources
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.anyio
@eras
async def test_every_listed_resource_can_be_read_and_pages_list_the_newest_first(
    client, studio_factory, era, monkeypatch
):
    monkeypatch.setattr(resources, "PAGE", 3)
    for number in range(7):
        studio_factory.add_track(f"t{number}")
    async with client(era) as connected:
        found = await listed(connected)
        assert [entry.uri for entry in found][:4] == [
            "acestep://tracks",
            "acestep://jobs",
            "acestep://tracks/t6/audio",
            "acestep://tracks/t6",
        ]
        assert len(found) == len({entry.uri for entry in found}) == 3 + 2 * 7
        for entry in found:
            [content] = (await connected.read_resource(entry.uri)).contents
            assert content.mime_type == entry.mime_type
            if entry.mime_type == "application/json":
                json.loads(content.text)
            elif entry.uri == "ui://acestep/player.html":
                assert content.text.startswith("<!doctype html>")
            else:
                assert (
                    len(base64.b64decode(content.blob))
                    == entry.size
                    == os.path.getsize(entry.meta["acestep/file_path"])
                )
                assert content.meta["acestep/file_path"] == entry.meta["acestep/file_path"]


@pytest.mark.anyio
@eras
async def test_an_unknown_cursor_is_an_invalid_parameter(client, era):
    async with client(era) as connected:
        with pytest.raises(MCPError) as caught:
            await connected.list_resources(cursor="nonsense")
    assert caught.value.error.code == INVALID_PARAMS


@pytest.mark.anyio
@eras
@pytest.mark.parametrize(
    "uri", ["acestep://tracks/none", "acestep://tracks/none/audio", "acestep://x", "acestep://tracks/gone"]
)
async def test_a_missing_or_deleted_resource_is_an_invalid_parameter_that_names_the_uri(
    client, studio_factory, era, uri
):
    studio_factory.add_track("gone")
    async with client(era) as connected:
        await connected.call_tool("delete_track", {"track_id": "gone"})
        with pytest.raises(MCPError) as caught:
            await connected.read_resource(uri)
    assert caught.value.error.code == INVALID_PARAMS
    assert caught.value.error.data == {"uri": uri}


@pytest.mark.anyio
async def test_a_long_song_is_read_as_a_complete_mp3_that_fits_a_message(client, studio_factory, tmp_path):
    path = studio_factory.add_track("long", seconds=12)
    async with client() as connected:
        entry = next(e for e in await listed(connected) if e.uri.endswith("/audio"))
        answer = await connected.read_resource(entry.uri)
    [content] = answer.contents
    assert entry.mime_type == content.mime_type == "audio/mpeg"
    assert str(path) in entry.description
    assert content.meta["acestep/file_path"] == str(path)
    assert len(answer.model_dump_json(by_alias=True)) < 2**20
    preview = tmp_path / "preview.mp3"
    preview.write_bytes(base64.b64decode(content.blob))
    assert soundfile.info(preview).duration == pytest.approx(12, abs=0.2)


@pytest.mark.anyio
@eras
async def test_track_ids_are_completed_in_the_templates(client, studio_factory, era):
    for name in ("abc", "abd", "xyz"):
        studio_factory.add_track(name)
    async with client(era) as connected:
        templates = (await connected.list_resource_templates()).resource_templates
        for template in templates:
            ref = ResourceTemplateReference(type="ref/resource", uri=template.uri_template)
            by_letters = await connected.complete(ref, {"name": "id", "value": "ab"})
            assert by_letters.completion.values == ["abd", "abc"]
            by_title = await connected.complete(ref, {"name": "id", "value": "Song xyz"})
            assert by_title.completion.values == ["xyz"]
    assert {template.uri_template for template in templates} == {"acestep://tracks/{id}", "acestep://tracks/{id}/audio"}


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_legacy_client_is_notified_of_songs_finished_deleted_and_restored(client):
    changed = anyio.Semaphore(0)

    async def on_message(message):
        if isinstance(message, ResourceListChangedNotification):
            changed.release()

    async with client("legacy", message_handler=on_message) as connected:
        assert connected.server_capabilities.resources.list_changed
        with anyio.fail_after(15):
            track = await song(connected)
            await changed.acquire()
            await connected.call_tool("delete_track", {"track_id": track})
            await changed.acquire()
            await connected.call_tool("delete_track", {"track_id": track, "restore": True})
            await changed.acquire()


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_listening_modern_client_is_notified_of_songs_finished_deleted_and_restored(client):
    async with client() as connected, connected.listen(resources_list_changed=True) as events:
        with anyio.fail_after(15):
            track = await song(connected)
            assert type(await anext(events)).__name__ == "ResourcesListChanged"
            await connected.call_tool("delete_track", {"track_id": track})
            await anext(events)
            await connected.call_tool("delete_track", {"track_id": track, "restore": True})
            await anext(events)


async def song(client):
    answer = await client.call_tool("text_to_audio", {"tags": "lofi"})
    return answer.structured_content["track"]["id"]


@pytest.mark.anyio
@eras
async def test_prompts_are_listed_rendered_and_completed_with_the_newest_tracks(client, studio_factory, era):
    for name in ("abc", "abd"):
        studio_factory.add_track(name)
    async with client(era) as connected:
        prompts = {prompt.name: prompt for prompt in (await connected.list_prompts()).prompts}
        assert studio_factory.open_count == 0
        assert len(prompts) == 7
        argument = prompts["remix-a-track"].arguments[0].name
        ref = PromptReference(type="ref/prompt", name="remix-a-track")
        assert (await connected.complete(ref, {"name": argument, "value": "ab"})).completion.values == ["abd", "abc"]
        given = {one.name: "abc" for one in prompts["remix-a-track"].arguments if one.required}
        [message] = (await connected.get_prompt("remix-a-track", given)).messages
        assert "abc" in message.content.text


@pytest.mark.anyio
@eras
@pytest.mark.parametrize(("name", "arguments"), [("no-such", {}), ("remix-a-track", {}), ("write-a-song", {"no": "x"})])
async def test_a_wrong_prompt_or_argument_is_an_invalid_parameter(client, era, name, arguments):
    async with client(era) as connected:
        with pytest.raises(MCPError) as caught:
            await connected.get_prompt(name, arguments)
    assert caught.value.error.code == INVALID_PARAMS
