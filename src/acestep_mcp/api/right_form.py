"""The right form of a value that was sent in a wrong one: models correct themselves at once if they see it."""

from __future__ import annotations

import difflib
import json
import math
import re
from typing import Any, Literal, get_args, get_origin

_CLOCK = re.compile(r"\s*(?:(?P<hours>\d{1,2}):)?(?P<minutes>\d{1,3}):(?P<seconds>\d{2}(?:\.\d{1,6})?)\s*")
_UNITS = re.compile(
    r"\s*(?:(?P<minutes>\d{1,3}(?:\.\d{1,6})?)\s*m(?:in(?:ute)?s?)?\.?)?[\s,]*(?:and\s+)?"
    r"(?:(?P<seconds>\d{1,5}(?:\.\d{1,6})?)\s*(?:s(?:ec(?:ond)?s?)?\.?)?)?\s*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,6})?")
_SHORT = 120
_OTHER_WORDS = {
    "beginning": "start",
    "cover": "remix",
    "restyle": "remix",
    "style": "remix",
    "edit": "lyrics",
    "words": "lyrics",
    "midi": "mid",
    "wave": "wav",
    "vorbis": "ogg",
}
"""What models write for a choice, if it is not one of the choices."""


def right_form(name: str, annotation: Any, value: Any) -> str:
    """The advice to add to an error message: `send 90`; empty if there is none. `annotation` is the type of a right value."""
    if name in ("seed", "original_seed") and isinstance(value, int | float | str):
        return f"leave {name} out for a random one" if name == "seed" else f"leave {name} out if you do not know it"
    if (origin := get_origin(annotation)) in (list, dict, Literal):
        return _as_choice(value, get_args(annotation)) if origin is Literal else _as_container(annotation, value)
    kinds = {str, int, float, bool} & set(getattr(annotation, "__args__", (annotation,)))
    if str in kinds:
        return _as_text(value, "\n" if "lyrics" in name else ", ")
    if bool in kinds:
        return "send true or false"
    if kinds & {int, float}:
        return _as_number(value, is_whole=float not in kinds, is_time="duration" in name or "time" in name)
    return ""


def _as_choice(value: Any, choices: tuple[str, ...]) -> str:
    """The choice that is written in another way, misspelt, or known by another word."""
    text = str(value).strip().casefold().lstrip(".")
    close = difflib.get_close_matches(_OTHER_WORDS.get(text, text), choices, 1)
    return f"send {json.dumps(close[0])}" if close else ""


def _as_container(annotation: Any, value: Any) -> str:
    if get_origin(annotation) is dict:
        return 'send a JSON object: {"name": value}'
    if get_args(annotation)[0] is not str:
        return "send a JSON list of objects"
    if not isinstance(value, str):
        return "send a list of strings"
    items = [item.strip(" \"'") for item in value[:_SHORT].strip(" []").split(",")]
    return f"send a list: {json.dumps(items, ensure_ascii=False)}"


def _as_text(value: Any, separator: str) -> str:
    if isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        text = separator.join(str(item) for item in value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
    else:
        return "" if isinstance(value, str) else "send one string"
    return f"send one string: {json.dumps(text[:_SHORT], ensure_ascii=False)}"


def _as_number(value: Any, *, is_whole: bool, is_time: bool) -> str:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], int | float):
        return f"send {value[0]}"
    if isinstance(value, float) and is_whole and math.isfinite(value):
        return f"send a whole number: {round(value)}"
    if not isinstance(value, str):
        return ""
    if is_time and (seconds := _seconds(value)) is not None:
        return f"send seconds as a number: {seconds:g}"
    found = _NUMBER.search(value)
    return f"send a number: {found[0]}" if found else "send a number"


def _seconds(text: str) -> float | None:
    """The seconds that `1:30`, `90s` or `2 min 5` mean."""
    found = _CLOCK.fullmatch(text) or _UNITS.fullmatch(text)
    if not found or not any(found.groupdict().values()):
        return None
    parts = {unit: float(amount) for unit, amount in found.groupdict().items() if amount}
    return parts.get("hours", 0) * 3600 + parts.get("minutes", 0) * 60 + parts.get("seconds", 0)
