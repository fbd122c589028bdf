"""Requests in the terms of ACE-Step 1.5 at fal, which has other endpoints and fields than v1.

Unverified: the fields are those that public programs send and read. fal's own schema was not at hand.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.requests import AudioInpaint, Request, TextToAudio
from acestep_mcp.library.models import SentAs
from acestep_mcp.readers.no_vocals import is_instrumental

_NO_VOCALS = "[Instrumental]"
"""Without lyrics, the host has a language model write some."""
_TEXTS = {"tags": "prompt", "lyrics": "lyrics", "seed": "seed"}
_FIELDS: dict[type[Request], tuple[str, dict[str, str]]] = {
    TextToAudio: ("fal-ai/ace-step-1.5", _TEXTS | {"duration": "duration", "number_of_steps": "num_inference_steps"}),
    AudioInpaint: (
        "fal-ai/ace-step-1.5/repaint",
        _TEXTS
        | {
            "audio_url": "source_audio_url",
            "start_time": "start_time",
            "end_time": "end_time",
            "variance": "repaint_strength",
        },
    ),
}
"""By the request: the endpoint's id, and its fields by ours. fal has no counterpart of the other three endpoints."""
_ALWAYS = {"lyrics", "duration", "start_time", "end_time", "seed"}
"""Fields that are sent even where the request leaves them out: the host's defaults are not ours.

A seed is drawn here, since it is not known whether the host tells the one it took.
"""
_READ_HERE = {"start_time_relative_to", "end_time_relative_to"}


def in_v15_terms(request: Request, window: Mapping[str, Any]) -> tuple[SentAs, tuple[str, ...]] | None:
    """What is sent for the request, and notes for its result; None where fal offers no such endpoint of 1.5.

    `window` holds the `start` and `end` of an inpainting in seconds of a source whose length is known, else nothing.
    Raises InvalidRequest for times from the end of a source whose length is unknown.
    """
    if type(request) not in _FIELDS:
        return None
    endpoint, names = _FIELDS[type(request)]
    values = _values(request, window)
    given = request.model_fields_set | _ALWAYS
    body = {names[name]: value for name, value in values.items() if name in names and name in given}
    notes = [f"{endpoint} made it (ACE-Step 1.5 at fal). Its fields and its price were never checked with fal."]
    if unused := sorted(request.model_fields_set - names.keys() - _READ_HERE):
        notes.append(f"ACE-Step 1.5 at fal has no field for {', '.join(unused)}: without effect.")
    return SentAs(endpoint, "ACE-Step 1.5", body, names.get("audio_url")), tuple(notes)


def _values(request: Request, window: Mapping[str, Any]) -> dict[str, Any]:
    """The request's values, the times from the beginning of the source."""
    values = request.model_dump(mode="json", exclude_none=True)
    values.setdefault("seed", secrets.randbelow(2**32))
    if is_instrumental(values["lyrics"]):
        values["lyrics"] = _NO_VOCALS
    if not isinstance(request, AudioInpaint):
        return values
    if window:
        return values | {"start_time": window["start"], "end_time": window["end"]}
    for name in ("start_time", "end_time"):
        if getattr(request, f"{name}_relative_to") == "end":
            message = (
                "counts from the end of a source whose length is not known before it is fetched, and ACE-Step 1.5 at fal "
                f"counts from the start only; give {name} from the start, or the source as a track or a file"
            )
            raise InvalidRequest.of(FieldError(f"{name}_relative_to", message, value="end"))
    return values
