"""The table of the five endpoints. Tools, routes, command-line options and documentation are derived from it."""

from __future__ import annotations

from dataclasses import dataclass

from acestep_mcp.api.errors import NotFound
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, PromptToAudio, Request, TextToAudio

# Read on fal's model pages by a third party; not confirmed by us. Settings can override it.
PRICE_PER_SECOND_USD = 0.0002


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One way to have music made.

    `id` is the published id (the submit path), `tool` the MCP tool's name, `schema` the published name of the
    request's schema. The command line's name is `command`.
    """

    id: str
    tool: str
    title: str
    request: type[Request]
    schema: str
    description: str

    @property
    def command(self) -> str:
        return self.tool.replace("_", "-")


ENDPOINTS = (
    Endpoint(
        "fal-ai/ace-step",
        "text_to_audio",
        "Make a song from tags and lyrics",
        TextToAudio,
        "ACEStepTextToAudioRequest",
        "Make a song from style tags and, if there is singing, lyrics.",
    ),
    Endpoint(
        "fal-ai/ace-step/prompt-to-audio",
        "prompt_to_audio",
        "Make a song from a description",
        PromptToAudio,
        "ACEStepPromptToAudioRequest",
        "Make a song from one plain sentence; tags and lyrics are written for it and returned. "
        "You usually get a better song by writing tags and lyrics yourself with text_to_audio.",
    ),
    Endpoint(
        "fal-ai/ace-step/audio-to-audio",
        "audio_to_audio",
        "Remix a song or change its words",
        AudioToAudio,
        "ACEStepAudioToAudioRequest",
        "Make a new version of a song: remix gives it another style, lyrics keeps the music and changes some words.",
    ),
    Endpoint(
        "fal-ai/ace-step/audio-inpaint",
        "audio_inpaint",
        "Redo a stretch of a song",
        AudioInpaint,
        "ACEStepAudioInpaintRequest",
        "Make one stretch of a song anew; everything outside it stays exactly as it was.",
    ),
    Endpoint(
        "fal-ai/ace-step/audio-outpaint",
        "audio_outpaint",
        "Extend a song",
        AudioOutpaint,
        "ACEStepAudioOutpaintRequest",
        "Add new music before a song, after it, or both; the song itself stays exactly as it was.",
    ),
)

BY_ID = {endpoint.id: endpoint for endpoint in ENDPOINTS}
BY_TOOL = {endpoint.tool: endpoint for endpoint in ENDPOINTS}


def named(name: str) -> Endpoint:
    """The endpoint with this id, tool name or command name. Raises NotFound naming the five."""
    for endpoint in ENDPOINTS:
        if name in (endpoint.id, endpoint.tool, endpoint.command):
            return endpoint
    raise NotFound(f"There is no endpoint {name!r}. The endpoints are: {', '.join(BY_ID)}.")
