"""How a request is said to the pipeline: its words, its steps and its guidance, and what the model has no use for."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from acestep_mcp.engines.ace_step_v1.lyrics import language
from acestep_mcp.requests import AudioInpaint, AudioOutpaint, AudioToAudio, Request, TextToAudio, is_instrumental

if TYPE_CHECKING:
    from acestep_mcp.engines.ace_step_v15.weights import Loaded

Described = TextToAudio | AudioToAudio | AudioInpaint | AudioOutpaint

SHIFT = 3.0
"""How much of the way is spent near the noise: the family's published value."""
TURBO_STEPS, MOST_TURBO_STEPS = 8, 20
GUIDANCE = 7.0
"""The family's own scale; 15, the API's default, is v1's."""
_MOST_TAGS, _MOST_LYRICS = 256, 2048
_NO_USE = {
    "scheduler", "guidance_type", "granularity_scale", "guidance_interval_decay", "minimum_guidance_scale",
    "tag_guidance_scale", "lyric_guidance_scale", "original_seed",
}  # fmt: skip
_GUIDANCE = {"guidance_scale", "guidance_interval"}
_BPM = re.compile(r"\b(\d{2,3})\s*bpm\b", re.IGNORECASE)
_KEY = re.compile(r"\b([A-Gb-g])(#|♯|b|♭|[ -]sharp|[ -]flat)?[ -]([Mm]ajor|[Mm]inor)\b")
_SIGNS = {"": "", "#": "#", "♯": "#", "sharp": "#", "b": "b", "♭": "b", "flat": "b"}
_METRE = re.compile(r"\b([2-9])/[48]\b")


def schedule(loaded: Loaded, request: Request, start: float = 1.0) -> list[float]:
    """The falling shares of noise that the model is asked at, from the first that is no larger than `start`.

    The formula of https://arxiv.org/abs/2403.03206, section 5.3.2. Turbo was taught eight of these shares.
    """
    count = steps(loaded, request)
    shares = [1 - number / count for number in range(count)]
    shifted = [SHIFT * share / (1 + (SHIFT - 1) * share) for share in shares]
    return [share for share in shifted if share <= start] or shifted[-1:]


def steps(loaded: Loaded, request: Request) -> int:
    if not loaded.turbo:
        return request.number_of_steps
    given = "number_of_steps" in request.model_fields_set
    return min(request.number_of_steps, MOST_TURBO_STEPS) if given else TURBO_STEPS


def guidance(loaded: Loaded, request: Request) -> dict[str, float]:
    if loaded.turbo:
        return {"guidance_scale": 1.0}
    given = request.model_fields_set
    beside = (1 - request.guidance_interval) / 2 if "guidance_interval" in given else 0.0
    scale = request.guidance_scale if "guidance_scale" in given else GUIDANCE
    return {"guidance_scale": scale, "cfg_interval_start": beside, "cfg_interval_end": 1 - beside}


def words(request: Described) -> dict[str, Any]:
    """Tags, lyrics and what tags say in numbers, each where the model looks for it."""
    bpm, key, metre = _BPM.search(request.tags), _KEY.search(request.tags), _METRE.search(request.tags)
    sung = not is_instrumental(request.lyrics)
    return {
        "prompt": request.tags,
        "lyrics": request.lyrics if sung else "[Instrumental]",
        "vocal_language": _language(request.lyrics) if sung else "unknown",
        "bpm": int(bpm[1]) if bpm else None,
        "keyscale": f"{key[1].upper()}{_SIGNS[(key[2] or '').strip(' -')]} {key[3].lower()}" if key else None,
        "timesignature": metre[1] if metre else None,
    }


def _language(lyrics: str) -> str:
    """The language of most lines."""
    lines = [line.strip() for line in lyrics.split("\n")]
    sung = [tongue for line, tongue in zip(lines, language.choose(lines), strict=True) if line and line[0] != "["]
    return Counter(sung).most_common(1)[0][0] if sung else "unknown"


def notes(loaded: Loaded, request: Described) -> tuple[str, ...]:
    """What the model has no use for, where the request says something about it, and what was too long for it."""
    told = []
    given = request.model_fields_set
    if unused := given & (_NO_USE | (_GUIDANCE if loaded.turbo else set())):
        told.append(f"This model has no use for {', '.join(sorted(unused))}.")
    if steps(loaded, request) < request.number_of_steps and "number_of_steps" in given:
        told.append(f"This model takes at most {MOST_TURBO_STEPS} steps, and {TURBO_STEPS} are enough.")
    for text, most, name in ((request.tags, _MOST_TAGS, "tags"), (request.lyrics, _MOST_LYRICS, "lyrics")):
        if len(loaded.pipe.tokenizer(text).input_ids) > most:
            told.append(f"The model reads {most:,} tokens of {name} and no more: the last ones were not heard.")
    return tuple(told)
