"""The five requests, their response and File: the published API, typed, each number written once.

Field names, types, enums, defaults and required marks are fal's published ones. Bounds marked 3P come from a
third-party reading of fal's schema; they are hard for our own engines, and on fal the host's answer is the last word.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from acestep_mcp.api.errors import FieldError, InvalidRequest

logger = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)

INSTRUMENTAL = "[inst]"
LONGEST = 240
"""Seconds of the longest song that can be asked for."""

Tags = Annotated[
    str,
    Field(
        description="Style as comma-separated words: genre, mood, instruments, tempo, voice "
        "('lofi, mellow piano, 80 bpm, female voice'). About 10 work best."
    ),
]
Lyrics = Annotated[
    str,
    Field(
        description="Sung words, one line per line, under [verse], [chorus], [bridge] marks; "
        "a line per 5-9 s. Empty or [inst]: no vocals."
    ),
]
Duration = Annotated[float, Field(ge=5, le=LONGEST, description="Length of the song in seconds.")]
AudioUrl = Annotated[
    str,
    Field(
        min_length=1,
        description="The source: track id, acestep:// uri, file path or name in the music folder, https or data URL.",
    ),
]
TimeOrigin = Literal["start", "end"]
Seconds = Annotated[float, Field(ge=0, le=240)]  # 3P


class Request(BaseModel):
    """What the five endpoints share. A null for an optional field means absent; unknown fields are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    number_of_steps: int = Field(27, ge=3, le=60, description="Refinement passes: 27 quick, 60 careful.")
    seed: int | None = Field(
        None, ge=0, le=2**32 - 1, description="Same seed and arguments: the same song. Absent: a new one."
    )
    scheduler: Literal["euler", "heun"] = Field("euler", description="heun is slower and may be smoother.")
    guidance_type: Literal["cfg", "apg", "cfg_star"] = Field("apg", description="How the style is enforced.")
    granularity_scale: int = Field(
        10, ge=-100, le=100, description="Trades coherence and detail; lower it against artefacts."
    )  # 3P
    guidance_interval: float = Field(
        0.5, ge=0, le=1, description="Share of the steps, centred, that are guided (0.5 = the middle half)."
    )  # 3P
    guidance_interval_decay: float = Field(
        0, ge=0, le=1, description="How far guidance falls during that interval (0 = not at all)."
    )  # 3P
    guidance_scale: float = Field(
        15, ge=0, le=200, description="How closely the style is followed; too high sounds harsh."
    )  # 3P
    minimum_guidance_scale: float = Field(3, ge=0, le=200, description="Floor of guidance under decay.")  # 3P
    tag_guidance_scale: float = Field(5, ge=0, le=10, description="Pull of the tags alone.")  # 3P
    lyric_guidance_scale: float = Field(
        1.5, ge=0, le=10, description="Pull of the lyrics: higher is clearer words, less music."
    )  # 3P

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None}

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("must not be true or false")
        return value

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
            raise ValueError("holds half of a surrogate pair, which is no character; send plain Unicode text")
        return value

    @classmethod
    def parse(cls, arguments: Mapping[str, Any]) -> Self:
        """Check arguments that came from a model or a person.

        Raises InvalidRequest naming every wrong field, its value and its bounds; unknown fields are wrong.
        """
        return parse(cls, arguments)

    @classmethod
    def parse_wire(cls, body: Mapping[str, Any]) -> Self:
        """Check a body that came over the queue's wire: unknown fields are dropped with a log line, as at fal."""
        unknown = sorted(set(body) - set(cls.model_fields))
        if unknown:
            logger.info("ignored unknown fields: %s", ", ".join(repr(name[:40]) for name in unknown[:20]))
        return cls.parse({key: value for key, value in body.items() if key in cls.model_fields})

    def wire(self) -> dict[str, Any]:
        """The body to send: every field that was given, and no nulls."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)


class TextToAudio(Request):
    """Make a song from tags and, if wanted, lyrics."""

    tags: Tags
    lyrics: Lyrics = ""
    duration: Duration = 60


class PromptToAudio(Request):
    """Make a song from a plain description; tags and lyrics are written for it and returned."""

    prompt: str = Field(description="What the song should be, in a sentence: style, mood, subject, use.")
    instrumental: bool = Field(False, description="True: no vocals.")
    duration: Duration = 60


class AudioToAudio(Request):
    """Make a new version of a song: another style, or other words."""

    audio_url: AudioUrl
    edit_mode: Literal["lyrics", "remix"] = Field(
        "remix", description="remix: new style and melody. lyrics: keep the music, change a few words."
    )
    original_tags: str = Field(description="The source's tags, as exactly as known (get_track tells).")
    original_lyrics: str = Field("", description="The source's lyrics, as exactly as known.")
    tags: Tags
    lyrics: Lyrics = ""
    original_seed: int | None = Field(None, ge=0, le=2**32 - 1, description="The source's seed, if known.")


class AudioInpaint(Request):
    """Make one stretch of a song anew and leave the rest as it is."""

    audio_url: AudioUrl
    start_time_relative_to: TimeOrigin = Field("start", description="end: start_time counts back from the end.")
    start_time: Seconds = Field(0, description="Where the new stretch begins, in seconds.")
    end_time_relative_to: TimeOrigin = Field("start", description="end: end_time counts back from the end.")
    end_time: Seconds = Field(30, description="Where it ends, in seconds. Take in a bar on both sides.")
    tags: Tags
    lyrics: Lyrics = ""
    variance: float = Field(0.5, ge=0, le=1, description="0.2 a touch-up, 0.5 a new take, near 1 something else.")  # 3P


class AudioOutpaint(Request):
    """Extend a song before its beginning, after its end, or both; the song itself stays as it is."""

    audio_url: AudioUrl
    extend_before_duration: Seconds = Field(0, description="Seconds of new music before the song.")
    extend_after_duration: Seconds = Field(30, description="Seconds of new music after it.")
    tags: Tags
    lyrics: Lyrics = ""


class File(BaseModel):
    """A file on the wire. Only `url` is sure to be there."""

    model_config = ConfigDict(extra="ignore")

    url: str
    content_type: str | None = None
    file_name: str | None = None
    file_size: int | None = None
    file_data: str | None = None


class Response(BaseModel):
    """What every endpoint answers. `acestep` is our own queue's addition; fal never sends it."""

    model_config = ConfigDict(extra="ignore")

    audio: File
    seed: int
    tags: str
    lyrics: str
    acestep: dict[str, Any] | None = None


def is_instrumental(lyrics: str) -> bool:
    """True when the lyrics ask for no vocals: empty, `[inst]` or `[instrumental]`."""
    return lyrics.strip().lower() in {"", "[inst]", "[instrumental]"}


class PlainSchema(GenerateJsonSchema):
    """JSON Schema that every host can read: no `anyOf` with null, no null defaults, no titles."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the library's signature
        return False


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a flat argument model; required fields first, then its own, then the shared ones."""
    schema = model.model_json_schema(schema_generator=PlainSchema)
    required = schema.get("required", [])
    shared = Request.model_fields if issubclass(model, Request) else {}
    names = sorted(schema.get("properties", {}), key=lambda name: (name not in required, name in shared))
    return {
        "type": "object",
        "properties": {name: schema["properties"][name] for name in names},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def parse(model: type[Model], arguments: Mapping[str, Any]) -> Model:
    """Check arguments against any model that forbids extras; a null means absent.

    Raises InvalidRequest naming every wrong field, its value and its bounds.
    """
    try:
        return model.model_validate({key: value for key, value in arguments.items() if value is not None})
    except ValidationError as exc:
        raise InvalidRequest.of(*(_field_error(model, error) for error in exc.errors(include_url=False))) from exc


def _field_error(model: type[BaseModel], error: Any) -> FieldError:
    """One pydantic complaint as ours; a value is shown only short, and never an address's content."""
    name = ".".join(str(part) for part in error["loc"]) or "arguments"
    value = error.get("input")
    match error["type"]:
        case "missing":
            return FieldError(name, "is required", "missing")
        case "extra_forbidden":
            known = ", ".join(model.model_fields)
            return FieldError(name, f"is not an argument; the arguments are {known}", "extra_forbidden", value)
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return FieldError(name, f"{error['msg'][:1].lower()}{error['msg'][1:]} (got {shown})", error["type"], value)
