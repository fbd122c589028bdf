"""The requests of the five endpoints, typed as published.

Field names, types, enums, defaults and required marks are fal's. Bounds marked 3P come from a third-party reading of
fal's schema; our own engines enforce them, and fal may differ.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from acestep_mcp.api.parsing import parse

logger = logging.getLogger(__name__)

INSTRUMENTAL = "[inst]"
SHORTEST, LONGEST = 5, 240
"""The shortest and the longest song that can be requested, in seconds."""
LATEST = 240
"""The latest time in a source that can be given, in seconds from the start or from the end."""

Tags = Annotated[
    str,
    Field(
        description="Comma-separated style: genre, mood, instruments, tempo, voice "
        "('lofi, mellow piano, 80 bpm, female voice'). About 10."
    ),
]
PartTags = Annotated[str, Field(description="Style of the new part: the song's tags, or others.")]
Lyrics = Annotated[
    str,
    Field(
        description="Sung words, under [verse], [chorus], [bridge] marks; a line per 5-9 s. Empty or [inst]: no vocals."
    ),
]
NewWords = Annotated[
    str,
    Field(description="Words of the new part only; a line per 5-9 s. Empty or [inst]: no vocals."),
]
Duration = Annotated[float, Field(ge=SHORTEST, le=LONGEST, description="Length in seconds.")]
AudioUrl = Annotated[
    str,
    Field(
        min_length=1,
        description="Track id, file path or name, or https, data or acestep:// URL.",
    ),
]
TimeOrigin = Literal["start", "end"]
Seconds = Annotated[float, Field(ge=0, le=LATEST)]  # 3P


class Request(BaseModel):
    """The fields that all endpoints share. Null means absent; unknown fields are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    number_of_steps: int = Field(27, ge=3, le=60, description="27 to try, 60 to keep. ACE-Step 1.5: omit.")
    seed: int | None = Field(None, ge=0, le=2**32 - 1, description="Same seed, same song. Absent: random.")
    scheduler: Literal["euler", "heun"] = Field("euler", description="heun: slower, may be smoother.")
    guidance_type: Literal["cfg", "apg", "cfg_star"] = Field("apg", description="cfg is harsh when strong.")
    granularity_scale: int = Field(10, ge=-100, le=100, description="Higher may reduce artefacts.")  # 3P
    guidance_interval: float = Field(0.5, ge=0, le=1, description="Share of steps guided (0.5: middle half).")  # 3P
    guidance_interval_decay: float = Field(0, ge=0, le=1, description="Fades guidance over those steps.")  # 3P
    guidance_scale: float = Field(15, ge=0, le=200, description="Replaces tag and lyric guidance if one is <= 1.")  # 3P
    minimum_guidance_scale: float = Field(3, ge=0, le=200, description="Where the fade ends.")  # 3P
    tag_guidance_scale: float = Field(5, ge=0, le=10, description="Closeness to tags; too high is harsh.")  # 3P
    lyric_guidance_scale: float = Field(1.5, ge=0, le=10, description="Higher: clearer words, less music.")  # 3P

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None}

    @field_validator("*", mode="before")
    @classmethod
    def _is_not_bool(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("must not be true or false")
        return value

    @field_validator("*")
    @classmethod
    def _is_unicode(cls, value: Any) -> Any:
        if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
            raise ValueError("contains half of a surrogate pair; send valid Unicode text")
        return value

    @classmethod
    def parse(cls, arguments: Mapping[str, Any]) -> Self:
        """Validate arguments from a model or a person.

        Raises InvalidRequest naming every wrong field, its value and its bounds; unknown fields are wrong.
        """
        return parse(cls, arguments)

    @classmethod
    def parse_wire(cls, body: Mapping[str, Any]) -> Self:
        """Validate a request body at the queue: unknown fields are dropped with a log line, as at fal."""
        unknown = sorted(set(body) - set(cls.model_fields))
        if unknown:
            logger.info("ignored unknown fields: %s", ", ".join(repr(name[:40]) for name in unknown[:20]))
        return cls.parse({key: value for key, value in body.items() if key in cls.model_fields})

    def wire(self) -> dict[str, Any]:
        """The body to send: the given fields, without nulls."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)


class TextToAudio(Request):
    """Make a song from tags and, optionally, lyrics."""

    tags: Tags
    lyrics: Lyrics = ""
    duration: Duration = 60


class PromptToAudio(Request):
    """Make a song from a plain description; tags and lyrics are written for it and returned."""

    prompt: str = Field(description="The song in a sentence: style, mood, subject, use.")
    instrumental: bool = Field(False, description="True: no vocals.")
    duration: Duration = 60

    @field_validator("prompt")
    @classmethod
    def _is_not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be empty; describe the song in a sentence, such as 'calm piano for studying'")
        return value


class EditRequest(Request):
    """The fields of all endpoints that edit a song."""

    audio_url: AudioUrl


class AudioToAudio(EditRequest):
    """Make a new version of a song: another style, or other lyrics."""

    edit_mode: Literal["lyrics", "remix"] = Field(
        "remix", description="remix: new style and melody. lyrics: keep the music, change a few words."
    )
    original_tags: str = Field(description="The source's tags, as exact as possible (see get_track).")
    original_lyrics: str = Field("", description="Its lyrics, as exact as possible.")
    tags: Annotated[str, Field(description="New style, as in text_to_audio.")]
    lyrics: str = Field(
        "", description="All words of the new version, original ones included. Empty or [inst]: no vocals."
    )
    original_seed: int | None = Field(None, ge=0, le=2**32 - 1, description="The source's seed; used by fal only.")


class AudioInpaint(EditRequest):
    """Regenerate one window of a song and leave the rest unchanged."""

    start_time_relative_to: TimeOrigin = Field("start", description="end: start_time counts back from the end.")
    start_time: Seconds = Field(0, description="Start of the new part, in seconds.")
    end_time_relative_to: TimeOrigin = Field("start", description="end: end_time counts back from the end.")
    end_time: Seconds = Field(30, description="End of it, in seconds. Include a bar on both sides.")
    tags: PartTags
    lyrics: NewWords = ""
    variance: float = Field(
        0.5, ge=0, le=1, description="0.2: a touch-up, 0.5: a new take, near 1: something else."
    )  # 3P


class AudioOutpaint(EditRequest):
    """Extend a song before its beginning, after its end, or both; the song itself is unchanged."""

    extend_before_duration: Seconds = Field(0, description="Seconds of new music before the song.")
    extend_after_duration: Seconds = Field(30, description="Seconds of new music after it.")
    tags: PartTags
    lyrics: NewWords = ""


EngineRequest = TextToAudio | AudioToAudio | AudioInpaint | AudioOutpaint
"""What an engine can run. A match over it ends in `assert_never`."""
ApiRequest = EngineRequest | PromptToAudio
"""One class per endpoint. A PromptToAudio becomes a TextToAudio before an engine gets it."""
