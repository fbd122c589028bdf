"""The pipeline's inputs for a request: text, timesteps and guidance, and notes on what the model does not use."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from acestep_mcp.api.requests import AudioToAudio, EngineRequest, Request
from acestep_mcp.engines.ace_step_v15.loaded import LoadedV15
from acestep_mcp.engines.ace_step_v15.vocal_language import UNKNOWN, sung_lines, vocal_language
from acestep_mcp.readers.attributes import read_key, read_metre, read_tempo
from acestep_mcp.readers.no_vocals import is_instrumental

TURBO_STEPS, MAX_TURBO_STEPS = 8, 20
GUIDED_STEPS = 50
"""The makers' number of steps for base and sft."""
DEFAULT_GUIDANCE = 7.0
"""The family's own scale; 15, the API's default, is v1's."""
_MIN_NOISE = 0.02
MAX_TEXT_TOKENS, MAX_LYRIC_TOKENS = 256, 2048
"""Limits of the pipeline for the whole text and for the lyrics; it truncates both."""
_UNUSED = {
    "scheduler", "guidance_type", "granularity_scale", "guidance_interval_decay", "minimum_guidance_scale",
    "tag_guidance_scale", "lyric_guidance_scale", "original_seed",
}  # fmt: skip
_UNUSED_BY_TURBO = {"guidance_scale", "guidance_interval"}
_UNKNOWN_LANGUAGE_NOTE = (
    "The language of the lyrics was not recognised as one of the model's fifty; the model was told that it is unknown."
)
_NO_COVER_NOTE = (
    "This model has no audio tokenizer to cover a song with, so it began with the song's own sound and noise in it; "
    "the checkpoint acestep-v15-xl-sft-diffusers has one."
)
_TIME_SIGNATURES = {
    "2/4": "2", "2/2": "2", "2/8": "2", "3/4": "3", "3/8": "3", "4/4": "4", "4/8": "4", "6/8": "6", "6/4": "6", "12/8": "6",
}  # fmt: skip
"""The model's four time signatures (2, 3, 4 and 6) by the metres that they stand for."""


def timesteps(loaded: LoadedV15, request: Request, start: float = 1.0) -> list[float]:
    """Descending timesteps (1 is pure noise): those of a whole song that are at most `start`, else `start` alone.

    The shift is that of https://arxiv.org/abs/2403.03206, section 5.3.2. Turbo was distilled at eight of these values.
    """
    count, shift = step_count(loaded, request), loaded.shift
    unshifted = [1 - number / count for number in range(count)]
    shifted = [shift * value / (1 + (shift - 1) * value) for value in unshifted]
    return [value for value in shifted if value <= start] or [max(start, _MIN_NOISE)]


def step_count(loaded: LoadedV15, request: Request) -> int:
    """Steps of a whole song: those of the request, or else as many as the model's makers take."""
    if "number_of_steps" not in request.model_fields_set:
        return TURBO_STEPS if loaded.turbo else GUIDED_STEPS
    return min(request.number_of_steps, MAX_TURBO_STEPS) if loaded.turbo else request.number_of_steps


def guidance_arguments(loaded: LoadedV15, request: Request, values: list[float]) -> dict[str, float]:
    """The pipeline's guidance scale and interval for these timesteps.

    The pipeline's interval is a range of timesteps, the request's a share of the steps.
    """
    given, count = request.model_fields_set, len(values)
    width = request.guidance_interval if "guidance_interval" in given else 1.0
    guided = values[int(count * (1 - width) / 2) : int(count * (1 + width) / 2)]
    if loaded.turbo or not guided:
        return {"guidance_scale": 1.0}
    scale = request.guidance_scale if "guidance_scale" in given else DEFAULT_GUIDANCE
    # A margin on both sides: the pipeline compares values rounded to float32.
    begin, end = 1 - guided[0] - 1e-4, 1 - guided[-1] + 1e-4
    return {"guidance_scale": scale, "cfg_interval_start": max(0.0, begin), "cfg_interval_end": min(1.0, end)}


def text_arguments(loaded: LoadedV15, request: EngineRequest) -> dict[str, Any]:
    """The pipeline's prompt, lyrics, language and musical attributes.

    The pipeline writes the attributes after the prompt, so tags are cut here to keep it from truncating them.
    """
    sung = not is_instrumental(request.lyrics)
    arguments = {
        "lyrics": request.lyrics if sung else "[Instrumental]",
        "vocal_language": vocal_language(request.lyrics) if sung else UNKNOWN,
        **_musical_attributes(request.tags),
    }
    tags = request.tags.split(",")

    def length(count: int) -> int:
        return _token_counts(loaded, arguments | {"prompt": ",".join(tags[:count])})[0]

    fitting = bisect_right(range(len(tags) + 1), MAX_TEXT_TOKENS, key=length) - 1
    return arguments | {"prompt": ",".join(tags[: max(1, fitting)])}


def _musical_attributes(tags: str) -> dict[str, Any]:
    """Tempo, key and time signature that the tags state; None where they do not, or where the model has no such value."""
    tempo, key, metre = read_tempo(tags), read_key(tags), read_metre(tags)
    return {
        "bpm": round(tempo.bpm) if tempo else None,
        "keyscale": key.plain_name if key else None,
        "timesignature": _TIME_SIGNATURES.get(metre.name) if metre else None,
    }


def _token_counts(loaded: LoadedV15, arguments: dict[str, Any]) -> list[int]:
    """Tokens of the whole text and of the lyrics, as the pipeline formats them."""
    texts = loaded.pipe._format_prompt(**arguments, audio_duration=100)  # noqa: SLF001 - only it knows what it adds
    return [len(loaded.pipe.tokenizer(text).input_ids) for text in texts]


def notes(loaded: LoadedV15, request: EngineRequest) -> tuple[str, ...]:
    """Notes on fields of the request that the model does not use, and on text that is too long for it."""
    found = []
    given = request.model_fields_set
    if unused := given & (_UNUSED | (_UNUSED_BY_TURBO if loaded.turbo else set())):
        found.append(f"This model has no use for {', '.join(sorted(unused))}.")
    if step_count(loaded, request) < request.number_of_steps and "number_of_steps" in given:
        found.append(f"This model takes at most {MAX_TURBO_STEPS} steps, and {TURBO_STEPS} are enough.")
    if isinstance(request, AudioToAudio) and not loaded.covers:
        found.append(_NO_COVER_NOTE)
    metre = read_metre(request.tags)
    if metre and metre.name not in _TIME_SIGNATURES:
        found.append(f"The model has no time signature {metre.name}: only the tags tell it.")
    arguments = text_arguments(loaded, request)
    text, lyrics = _token_counts(loaded, arguments)
    if text > MAX_TEXT_TOKENS or arguments["prompt"] != request.tags:
        found.append("There are more tags than the model reads: the last tags were ignored.")
    if arguments["vocal_language"] == UNKNOWN and sung_lines(request.lyrics):
        found.append(_UNKNOWN_LANGUAGE_NOTE)
    if lyrics > MAX_LYRIC_TOKENS:
        found.append("The lyrics are longer than the model reads: their end was ignored.")
    return tuple(found)
