"""Mistakes that models make: each gets an error from which the call can be put right without thinking."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

EDIT = {"audio_url": "kept", "tags": "jazz"}
REMIX = {**EDIT, "original_tags": "lofi"}
MISTAKES: list[tuple[str, dict[str, Any]]] = [
    # Another name for an argument.
    ("text_to_audio", {"style": "lofi"}),
    ("text_to_audio", {"prompt": "lofi beat"}),
    ("text_to_audio", {"genre": "lofi", "length": 30}),
    ("text_to_audio", {"tags": "lofi", "duration_seconds": 30}),
    ("text_to_audio", {"tags": "lofi", "numberOfSteps": 30}),
    ("text_to_audio", {"tags": "lofi", "steps": 30}),
    ("text_to_audio", {"tags": "lofi", "guidance": 7}),
    ("text_to_audio", {"tags": "lofi", "lyric": "la la"}),
    ("text_to_audio", {"tags": "lofi", "negative_prompt": "drums"}),
    ("prompt_to_audio", {"description": "a calm song"}),
    ("prompt_to_audio", {"text": "a calm song"}),
    ("audio_to_audio", {"track_id": "kept", "tags": "jazz", "original_tags": "lofi"}),
    ("audio_inpaint", {**EDIT, "start": 0.5, "end": 1}),
    ("audio_inpaint", {**EDIT, "strength": 0.2}),
    ("audio_outpaint", {**EDIT, "extend_after": 10}),
    ("audio_outpaint", {**EDIT, "seconds": 10}),
    ("get_track", {"id": "kept"}),
    ("get_track", {"track": "kept"}),
    ("list_tracks", {"search": "lofi"}),
    ("export_track", {"track_id": "kept", "type": "wav"}),
    ("export_track", {"track_id": "kept", "format": "wav", "path": "copy.wav"}),
    ("compare_tracks", {"tracks": ["kept", "other"]}),
    ("remake_track", {"track_id": "kept", "count": 2}),
    ("remake_track", {"track_id": "kept", "tags": "jazz"}),
    ("remake_track", {"track_id": "kept", "changes": {"length": 30}}),
    ("play_track", {"name": "kept"}),
    ("delete_track", {"track_id": "unwanted", "confirm": True}),
    ("status", {"verbose": True}),
    ("mark_sections", {"track_id": "kept", "sections": [{"name": "verse", "from": 0, "to": 1}]}),
    # A value in another form.
    ("text_to_audio", {"tags": ["lofi", "piano"]}),
    ("text_to_audio", {"tags": "lofi", "lyrics": ["a line", "another"]}),
    ("text_to_audio", {"tags": "lofi", "duration": "1:30"}),
    ("text_to_audio", {"tags": "lofi", "duration": "90 s"}),
    ("text_to_audio", {"tags": "lofi", "seed": "random"}),
    ("text_to_audio", {"tags": "lofi", "scheduler": "Euler"}),
    ("audio_to_audio", {**REMIX, "edit_mode": "cover"}),
    ("audio_inpaint", {**EDIT, "start_time": "0:01"}),
    ("audio_inpaint", {**EDIT, "start_time_relative_to": "beginning"}),
    ("export_track", {"track_id": "kept", "format": "WAV"}),
    ("compare_tracks", {"track_ids": "kept, other"}),
    ("list_tracks", {"limit": "20 songs"}),
    # A value out of bounds.
    ("text_to_audio", {"tags": "lofi", "duration": 300}),
    ("text_to_audio", {"tags": "lofi", "duration": 2}),
    ("text_to_audio", {"tags": "lofi", "number_of_steps": 100}),
    ("audio_inpaint", {**EDIT, "variance": 5}),
    ("remake_track", {"track_id": "kept", "takes": 10}),
    ("list_tracks", {"limit": 1000}),
    # A thing that is not there.
    ("get_track", {"track_id": "kep"}),
    ("audio_inpaint", {"audio_url": "other.mp3", "tags": "jazz"}),
    ("get_job", {"job_id": "other"}),
    ("list_tracks", {"cursor": "2"}),
]


def repaired(arguments: dict[str, Any], message: str) -> dict[str, Any]:
    """The arguments as the message says, part by part; it knows nothing about the tools."""
    result = json.loads(json.dumps(arguments))
    kind, _, message = message.partition(": ")
    if kind == "not_found":
        [named] = [name for name in result if name.endswith("_id")]
        message = f"{named}: {message}"
    for name, text in re.findall(r"(?:^|; )([a-zA-Z_.0-9]+): (.*?)(?=; [a-zA-Z_.0-9]+: |$)", message):
        *outer, last = (int(part) if part.isdigit() else part for part in name.split("."))
        place: Any = result
        for part in outer:
            place = place[part]
        if found := re.search(r"send it as (\w+)", text):
            place[found[1]] = place.pop(last)
        elif found := re.search(r"send it inside (\w+)", text):
            place.setdefault(found[1], {})[last] = place.pop(last)
        elif re.search(r"leave (it|\w+) out", text):
            place.pop(last)
        elif found := re.search(r"; send (?:[a-z ]+: )?(\S.*)$", text):
            place[last] = json.loads(found[1])
        elif found := re.search(r"(?:less|greater) than or equal to (\d+)", text):
            place[last] = int(found[1])
        elif found := re.search(r"(?:Near matches|Recent jobs): (.*?)(?:, |\. )", text):
            place[last] = found[1]
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    "mistakes", [MISTAKES[::5], pytest.param(MISTAKES, marks=pytest.mark.slow)], ids=["some", "all"]
)
async def test_a_wrong_call_is_put_right_from_its_error_alone(client, studio_factory, mistakes):
    for name in ("kept", "other", "unwanted"):
        studio_factory.add_track(name, seconds=2)
    still_wrong = []
    async with client("auto") as connected:
        await connected.call_tool("text_to_audio", {"tags": "lofi"})  # a job
        for tool, arguments in mistakes:
            refused = (await connected.call_tool(tool, arguments)).content[0].text
            answer = await connected.call_tool(tool, repaired(arguments, refused))
            if answer.is_error or not re.match(r"(invalid_request|not_found): ", refused):
                still_wrong.append((tool, arguments, refused, answer.content[0].text))
    assert still_wrong == []
    assert len(MISTAKES) >= 40
