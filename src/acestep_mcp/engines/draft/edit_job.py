"""Requests to the draft engine that are more than a new song's tags, lyrics and length: edits, and fields without effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, assert_never

from acestep_mcp.api import requests
from acestep_mcp.api.edits import minimum_guidance
from acestep_mcp.api.errors import GenerationFailed
from acestep_mcp.api.requests import (
    AudioInpaint,
    AudioOutpaint,
    AudioToAudio,
    EngineRequest,
    Request,
    TextToAudio,
)
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.draft import remake
from acestep_mcp.engines.draft.compose import ComposeRequest
from acestep_mcp.engines.draft.extend import outpaint_song
from acestep_mcp.engines.draft.render import Playback
from acestep_mcp.engines.draft.seeds import Seeds

_DIFFUSION_FIELDS = frozenset(Request.model_fields) - {"seed"}


def request_of(endpoint: str, fields: dict[str, Any]) -> EngineRequest:
    """The request of the class `endpoint`. Raises InvalidRequest for wrong fields."""
    request: EngineRequest = getattr(requests, endpoint).parse(fields)
    return request


def edit_events(
    request: EngineRequest,
    source: Source | None,
    playback: Playback,
    new_song: Callable[[ComposeRequest, Playback], Iterator[Step | Audio]],
) -> Iterator[Step | Audio]:
    """The steps and the song of a request. Raises InvalidRequest for values that do not fit the source."""
    if isinstance(request, TextToAudio):
        seeds = Seeds(request.seed or 0)
        return new_song(ComposeRequest(request.tags, request.lyrics, request.duration, seeds), playback)
    if source is None:
        raise GenerationFailed(f"{type(request).__name__} came without the song to edit; report this.")
    match request:
        case AudioInpaint():
            return remake.inpaint_song(request, source, playback)
        case AudioOutpaint():
            return outpaint_song(request, source, playback)
        case AudioToAudio(edit_mode="lyrics"):
            return remake.replace_lyrics(request, source, playback)
        case AudioToAudio():
            return remake.remix_song(request, source, playback)
    assert_never(request)


def ignored_fields_notes(request: Request) -> tuple[str, ...]:
    """Notes on a limit that was lowered, and on the given fields that only affect a diffusion model."""
    given = sorted(
        name
        for name in request.model_fields_set & _DIFFUSION_FIELDS
        if getattr(request, name) != type(request).model_fields[name].default
    )
    lowered = minimum_guidance(request)[1]
    if not given:
        return lowered
    return (*lowered, f"The draft engine is not a diffusion model; these fields had no effect: {', '.join(given)}.")
