"""The player in the chat: what hosts are told of it, what it is given, and what reaches the model, in both eras."""

import base64
import hashlib
import html
import json
import re

import pytest
from mcp import Client
from mcp.client import advertise

from acestep_mcp.server import player_app
from acestep_mcp.server.app import create_server
from acestep_mcp.server.tools.published import entries
from acestep_mcp.studio.versions import MOST

pytestmark = pytest.mark.anyio
eras = pytest.mark.parametrize("era", ["auto", pytest.param("legacy", marks=pytest.mark.slow)])
APPS = ("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})


@pytest.fixture
def host(studio_factory, settings):
    """A client that shows MCP Apps."""

    def connect(era="auto"):
        return Client(
            create_server(studio_factory, settings, transport="stdio"), mode=era, extensions=[advertise(*APPS)]
        )

    return connect


def add(factory, track_id, **changed):
    """A song in the music folder whose sidecar says this."""
    path = factory.add_track(track_id).with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def test_the_tools_name_the_page_in_both_ways_and_the_sound_is_for_the_page_alone():
    meta = {tool.name: tool.meta for tool in entries() if tool.meta}
    uri = "ui://acestep/player.html"
    assert meta == {
        "play_track": {"ui": {"resourceUri": uri}, "ui/resourceUri": uri},
        "player_audio": {"ui": {"visibility": ["app"]}},
    }


@eras
async def test_the_page_is_listed_and_read_as_an_app_and_opens_no_studio(client, studio_factory, era):
    async with client(era) as connected:
        page = await connected.read_resource("ui://acestep/player.html")
        assert studio_factory.open_count == 0
        listed = {entry.uri: entry for entry in (await connected.list_resources()).resources}
    [content] = page.contents
    assert content.mime_type == listed[player_app.URI].mime_type == "text/html;profile=mcp-app"
    assert content.meta == {"ui": {"prefersBorder": True}}


def test_the_page_allows_its_own_style_and_script_and_no_address():
    page = player_app.read().content
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1])
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    for element in ("style", "script"):
        [text] = re.findall(rf"^<{element}[^>]*>(.*?)</{element}>", page, re.DOTALL | re.MULTILINE)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{element}-src") == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "connect-src": "'none'",
        "media-src": "data:",
        "img-src": "data:",
        "form-action": "'none'",
        "base-uri": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "default",
    }
    assert not re.findall(r"https?://(?!www\.w3\.org/)\w", page)
    assert "Redistribution and use in source and binary forms" in page, "wavesurfer.js comes with its licence"


@eras
async def test_a_song_is_answered_with_its_file_for_the_model_and_with_everything_for_the_page(
    client, host, studio_factory, era
):
    add(studio_factory, "one", lyrics="[verse]\n<b>Rain</b>", checks={"lufs": -14.5}, heard={"summary": "96 bpm, A minor"}, sections=[
        {"name": "verse", "start": 0, "end": 0.1}
    ])  # fmt: skip
    async with client(era) as plain, host(era) as showing:
        without = await plain.call_tool("play_track", {"track_id": "one"})
        shown = await showing.call_tool("play_track", {"track_id": "acestep://tracks/one"})
    assert "this host shows no player; give the user the file_path" in without.content[0].text
    assert "the player shows it to the user" in shown.content[0].text
    for answer in (without, shown):
        assert [part.type for part in answer.content] == ["text"]
        assert str(studio_factory.settings.music_dir / "one ü.wav") in answer.content[0].text
        [track] = answer.structured_content["tracks"]
        assert track["lyrics"] == "[verse]\n<b>Rain</b>"
        assert (track["id"], track["shown"], track["lufs"], track["seed"]) == ("one", True, -14.5, 7)
        assert track["heard"] == "96 bpm, A minor"
        assert track["sections"] == [{"name": "verse", "start": 0, "end": 0.1}]


@pytest.mark.slow
async def test_the_page_gets_the_sound_in_a_message_under_a_mebibyte_that_the_model_does_not_see(
    client, studio_factory
):
    studio_factory.add_track("long", seconds=34)
    async with client() as connected:
        answer = await connected.call_tool("player_audio", {"track_id": "long"})
    message = answer.model_dump_json(by_alias=True, exclude_none=True)
    sound = answer.meta["acestep/audio"]
    mp3 = base64.b64decode(sound["data"])
    assert sound["mimeType"] == "audio/mpeg"
    assert mp3[:2] == b"\xff\xfb" or mp3[:3] == b"ID3"
    assert len(message) < 1024 * 1024
    assert "resource_link" not in message
    assert sound["data"][:80] not in answer.content[0].text + json.dumps(answer.structured_content)
    assert [track["id"] for track in answer.structured_content["tracks"]] == ["long"]


@eras
async def test_a_finished_song_is_offered_to_the_player_where_the_host_has_one(client, host, era):
    async with client(era) as plain, host(era) as showing:
        without = (await plain.call_tool("text_to_audio", {"tags": "lofi"})).structured_content
        offered = (await showing.call_tool("text_to_audio", {"tags": "lofi"})).structured_content
    assert "play_track" not in without["next_step"]
    assert f'play_track with track_id="{offered["track"]["id"]}" shows the user a player' in offered["next_step"]


@eras
async def test_the_sound_is_given_for_ids_alone_and_never_for_paths_or_deleted_songs(client, studio_factory, era):
    path = studio_factory.add_track("one")
    async with client(era) as connected:
        for name in (str(path), path.name, path.as_uri(), "../one", "/etc/passwd", "acestep://tracks/one", ""):
            answer = await connected.call_tool("player_audio", {"track_id": name})
            assert answer.is_error, name
            assert answer.meta is None or "acestep/audio" not in answer.meta
        await connected.call_tool("delete_track", {"track_id": "one"})
        for tool in ("player_audio", "play_track"):
            answer = await connected.call_tool(tool, {"track_id": "one"})
            assert answer.is_error
            assert "delete_track with restore=true restores it" in answer.content[0].text


async def test_takes_edits_and_what_they_were_made_from_are_versions_of_a_song_and_other_songs_are_not(
    client, studio_factory
):
    same = {"tags": "waltz", "duration": 30}
    add(studio_factory, "root", request=same | {"seed": 1}, seed=1)
    add(studio_factory, "take", request=same | {"seed": 2}, seed=2)
    add(
        studio_factory,
        "edit",
        request={"tags": "waltz, strings"},
        parent="take",
        endpoint="fal-ai/ace-step/audio-inpaint",
    )
    add(studio_factory, "other", request=same | {"tags": "polka"})
    add(studio_factory, "orphan", request={}, parent="gone")
    async with client() as connected:
        answers = {
            name: (await connected.call_tool("play_track", {"track_id": name})).structured_content["tracks"]
            for name in ("root", "edit", "other", "orphan")
        }
    family = [("root", "seed 1"), ("take", "seed 2"), ("edit", "Regenerate part of a song")]
    assert [(track["id"], track["note"]) for track in answers["root"]] == family
    assert [(track["id"], track["note"]) for track in answers["edit"]] == family
    assert [track["id"] for track in answers["root"] if track.get("shown")] == ["root"]
    assert [track["id"] for track in answers["edit"] if track.get("shown")] == ["edit"]
    assert [track["id"] for track in answers["other"]] == ["other"]
    assert [track["id"] for track in answers["orphan"]] == ["orphan"]


async def test_of_many_versions_the_song_itself_and_the_newest_others_are_shown(client, studio_factory):
    for number in range(12):
        add(studio_factory, f"take{number:02}", request={"tags": "waltz", "seed": number}, seed=number)
    async with client() as connected:
        shown = (await connected.call_tool("play_track", {"track_id": "take00"})).structured_content["tracks"]
    assert [track["id"] for track in shown] == ["take00", *(f"take{number:02}" for number in range(5, 12))]
    assert len(shown) == MOST
