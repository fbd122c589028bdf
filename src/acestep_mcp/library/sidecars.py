"""Sidecars as they come from the disk, where people and other programs may have changed them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from acestep_mcp.api.text import decode_text, is_storable
from acestep_mcp.files import read_regular

SIDECAR_VERSION = 1
AUDIO_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    # To what people convert their songs.
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".aifc": "audio/aiff",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".aac": "audio/aac",
    ".caf": "audio/x-caf",
    ".w64": "audio/x-w64",
    ".au": "audio/basic",
    ".wma": "audio/x-ms-wma",
    ".webm": "audio/webm",
    ".mka": "audio/x-matroska",
}
"""By the ending of the file, in lower case; what we write first."""

_MOST_BYTES = 4 * 2**20


def _is_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


_Short = Annotated[str, Field(max_length=1000)]
_Long = Annotated[str, Field(max_length=2**20)]
_Count = Annotated[int, Field(ge=0, le=2**40)]
_Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class _Checked(BaseModel):
    """What is wrong in an optional field costs that field only; unknown fields stay."""

    model_config = ConfigDict(strict=True, extra="allow")


class _AudioFacts(_Checked):
    duration: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
    size: _Count
    content_type: Annotated[str, Field(pattern=r"^audio/[A-Za-z0-9.+-]{1,60}$")] | None = None
    sample_rate: _Count | None = None
    channels: _Count | None = None
    bits: _Count | None = None
    format: _Short | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class _Sidecar(_Checked):
    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
    created_at: Annotated[str, Field(max_length=64), AfterValidator(_is_time)]
    audio: _AudioFacts
    request: dict[str, Any] | None = None
    title: _Short | None = None
    tags: _Long | None = None
    lyrics: _Long | None = None
    seed: Annotated[int, Field(ge=0, lt=2**64)] | None = None
    endpoint: _Short | None = None
    engine: _Short | dict[str, Any] | None = None
    parent: _Short | dict[str, Any] | None = None
    edit: dict[str, Any] | None = None
    remade: _Short | None = None
    sections: list[dict[str, Any]] | None = None
    sections_marked: bool | None = None
    notes: list[_Long] | None = None
    checks: dict[str, Any] | None = None
    heard: dict[str, Any] | None = None
    cost: _Amount | None = None
    elapsed: _Amount | None = None


_REQUIRED = {("id",), ("created_at",), ("audio",), ("request",), ("audio", "duration"), ("audio", "size")}


def read_sidecar(path: Path) -> dict[str, Any]:
    """A sidecar without optional fields that cannot be used.

    Raises ValueError with the reason when it is no sidecar, or a field that every track needs is missing or wrong.
    """
    if path.is_symlink():
        raise ValueError("it is a link; put the file itself there")
    try:
        value = json.loads(decode_text(read_regular(path, _MOST_BYTES)), parse_constant=_no_constant)
    except OSError as exc:
        raise ValueError(f"it cannot be read ({exc.strerror or exc})") from exc
    except UnicodeDecodeError as exc:
        raise ValueError("it is not UTF-8 text") from exc
    except RecursionError as exc:
        raise ValueError("it is nested too deep") from exc
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one type for whatever is wrong with a file
    sidecar = {key: field for key, field in value.items() if is_storable(key) and is_storable(field)}
    _drop_wrong_fields(sidecar)
    return sidecar


def _drop_wrong_fields(sidecar: dict[str, Any]) -> None:
    """Raises ValueError for a required one."""
    try:
        _Sidecar.model_validate(sidecar)
    except ValidationError as exc:
        for error in exc.errors(include_url=False, include_input=False):
            names = tuple(str(part) for part in error["loc"])
            names = names[:2] if names[0] == "audio" else names[:1]
            if names in _REQUIRED:
                raise ValueError(f"{'.'.join(names)}: {error['msg']}") from exc
            holder = sidecar["audio"] if len(names) > 1 else sidecar
            holder.pop(names[-1], None)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
