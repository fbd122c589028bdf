"""The table of the endpoints: their names and what they do. Tools, routes, command-line options, schemas and the
documentation are derived from it; `docs/adding-an-endpoint.md` says what a new row needs elsewhere.
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

# Read on fal's model pages by a third party; not confirmed by us. Settings can override it.
PRICE_PER_SECOND_USD = 0.0002
UNKNOWN_LENGTH = float(LONGEST)
"""Seconds reserved for a song whose length only its host will know: the longest it can be."""


@dataclass(frozen=True, slots=True)
class SourceRules:
    """What an endpoint that edits a song needs of it: `longest` seconds, and what the edit does to it."""

    longest: float
    edit: Callable[[Any, float], Edit]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One way to make music.

    `id` is the published id (the submit path), `tool` the MCP tool's name, `schema` the published name of the
    request's schema. `seconds` gives the length of the result from a request and its source's length, where the
    endpoint has a source and its length is known. `source` is None for an endpoint without a source.
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


def _asked(request: TextToAudio | PromptToAudio, _: float | None) -> float:
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
        "Make a song from style tags and, if there is singing, lyrics.",
        _asked,
    ),
    Endpoint(
        "fal-ai/ace-step/prompt-to-audio",
        "prompt_to_audio",
        "Make a song from a description",
        PromptToAudio,
        "ACEStepPromptToAudioRequest",
        "Make a song from one plain sentence; tags and lyrics are written for it and returned. "
        "You usually get a better song by writing tags and lyrics yourself with text_to_audio.",
        _asked,
    ),
    Endpoint(
        "fal-ai/ace-step/audio-to-audio",
        "audio_to_audio",
        "Remix a song or change its words",
        AudioToAudio,
        "ACEStepAudioToAudioRequest",
        "Make a new version of a song: remix gives it another style, lyrics keeps the music and changes some words.",
        _as_source,
        SourceRules(LONGEST_REMIX, remake),
    ),
    Endpoint(
        "fal-ai/ace-step/audio-inpaint",
        "audio_inpaint",
        "Redo a stretch of a song",
        AudioInpaint,
        "ACEStepAudioInpaintRequest",
        "Make one stretch of a song anew; everything outside it stays exactly as it was.",
        _as_source,
        SourceRules(LONGEST_SOURCE, inpaint),
    ),
    Endpoint(
        "fal-ai/ace-step/audio-outpaint",
        "audio_outpaint",
        "Extend a song",
        AudioOutpaint,
        "ACEStepAudioOutpaintRequest",
        "Add new music before a song, after it, or both; the song itself stays exactly as it was.",
        _extended,
        SourceRules(LONGEST_SOURCE, outpaint),
    ),
)

BY_ID = {endpoint.id: endpoint for endpoint in ENDPOINTS}
BY_TOOL = {endpoint.tool: endpoint for endpoint in ENDPOINTS}
BY_REQUEST: dict[type[Request], Endpoint] = {endpoint.request: endpoint for endpoint in ENDPOINTS}


def named(name: str) -> Endpoint:
    """The endpoint with this id, tool name or command name. Raises NotFound naming the five."""
    for endpoint in ENDPOINTS:
        if name in (endpoint.id, endpoint.tool, endpoint.command):
            return endpoint
    raise NotFound(f"There is no endpoint {name!r}. The endpoints are: {', '.join(BY_ID)}.")
