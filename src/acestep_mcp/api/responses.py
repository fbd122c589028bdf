"""The response of every endpoint, as published, and what our own engines add to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from acestep_mcp.api.parsing import Lenient
from acestep_mcp.api.text import readable

LONGEST_TEXT = 100_000
"""Characters of tags or lyrics that are kept of a response."""
_MOST_NOTES, _LONGEST_NOTE = 50, 1000
_MOST_SECTIONS, _LONGEST_NAME = 500, 100
_MOST_MEASURED, _MOST_GAPS = 50, 50
_LARGEST = 2**53


def _name(value: Any) -> Any:
    return _line(value, _LONGEST_NAME) if isinstance(value, str) else None


def _line(text: str, longest: int) -> str:
    return " ".join(readable(text[: longest * 10]).split())[:longest]


def _notes(value: Any) -> tuple[str, ...]:
    texts = (part for part in value if isinstance(part, str)) if isinstance(value, list | tuple) else ()
    return tuple(_line(text, _LONGEST_NOTE) for text in texts)[:_MOST_NOTES]


def _sections(value: Any) -> tuple[dict[str, Any], ...]:
    rows = (part for part in value if isinstance(part, Mapping)) if isinstance(value, list | tuple) else ()
    return tuple(
        {"name": name, "start": row["start"], "end": row["end"]}
        for row in rows
        if (name := _name(row.get("name"))) and _is_number(row.get("start")) and _is_number(row.get("end"))
    )[:_MOST_SECTIONS]


def _measured(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping) or len(value) > _MOST_MEASURED:
        return None
    facts = {_name(key): fact for key, fact in value.items() if fact is None or type(fact) is bool or _is_number(fact)}
    return facts if len(facts) == len(value) else None


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and -_LARGEST < value < _LARGEST


_Name = Annotated[str | None, BeforeValidator(_name)]


class File(Lenient):
    """A file on the wire. Only `url` is always present."""

    url: str = ""
    content_type: _Name = None
    file_name: _Name = None
    file_size: Annotated[int, Field(ge=0, lt=_LARGEST)] | None = None


_Number = Annotated[float, Field(gt=-_LARGEST, lt=_LARGEST)]
_Confidence = Annotated[float, Field(ge=0, le=1)]
_Key = Annotated[str, Field(pattern=r"^[A-G]#? (major|minor)$")]


class HeardFacts(BaseModel):
    """`audio.hearing.Hearing.facts()`, as an engine server may send them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    loudness_range: _Number
    true_peak_dbtp: _Number | None
    silence_at_start: _Number
    silence_at_end: _Number
    gaps: Annotated[list[Annotated[list[_Number], Field(min_length=2, max_length=2)]], Field(max_length=_MOST_GAPS)]
    brightness: Literal["dark", "warm", "bright", "very bright"]
    brightness_hz: _Number
    stereo: Literal["mono", "narrow", "normal", "wide"]
    stereo_width: _Number
    balance_db: _Number
    correlation: _Number
    dc_offset: _Number
    tempo: _Number | None
    tempo_alternative: _Number | None
    tempo_confidence: _Confidence
    metre: Literal["4/4", "3/4", "6/8"] | None
    metre_confidence: _Confidence
    downbeat: _Number | None
    downbeat_confidence: _Confidence
    key: _Key | None
    key_alternative: _Key | None
    key_confidence: _Confidence

    @model_validator(mode="after")
    def _alternatives_go_with_what_they_replace(self) -> Self:
        if (self.tempo is None) != (self.tempo_alternative is None) or (self.key is None) != (
            self.key_alternative is None
        ):
            raise ValueError("a tempo and a key come with their alternative")
        return self


class EngineReport(Lenient):
    """What our own engine reports about a song. What is odd in it is dropped, so that the song is not lost.

    `measured` is `audio.measure.Measurement.facts()` and `heard` what was heard in the generated samples; `writer` names
    what wrote tags and lyrics for a prompt.
    """

    engine: _Name = None
    model: _Name = None
    version: _Name = None
    notes: Annotated[tuple[str, ...], BeforeValidator(_notes)] = ()
    sections: Annotated[tuple[dict[str, Any], ...], BeforeValidator(_sections)] = ()
    measured: Annotated[dict[str, Any] | None, BeforeValidator(_measured)] = None
    heard: HeardFacts | None = None
    writer: _Name = None


class Response(BaseModel):
    """The result of a request. `acestep` is added by our own queue; fal never sends it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    audio: File
    seed: int
    tags: str
    lyrics: str
    acestep: EngineReport | None = None

    @field_validator("acestep", mode="before")
    @classmethod
    def _is_a_report(cls, value: Any) -> Any:
        return value if isinstance(value, dict | EngineReport) else None

    @classmethod
    def of(cls, body: Any, asked: Mapping[str, Any]) -> Self | None:
        """The response in a host's JSON; None when it names no file, which alone is needed.

        Of seed, tags and lyrics, what is absent or odd is taken from the request that was `asked`.
        """
        audio = File.model_validate(body["audio"]) if _has_audio(body) else File()
        if not audio.url:
            return None
        return cls(
            audio=audio,
            seed=_seed(body.get("seed"), _seed(asked.get("seed"), 0)),
            tags=_text(body.get("tags"), asked.get("tags")),
            lyrics=_text(body.get("lyrics"), asked.get("lyrics")),
            acestep=body.get("acestep"),
        )

    @property
    def report(self) -> EngineReport:
        """The engine's report; empty if the host sends none."""
        return self.acestep or EngineReport()


def _has_audio(body: Any) -> bool:
    return isinstance(body, Mapping) and isinstance(body.get("audio"), Mapping)


def _seed(value: Any, other: int) -> int:
    """A seed as hosts write it: also as a text or a float."""
    match value:
        case str() if value.isascii() and value.isdecimal() and len(value) <= 20:
            value = int(value)
        case float() if value.is_integer():
            value = int(value)
    return value if type(value) is int and 0 <= value < 2**64 else other


def _text(value: Any, other: Any) -> str:
    text = value if isinstance(value, str) else other if isinstance(other, str) else ""
    return readable(text)[:LONGEST_TEXT]
