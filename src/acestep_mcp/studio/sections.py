"""The sections of a track: found by name, marked by a caller, and made again as one edit."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from acestep_mcp.api.errors import FieldError, InvalidRequest, NotFound
from acestep_mcp.api.requests import LATEST, AudioInpaint
from acestep_mcp.library.models import Track
from acestep_mcp.studio.edited_lyrics import words_between
from acestep_mcp.studio.identity import usable_sections

LONGEST_NAME = 60
_MOST, _SHORTEST = 200, 0.1
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
"""They shape the letters beside them."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})
_TOLERANCE = 0.05
"""Seconds by which marks may overlap, or lie past the end: callers round."""


def sections_of(track: Track) -> dict[str, tuple[float, float]]:
    """Start and end in seconds by name; where several have one name, in any case, each has a number: `chorus 1`, `chorus 2`."""
    rows = usable_sections(track.sidecar.get("sections"))
    names = [_plain(row["name"]) for row in rows]
    found: dict[str, tuple[float, float]] = {}
    taken = set(names)
    for row, name in zip(rows, names, strict=True):
        label = str(row["name"]).strip()
        if names.count(name) > 1:
            number = next(number for number in itertools.count(1) if f"{name} {number}" not in taken)
            taken.add(f"{name} {number}")
            label = f"{label} {number}"
        found[label] = (row["start"], row["end"])
    return found


def section_named(track: Track, wanted: str) -> tuple[str, tuple[float, float]]:
    """The section of that name; `chorus 2` is also the second of those that are called `chorus` without a number.

    Raises NotFound with the names that there are.
    """
    sections = sections_of(track)
    if not sections:
        raise NotFound(
            f"The sections of track {track.id} are unknown. Mark them with mark_sections, or use audio_inpaint with "
            "start_time and end_time."
        )
    plain = _plain(wanted)
    matches = [name for name in sections if _plain(name) == plain]
    base, number = _numbered(plain)
    if not matches:
        alike = [name for name in sections if _numbered(_plain(name))[0] == base]
        # Counted only where the name has no number of its own: of `chorus 1` and `chorus 3` neither is `chorus 2`.
        counted = [name for name in alike[number - 1 : number] if not _numbered(_plain(name))[1]]
        matches = counted if number else alike
    if len(matches) != 1:
        shown = ", ".join(f"{name} ({start:g}-{end:g} s)" for name, (start, end) in sections.items())
        problem = f"names {len(matches)} sections" if matches else "is not one of the song's sections"
        raise NotFound.of(FieldError("section", f"{wanted[:80]!r} {problem}; they are: {shown}"))
    return matches[0], sections[matches[0]]


def section_request(track: Track, section: str, given: Mapping[str, Any]) -> AudioInpaint:
    """The edit that makes a section again. Tags and words that are not given are those the song has there."""
    name, (start, end) = section_named(track, section)
    end = min(end, track.duration)
    if start >= end:
        raise InvalidRequest.of(
            FieldError(
                "section", f"{name} begins at {start:g} s, and the song is {track.duration:g} s long; mark it again"
            )
        )
    sidecar = track.sidecar
    defaults = {
        "tags": str(sidecar.get("tags") or ""),
        "lyrics": words_between(
            str(sidecar.get("lyrics") or ""), (start, end), usable_sections(sidecar.get("sections")), track.duration
        ),
    }
    window = {"audio_url": track.id, "start_time": start, "end_time": end}
    if end > LATEST:  # counted from the end, where a long song needs it
        window |= {"end_time": max(0.0, round(track.duration - end, 3)), "end_time_relative_to": "end"}
    if start > LATEST:
        window |= {"start_time": round(track.duration - start, 3), "start_time_relative_to": "end"}
    return AudioInpaint.parse(window | defaults | {key: value for key, value in given.items() if value is not None})


def checked_marks(track: Track, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sections to store, in their order of time. Raises InvalidRequest naming each wrong one."""
    if len(rows) > _MOST:
        raise InvalidRequest.of(FieldError("sections", f"a song has at most {_MOST} sections (got {len(rows)})"))
    ordered = sorted(enumerate(rows), key=lambda pair: pair[1]["start"])
    marks, errors = [], []
    for place, (number, row) in enumerate(ordered):
        following = ordered[place + 1][1]["start"] if place + 1 < len(ordered) else track.duration
        end = following if row.get("end") is None else row["end"]
        name = _readable(row["name"])
        if problem := _problem(name, row["start"], end, following, track.duration):
            errors.append(FieldError(f"sections.{number}", f"{name[:LONGEST_NAME]!r} {problem}"))
        marks.append({"name": name, "start": round(row["start"], 3), "end": round(min(end, track.duration), 3)})
    if errors:
        raise InvalidRequest.of(*errors)
    return marks


def _readable(name: str) -> str:
    """The name in one line, without characters that have no look; empty where no other is left."""
    words = " ".join(name.split())
    kept = "".join(c for c in words if c in _JOINERS or unicodedata.category(c) not in _UNSEEN)
    return kept if kept.strip(_JOINERS + " ") else ""


def _problem(name: str, start: float, end: float, following: float, seconds: float) -> str | None:
    if not 0 < len(name) <= LONGEST_NAME:
        return f"is no usable name; give one of 1 to {LONGEST_NAME} characters, such as verse or chorus"
    if start < 0:
        return f"starts at {start:g} s; the song begins at 0"
    if not (start < seconds and end <= seconds + _TOLERANCE):  # also for NaN
        return f"lies at {start:g} to {end:g} s, and the song is {seconds:g} s long"
    if end - start < _SHORTEST:
        short = f"is {end - start:.3f} s long; a section lasts at least {_SHORTEST:g} s"
        return short if end > start else f"ends at {end:g} s, not after its start at {start:g} s"
    if end > following + _TOLERANCE:
        return f"ends at {end:g} s, after the next one begins at {following:g} s; sections may not overlap"
    return None


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[\[\]()_:-]+", " ", name.casefold()).split())


def _numbered(plain: str) -> tuple[str, int]:
    """`chorus 2` as its name and number; 0 where it has none."""
    found = re.fullmatch(r"(.*?)\s*#?(\d{1,3})", plain)
    return (found[1], int(found[2])) if found and found[1] else (plain, 0)
