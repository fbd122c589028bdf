"""The requests of the five endpoints: the published API, typed, each number written once.

Field names, types, enums, defaults and required marks are fal's published ones. Bounds marked 3P come from a
third-party reading of fal's schema; they are hard for our own engines, and on fal the host's answer is the last word.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from acestep_mcp.api.parsing import parse

logger = logging.getLogger(__name__)

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
    """What all endpoints share. A null for an optional field means absent; unknown fields are an error."""

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


class EditRequest(Request):
    """What the endpoints that edit a song share."""

    audio_url: AudioUrl


class AudioToAudio(EditRequest):
    """Make a new version of a song: another style, or other words."""

    edit_mode: Literal["lyrics", "remix"] = Field(
        "remix", description="remix: new style and melody. lyrics: keep the music, change a few words."
    )
    original_tags: str = Field(description="The source's tags, as exactly as known (get_track tells).")
    original_lyrics: str = Field("", description="The source's lyrics, as exactly as known.")
    tags: Tags
    lyrics: Lyrics = ""
    original_seed: int | None = Field(None, ge=0, le=2**32 - 1, description="The source's seed, if known.")


class AudioInpaint(EditRequest):
    """Regenerate one window of a song and leave the rest unchanged."""

    start_time_relative_to: TimeOrigin = Field("start", description="end: start_time counts back from the end.")
    start_time: Seconds = Field(0, description="Where the new stretch begins, in seconds.")
    end_time_relative_to: TimeOrigin = Field("start", description="end: end_time counts back from the end.")
    end_time: Seconds = Field(30, description="Where it ends, in seconds. Take in a bar on both sides.")
    tags: Tags
    lyrics: Lyrics = ""
    variance: float = Field(0.5, ge=0, le=1, description="0.2 a touch-up, 0.5 a new take, near 1 something else.")  # 3P


class AudioOutpaint(EditRequest):
    """Extend a song before its beginning, after its end, or both; the song itself is unchanged."""

    extend_before_duration: Seconds = Field(0, description="Seconds of new music before the song.")
    extend_after_duration: Seconds = Field(30, description="Seconds of new music after it.")
    tags: Tags
    lyrics: Lyrics = ""


EngineRequest = TextToAudio | AudioToAudio | AudioInpaint | AudioOutpaint
"""What an engine plays. A match over it ends in `assert_never`."""
ApiRequest = EngineRequest | PromptToAudio
"""What can be asked for: one class for each endpoint. PromptToAudio is turned into TextToAudio before an engine gets it."""


def is_instrumental(lyrics: str) -> bool:
    """True when the lyrics ask for no vocals: empty, `[inst]` or `[instrumental]`."""
    return lyrics.strip().lower() in {"", "[inst]", "[instrumental]"}
