"""The calls that prompts spell out are made, in their order, against the real tools and the draft engine."""

import json
import re

import pytest
from mcp import Client

from acestep_mcp.assembly import open_studio
from acestep_mcp.server.app import create_server
from acestep_mcp.server.prompts import load as load_prompts
from acestep_mcp.settings import load

pytestmark = [pytest.mark.anyio, pytest.mark.process]
STEP = re.compile(r"(?m)^    ([a-z_]+) (\{.*\})$")
WITH_STEPS = [prompt for prompt in load_prompts() if STEP.search(prompt.body)]


def test_the_prompts_for_takes_and_repairs_spell_out_their_calls():
    assert {prompt.name for prompt in WITH_STEPS} == {"compare-takes", "repair-a-section"}


@pytest.mark.parametrize("prompt", WITH_STEPS, ids=lambda prompt: prompt.name)
async def test_every_step_of_a_prompt_works_as_it_is_written(prompt):
    settings = load().model_copy(update={"wait_seconds": 40})
    async with Client(create_server(lambda: open_studio(settings), settings, transport="stdio")) as client:
        lyrics = "[verse]\nRain\n[chorus]\nSlow down"
        song = await client.call_tool("text_to_audio", {"tags": "pop", "lyrics": lyrics, "duration": 8, "seed": 1})
        named = {"track": song.structured_content["track"]["id"], "problem": "too loud"}
        given = {name: value for name, value in named.items() if name in {one.name for one in prompt.arguments}}
        [message] = (await client.get_prompt(prompt.name, given)).messages
        steps = STEP.findall(message.content.text)
        assert len(steps) > 3
        known: dict[str, str] = {}
        for tool, arguments in steps:
            for placeholder, track_id in known.items():
                arguments = arguments.replace(placeholder, track_id)
            answer = await client.call_tool(tool, json.loads(arguments))
            assert not answer.is_error, (tool, arguments, answer.content[0].text)
            facts = answer.structured_content
            known |= {f"TAKE {number}": row["track"] for number, row in enumerate(facts.get("takes", []), 1)}
            if tool == "remake_section":
                known["REPAIRED"] = facts["track"]["id"]
