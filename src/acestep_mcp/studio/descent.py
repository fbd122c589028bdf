"""Where a track comes from: the tracks it was made from, and what changed at each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import NotFound
from acestep_mcp.library.models import Track
from acestep_mcp.studio.views import DescentStep

LONGEST = 50
_SHOWN = 60
_UNSEEN = ("seed", "audio_url", "original_seed", "original_tags", "original_lyrics")
"""Fields that follow from the source, and the seed, which is compared as it was used."""


def descent_of(track: Track, find: Callable[[str], Track]) -> list[DescentStep]:
    """The steps from the oldest known ancestor to the track itself; empty for a track that was made from no other.

    An ancestor that is gone for good ends the line; one in the trash does not. `find` raises NotFound.
    """
    steps: list[DescentStep] = []
    seen: set[str] = set()
    current: Track | None = track
    while current is not None and current.id not in seen and len(steps) < LONGEST:
        seen.add(current.id)
        origin = current.parent
        parent = _found(origin, find)
        steps.append(_step(current, parent, find))
        if origin is not None and parent is None:
            steps.append(DescentStep(id=origin, changed="no longer in the music folder"))
        current = parent
    return steps[::-1] if len(steps) > 1 or steps[0].take_of else []


def request_of(track: Track) -> dict[str, Any]:
    """The recorded request with the seed that was used, and without what follows from the source."""
    recorded = track.sidecar.get("request")
    fields = {
        key: value for key, value in (recorded if isinstance(recorded, Mapping) else {}).items() if key not in _UNSEEN
    }
    return {"tool": tool_of(track), **fields, "seed": track.sidecar.get("seed")}


def tool_of(track: Track) -> str:
    """The tool that made it."""
    endpoint = BY_ID.get(str(track.sidecar.get("endpoint")))
    return endpoint.tool if endpoint else str(track.sidecar.get("endpoint") or "unknown")


def shown(value: Any) -> Any:
    """A value short enough for a table."""
    text = value if isinstance(value, str) else None
    if text is None:
        return value
    text = " / ".join(line.strip() for line in text.splitlines() if line.strip())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3].rstrip()}..."


def _found(track_id: str | None, find: Callable[[str], Track]) -> Track | None:
    if track_id is None:
        return None
    try:
        return find(track_id)
    except NotFound:
        return None


def _step(track: Track, parent: Track | None, find: Callable[[str], Track]) -> DescentStep:
    """A take is compared with the take that it was made from, any other track with its parent."""
    remade = track.sidecar.get("remade")
    take_of = remade if isinstance(remade, str) and remade != track.parent else None
    return DescentStep(
        id=track.id,
        title=track.title,
        made_by=tool_of(track),
        changed=what_changed(track, _found(take_of, find) if take_of else parent),
        take_of=take_of,
    )


def what_changed(track: Track, parent: Track | None) -> str | None:
    """A sentence about an edit's span, or about the fields that differ from the parent's request."""
    edit = track.sidecar.get("edit")
    span = edit if isinstance(edit, Mapping) else {}
    tool = tool_of(track)
    if tool == "audio_inpaint" and {"start", "end"} <= span.keys():
        return f"{_seconds(span['start'])} to {_seconds(span['end'])} s made again{_words(span, parent)}"
    if tool == "audio_outpaint" and span:
        added = [f"{_seconds(span[side])} s {side}" for side in ("before", "after") if span.get(side)]
        return f"{' and '.join(added)} added{_words(span, parent)}"
    if parent is None:
        return None
    old, new = request_of(parent), request_of(track)
    names = [name for name in dict.fromkeys([*new, *old]) if old.get(name) != new.get(name) and name != "tool"]
    if tool == "audio_to_audio":
        names = [name for name in ("tags", "lyrics") if parent.sidecar.get(name) != track.sidecar.get(name)]
        old, new = parent.sidecar, track.sidecar
    changes = ", ".join(f"{name}: {shown(old.get(name))!r} -> {shown(new.get(name))!r}" for name in names)
    return changes or "nothing"


def _words(span: Mapping[str, Any], parent: Track | None) -> str:
    tags = span.get("tags")
    if not isinstance(tags, str) or (parent is not None and parent.sidecar.get("tags") == tags):
        return ""
    return f" with the tags {shown(tags)!r}"


def _seconds(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
