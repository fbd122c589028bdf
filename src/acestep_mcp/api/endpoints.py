"""The table of endpoints. Tools, routes, command-line options, schemas and documentation are derived from it;
`docs/adding-an-endpoint.md` says what a new row needs elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from acestep_mcp.api.edits import (
    LONGEST_REMIX,
    LONGEST_SOURCE,
    Edit,
    check_source_length,
    inpaint,
    outpaint,
    remake,
)
from acestep_mcp.api.errors import NotFound
from acestep_mcp.api.requests import (
    LONGEST,
    ApiRequest,
    AudioInpaint,
    AudioOutpaint,
    AudioToAudio,
    PromptToAudio,
    Request,
    TextToAudio,
)

# From third-party readings of fal's model pages; not verified. A setting can override them.
PRICE_PER_SECOND_USD = 0.0002
PRICE_PER_SECOND_OF_V15_USD = 0.0003
DEFAULT_LENGTH = float(TextToAudio.model_fields["duration"].default)
UNKNOWN_LENGTH = float(LONGEST)
"""Seconds to reserve for a song whose length only its host will know: the maximum."""


@dataclass(frozen=True, slots=True)
class SourceRules:
    """For an endpoint that edits a song: the `longest` source in seconds, and what the edit does to it."""

    longest: float
    edit: Callable[[Any, float], Edit]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One way to make music.

    `id` is the published id (the submit path), `tool` the MCP tool's name, `schema` the published name of the
    request's schema. `seconds` computes the result's length from a request and its source's length (None if unknown).
    `source` is None for an endpoint without a source.
    """

    id: str
    tool: str
    title: str
    request: type[ApiRequest]
    schema: str
    description: str
    seconds: Callable[[Any, float | None], float]
    source: SourceRules | None = None

    @property
    def command(self) -> str:
        """The name on the command line."""
        return self.tool.replace("_", "-")

    def edit(self, request: Request, seconds: float) -> Edit:
        """What the request does to a source of `seconds`. Raises InvalidRequest when it cannot edit such a source."""
        if self.source is None:
            return Edit()
        check_source_length(seconds, self.source.longest)
        return self.source.edit(request, seconds)


def _duration(request: TextToAudio | PromptToAudio, _: float | None) -> float:
    return request.duration


def _as_source(_: Any, source: float | None) -> float:
    return source or UNKNOWN_LENGTH


def _extended(request: AudioOutpaint, source: float | None) -> float:
    return request.extend_before_duration + (source or UNKNOWN_LENGTH) + request.extend_after_duration


ENDPOINTS = (
    Endpoint(
        "fal-ai/ace-step",
        "text_to_audio",
        "Make a song from tags and lyrics",
        TextToAudio,
        "ACEStepTextToAudioRequest",
        "Create a song, beat, jingle or background music from style tags and, if it is sung, lyrics.",
        _duration,
    ),
    Endpoint(
        "fal-ai/ace-step/prompt-to-audio",
        "prompt_to_audio",
        "Make a song from a description",
        PromptToAudio,
        "ACEStepPromptToAudioRequest",
        "Quickly generate a song or background music from one plain sentence: simple rules write tags and lyrics. "
        "For a good song, write them yourself and call text_to_audio.",
        _duration,
    ),
    Endpoint(
        "fal-ai/ace-step/audio-to-audio",
        "audio_to_audio",
        "Remix a song or change its lyrics",
        AudioToAudio,
        "ACEStepAudioToAudioRequest",
        "Turn a song into another style (remix, cover, restyle: the same song as jazz or metal, slower, sadder), or change or "
        "translate its words and keep the music (edit_mode lyrics).",
        _as_source,
        SourceRules(LONGEST_REMIX, remake),
    ),
    Endpoint(
        "fal-ai/ace-step/audio-inpaint",
        "audio_inpaint",
        "Regenerate part of a song",
        AudioInpaint,
        "ACEStepAudioInpaintRequest",
        "Redo, fix or replace (inpaint, repaint) part of a song's audio: a wrong note, a verse, a solo. The rest stays unchanged.",
        _as_source,
        SourceRules(LONGEST_SOURCE, inpaint),
    ),
    Endpoint(
        "fal-ai/ace-step/audio-outpaint",
        "audio_outpaint",
        "Extend a song",
        AudioOutpaint,
        "ACEStepAudioOutpaintRequest",
        "Make a song longer (outpaint): continue it (extend, go on, a new ending) or add an intro. Its audio does not change.",
        _extended,
        SourceRules(LONGEST_SOURCE, outpaint),
    ),
)

BY_ID = {endpoint.id: endpoint for endpoint in ENDPOINTS}
BY_REQUEST: dict[type[Request], Endpoint] = {endpoint.request: endpoint for endpoint in ENDPOINTS}


def named(name: str) -> Endpoint:
    """The endpoint with this id, tool name or command name. Raises NotFound listing all five."""
    for endpoint in ENDPOINTS:
        if name in (endpoint.id, endpoint.tool, endpoint.command):
            return endpoint
    raise NotFound(f"There is no endpoint {name[:80]!r}. The endpoints are: {', '.join(BY_ID)}.")
