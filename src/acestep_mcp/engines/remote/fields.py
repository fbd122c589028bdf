"""What both servers read of a request's texts, and what neither reads of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acestep_mcp.api.requests import EngineRequest, Request, TextToAudio
from acestep_mcp.api.text import encodable, one_line
from acestep_mcp.engines.remote.song_language import UNKNOWN, song_language
from acestep_mcp.readers.attributes import read_key, read_metre, read_tempo
from acestep_mcp.readers.no_vocals import is_instrumental

INSTRUMENTAL = "[Instrumental]"
TURBO_STEPS = 8
_MOST_TAGS, _MOST_LYRICS = 2000, 20_000
_METRES = {"2": "2/4", "3": "3/4", "4": "4/4", "6": "6/8"}
_WITHOUT_EFFECT = frozenset(
    {
        "guidance_type", "granularity_scale", "guidance_interval_decay", "minimum_guidance_scale", "tag_guidance_scale",
        "lyric_guidance_scale", "original_tags", "original_lyrics", "original_seed",
    }
)  # fmt: skip
_SLOWEST, _FASTEST = 30, 300
_TIME_SIGNATURES = {"2/4": "2", "2/2": "2", "3/4": "3", "3/8": "3", "4/4": "4", "6/8": "6", "6/4": "6", "12/8": "6"}


def lyrics_of(request: EngineRequest) -> str:
    """The lyrics as both servers take them; without vocals they want exactly one mark."""
    return INSTRUMENTAL if is_instrumental(request.lyrics) else request.lyrics


def attributes(request: EngineRequest) -> tuple[int | None, str, str]:
    """Tempo, key and time signature that the tags state, where the model has such a value."""
    tempo, key, metre = read_tempo(request.tags), read_key(request.tags), read_metre(request.tags)
    bpm = round(tempo.bpm) if tempo else None
    fits = bpm is not None and _SLOWEST <= bpm <= _FASTEST
    return bpm if fits else None, key.plain_name if key else "", _TIME_SIGNATURES.get(metre.name, "") if metre else ""


def steps(request: Request, *, is_turbo: bool | None) -> int | None:
    """The number of steps to send, None for the server's own; a turbo model takes at most eight."""
    if "number_of_steps" not in request.model_fields_set:
        return None
    return request.number_of_steps if is_turbo is False else min(request.number_of_steps, TURBO_STEPS)


def language(lyrics: str) -> str:
    """The language of lyrics as the server gets them; "unknown" if nobody sings or it cannot be told."""
    return UNKNOWN if lyrics == INSTRUMENTAL else song_language(lyrics)


def duration(request: EngineRequest) -> float | None:
    """The length that a new song is to have."""
    return request.duration if isinstance(request, TextToAudio) else None


def song_text(found: Mapping[str, Any]) -> tuple[str, str] | None:
    """Tags and lyrics that a server's language model wrote, with the tempo, key and metre it has chosen; None if it has none."""
    tags, lyrics = found.get("caption"), found.get("lyrics")
    if not isinstance(tags, str) or not isinstance(lyrics, str) or not tags.strip():
        return None
    tags, lyrics = one_line(tags, _MOST_TAGS), encodable(lyrics)[:_MOST_LYRICS]
    bpm, key, signature = (found.get(name) for name in ("bpm", "keyscale", "timesignature"))
    if isinstance(bpm, int) and _SLOWEST <= bpm <= _FASTEST and not read_tempo(tags):
        tags += f", {bpm} bpm"
    if isinstance(key, str) and (chosen := read_key(key[:40])) and not read_key(tags):
        tags += f", {chosen.plain_name}"
    if isinstance(signature, str) and signature in _METRES and not read_metre(tags):
        tags += f", {_METRES[signature]}"
    return tags, lyrics


def given(request: Request, name: str) -> Any:
    """A field that the caller has set; None if it is only a default, which belongs to v1."""
    return getattr(request, name, None) if name in request.model_fields_set else None


def notes(
    request: EngineRequest, without_effect: set[str], *, is_turbo: bool | None, sent_steps: int | None
) -> tuple[str, ...]:
    """Names the given fields that have no effect; `without_effect` are those of this server alone."""
    unused = set(without_effect)
    if request.scheduler == "heun":
        unused.add("scheduler")
    if is_turbo is not False:
        unused |= {"guidance_scale", "guidance_interval"}
    found = []
    # Euler is what the servers use, so that asking for it has its effect.
    if named := sorted(request.model_fields_set & (unused | _WITHOUT_EFFECT)):
        found.append(f"The server has no use for {', '.join(named)}.")
    if sent_steps is not None and sent_steps < request.number_of_steps:
        found.append(f"A turbo model takes at most {TURBO_STEPS} steps: {request.number_of_steps} were not sent.")
    metre = read_metre(request.tags)
    if metre and metre.name not in _TIME_SIGNATURES:
        found.append(f"The model has no time signature {metre.name}: only the tags tell it.")
    return tuple(found)
