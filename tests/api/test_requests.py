"""The requests match the published API."""

import json
import math
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from acestep_mcp.api.endpoints import BY_ID, ENDPOINTS, named
from acestep_mcp.api.errors import InvalidRequest, NotFound
from acestep_mcp.api.parsing import LONGEST, LONGEST_TEXT, parse
from acestep_mcp.api.requests import AudioInpaint, PromptToAudio, TextToAudio
from acestep_mcp.api.schemas import input_schema

SHARED = {
    "number_of_steps": (27, 3, 60),
    "seed": (None, 0, 2**32 - 1),
    "scheduler": ("euler", None, None),
    "guidance_type": ("apg", None, None),
    "granularity_scale": (10, -100, 100),
    "guidance_interval": (0.5, 0, 1),
    "guidance_interval_decay": (0, 0, 1),
    "guidance_scale": (15, 0, 200),
    "minimum_guidance_scale": (3, 0, 200),
    "tag_guidance_scale": (5, 0, 10),
    "lyric_guidance_scale": (1.5, 0, 10),
}
OWN = {
    "fal-ai/ace-step": ({"tags"}, {"lyrics": "", "duration": 60}),
    "fal-ai/ace-step/prompt-to-audio": ({"prompt"}, {"instrumental": False, "duration": 60}),
    "fal-ai/ace-step/audio-to-audio": (
        {"audio_url", "original_tags", "tags"},
        {"edit_mode": "remix", "original_lyrics": "", "lyrics": "", "original_seed": None},
    ),
    "fal-ai/ace-step/audio-inpaint": (
        {"audio_url", "tags"},
        {
            "start_time_relative_to": "start",
            "start_time": 0,
            "end_time_relative_to": "start",
            "end_time": 30,
            "lyrics": "",
            "variance": 0.5,
        },
    ),
    "fal-ai/ace-step/audio-outpaint": (
        {"audio_url", "tags"},
        {"extend_before_duration": 0, "extend_after_duration": 30, "lyrics": ""},
    ),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.tool)
def test_an_endpoint_has_exactly_the_published_arguments(endpoint):
    required, optional = OWN[endpoint.id]
    schema = input_schema(endpoint.request)
    assert set(schema["properties"]) == required | set(optional) | set(SHARED)
    assert set(schema["required"]) == required
    defaults = {name: field.get("default") for name, field in schema["properties"].items() if name not in required}
    assert defaults == {**optional, **{name: default for name, (default, _, _) in SHARED.items()}}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.tool)
def test_a_schema_has_no_null_no_anyof_and_no_title_and_describes_every_field(endpoint):
    schema = input_schema(endpoint.request)
    text = json.dumps(schema)
    assert "anyOf" not in text
    assert "null" not in text
    assert '"title"' not in text
    assert all(field["description"] for field in schema["properties"].values())
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(("name", "low", "high"), [(n, lo, hi) for n, (_, lo, hi) in SHARED.items() if hi is not None])
def test_bounds_are_inclusive(name, low, high):
    for value in (low, high):
        assert TextToAudio.parse({"tags": "x", name: value})
    for value in (low - 1, high + 1):
        with pytest.raises(InvalidRequest, match=name):
            TextToAudio.parse({"tags": "x", name: value})


def test_a_null_for_an_optional_field_means_absent_everywhere():
    nulls = dict.fromkeys(set(TextToAudio.model_fields) - {"tags"})
    assert TextToAudio.parse({"tags": "x", **nulls}).wire() == {"tags": "x"}
    assert TextToAudio.parse_wire({"tags": "x", **nulls}).wire() == {"tags": "x"}


def test_a_null_for_a_required_field_is_an_error_that_names_it():
    with pytest.raises(InvalidRequest, match="tags: is required"):
        TextToAudio.parse({"tags": None})


def test_an_unknown_argument_is_an_error_that_lists_the_known_ones():
    with pytest.raises(InvalidRequest, match="duraton: is not an argument; .*duration"):
        TextToAudio.parse({"tags": "x", "duraton": 30})


def test_an_unknown_field_on_the_wire_is_dropped_with_a_log_line(caplog):
    with caplog.at_level("INFO"):
        assert TextToAudio.parse_wire({"tags": "x", "duraton": 30}).wire() == {"tags": "x"}
    assert "duraton" in caplog.text


def test_an_error_names_every_wrong_field_with_its_value():
    with pytest.raises(InvalidRequest) as caught:
        AudioInpaint.parse({"audio_url": "a", "tags": "b", "variance": 2, "end_time": -1})
    assert {field.field for field in caught.value.fields} == {"variance", "end_time"}
    assert "(got 2)" in caught.value.message
    assert "(got -1)" in caught.value.message


def test_many_wrong_items_of_a_list_hide_no_other_wrong_field():
    from acestep_mcp.server.tools.table import TOOLS

    [tool] = [tool for tool in TOOLS if tool.name == "mark_sections"]
    with pytest.raises(InvalidRequest) as caught:
        parse(tool.arguments, {"track_id": "a", "sections": ["kept"] * 10_000, "context": -1})
    assert len(caught.value.fields) == 20
    assert {"context", "sections.0"} <= {error.field for error in caught.value.fields}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_duration_that_is_not_finite_is_an_error(value):
    with pytest.raises(InvalidRequest, match="duration"):
        PromptToAudio.parse({"prompt": "x", "duration": value})


def test_the_body_on_the_wire_contains_only_the_given_fields():
    given = {"tags": "x", "seed": 5, "duration": 12.5}
    assert TextToAudio.parse(given).wire() == given


def test_an_endpoint_is_found_by_id_tool_and_command_and_a_wrong_name_lists_all_five():
    for endpoint in ENDPOINTS:
        assert named(endpoint.id) is named(endpoint.tool) is named(endpoint.command) is endpoint
    with pytest.raises(NotFound) as caught:
        named("text-to-music")
    assert all(endpoint_id in caught.value.message for endpoint_id in BY_ID)


def test_half_a_surrogate_pair_is_an_error_that_names_its_field():
    with pytest.raises(InvalidRequest, match="lyrics: .*surrogate"):
        TextToAudio.parse({"tags": "x", "lyrics": "la \ud83c la"})


def test_true_is_valid_only_for_a_bool_field():
    for name in ("seed", "duration", "prompt"):
        with pytest.raises(InvalidRequest, match=f"{name}: .*true or false"):
            PromptToAudio.parse({"prompt": "x", name: True})
    assert PromptToAudio.parse({"prompt": "x", "instrumental": True}).instrumental


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        ({"tags": ["lofi", "piano"]}, 'tags: input should be a valid string (got [\'lofi\', \'piano\']); send one string: "lofi, piano"'),
        ({"lyrics": ["[verse]", "one"]}, 'send one string: "[verse]\\none"'),
        ({"tags": {"genre": "lofi"}}, "; send one string"),
        ({"seed": -1}, "(got -1); leave seed out for a random one"),
        ({"seed": "random"}, "leave seed out for a random one"),
        ({"duration": "1:30"}, "send seconds as a number: 90"),
        ({"duration": "0:01:05.5"}, "send seconds as a number: 65.5"),
        ({"duration": "2 min"}, "send seconds as a number: 120"),
        ({"duration": "1 minute and 30 seconds"}, "send seconds as a number: 90"),
        ({"duration": "45s"}, "send seconds as a number: 45"),
        ({"duration": "about 40"}, "send a number: 40"),
        ({"duration": [90]}, "send 90"),
        ({"number_of_steps": "27 steps"}, "send a number: 27"),
        ({"number_of_steps": 27.5}, "send a whole number: 28"),
        ({"number_of_steps": math.inf}, "number_of_steps: "),
        ({"scheduler": "HEUN "}, '(got \'HEUN \'); send "heun"'),
        ({"scheduler": "dpm"}, "(got 'dpm')"),
        ({"Number-Of-Steps": 3}, "; send it as number_of_steps"),
        ({"stepz": 3}, "; leave it out"),
        ({"seconds": 3}, "; send it as duration"),
        ({"tags": True}, "tags: must not be true or false (got True)"),
    ],
)  # fmt: skip
def test_a_value_in_a_wrong_form_gets_an_error_with_the_right_form(arguments, form):
    with pytest.raises(InvalidRequest) as caught:
        TextToAudio.parse({"tags": "lofi", **arguments})
    assert form in caught.value.message


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    start: float


class Call(BaseModel):
    model_config = ConfigDict(extra="forbid")
    changes: dict[str, Any] = Field(default_factory=dict)
    ids: list[str] = Field(default_factory=list, max_length=2)
    rows: list[Entry] = Field(default_factory=list, min_length=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"changes": '{"tags": "jazz"}'}, 'changes: input should be a valid object (got \'{"tags": "jazz"}\'); send a JSON object'),
        ({"changes": []}, 'changes: input should be a valid object (got []); send a JSON object: {"name": value}'),
        ({"ids": "one"}, 'ids: input should be a valid list (got \'one\'); send a list: ["one"]'),
        ({"ids": {"a": 1}}, "; send a list of strings"),
        ({"ids": ["a", "b", "c"]}, "ids: takes 2 at most (got 3)"),
        ({"ids": [3]}, 'ids.0: input should be a valid string (got 3); send one string: "3"'),
        ({"rows": []}, "rows: takes 1 or more (got 0)"),
        ({"rows": "verse"}, "rows: input should be a valid list (got 'verse'); send a JSON list of objects"),
        ({"rows": [{"name": "a", "start": "1:30"}]}, "rows.0.start: "),
        ({"rows": [{"name": "a", "start": "about 4"}]}, "; send a number: 4"),
        ({"rows": [{"name": "a", "start": 0, "begin": 1}]}, "rows.0.begin: is not an argument; the arguments are name, start"),
        ({"x" * 4000: 1}, f"{'x' * 57}...: is not an argument; the arguments are changes, ids, rows"),
    ],
)  # fmt: skip
def test_a_wrong_list_or_object_gets_the_right_form_of_the_value_at_its_place(arguments, message):
    with pytest.raises(InvalidRequest) as caught:
        parse(Call, arguments)
    assert message in caught.value.message
    assert len(caught.value.message) < 200


def test_a_string_is_not_told_to_be_sent_as_a_string():
    with pytest.raises(InvalidRequest) as caught:
        PromptToAudio.parse({"prompt": " "})
    assert caught.value.message.endswith("(got ' ')")


@pytest.mark.parametrize(
    ("arguments", "field", "limit"),
    [
        ({"tags": "lo-fi, " * 10_000}, "tags", 5_000),
        ({"tags": "lo-fi", "lyrics": "la\n" * 700_000}, "lyrics", 20_000),
        ({"tags": "lo-fi", "scheduler": "e" * 5_000}, "scheduler", 4_096),
        ({"tags": ["lo-fi", "x" * 6_000]}, "tags", 5_000),
    ],
)
def test_a_text_that_is_too_long_is_an_error_with_its_field_its_length_and_the_limit(arguments, field, limit):
    given = max(arguments.values(), key=len)
    length = len(given if isinstance(given, str) else given[-1])
    with pytest.raises(
        InvalidRequest, match=f"{field}: has {length} characters, and at most {limit} are read"
    ) as error:
        TextToAudio.parse(arguments)
    assert len(error.value.message) < 300


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_text_of_a_request_has_a_limit_that_the_published_schema_does_not_tell(endpoint):
    for name, schema in input_schema(endpoint.request)["properties"].items():
        if schema["type"] == "string":
            assert "maxLength" not in schema
            with pytest.raises(InvalidRequest, match=f"{name}: has "):
                endpoint.request.parse({name: "x" * (LONGEST.get(name, LONGEST_TEXT) + 1)})


def test_a_text_of_exactly_the_limit_is_read():
    request = TextToAudio.parse({"tags": "x" * LONGEST["tags"], "lyrics": "y" * LONGEST["lyrics"]})
    assert (len(request.tags), len(request.lyrics)) == (5_000, 20_000)


def test_many_unknown_arguments_or_a_long_name_make_a_short_error():
    with pytest.raises(InvalidRequest) as error:
        TextToAudio.parse({"tags": "a", **{f"k{number}": 1 for number in range(1_000)}})
    assert len(error.value.fields) == 20
    with pytest.raises(InvalidRequest, match=r"kkk\.\.\.: is not an argument") as error:
        TextToAudio.parse({"tags": "a", "k" * 10_000: 1})
    assert len(error.value.message) < 200


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"tags": "half \ud83d"}, "tags"),
        ({"tags": "a", "half \ud83d": 1}, "half ?"),
        ({"tags": ["\udc00"]}, "tags"),
        ({"tags": "a", "seed": nested(5000)}, "seed"),
        ({"tags": "a", "duration": {"a": float("nan")}}, "duration"),
        ({"tags": "a", "x" * 10**6: 1}, "xxxxx..."),
        ({"tags": "a", "seed": 10**5000}, "seed"),
        ({"tags": "a", "\x1b[31m": 1}, "?[31m"),
        ({"tags": "a", "duration": "x" * 10**6}, "duration"),
        ({"duration": 1, "lyrics": "\ud83d"}, "tags: is required"),
    ],
)
def test_what_cannot_be_stored_or_shown_is_refused_in_a_short_message_that_names_the_field(arguments, named):
    with pytest.raises(InvalidRequest) as caught:
        TextToAudio.parse(arguments)
    assert named in caught.value.message
    assert len(caught.value.message) < 1000
    assert caught.value.message.isprintable()
