"""How a request is said to the pipeline: its words, its steps and its guidance, and what the model has no use for."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Any

from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, Request, TextToAudio, is_instrumental
from acestep_mcp.engines.model import language

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v15.weights import Loaded

Described = TextToAudio | AudioToAudio | AudioInpaint | AudioOutpaint

SHIFT = 3.0
"""How much of the way is spent near the noise: the family's published value."""
TURBO_STEPS, MOST_TURBO_STEPS = 8, 20
GUIDANCE = 7.0
"""The family's own scale; 15, the API's default, is v1's."""
_LEAST_NOISE = 0.02
MOST_TEXT, MOST_LYRICS = 256, 2048
"""Tokens of the whole text and of the lyrics that the pipeline reads; it cuts off their ends."""
_NO_USE = {
    "scheduler", "guidance_type", "granularity_scale", "guidance_interval_decay", "minimum_guidance_scale",
    "tag_guidance_scale", "lyric_guidance_scale", "original_seed",
}  # fmt: skip
_GUIDANCE = {"guidance_scale", "guidance_interval"}
_BPM = re.compile(r"\b(\d{2,3})\s*bpm\b|\bbpm\s*:?\s*(\d{2,3})\b", re.IGNORECASE)
_BPMS = range(30, 301)
_KEY = re.compile(r"\b([A-Gb-g])(#|♯|b|♭|[ -]sharp|[ -]flat)?[ -]([Mm]ajor|[Mm]inor)\b")
_SIGNS = {"": "", "#": "#", "♯": "#", "sharp": "#", "b": "b", "♭": "b", "flat": "b"}
_METRE = re.compile(r"\b([2346])/[48]\b")
_MARK = re.compile(r"\[[^\[\]]*\]")


def schedule(loaded: Loaded, request: Request, start: float = 1.0) -> list[float]:
    """The falling shares of noise that the model is asked at: those of a whole song that are no larger than `start`.

    The formula of https://arxiv.org/abs/2403.03206, section 5.3.2. Turbo was taught eight of these shares. Where even
    the last of them is larger, `start` itself is the only one.
    """
    count = steps(loaded, request)
    shares = [1 - number / count for number in range(count)]
    shifted = [SHIFT * share / (1 + (SHIFT - 1) * share) for share in shares]
    return [share for share in shifted if share <= start] or [max(start, _LEAST_NOISE)]


def steps(loaded: Loaded, request: Request) -> int:
    """How many a whole song takes."""
    if not loaded.turbo:
        return request.number_of_steps
    given = "number_of_steps" in request.model_fields_set
    return min(request.number_of_steps, MOST_TURBO_STEPS) if given else TURBO_STEPS


def guidance(loaded: Loaded, request: Request, timesteps: list[float]) -> dict[str, float]:
    """The scale, and from which share of the way to which it holds: the pipeline counts shares, requests count steps."""
    given, count = request.model_fields_set, len(timesteps)
    width = request.guidance_interval if "guidance_interval" in given else 1.0
    guided = timesteps[int(count * (1 - width) / 2) : int(count * (1 + width) / 2)]
    if loaded.turbo or not guided:
        return {"guidance_scale": 1.0}
    scale = request.guidance_scale if "guidance_scale" in given else GUIDANCE
    # A hair on both sides: the pipeline compares what it has rounded to float32.
    begin, end = 1 - guided[0] - 1e-4, 1 - guided[-1] + 1e-4
    return {"guidance_scale": scale, "cfg_interval_start": max(0.0, begin), "cfg_interval_end": min(1.0, end)}


def words(loaded: Loaded, request: Described) -> dict[str, Any]:
    """Tags, lyrics and what tags say in numbers, each where the model looks for it.

    The text ends with those numbers, so tags that are too long for it lose their own end first.
    """
    sung = not is_instrumental(request.lyrics)
    said = {
        "lyrics": request.lyrics if sung else "[Instrumental]",
        "vocal_language": _language(request.lyrics) if sung else "unknown",
        **_numbers(request.tags),
    }
    tags = request.tags.split(",")

    def length(count: int) -> int:
        return _tokens(loaded, said | {"prompt": ",".join(tags[:count])})[0]

    fitting = bisect_right(range(len(tags) + 1), MOST_TEXT, key=length) - 1
    return said | {"prompt": ",".join(tags[: max(1, fitting)])}


def _numbers(tags: str) -> dict[str, Any]:
    bpm, key, metre = _BPM.search(tags), _KEY.search(tags), _METRE.search(tags)
    tempo = int(bpm[1] or bpm[2]) if bpm else 0
    return {
        "bpm": tempo if tempo in _BPMS else None,
        "keyscale": f"{key[1].upper()}{_SIGNS[(key[2] or '').strip(' -')]} {key[3].lower()}" if key else None,
        "timesignature": metre[1] if metre else None,
    }


def _language(lyrics: str) -> str:
    """The language of most lines."""
    lines = [_MARK.sub("", line).strip() for line in lyrics.split("\n")]
    sung = [tongue for line, tongue in zip(lines, language.choose(lines), strict=True) if line]
    return Counter(sung).most_common(1)[0][0] if sung else "unknown"


def _tokens(loaded: Loaded, said: dict[str, Any]) -> list[int]:
    """Of the whole text and of the lyrics, as the pipeline writes them down."""
    texts = loaded.pipe._format_prompt(**said, audio_duration=100)  # noqa: SLF001 - only it knows what it adds
    return [len(loaded.pipe.tokenizer(text).input_ids) for text in texts]


def notes(loaded: Loaded, request: Described) -> tuple[str, ...]:
    """What the model has no use for, where the request says something about it, and what was too long for it."""
    told = []
    given = request.model_fields_set
    if unused := given & (_NO_USE | (_GUIDANCE if loaded.turbo else set())):
        told.append(f"This model has no use for {', '.join(sorted(unused))}.")
    if steps(loaded, request) < request.number_of_steps and "number_of_steps" in given:
        told.append(f"This model takes at most {MOST_TURBO_STEPS} steps, and {TURBO_STEPS} are enough.")
    said = words(loaded, request)
    text, lyrics = _tokens(loaded, said)
    if text > MOST_TEXT or said["prompt"] != request.tags:
        told.append("There are more tags than the model reads: the last ones were not heard.")
    if lyrics > MOST_LYRICS:
        told.append("The lyrics are longer than the model reads: their end was not heard.")
    return tuple(told)
