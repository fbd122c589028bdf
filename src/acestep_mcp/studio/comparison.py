"""Tracks side by side: what was measured of each, and where their requests differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.library.models import Track
from acestep_mcp.studio.descent import request_of, shown, tool_of
from acestep_mcp.studio.views import View

FEWEST, MOST = 2, 6
_MEASURED = ("checks", "heard")
"""Objects of the sidecar whose values are facts: whatever they hold is compared."""
_LEFT_OUT = frozenset({"summary"})
"""It says in words what the other rows say in numbers."""
_NEXT = "choose by the facts, and let the user listen: give the file_path of each"


class ComparedTrack(View):
    """A track among others. `relation` says how it came from another one of them, or from a track that is not here."""

    id: str
    title: str | None = None
    file_path: str | None = None
    relation: str | None = None
    notes: list[str] | None = None


class Comparison(View):
    """Tracks side by side: each list of `measured` and `differences` has one value for each track, in their order.

    `differences` are the fields of their requests (and the seeds) that are not equal; null is the default.
    """

    tracks: list[ComparedTrack] = Field(default_factory=list)
    measured: dict[str, list[Any]] = Field(default_factory=dict)
    differences: dict[str, list[Any]] = Field(default_factory=dict)
    next_step: str | None = None


def compare(tracks: Sequence[Track]) -> Comparison:
    """The tracks in the order given. Raises InvalidRequest for fewer than 2 or more than 6 different ones."""
    ids = [track.id for track in tracks]
    if len(set(ids)) < len(ids) or not FEWEST <= len(ids) <= MOST:
        repeated = sorted({track_id for track_id in ids if ids.count(track_id) > 1})
        problem = f"{', '.join(repeated)} is given more than once" if repeated else f"{len(ids)} were given"
        raise InvalidRequest.of(FieldError("track_ids", f"{problem}; give {FEWEST} to {MOST} different tracks"))
    rows = [ComparedTrack(**_row(track)) for track in tracks]
    facts = _table([_facts(track) for track in tracks])
    requests = _table([request_of(track) for track in tracks])
    differing = {name: [shown(value) for value in values] for name, values in requests.items() if _differ(values)}
    return Comparison(tracks=rows, measured=facts, differences=differing, next_step=_NEXT)


def _row(track: Track) -> dict[str, Any]:
    notes = track.sidecar.get("notes")
    return {
        "id": track.id,
        "title": track.title,
        "file_path": str(track.path),
        "relation": _relation(track),
        "notes": notes if notes and isinstance(notes, list) else None,
    }


def _relation(track: Track) -> str | None:
    origin = _made_from(track)
    return ", ".join(filter(None, (origin, "in the trash" if track.deleted else None))) or None


def _made_from(track: Track) -> str | None:
    remade, parent = track.sidecar.get("remade"), track.parent
    if isinstance(remade, str):
        return f"{'version' if remade == parent else 'another take'} of {remade}"
    return f"{tool_of(track)} of {parent}" if parent else None


def _facts(track: Track) -> dict[str, Any]:
    facts: dict[str, Any] = {"duration": round(track.duration, 2)}
    for name in _MEASURED:
        facts |= dict(_flat(track.sidecar.get(name)))
    return {name: value for name, value in facts.items() if name not in _LEFT_OUT}


def _flat(value: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested objects as `key.confidence`; lists of objects are left out."""
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        name = f"{prefix}{key}"
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{name}.")
        elif isinstance(inner, str | int | float):
            yield name, round(inner, 3) if isinstance(inner, float) else shown(inner)
        elif isinstance(inner, list) and all(isinstance(part, str | int | float) for part in inner):
            yield name, inner[:8]


def _table(columns: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for column in columns for name in column)
    return {name: [column.get(name) for column in columns] for name in names}


def _differ(values: Sequence[Any]) -> bool:
    return any(value != values[0] for value in values[1:])
