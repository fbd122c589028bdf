import re
import subprocess
import sys

import pytest
from mcp import MCPError
from mcp.client import Client
from mcp.server import MCPServer
from mcp.types import INVALID_PARAMS

from acestep_mcp.api.endpoints import ENDPOINTS
from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.api.schemas import input_schema
from acestep_mcp.server.prompts import MOST_COMPLETIONS, complete, get, load, named, parse, wants_tracks
from acestep_mcp.server.tools.table import BY_NAME

PROMPTS = {prompt.name: prompt for prompt in load()}
NAMES = [
    "choose-tags", "compare-takes", "extend-a-track", "plan-an-album", "remix-a-track", "repair-a-section", "write-a-song"
]  # fmt: skip

FILE = """+++
title = "Greet"
description = "Says hello."

[[arguments]]
name = "who"
description = "The person to greet."
required = true
suggest = "tracks"

[[arguments]]
name = "how"
description = "The manner."
required = false
default = "kindly: as always"
suggest = ["warmly", "Warily", "with warmth"]
+++
Hello {who}, {how}. Not {a place}, {} or {0}.
"""


@pytest.fixture
def anyio_backend():
    return "asyncio"


def required(prompt) -> dict[str, str]:
    return {argument.name: f"<{argument.name}>" for argument in prompt.arguments if argument.required}


def everything(prompt) -> dict[str, str]:
    return {argument.name: f"<{argument.name}>" for argument in prompt.arguments}


def test_the_seven_prompts_exist():
    assert list(PROMPTS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_renders_with_only_its_required_arguments(name):
    prompt = PROMPTS[name]
    text = prompt.render(required(prompt))
    assert not re.search(r"\{\w+\}", text)
    for value in [*required(prompt).values(), *prompt.defaults.values()]:
        assert value in text


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_renders_with_every_argument(name):
    prompt = PROMPTS[name]
    text = prompt.render(everything(prompt))
    assert not re.search(r"\{\w+\}", text)
    for value in everything(prompt).values():
        assert value in text


@pytest.mark.parametrize("name", NAMES)
def test_every_tool_and_argument_a_prompt_names_exists(name):
    known = set(BY_NAME) | {"remix", "lyrics", "end", "start", "job_id", "name", "checks"}
    for tool in BY_NAME.values():
        known |= set(tool.arguments.model_fields)
    named_here = set(re.findall(r"`([^`]+)`", PROMPTS[name].body))
    assert named_here
    assert named_here <= known
    snakes = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", re.sub(r"\{\w+\}", "", PROMPTS[name].body)))
    assert snakes <= known


def test_every_generating_tool_appears_in_a_prompt():
    mentioned = " ".join(prompt.body for prompt in PROMPTS.values())
    assert {endpoint.tool for endpoint in ENDPOINTS} - {"prompt_to_audio"} <= set(re.findall(r"`(\w+)`", mentioned))


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_a_prompt_advises_are_within_bounds(name):
    bounds = {}
    for endpoint in ENDPOINTS:
        bounds |= input_schema(endpoint.request)["properties"]
    for argument, value in re.findall(r"`(\w+)` (?:up to )?(\d+(?:\.\d+)?)(?! seconds)", PROMPTS[name].body):
        field = bounds[argument]
        assert field["minimum"] <= float(value) <= field["maximum"], argument


@pytest.mark.parametrize("seconds", ["duration", "seconds"])
def test_suggested_lengths_are_allowed(seconds):
    field = input_schema(TextToAudio)["properties"]["duration"]
    for prompt in PROMPTS.values():
        for value in prompt.suggestions.get(seconds, ()):
            assert field["minimum"] <= float(value) <= field["maximum"]


def test_an_editing_prompt_says_what_to_try_when_the_result_is_wrong():
    for name in ("remix-a-track", "repair-a-section", "extend-a-track"):
        assert "`seed`" in PROMPTS[name].body
        assert re.search("result is not right", PROMPTS[name].body)


@pytest.mark.parametrize("value", ["{how}", "{who}", "{0}", "{who.__class__}", "%s", "\\1", "\\g<0>", "}{", "{{how}}"])
def test_user_text_is_never_expanded(value):
    text = parse("greet", FILE).render({"who": value, "how": "loudly"})
    assert text == f"Hello {value}, loudly. Not {{a place}}, {{}} or {{0}}."


def test_a_blank_optional_argument_counts_as_absent():
    prompt = parse("greet", FILE)
    for absent in ({}, {"how": ""}, {"how": "  "}, {"how": None}):
        assert prompt.render({"who": "you", **absent}).startswith("Hello you, kindly: as always.")


@pytest.mark.parametrize("arguments", [{}, {"who": ""}, {"who": "  "}, {"who": None}, {"how": "loudly"}])
def test_a_missing_argument_is_named_with_its_description(arguments):
    with pytest.raises(MCPError, match="'greet' needs who: The person to greet") as raised:
        parse("greet", FILE).render(arguments)
    assert raised.value.code == INVALID_PARAMS


def test_an_unknown_argument_is_answered_with_the_known_ones():
    with pytest.raises(MCPError, match="no argument 'whose'.* who, how") as raised:
        parse("greet", FILE).render({"who": "you", "whose": "x"})
    assert raised.value.code == INVALID_PARAMS


def test_an_unknown_prompt_is_answered_with_the_known_ones():
    with pytest.raises(MCPError, match="'sing'.*choose-tags.*write-a-song") as raised:
        named("sing", PROMPTS.values())
    assert raised.value.code == INVALID_PARAMS
    assert named("write-a-song", PROMPTS.values()) is PROMPTS["write-a-song"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("+++\ntitle", "title", "front matter"),
        ('title = "Greet"\n', "", "title is missing"),
        ('description = "Says hello."', 'description = ""', "description is missing"),
        ("{who}", "you", "placeholders and arguments differ: who"),
        ("{how}", "{how} {when}", "placeholders and arguments differ: when"),
        ("required = true", 'required = "yes"', "who.required must be true or false"),
        ("required = true\n", "", "who.required is missing"),
        ('default = "kindly: as always"\n', "", "how.default"),
        ('default = "kindly: as always"', "default = 7", "how.default must be a text"),
        ("required = true", 'required = true\ndefault = "x"', "who.default"),
        ('description = "The person to greet."\n', "", "who.description is missing"),
        ('suggest = "tracks"', 'suggest = "songs"', "who.suggest must be a list of texts"),
        ('suggest = "tracks"', "suggest = [1]", "who.suggest must be a list of texts"),
        ('title = "Greet"', 'title = "Greet"\ncolour = "red"', "unexpected key 'colour'"),
        ('name = "who"', 'name = "who"\ncolour = "red"', "unexpected key 'who.colour'"),
        ('title = "Greet"', 'title = "Greet"\ntitle = "Again"', "not valid TOML"),
        ('title = "Greet"', 'title = "Greet"\nno value', "not valid TOML"),
        ("[[arguments]]", "[arguments]", "not valid TOML"),
    ],
)
def test_an_invalid_file_is_an_error_that_names_it(old, new, message):
    with pytest.raises(ValueError, match="prompts/greet.md") as raised:
        parse("greet", FILE.replace(old, new, 1))
    assert message in str(raised.value)


def test_windows_line_endings_change_nothing():
    assert parse("greet", FILE.replace("\n", "\r\n")).render({"who": "a"}).replace("\r", "") == parse(
        "greet", FILE
    ).render({"who": "a"})


def test_completion_lists_prefix_matches_before_other_matches():
    prompt = parse("greet", FILE)
    assert complete(prompt, "how", "wa") == ["warmly", "Warily", "with warmth"]
    assert complete(prompt, "how", "with") == ["with warmth"]
    assert complete(prompt, "how", "") == ["warmly", "Warily", "with warmth"]
    assert complete(prompt, "how", "loud") == []
    assert complete(prompt, "nothing", "") == []


def test_track_completion_gives_ids_newest_first_up_to_the_limit():
    prompt = parse("greet", FILE)
    ids = [f"t{number}" for number in range(300)]
    assert complete(prompt, "who", "", ids) == ids[:MOST_COMPLETIONS]
    assert complete(prompt, "who", "t29", ids)[:2] == ["t29", "t290"]
    assert wants_tracks(prompt, "who")
    assert not wants_tracks(prompt, "how")


def test_the_prompts_that_edit_a_song_complete_its_id():
    for name in ("remix-a-track", "repair-a-section", "extend-a-track"):
        assert complete(PROMPTS[name], "track", "ab", ["abc", "xyz"]) == ["abc"]


def test_moods_and_languages_are_completed():
    assert complete(PROMPTS["write-a-song"], "language", "ja") == ["Japanese"]
    assert "trip hop" in complete(PROMPTS["write-a-song"], "style", "tr")


class Server(MCPServer):
    def __init__(self) -> None:
        super().__init__("prompts")
        self.files = load()
        for file in self.files:
            self.add_prompt(file.prompt())

    async def get_prompt(self, name, arguments=None, context=None):
        return get(name, arguments, self.files)


@pytest.mark.anyio
async def test_a_client_lists_and_gets_them():
    async with Client(Server()) as client:
        listed = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in listed] == NAMES
        assert [argument.name for argument in listed[2].arguments if argument.required] == ["track"]
        got = await client.get_prompt("extend-a-track", {"track": "abc"})
        assert "`track_id` abc" in got.messages[0].content.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("extend-a-track", {"seconds": "5"}, "needs track: The song"),
        ("extend-a-song", {"track": "abc"}, "no prompt 'extend-a-song'"),
    ],
)
async def test_a_client_gets_an_error_that_says_what_to_change(name, arguments, message):
    async with Client(Server()) as client:
        with pytest.raises(MCPError, match=message) as raised:
            await client.get_prompt(name, arguments)
        assert raised.value.code == INVALID_PARAMS


@pytest.mark.anyio
async def test_the_sdk_renders_them_too():
    server = MCPServer("plain")
    for file in load():
        server.add_prompt(file.prompt())
    async with Client(server) as client:
        got = await client.get_prompt("choose-tags", {"idea": "{avoid}", "avoid": "drums"})
        assert "this music: {avoid}" in got.messages[0].content.text


@pytest.mark.process
def test_loading_imports_nothing_heavy():
    code = (
        "import sys, mcp.server.mcpserver; before = set(sys.modules)\n"
        "from acestep_mcp.server.prompts import load; load()\n"
        "print(*sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"numpy", "httpx", "sqlite3", "soundfile", "yaml", "click", "rich", "torch"}


def test_every_form_that_is_suggested_ends_on_a_chorus_or_an_outro():
    forms = re.findall(r"(?m)^\| \d+ \|.*\| (.+) \|$", PROMPTS["write-a-song"].body)
    assert len(forms) == 4
    assert {form.rpartition(", ")[2] for form in forms} <= {"chorus", "outro"}


@pytest.mark.parametrize("name", NAMES)
def test_no_prompt_advises_what_has_no_effect(name):
    """At the defaults tag and lyric guidance replace guidance_scale; our audio_to_audio uses neither of them nor original_seed."""
    body = PROMPTS[name].body
    assert not re.search(r"`guidance_scale` \d", body)
    if "audio_to_audio" in body and "text_to_audio" not in body:
        assert "original_seed" not in body and "lyric_guidance_scale" not in body


def test_the_steps_that_are_advised_are_said_not_to_hold_for_ace_step_15():
    for name in NAMES:
        if "number_of_steps" in PROMPTS[name].body:
            assert "ACE-Step 1.5" in PROMPTS[name].body, name
